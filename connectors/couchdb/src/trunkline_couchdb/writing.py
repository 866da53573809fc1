"""Writing documents: read, changed here, and stored if nobody else has changed them meanwhile."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from trunkline.errors import BadRequest, Conflict
from trunkline_couchdb.connection import CONFLICT, NOT_FOUND, CouchError
from trunkline_couchdb.reading import EVALUATOR, PAGE, Document, Reading, record_of, returned
from trunkline_couchdb.selector import id_of
from trunkline_couchdb.values import ID, REV, stored
from trunkline_database.documents.compensating import CompensatingStore
from trunkline_database.documents.declared import computed, defaults, numbered
from trunkline_database.documents.evaluate import MOST_EXAMINED
from trunkline_database.documents.shape import nested
from trunkline_database.filters import Node
from trunkline_database.model import Column, Table
from trunkline_database.plan import Select
from trunkline_database.resolve import among
from trunkline_database.sql.errors import Diagnosis, Verb, typed
from trunkline_database.store import Arithmetic, Row

# Where a database keeps what was declared of it; such documents are not among its own.
DECLARATION = ("_local", "trunkline")
_TRIES = 10
_NAME_REFUSED = "A field can not be called '{}'."
Change = Callable[[Document], Document | None]


class Writing(Reading, CompensatingStore):
    """The writes of one server."""

    # What was declared.

    async def declaration(self, name: str) -> Document | None:
        """Read what is declared of a database."""
        found: Document | None = await self._connection.ask("read", "GET", name, *DECLARATION, good=(NOT_FOUND,))
        return found

    async def declare(self, name: str, change: Callable[[Document], bool | None]) -> Document:
        """Change what is declared of a database, whoever else does so at the same time; False changes nothing."""
        for _ in range(_TRIES):
            found = await self.declaration(name) or {"open": True, "fields": [], "next": 1}
            if change(found) is False:
                return found
            done = await self._connection.ask("define", "PUT", name, *DECLARATION, body=found, good=(CONFLICT,))
            if done is not None:
                return found
        raise typed(CouchError(CONFLICT, "declaration"), Diagnosis("busy"), "define")

    # Rows.

    def operated(self, table: Table, operator: str, given: Any) -> Mapping[str, Any]:
        """Refuse names with ``$`` where others are taken as they come, rather than lose what they have."""
        if table.is_open:
            raise BadRequest(_NAME_REFUSED.format(operator[:128]))
        return {}

    async def insert(
        self,
        table: Table,
        rows: Sequence[Mapping[str, Any]],
        returning: Sequence[Column],
        check: Node | None = None,
    ) -> list[Row]:
        """Insert rows, all or none: those that were stored go again when one is refused."""
        documents = await self._new(table, rows)
        refused = await self._stored(table, documents, "insert")
        if refused:
            made = [one for one in documents if one[ID] not in refused]
            await self._stored(table, [{ID: one[ID], REV: one[REV], "_deleted": True} for one in made], "delete")
            raise typed(CouchError(CONFLICT, sorted(refused)), Diagnosis("duplicate"), "insert")
        return [returned(table, one, returning) for one in documents]

    async def _new(self, table: Table, rows: Sequence[Mapping[str, Any]]) -> list[Document]:
        column, given, own = numbered(table), [dict(one) for one in rows], None
        if column is not None:
            own = await self._number(table, column, given)
        elif any(not one.is_open for one in table.columns):
            own = await self.declaration(table.identity.name)
        usual = defaults(own["fields"]) if own is not None else {}
        documents = [_document(table, {**usual, **one}) for one in given]
        ids = [one[ID] for one in documents]
        if len(set(ids)) < len(ids):
            raise typed(CouchError(CONFLICT, "twice"), Diagnosis("duplicate"), "insert")
        return documents

    async def _number(self, table: Table, column: Column, rows: list[dict[str, Any]]) -> Document:
        """Give numbers to rows without one, which no other worker gives; numbers that were chosen are passed over.

        Answers what is declared.
        """
        missing = [one for one in rows if one.get(column.name) is None]
        given = max((one[column.name] for one in rows if isinstance(one.get(column.name), int)), default=0)
        first = 1

        def take(found: Document) -> bool:
            nonlocal first
            before = int(found["next"])
            first = max(before, given + 1 if given else 1)
            found["next"] = first + len(missing)
            return bool(found["next"] != before)

        own = await self.declare(table.identity.name, take)
        for number, one in enumerate(missing, first):
            one[column.name] = number
        return own

    async def update(
        self, table: Table, where: Node | None, values: Mapping[str, Any], check: Node | None = None
    ) -> int:
        """Change rows."""
        keys = {one.name for one in table.primary_key}

        def changed(document: Document) -> Document:
            known = computed(table, values, document)
            found = dict(document)
            for name, value in known.items():
                column = table.by_real_name[name]
                if name in (ID, REV) and table.is_open:
                    continue
                kept = stored(column, value)
                if name in keys and kept != document.get(name):
                    raise BadRequest(f"Field '{column.key}' is the key and can not be changed.")
                _put(table, found, column, kept)
            return found

        return await self._changed(table, where, changed, "update")

    async def replace(self, table: Table, where: Node | None, values: Mapping[str, Any]) -> int:
        """Give rows these values and no others."""

        def replaced(document: Document) -> Document:
            new = _document(table, {**values, ID: document[ID]})
            revision = new.pop(REV, document[REV])
            if revision != document[REV]:
                raise Conflict("The record has been changed since it was read.")
            return {**{name: one for name, one in document.items() if name == "_attachments"}, **new, REV: revision}

        return await self._changed(table, where, replaced, "update")

    async def delete(self, table: Table, where: Node | None) -> int:
        """Delete rows."""
        return await self._changed(table, where, lambda one: {ID: one[ID], REV: one[REV], "_deleted": True}, "delete")

    async def _changed(
        self, table: Table, where: Node | None, change: Callable[[Document], Document], verb: Verb
    ) -> int:
        """Change what matches; what somebody else changed meanwhile is read and judged again."""
        found = await self.keep(table, where)
        done = 0
        for start in range(0, len(found), PAGE):
            documents = found[start : start + PAGE]
            for _ in range(_TRIES):
                refused = await self._stored(table, [change(one) for one in documents], verb)
                done += len(documents) - len(refused)
                if not refused:
                    break
                documents = [
                    one
                    async for part in self.by_ids(table, sorted(refused))
                    for one in part
                    if EVALUATOR.matches(table, where, record_of(table, one))
                ]
                if not documents:
                    break
            else:
                raise typed(CouchError(CONFLICT, "documents"), Diagnosis("busy"), verb)
        return done

    async def _stored(self, table: Table, documents: Sequence[Document], verb: Verb) -> set[str]:
        """Store documents, put their revisions into them, and answer the ids of those that conflict."""
        if not documents:
            return set()
        told = await self._connection.ask(
            verb, "POST", table.identity.name, "_bulk_docs", body={"docs": list(documents)}
        )
        refused = set()
        for document, one in zip(documents, told, strict=True):
            if one.get("error") == "conflict":
                refused.add(document[ID])
            elif "error" in one:
                raise typed(CouchError(400, one.get("reason")), Diagnosis("check"), verb)
            else:
                document[REV] = one["rev"]
        return refused

    # Undoing.

    async def keep(self, table: Table, where: Node | None) -> list[Document]:
        """Read the documents that match, as they are."""
        holds, found = EVALUATOR.judge(table, where), list[Document]()
        async for part in self.documents(Select(table, (), where)):
            found += [one for one in part if holds(record_of(table, one)) is True]
            if len(found) > MOST_EXAMINED:
                raise BadRequest(f"More than {MOST_EXAMINED} records can not be written together.")
        return found

    async def put_back(self, table: Table, kept: Sequence[Document]) -> None:
        """Store documents as they were, whatever has become of them."""
        for start in range(0, len(kept), PAGE):
            part = kept[start : start + PAGE]
            for _ in range(_TRIES):
                ids = {"keys": [one[ID] for one in part]}
                told = await self._connection.ask("update", "POST", table.identity.name, "_all_docs", body=ids)
                now = {one["id"]: one["value"]["rev"] for one in told["rows"] if one.get("value")}
                again = [{**{n: v for n, v in one.items() if n != REV}, REV: now.get(one[ID])} for one in part]
                again = [{n: v for n, v in one.items() if v is not None or n != REV} for one in again]
                refused = await self._stored(table, again, "update")
                part = [one for one in part if one[ID] in refused]
                if not part:
                    break

    async def take_out(self, table: Table, rows: Sequence[Row]) -> None:
        """Delete documents that were inserted."""
        await self.delete(
            table, among(table.primary_key, [tuple(row[one.key] for one in table.primary_key) for row in rows])
        )


def _document(table: Table, values: Mapping[str, Any]) -> Document:
    """Make a document of a row; NULL in a declared column is not there."""
    found: Document = {}
    for name, value in values.items():
        column = table.by_real_name[name]
        if isinstance(value, Arithmetic):
            raise BadRequest(f"Field '{column.key}' can not be computed in a new record.")
        if name.startswith("_") and name not in (ID, REV):
            raise BadRequest(_NAME_REFUSED.format(name[:128]))
        kept = stored(column, value)
        if kept is not None or column.is_open:
            found[name] = kept
    if table.is_open:
        nested(found)
        given = found.get(ID)
        if given is None:
            found[ID] = uuid.uuid4().hex
        elif not isinstance(given, str) or not given or given.startswith("_"):
            raise BadRequest("Field '_id' must be text that does not begin with '_'.")
        if found.get(REV) is None:
            found.pop(REV, None)
        elif not isinstance(found[REV], str):
            raise BadRequest("Field '_rev' must be text.")
    else:
        missing = [one.key for one in table.primary_key if found.get(one.name) is None]
        if missing:
            raise BadRequest(f"Field '{missing[0]}' can not be NULL.")
        found[ID] = id_of(table, found)
    return found


def _put(table: Table, document: Document, column: Column, value: Any) -> None:
    if not column.is_open:
        document.pop(column.name, None) if value is None else document.__setitem__(column.name, value)
    elif column.name.startswith("_"):
        raise BadRequest(_NAME_REFUSED.format(column.name[:128]))
    elif "." in column.name and column.name not in document:
        *outer, last = column.name.split(".")
        place = document
        for part in outer:
            inner = place.get(part)
            place[part] = inner = dict(inner) if isinstance(inner, dict) else {}
            place = inner
        place[last] = value
    else:
        document[column.name] = value
