"""From the system database to records of a file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from trunkline import json
from trunkline.call import SYSTEM, Call
from trunkline.vault import Vault
from trunkline_operators.fields import FileField, fields_of, key_of
from trunkline_operators.kinds import Child, Kind
from trunkline_operators.names import Names
from trunkline_operators.secrets import Secret, Writer, placeholders
from trunkline_system.model import Model, Row
from trunkline_system.models.service import ServiceModel

if TYPE_CHECKING:
    from trunkline.app import App
    from trunkline.config import Config

Record = dict[str, Any]
Content = dict[str, list[Record]]


class Exporter:
    """Reads records as a connection sees them; secrets are ``Secret`` until ``emitted`` writes them."""

    def __init__(self, app: App, connection: sa.Connection, kinds: Sequence[Kind]) -> None:
        """Know where to read from."""
        self.app = app
        self.connection = connection
        self.kinds = kinds
        self.names = Names(connection, kinds)
        self._fields: dict[tuple[type[Model], frozenset[str]], list[FileField]] = {}

    def content(self) -> Content:
        """Read everything."""
        return {kind.name: [record for _row, record in self.records(kind)] for kind in self.kinds}

    def records(self, kind: Kind) -> list[tuple[Row, Record]]:
        """Read all records of a kind in a stable order."""
        table, scope = kind.model.table, kind.model.scope(Call("GET", "system", caller=SYSTEM))
        query = sa.select(table) if scope is None else sa.select(table).where(scope)
        children = {child.name: self._grouped(child, None) for child in kind.children}
        found: list[tuple[Row, Record]] = [
            (row, self._whole(kind, row, {name: rows.get(_id(row), []) for name, rows in children.items()}))
            for row in self.connection.execute(query).mappings()
        ]
        found.sort(key=lambda pair: self._order(kind.model, frozenset(), pair[1]))
        return found

    def record(self, kind: Kind, row: Row) -> Record:
        """Read one record with its children."""
        children = {child.name: self.child_rows(child, _id(row)) for child in kind.children}
        return self._whole(kind, row, children)

    def child_rows(self, child: Child, parent: Any) -> list[Row]:
        """Read the rows that are part of one parent's record."""
        return self._grouped(child, parent).get(parent, [])

    def child_record(self, child: Child, row: Row) -> Record:
        """Answer a child as its parent's record has it."""
        return self._flat(child.model, row, child.skipped)

    def fields(self, model: type[Model], skipped: frozenset[str] = frozenset()) -> list[FileField]:
        """List the fields of a model, remembered."""
        if (model, skipped) not in self._fields:
            self._fields[model, skipped] = fields_of(model, self.names, skipped)
        return self._fields[model, skipped]

    def _grouped(self, child: Child, parent: Any) -> dict[Any, list[Row]]:
        table = child.model.table
        query = sa.select(table).where(*(table.c[name].is_(None) for name in child.later))
        query = query.where(table.c[child.field].is_not(None) if parent is None else table.c[child.field] == parent)
        found: dict[Any, list[Row]] = {}
        for row in self.connection.execute(query.order_by(*table.primary_key)).mappings():
            found.setdefault(row[child.field], []).append(row)
        return found

    def _whole(self, kind: Kind, row: Row, children: Mapping[str, Sequence[Row]]) -> Record:
        record = self._flat(kind.model, row, frozenset())
        for child in kind.children:
            rows = [self.child_record(child, one) for one in children[child.name]]
            rows.sort(key=lambda one, child=child: self._order(child.model, child.skipped, one))  # type: ignore[misc]  # bound now
            if rows:
                record[child.name] = rows[0] if child.single else rows
        return record

    def _order(self, model: type[Model], skipped: frozenset[str], record: Record) -> tuple[tuple[str, ...], str]:
        return key_of(model, self.names, record, skipped), repr(record)

    def _flat(self, model: type[Model], row: Row, skipped: frozenset[str]) -> Record:
        """Answer the fields of a row; what has its default is left out."""
        shown = model.shown(self.app, row)
        record: Record = {}
        for field in self.fields(model, skipped):
            name = field.column.name
            if name not in shown:
                continue
            value: Any
            if model is ServiceModel and name == "config":
                value = self._config(row)
                if not value:
                    continue
            else:
                value = _told_or_secret(self.app.vault, shown[name], row, name)
            if row[name] == model.derived(dict(row)).get(name, field.default):
                continue
            if row[name] is None:
                # What a create would fill in must be said to be nothing.
                if name in model.derived(dict(row)):
                    record[field.name] = None
                continue
            if field.target is not None:
                value = self.names.name(field.target, value)
            elif field.spelling is not None:
                value = field.spelling.out(value)
            record[field.name] = self._named(value) if name == "data" else value
        return record

    def _config(self, row: Row) -> Record:
        """Answer what differs from the defaults of the type; all of it where the type is not installed."""
        stored: dict[str, Any] = json.loads(row["config"] or "{}")
        kind = self.app.registry.find(row["type"])
        model = kind.config_class() if kind is not None else None
        found: Record = {}
        for name in model.model_fields if model is not None else sorted(stored):
            value = _opened(self.app.vault, stored.get(name))
            if value in (None, [], {}) or (model is not None and value == default_of(model, name)):
                continue
            target = self.names.target_named(name)
            if target is not None and isinstance(value, int) and not isinstance(value, bool):
                found[config_name(name)] = self.names.name(target, value)
            else:
                found[name] = self._named(value)
        return found

    def _named(self, value: Any) -> Any:
        """Put names in place of ids inside of structures; their keys stay as they are."""
        if isinstance(value, list):
            return [self._named(one) for one in value]
        if not isinstance(value, dict):
            return value
        found = {}
        for key, one in value.items():
            target = self.names.target_named(key) if key.endswith("_id") and type(one) is int else None
            found[key] = self._named(one) if target is None else self.names.name(target, one)
        return found


