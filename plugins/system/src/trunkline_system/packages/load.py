"""From the records of a package to stored ones, in one transaction (system-api 20.1)."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

from trunkline.db import tables
from trunkline.errors import BadRequest, InternalError, TrunklineError
from trunkline.vault import MASK, Vault
from trunkline_system import writing
from trunkline_system.model import STAMPS, Model, Relation, Row, Work
from trunkline_system.models.lookup import Lookup
from trunkline_system.models.role import Role
from trunkline_system.models.user import Assignment, UserModel
from trunkline_system.packages.export import children_of
from trunkline_system.packages.references import Names, identity, is_reference, target_of, walk

# Who is referred to comes before who refers to it; access rows and configurations with references come at the end.
ORDER = ("lookup", "role", "service", "app", "email_template", "admin", "user")
_ACCESS = "role_service_access_by_role_id"
_HASH = re.compile(
    r"\$2[aby]\$(?:0[4-9]|1[0-4])\$[./A-Za-z0-9]{53}|\$argon2id\$v=19\$m=(\d{1,6}),t=(\d),p=(\d)\$[^$]+\$[^$]+"
)
_MISSING = object()


@dataclass(slots=True)
class Log:
    """What came of it."""

    created: Counter[str] = field(default_factory=Counter)
    updated: Counter[str] = field(default_factory=Counter)
    skipped: Counter[str] = field(default_factory=Counter)
    notices: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    # Resource, action and id of what was written, for those who want to know.
    changes: list[tuple[str, str, int]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Options:
    """How a package is loaded; ``is_tolerant`` notes what fails and goes on, instead of undoing all."""

    overwrite: bool = False
    opening: Vault | None = None
    is_ours: bool = True
    is_tolerant: bool = False


class Loader:
    """Writes the records of a package on behalf of a caller, whose rights it does not widen."""

    def __init__(self, work: Work, models: Mapping[str, type[Model]], options: Options) -> None:
        """Know the models by the names of their resources."""
        self._work = work
        self._models = models
        self._options = options
        self._names = Names(work.connection)
        self._ids: dict[tuple[str, int], str] = {}
        self._access: list[tuple[Row, list[Any]]] = []
        self._configs: list[tuple[Row, dict[str, Any]]] = []
        self.log = Log()

    def load(self, records: Mapping[str, Sequence[Any]]) -> Log:
        """Write all records; raises the first failure, with the record named, unless failures are tolerated."""
        for resource, some in records.items():
            for one in some:
                if not isinstance(one, dict):
                    raise BadRequest("Invalid package supplied.")
                if isinstance(one.get("id"), int):
                    self._ids[resource, one["id"]] = str(one.get(identity(resource)))
        rest = [name for name in records if name not in ORDER]
        for resource in (*ORDER, *rest):
            for record in records.get(resource, ()):
                told = f"{resource} '{str(record.get(identity(resource)))[:64]}'"
                self._try(told, self._load, resource, record, told)
            if resource == "service":
                for role, rows in self._access:
                    self._try(f"role '{role['name']}'", self._load_access, role, rows)
        for row, config in self._configs:
            self._try(f"service '{row['name']}'", self._load_config, row, config)
        return self.log

    def _try(self, told: str, step: Callable[..., None], *arguments: Any) -> None:
        try:
            with self._work.connection.begin_nested():
                step(*arguments)
        except TrunklineError as error:
            message = f"{told[:1].upper()}{told[1:]}: {error.message}"
            if not self._options.is_tolerant or error.status >= 500:
                raise type(error)(message, context=error.context) from error
            self.log.errors.append(message)

    def _load(self, resource: str, record: dict[str, Any], told: str) -> None:
        model = self._models.get(resource)
        if model is None:
            raise BadRequest(f"There is no resource '{resource[:64]}' here.")
        key = identity(resource)
        if not isinstance(record.get(key), str) or not record[key]:
            raise BadRequest(f"The {key} is missing.")
        if resource == "service" and self._work.app.registry.find(str(record.get("type"))) is None:
            self.log.warnings.append(f"The {told} is left out, as its type is not installed here.")
            return
        stored = self._stored(model, key, record[key])
        if stored is not None and issubclass(model, UserModel) and stored["is_sys_admin"] is not model.are_admins:
            self.log.warnings.append(f"The {told} is left out, as the address is that of another kind of account.")
            self.log.skipped[resource] += 1
            return
        if stored is not None and not self._options.overwrite:
            self.log.notices.append(f"The {told} exists already and stays as it is.")
            self.log.skipped[resource] += 1
            return
        self._work.demand("POST" if stored is None else "PATCH", model)
        given, fixed, later = self._prepared(model, record, stored, told)
        if stored is None:
            row = writing.create(self._work, model, given, **fixed)
        else:
            row = writing.update(self._work, model, stored, given)
            self._fix(model, row, fixed)
        done = self.log.created if stored is None else self.log.updated
        done[resource] += 1
        self.log.changes.append(
            (resource, "created" if stored is None else "updated", row["id" if "id" in row else model.key])
        )
        if later:
            self._configs.append((row, later))
        if model is Role and isinstance(record.get(_ACCESS), list):
            self._access.append((row, record[_ACCESS]))

    def _stored(self, model: type[Model], key: str, name: str) -> Row | None:
        query = sa.select(model.table).where(sa.func.lower(model.table.c[key]) == sa.func.lower(name))
        if not issubclass(model, UserModel) and (scope := model.scope(self._work.call)) is not None:
            query = query.where(scope)
        return self._work.connection.execute(query).mappings().first()

    def _prepared(
        self, model: type[Model], record: Mapping[str, Any], stored: Row | None, told: str
    ) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
        """Answer what to write, columns beside that, and what of a configuration has to wait for other records."""
        children = dict(children_of(model))
        given = self._plain(model, record, told)
        fixed: dict[str, Any] = {}
        later: dict[str, Any] = {}
        if model.table is tables.service and isinstance(record.get("config"), dict):
            given["config"], later = self._config(record, stored, told)
        if issubclass(model, UserModel):
            fixed = self._hashes(given, told)
        for name, relation in children.items():
            if name in record and name != _ACCESS:
                given[name] = self._children(relation, record[name], stored, told)
        return given, fixed, later

    def _plain(self, model: type[Model], record: Mapping[str, Any], told: str) -> dict[str, Any]:
        """Resolve the references of a record, open its secrets, and leave out what a package has no say in."""
        dropped = STAMPS | {"id"} | model.relations.keys() | (model.computed - {"config"})
        given: dict[str, Any] = {}
        for name, value in record.items():
            if name in dropped:
                continue
            resolved = self._resolved(name, value)
            if resolved is _MISSING:
                self.log.warnings.append(f"The {told} refers by {name} to a record that is not here.")
                resolved = None
            given[name] = resolved
        for name in _secret_fields(model, record):
            if name not in given:
                continue
            given[name] = self._opened(given[name])
            if given[name] == MASK:
                del given[name]
                if name in ("value", "api_key"):
                    told_what = "a private lookup whose value" if name == "value" else "an API key, which"
                    self.log.warnings.append(f"The {told} has {told_what} is not in the package.")
        return given

    def _resolved(self, name: str, value: Any) -> Any:
        """Answer the id that a reference means here; a bare id of another instance means what the package calls so."""
        if is_reference(value):
            found = self._names.id_of(value)
            return _MISSING if found is None else found
        target = target_of(name)
        if target is None or not isinstance(value, int) or isinstance(value, bool):
            return value
        known = self._ids.get((target, value))
        found = self._names.id_of({target: known}) if known is not None else None
        return _MISSING if found is None else found

    def _opened(self, value: Any) -> Any:
        if not isinstance(value, str) or self._options.opening is None:
            return value
        try:
            return self._options.opening.decrypt(value)
        except (InternalError, ValueError, IndexError):
            raise BadRequest("A secret of the package is damaged.") from None

    def _hashes(self, given: dict[str, Any], told: str) -> dict[str, Any]:
        """Take hashes out of a user's record; they are kept as they are, from administrators and if they are sound."""
        hashes = {name: given.pop(name) for name in ("password", "security_answer") if given.get(name) is not None}
        for name in list(hashes):
            found = _HASH.fullmatch(str(hashes[name]))
            costs = found is not None and (found.group(1) is None or int(found.group(1)) <= 2**18)
            if not costs or not self._work.call.caller.is_admin:
                del hashes[name]
                self.log.warnings.append(f"The {name.replace('_', ' ')} of {told} is left out.")
        return hashes

    def _fix(self, model: type[Model], row: Row, fixed: dict[str, Any]) -> None:
        """Set hashes of a user who exists; sessions end, as with any change of a password."""
        if fixed:
            ended = {"token_epoch": row["token_epoch"] + 1} if "password" in fixed else {}
            change = sa.update(model.table).where(model.table.c.id == row["id"]).values({**fixed, **ended})
            self._work.connection.execute(change)

    def _config(
        self, record: Mapping[str, Any], stored: Row | None, told: str
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """Split a configuration: what can be written now, and what refers to records that come later."""
        model = self._work.app.registry.load(str(record["type"])).config_class()
        hidden = model.secrets()
        now: dict[str, Any] = {}
        later: dict[str, Any] = {}
        for name, value in record["config"].items():
            if name == "service_id":
                continue
            if _refers(name, value, self._options.is_ours):
                later[name] = value
                continue
            now[name] = self._opened(value) if name in hidden else value
            if name in hidden and now[name] == MASK and stored is None:
                self.log.warnings.append(f"The {told} has a secret that is not in the package: {name}.")
                del now[name]
                if model.model_fields[name].is_required():
                    now[name] = ""
        return now, later

    def _children(self, relation: Relation, given: Any, stored: Row | None, told: str) -> Any:
        child = relation.model()
        if relation.kind == "has_one":
            return self._plain(child, given, told) if isinstance(given, dict) else None
        if not isinstance(given, list) or not all(isinstance(one, dict) for one in given):
            raise BadRequest("Invalid package supplied.")
        if child is not Assignment:
            return [self._plain(child, one, told) for one in given]
        found = []
        for one in given:
            app, role = (self._resolved(name, one.get(name)) for name in ("app_id", "role_id"))
            if _MISSING in (app, role):
                self.log.warnings.append(f"An assignment of {told} is left out, as its app or role is not here.")
                continue
            found.append({"app_id": app, "role_id": role})
            if stored is not None:
                table = child.table
                same = (table.c.user_id == stored["id"], table.c.app_id == app)
                self._work.connection.execute(sa.delete(table).where(*same))
        return found

    def _load_access(self, role: Row, rows: list[Any]) -> None:
        """Give a role the access rows of the package, and no others: rows that add up would widen its rights."""
        found = []
        for one in rows:
            if not isinstance(one, dict):
                raise BadRequest("Invalid package supplied.")
            service = self._resolved("service_id", one.get("service_id")) if "service_id" in one else _MISSING
            if service is _MISSING:
                # Without its service it would be a row for all services.
                self.log.warnings.append(f"A row of role '{role['name']}' is left out, as its service is not here.")
                continue
            found.append({**{key: value for key, value in one.items() if key not in (*STAMPS, "id", "role_id")},
                          "service_id": service})  # fmt: skip
        table = tables.role_service_access
        self._work.connection.execute(sa.delete(table).where(table.c.role_id == role["id"]))
        if found:
            writing.update(self._work, Role, role, {_ACCESS: found})

    def _load_config(self, row: Row, config: dict[str, Any]) -> None:
        def resolved(name: str, value: Any) -> Any:
            if not _refers(name, value, self._options.is_ours, deep=False):
                return value
            found = self._resolved(name, value)
            if found is _MISSING:
                told = f"The configuration of service '{row['name']}' refers by {name} to a record that is not here."
                self.log.warnings.append(told)
                return None
            return found

        model = self._models["service"]
        writing.update(self._work, model, row, {"config": walk(config, resolved)})


def _secret_fields(model: type[Model], record: Mapping[str, Any]) -> tuple[str, ...]:
    if issubclass(model, Lookup):
        return ("value",) if record.get("private") else ()
    if issubclass(model, UserModel):
        return ("password", "security_answer")
    return ("api_key",) if model.table is tables.app else ()


def _refers(name: str, value: Any, is_ours: bool, *, deep: bool = True) -> bool:
    """Say whether a value of a configuration is a reference, or has one somewhere inside."""
    if is_reference(value):
        return True
    if not is_ours and target_of(name) is not None and isinstance(value, int) and not isinstance(value, bool):
        return True
    if not deep:
        return False
    if isinstance(value, dict):
        return any(_refers(key, one, is_ours) for key, one in value.items())
    return isinstance(value, list) and any(_refers(name, one, is_ours) for one in value)
