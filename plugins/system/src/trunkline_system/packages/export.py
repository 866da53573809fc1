"""From stored records to those of a package: names for ids, secrets sealed or left out."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

import sqlalchemy as sa

from trunkline import json
from trunkline.db import tables
from trunkline.errors import BadRequest
from trunkline.vault import MASK, Vault
from trunkline_system.model import STAMPS, Model, Relation, Row, Work
from trunkline_system.models.lookup import Lookup
from trunkline_system.models.user import Assignment, UserModel
from trunkline_system.packages.references import Names, identity, walk
from trunkline_system.stored import StoredResource

# Values that only say where a secret is: references, and lookups (checklist 27).
_ELSEWHERE = re.compile(r"env:\w+|file:.+|\{\w[\w.\-|()]*\}")
_HASHES = ("password", "security_answer")


def children_of(model: type[Model]) -> Iterator[tuple[str, Relation]]:
    """List the relations whose records are part of their parent: they have no resource of their own.

    What the platform alone writes, such as the log of a task, is no part of it.
    """
    for name, relation in model.relations.items():
        if relation.kind not in ("has_many", "has_one"):
            continue
        child = relation.model()
        if child.resource is not None or child.read_only >= set(child.table.columns.keys()):
            continue
        # An assignment has three parents, and belongs to its user.
        if child is not Assignment or issubclass(model, UserModel):
            yield name, relation


class Exporter:
    """Renders records for a package; ``sealing`` is the vault under its password, if it has one."""

    def __init__(self, work: Work, sealing: Vault | None) -> None:
        """Know on whose behalf it is done."""
        self._work = work
        self._sealing = sealing
        self._names = Names(work.connection)

    def records(self, resource: StoredResource, wanted: Sequence[Any]) -> list[dict[str, Any]]:
        """Render the records that a manifest names, by id, by name or by an object with the name."""
        model, field = resource.model, identity(resource.name)
        found = []
        for one in wanted:
            name = one.get(field) or one.get("username") if isinstance(one, dict) else one
            row = self._row(model, field, name)
            if row is None:
                raise BadRequest(f"There is no {resource.name} '{str(name)[:64]}' to export.")
            found.append(self._record(model, row))
        return found

    def _row(self, model: type[Model], field: str, name: Any) -> Row | None:
        columns = [model.table.c[field]]
        if field == "email":
            columns.append(model.table.c.username)
        if isinstance(name, int) and "id" in model.table.c:
            columns = [model.table.c.id]
        elif not isinstance(name, str):
            return None
        query = sa.select(model.table).where(sa.or_(*(column == name for column in columns)))
        if (scope := model.scope(self._work.call)) is not None:
            query = query.where(scope)
        return self._work.connection.execute(query).mappings().first()

    def _record(self, model: type[Model], row: Row) -> dict[str, Any]:
        record = self._plain(model, row)
        for name, relation in children_of(model):
            child = relation.model()
            query = sa.select(child.table).where(child.table.c[relation.field] == row[model.key])
            rows = self._work.connection.execute(query.order_by(*child.table.primary_key)).mappings().all()
            made = [self._plain(child, one) for one in rows]
            for one in made:
                one.pop(relation.field, None)
            record[name] = made if relation.kind == "has_many" else next(iter(made), None)
        return record

    def _plain(self, model: type[Model], row: Row) -> dict[str, Any]:
        app = self._work.app
        dropped = STAMPS | model.owners | model.read_only | {"id"} | (model.computed - {"config"})
        shown = {name: value for name, value in model.shown(app, row).items() if name not in dropped}
        record = {name: self._names.reference(name, value) for name, value in shown.items()}
        if model.table is tables.service:
            record["config"] = self._config(row)
        elif issubclass(model, Lookup) and row["private"] and row["value"] is not None:
            record["value"] = self._secret(app.vault.decrypt(row["value"]))
        elif model.table is tables.app:
            record["api_key"] = self._secret(record["api_key"])
        elif issubclass(model, UserModel):
            record |= {name: self._secret(row[name]) for name in _HASHES if row[name]}
        return record

    def _config(self, row: Row) -> dict[str, Any]:
        """Render a configuration; of a type that is not installed nobody knows what is secret, so it has none."""
        kind = self._work.app.registry.find(row["type"])
        if kind is None:
            return {}
        model, stored = kind.config_class(), json.loads(row["config"] or "{}")
        shown = model.shown(stored)
        for name in model.secrets():
            if shown[name] == MASK:
                plain = self._work.app.vault.decrypt(stored[name])
                shown[name] = plain if _ELSEWHERE.fullmatch(plain) else self._secret(plain)
        rendered: dict[str, Any] = walk(shown, self._config_reference)
        return rendered

    def _config_reference(self, field: str, value: Any) -> Any:
        """Turn ids of records into references; what is no such id is the service's own number."""
        found = self._names.reference(field, value)
        return value if found is None else found

    def _secret(self, plain: str) -> str:
        return MASK if self._sealing is None else self._sealing.encrypt(plain)