def config_name(name: str) -> str:
    """Answer how the file calls a field of a configuration that refers to a record."""
    return name.removesuffix("_id")


def default_of(model: type[Config], name: str) -> Any:
    """Answer the default of a field of a configuration as JSON has it; None where it is required."""
    info = model.model_fields[name]
    if info.is_required():
        return None
    return json.loads(json.dumps(model.model_construct().model_dump(mode="json", include={name})[name]))


def _id(row: Row) -> Any:
    return row.get("id")


def _opened(vault: Vault, value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _opened(vault, one) for key, one in value.items()}
    if isinstance(value, list):
        return [_opened(vault, one) for one in value]
    return Secret(vault.decrypt(value)) if vault.is_sealed(value) else value


def _told_or_secret(vault: Vault, shown: Any, row: Row, name: str) -> Any:
    """Answer a field as it is shown, but what is encrypted at rest as a secret, unless the row says that it is none."""
    stored = row[name]
    if vault.is_sealed(stored) and row.get("private") is not False:
        return Secret(vault.decrypt(stored))
    return shown


def emitted(exporter: Exporter, content: Content, write: Writer = placeholders) -> Content:
    """Write the secrets of everything, each in its place."""
    return {
        kind.name: [emitted_record(exporter, kind, record, write) for record in content[kind.name]]
        for kind in exporter.kinds
        if kind.name in content
    }


def emitted_record(exporter: Exporter, kind: Kind, record: Record, write: Writer = placeholders) -> Record:
    """Write the secrets of one record."""
    place = place_of(exporter, kind, record)
    parts = {child.name: child for child in kind.children}
    found: Record = {}
    for name, value in record.items():
        child = parts.get(name)
        if child is None:
            found[name] = written(value, f"{place}/{name}", write)
            continue
        rows = [value] if child.single else value
        told = [written(one, child_place(exporter, place, child, one), write) for one in rows]
        found[name] = told[0] if child.single else told
    return found


def place_of(exporter: Exporter, kind: Kind, record: Mapping[str, Any]) -> str:
    """Say where a record stands, for people and for ciphertexts."""
    return f"{kind.name} {', '.join(filter(None, key_of(kind.model, exporter.names, record, frozenset())))}"


def child_place(exporter: Exporter, place: str, child: Child, record: Mapping[str, Any]) -> str:
    """Say where a part of a record stands."""
    key = ", ".join(filter(None, key_of(child.model, exporter.names, record, child.skipped)))
    return f"{place}/{child.name}" if child.single or not key else f"{place}/{child.name} {key}"


def written(value: Any, place: str, write: Writer) -> Any:
    """Write the secrets inside of a value."""
    if isinstance(value, Secret):
        return write(value, place)
    if isinstance(value, dict):
        return {key: written(one, f"{place}/{key}", write) for key, one in value.items()}
    if isinstance(value, list):
        return [written(one, f"{place}/{index}", write) for index, one in enumerate(value)]
    return value
