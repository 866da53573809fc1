"""Applying a file: all of it or nothing, through the same models as the API."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from trunkline.call import SYSTEM, Call
from trunkline.db import tables
from trunkline.errors import BadRequest, TrunklineError
from trunkline_operators import document
from trunkline_operators.export import Exporter, Record, child_place, emitted_record, place_of
from trunkline_operators.fields import key_of
from trunkline_operators.kinds import Child, Kind, kinds_of, unique_key
from trunkline_operators.reading import Reader
from trunkline_operators.rights import Holders, holders
from trunkline_operators.secrets import Password
from trunkline_system import writing
from trunkline_system.model import Row, Work
from trunkline_system.models.service import ServiceModel

if TYPE_CHECKING:
    from trunkline.app import App

_OWN = ("trunkline", "secrets")
ADDED, CHANGED, REMOVED = "created", "updated", "deleted"


@dataclass(frozen=True, slots=True)
class Change:
    """What became of one record: ``before`` is None for a new one, ``after`` for one that is gone."""

    kind: str
    place: str
    action: str
    record_id: Any
    before: Record | None
    after: Record | None


@dataclass(slots=True)
class Outcome:
    """What a file changes, and who had and has which rights."""

    changes: list[Change] = field(default_factory=list)
    before: Holders = field(default_factory=Holders)
    after: Holders = field(default_factory=Holders)


class _UndoneError(Exception):
    """Ends a transaction of which nothing is to stay."""


def applied(
    app: App, content: document.Mapping, *, planning: bool, prune: bool, password: Password | None = None
) -> Outcome:
    """Apply a file, or only find out what that would change; blocks. Raises BadRequest naming line and record."""
    outcome = Outcome()
    snapshot = app.directory.snapshot

    def run(connection: sa.Connection) -> None:
        work = _Application(app, connection, content, password)
        outcome.before = holders(app, connection)
        work.write()
        if prune:
            work.prune()
        work.check()
        outcome.changes = work.changes
        outcome.after = holders(app, connection)
        if planning or not outcome.changes:
            raise _UndoneError

    try:
        with contextlib.suppress(_UndoneError):
            app.database.change(run)
    finally:
        app.directory.snapshot = snapshot
    return outcome


class _Application:
    """One file on one transaction."""

    def __init__(
        self, app: App, connection: sa.Connection, content: document.Mapping, password: Password | None
    ) -> None:
        self._app = app
        self._connection = connection
        self._content = content
        self._kinds = kinds_of(app)
        self._exporter = Exporter(app, connection, self._kinds)
        self._reader = Reader(self._exporter, password)
        # What the file has not named yet, by kind and by what it is known by.
        self._untouched: dict[str, dict[tuple[str, ...], list[tuple[Row, Record]]]] = {}
        self._admins = self._count_admins()
        self._changes: dict[str, Change] = {}
        known = {one.name for one in self._kinds}
        for name in content:
            if name not in known and name not in _OWN:
                raise BadRequest(f"There are no records of the kind '{name[:64]}'; is a package missing?")

    @property
    def changes(self) -> list[Change]:
        """What became different."""
        return list(self._changes.values())

    def write(self) -> None:
        """Write all records in an order in which they can refer to each other, then those that had to wait."""
        waiting: list[tuple[Kind, document.Mapping]] = []
        for kind in self._kinds:
            if kind.name not in self._content:
                continue
            self._untouched[kind.name] = self._by_key(kind)
            taken: set[tuple[str, ...]] = set()
            for record in self._records(kind):
                with self._told(kind, record):
                    if self._written(kind, record, taken):
                        waiting.append((kind, record))
            # Lookups and services count for what is checked next.
            self._app.directory.snapshot = self._app.directory.read(self._connection)
        self._reader.may_postpone = False
        for kind, record in waiting:
            with self._told(kind, record):
                self._written(kind, record, None)

    def _records(self, kind: Kind) -> list[document.Mapping]:
        found = self._content[kind.name]
        found = [] if found is None else found
        if not isinstance(found, list) or not all(isinstance(one, document.Mapping) for one in found):
            raise BadRequest(f"'{kind.name}' must be a list of records.")
        return found

    @contextlib.contextmanager
    def _told(self, kind: Kind, record: document.Mapping) -> Iterator[None]:
        try:
            yield
        except TrunklineError as error:
            place = place_of(self._exporter, kind, record)
            raise BadRequest(f"Line {record.line}: {place}: {error.message}") from None

    def _written(self, kind: Kind, record: document.Mapping, taken: set[tuple[str, ...]] | None) -> bool:
        """Write one record; answers whether it must be written again, as it names others that are not there yet."""
        key = self._key(kind, record)
        if taken is None:
            row, before = self._again(kind, key)
        else:
            if key in taken and unique_key(kind.model):
                raise BadRequest("The record is there twice.")
            taken.add(key)
            row, before = self._take(kind, key)
        self._check_fields(kind, record)
        self._reader.postponed = False
        work = Work(self._app, self._connection, Call("PATCH", "system", (kind.name,), caller=SYSTEM))
        place = place_of(self._exporter, kind, record)
        if before is not None and self._is_so(kind, record, before, place):
            return False
        with self._connection.begin_nested() as savepoint:
            given = self._reader.given(kind.model, frozenset(), record, row, place)
            if row is None:
                fresh = writing.create(work, kind.model, given)
            else:
                fresh = writing.update(work, kind.model, row, given) if given else row
            for child in kind.children:
                self._write_children(work, child, fresh, record, place)
            kind.model.after_write(work, fresh)
            after = self._exporter.record(kind, fresh)
            if after == before:
                savepoint.rollback()
        self._note(kind, fresh, place, before, after)
        return self._reader.postponed

    def _is_so(self, kind: Kind, record: document.Mapping, before: Record, place: str) -> bool:
        """Say whether a record is, word for word, what the file says; then it is not written at all."""
        if emitted_record(self._exporter, kind, before) != record:
            return False
        if kind.model is ServiceModel and self._app.registry.find(str(record.get("type"))) is not None:
            # What its configuration refers to is only found by reading it.
            return False
        self._reader.note(kind.model, frozenset(), record, place)
        for child in kind.children:
            parts: Any = record.get(child.name) or []
            for one in [parts] if child.single and parts else parts:
                self._reader.note(child.model, child.skipped, one, child_place(self._exporter, place, child, one))
        return True

    def _take(self, kind: Kind, key: tuple[str, ...]) -> tuple[Row | None, Record | None]:
        rows = self._untouched[kind.name].get(key)
        return rows.pop(0) if rows else (None, None)

    def _again(self, kind: Kind, key: tuple[str, ...]) -> tuple[Row | None, Record | None]:
        return self._by_key(kind).get(key, [(None, None)])[0]

    def _by_key(self, kind: Kind) -> dict[tuple[str, ...], list[tuple[Row, Record]]]:
        found: dict[tuple[str, ...], list[tuple[Row, Record]]] = {}
        for row, record in self._exporter.records(kind):
            found.setdefault(self._key(kind, record), []).append((row, record))
        return found

    def _key(self, kind: Kind, record: Mapping[str, Any]) -> tuple[str, ...]:
        return key_of(kind.model, self._exporter.names, record, frozenset())

    def _check_fields(self, kind: Kind, record: document.Mapping) -> None:
        known = {one.name for one in self._exporter.fields(kind.model)} | {one.name for one in kind.children}
        _refuse_unknown(record, known)

    def _note(self, kind: Kind, row: Row, place: str, before: Record | None, after: Record) -> None:
        earlier = self._changes.pop(place, None)
        if earlier is not None:
            # Written again, since it had to wait for others.
            before = earlier.before
        if before != after:
            action = ADDED if before is None else CHANGED
            self._changes[place] = Change(kind.name, place, action, _id(kind, row), before, after)

    def _write_children(self, work: Work, child: Child, parent: Row, record: Mapping[str, Any], place: str) -> None:
        """Make the parts of a record what the file says: those that it does not name go."""
        told = record.get(child.name) or []
        told = [told] if child.single and isinstance(told, dict) else told
        if not isinstance(told, list) or not all(isinstance(one, document.Mapping) for one in told):
            raise BadRequest(f"{child.name} must be {'a record' if child.single else 'a list of records'}.")
        parent_id = parent["id"]
        names, skipped = self._exporter.names, child.skipped
        free = [
            (key_of(child.model, names, self._exporter.child_record(child, row), skipped), row)
            for row in self._exporter.child_rows(child, parent_id)
        ]
        wanted: list[tuple[document.Mapping, Row | None]] = []
        for one in told:
            key = () if child.single else key_of(child.model, names, one, skipped)
            index = next((at for at, (other, _row) in enumerate(free) if child.single or other == key), None)
            wanted.append((one, None if index is None else free.pop(index)[1]))
        for _key, row in free:
            writing.delete(work, child.model, row)
        for one, known in wanted:
            where = child_place(self._exporter, place, child, one)
            try:
                self._write_child(work, child, parent_id, one, known, where)
            except TrunklineError as error:
                raise BadRequest(f"{where.removeprefix(f'{place}/')} (line {one.line}): {error.message}") from None

    def _write_child(
        self, work: Work, child: Child, parent: Any, record: document.Mapping, row: Row | None, place: str
    ) -> None:
        _refuse_unknown(record, {one.name for one in self._exporter.fields(child.model, child.skipped)})
        waiting, self._reader.postponed = self._reader.postponed, False
        given = self._reader.given(child.model, child.skipped, record, row, place)
        if self._reader.postponed and row is None:
            # Not even made yet: without what it names it would be another one.
            return
        self._reader.postponed |= waiting
        if row is not None:
            writing.update(work, child.model, row, given)
        else:
            writing.create(work, child.model, {**given, child.field: parent}, **{child.field: parent})

    def prune(self) -> None:
        """Delete the records that the file does not name, of the kinds that it has."""
        call = Call("DELETE", "system", caller=SYSTEM)
        for kind in reversed(self._kinds):
            left = self._untouched.get(kind.name, {})
            for row, record in (pair for pairs in left.values() for pair in pairs):
                if row.get("deletable") is False:
                    continue
                place = place_of(self._exporter, kind, record)
                user = self._reader.used.get((kind.model.table.name, row.get("id") or 0))
                if user is not None:
                    raise BadRequest(f"{place} is not in the file, but {user} names it.")
                writing.delete(Work(self._app, self._connection, call), kind.model, row)
                self._changes[place] = Change(kind.name, place, REMOVED, _id(kind, row), record, None)

    def check(self) -> None:
        """Refuse to leave nobody who could put things right."""
        if self._admins and not self._count_admins():
            raise BadRequest("The file would leave no active administrator.")

    def _count_admins(self) -> int:
        table = tables.user
        query = sa.select(sa.func.count()).select_from(table).where(table.c.is_sys_admin, table.c.is_active)
        return self._connection.scalar(query) or 0


def _id(kind: Kind, row: Row) -> Any:
    """Answer what events call a record by."""
    return row["id"] if "id" in kind.model.table.c else row[kind.model.key]


def _refuse_unknown(record: Mapping[str, Any], known: set[str]) -> None:
    for name in record:
        if name not in known:
            raise BadRequest(f"There is no field '{name[:64]}'.")
