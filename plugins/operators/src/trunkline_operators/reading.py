"""From a record of a file to what the models take, and what is wrong with it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from trunkline import json
from trunkline.errors import BadRequest
from trunkline.vault import MASK
from trunkline_operators.document import Mapping as FileMapping
from trunkline_operators.export import Exporter, config_name, default_of
from trunkline_operators.fields import FileField, derived_of
from trunkline_operators.secrets import PLACEHOLDER, Password, is_sealed
from trunkline_system.model import Model, Row
from trunkline_system.models.service import ServiceModel

if TYPE_CHECKING:
    from trunkline.config import Config


class Unresolved(BadRequest):
    """A record names another one that is not there, or not yet."""


class Reader:
    """Turns records of a file into what a write takes; a record says everything: what it leaves out has its default."""

    def __init__(self, exporter: Exporter, password: Password | None) -> None:
        """Read against the records that an exporter sees."""
        self._exporter = exporter
        self._password = password
        # Records that are referred to, by table and id, with the place that does so first.
        self.used: dict[tuple[str, int], str] = {}
        # Whether the last record named one that was not there; it is then left out, to be written later.
        self.postponed = False
        self.may_postpone = True

    def given(
        self, model: type[Model], skipped: frozenset[str], record: Mapping[str, Any], row: Row | None, place: str
    ) -> dict[str, Any]:
        """Answer what to write; raises BadRequest for unknown fields and names."""
        given: dict[str, Any] = {}
        fields = self._exporter.fields(model, skipped)
        for field in fields:
            if field.name in record:
                self._read(given, model, field, record, row, place)
            elif row is not None:
                self._reset(given, model, field, record, row)
        return given

    def note(self, model: type[Model], skipped: frozenset[str], record: Mapping[str, Any], place: str) -> None:
        """Note what a record refers to that need not be written, as it is what the file says."""
        for field in self._exporter.fields(model, skipped):
            if field.target is not None and record.get(field.name) is not None:
                self._refer({}, field.column.name, field.target, record[field.name], place)

    def _read(
        self,
        given: dict[str, Any],
        model: type[Model],
        field: FileField,
        record: Mapping[str, Any],
        row: Row | None,
        place: str,
    ) -> None:
        name, value, where = field.column.name, record[field.name], f"{place}/{field.name}"
        stored = row[name] if row is not None else None
        if model is ServiceModel and name == "config":
            given[name] = self._config(record, value or {}, row, where)
        elif field.target is not None and value is not None:
            self._refer(given, name, field.target, value, where)
        elif field.spelling is not None:
            given[name] = field.spelling.back(value)
        elif isinstance(value, str):
            self._read_text(given, name, value, stored, where)
        else:
            given[name] = self._ids(value, where) if name == "data" else plain(value)

    def _read_text(self, given: dict[str, Any], name: str, value: str, stored: Any, where: str) -> None:
        vault = self._exporter.app.vault
        known = vault.decrypt(stored) if vault.is_sealed(stored) else None
        text = self._secret(value, known, where)
        if text is not None and text != known:
            given[name] = text

    def _secret(self, value: str, known: str | None, where: str) -> str | None:
        """Open a secret; None for a placeholder. Raises BadRequest when there is nothing that it could stand for."""
        if value == PLACEHOLDER:
            if known is None:
                raise BadRequest(f"{_field(where)}: there is no stored secret that 'secret:' could stand for.")
            return None
        if not is_sealed(value):
            return value
        if self._password is None:
            raise BadRequest(f"{_field(where)}: the file has encrypted secrets; it takes their password.")
        try:
            return self._password.open(value, where)
        except BadRequest as error:
            raise BadRequest(f"{_field(where)}: {error.message}") from None

    def _refer(self, given: dict[str, Any], name: str, table: str, value: Any, where: str) -> None:
        found = self._exporter.names.record_id(table, value)
        if found is not None:
            self.used.setdefault((table, found), where)
            given[name] = found
        elif self.may_postpone:
            self.postponed = True
        else:
            raise Unresolved(f"{_field(where)}: there is no {table} '{str(value)[:64]}'.")

    def _reset(
        self, given: dict[str, Any], model: type[Model], field: FileField, record: Mapping[str, Any], row: Row
    ) -> None:
        """Set back what the file leaves out; what a record cannot be without is missed by the model."""
        column = field.column
        if model is ServiceModel and column.name == "config":
            given["config"] = self._config(record, {}, row, "config")
        elif column.nullable or field.default is not None or model.must_be_sent(column):
            given[column.name] = derived_of(model, record).get(column.name, field.default)

    def _config(self, record: Mapping[str, Any], value: Any, row: Row | None, where: str) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise BadRequest("The config field must be a mapping.")
        kind = self._exporter.app.registry.find(str(record.get("type")))
        if kind is None:
            # The model says what is to be installed.
            return {}
        model = kind.config_class()
        stored: dict[str, Any] = json.loads(row["config"] or "{}") if row is not None else {}
        fields = {self._config_name(name, model): name for name in model.model_fields}
        for name in value:
            if name not in fields and name not in model.model_fields:
                raise BadRequest(f"config has no field '{name[:64]}'.")
        given: dict[str, Any] = {}
        for shown, name in fields.items():
            if shown in value or name in value:
                self._config_value(given, model, name, value.get(shown, value.get(name)), stored, f"{where}/{shown}")
            elif stored.get(name) is not None:
                if model.model_fields[name].is_required():
                    raise BadRequest(f"config.{name} is missing.")
                given[name] = default_of(model, name)
        return given

    def _config_name(self, name: str, model: type[Config]) -> str:
        short = config_name(name)
        return short if short not in model.model_fields and self._exporter.names.target_named(name) else name

    def _config_value(
        self, given: dict[str, Any], model: type[Config], name: str, value: Any, stored: Mapping[str, Any], where: str
    ) -> None:
        target = self._exporter.names.target_named(name)
        if name in model.secrets() and value is not None:
            vault = self._exporter.app.vault
            known = vault.decrypt(str(stored[name])) if stored.get(name) else None
            text = self._secret(str(value), known, where)
            given[name] = MASK if text is None or text == known else text
        elif target is not None and isinstance(value, str) and _is_number(model, name):
            self._refer(given, name, target, value, where)
        else:
            given[name] = self._ids(value, where)

    def _ids(self, value: Any, where: str) -> Any:
        """Put ids in place of names inside of structures."""
        if isinstance(value, list):
            return [self._ids(one, where) for one in value]
        if not isinstance(value, dict):
            return value
        found: dict[str, Any] = {}
        for key, one in value.items():
            target = self._exporter.names.target_named(key) if key.endswith("_id") and isinstance(one, str) else None
            if target is None:
                found[key] = self._ids(one, where)
            else:
                self._refer(found, key, target, one, f"{where}/{key}")
        return found


def _is_number(model: type[Config], name: str) -> bool:
    return any(one["name"] == name and one["type"] == "integer" for one in model.schema_entries())


def _field(where: str) -> str:
    """Take the field out of a place, the record of which is told anyhow."""
    return where.partition("/")[2] or where


def plain(value: Any) -> Any:
    """Answer mappings of a file as what they are."""
    if isinstance(value, FileMapping | dict):
        return {key: plain(one) for key, one in value.items()}
    return [plain(one) for one in value] if isinstance(value, list) else value
