"""Reading documents: by their ids, by a selector, or one after the other; what is wanted of them is judged here."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from trunkline_couchdb.connection import Connection
from trunkline_couchdb.selector import Selector, id_of, ids_in, selector
from trunkline_couchdb.values import ID, judged, shown, stored
from trunkline_database.documents.evaluate import Evaluator
from trunkline_database.documents.joining import through
from trunkline_database.model import Column, Table
from trunkline_database.plan import Select, is_aggregate
from trunkline_database.store import Row, Rows

Document = dict[str, Any]
EVALUATOR = Evaluator(shown)
_UNBOUNDED = Evaluator(shown, most=sys.maxsize)
# Documents of one request.
PAGE = 1000
MOST_KEYS = 1000
# The ids of design documents are between these.
_DESIGN, _DESIGN_END = "_design/", "_design0"


def record_of(table: Table, document: Mapping[str, Any]) -> Document:
    """Answer a document as conditions see it, by real column names."""
    if table.is_open:
        known = [one for one in table.columns if not one.is_open and one.name in document]
        return {**document, **{one.name: judged(one, document[one.name]) for one in known}}
    return {one.name: judged(one, document.get(one.name)) for one in table.columns}


def is_plain(plan: Select) -> bool:
    """Say whether rows are records, one each, in any order."""
    return not plan.group and plan.per is None and not any(map(is_aggregate, plan.fields))


class Reading(Rows):
    """The reads of one server."""

    def __init__(self, connection: Connection) -> None:
        """Read through a connection."""
        self._connection = connection

    async def select(self, plan: Select) -> list[Row]:
        """Read rows."""
        if plan.via is not None:
            return await through(plan, self._selected, MOST_KEYS)
        return await self._selected(plan)

    async def _selected(self, plan: Select) -> list[Row]:
        passes = is_plain(plan) and plan.where is None and not plan.order
        evaluator = _UNBOUNDED if passes else EVALUATOR
        wanted = plan.offset + plan.limit if passes and plan.limit is not None else None
        async with contextlib.aclosing(self._records(plan, wanted)) as parts:
            return await evaluator.gather(replace(plan, after=None), parts)

    async def _records(self, plan: Select, most: int | None = None) -> AsyncGenerator[list[Document], None]:
        async with contextlib.aclosing(self.documents(plan, most)) as parts:
            async for part in parts:
                yield [record_of(plan.table, one) for one in part]

    async def stream(self, plan: Select, size: int) -> AsyncGenerator[list[Row], None]:
        """Read rows a few at a time, in the order of their ids unless another is asked for."""
        if plan.via is not None or plan.order or not is_plain(plan):
            rows = await self.select(plan)
            for start in range(0, len(rows), size):
                yield rows[start : start + size]
            return
        holds, skipped, left = EVALUATOR.judge(plan.table, plan.where), plan.offset, plan.limit
        async with contextlib.aclosing(self._records(plan)) as parts:
            async for records in parts:
                found = [one for one in records if holds(one) is True]
                cut = min(skipped, len(found))
                skipped -= cut
                found = found[cut:] if left is None else found[cut:][:left]
                if found:
                    yield [EVALUATOR.row(plan.fields, one) for one in found]
                if left is not None:
                    left -= len(found)
                    if not left:
                        return

    async def count(self, plan: Select) -> int:
        """Count rows, or groups; all documents of a database are counted by the server."""
        if plan.where is None and not plan.group and is_plain(plan):
            return await self._all(plan.table)
        async with contextlib.aclosing(self._records(plan)) as parts:
            return await EVALUATOR.count(plan, parts)

    async def _all(self, table: Table) -> int:
        name = table.identity.name
        told = await self._connection.ask("read", "GET", name)
        design = await self._connection.ask(
            "read", "GET", name, "_all_docs", query={"startkey": _DESIGN, "endkey": _DESIGN_END}
        )
        return int(told["doc_count"]) - len(design["rows"])

    def documents(self, plan: Select, most: int | None = None) -> AsyncGenerator[list[Document], None]:
        """Yield the documents among which a plan's rows are, a page at a time; about ``most`` of them are wanted."""
        ids = ids_in(plan.table, plan.where)
        if ids is not None:
            return self.by_ids(plan.table, list(dict.fromkeys(ids)))
        after = None if plan.after is None else _id_after(plan)
        if after is None and (found := selector(plan.table, plan.where)) is not None:
            return self._found(plan.table, found)
        return self._in_order(plan.table, after, PAGE if most is None else max(1, min(most, PAGE)))

    async def by_ids(self, table: Table, ids: Sequence[str]) -> AsyncGenerator[list[Document], None]:
        """Yield documents by their ids; those that are not there are left out."""
        for start in range(0, len(ids), PAGE):
            told = await self._connection.ask(
                "read", "POST", table.identity.name, "_all_docs", query={"include_docs": True},
                body={"keys": ids[start : start + PAGE]},
            )  # fmt: skip
            yield _own(told["rows"])

    async def _found(self, table: Table, wanted: Selector) -> AsyncGenerator[list[Document], None]:
        """Yield what a selector lets through."""
        body: dict[str, Any] = {"selector": wanted, "limit": PAGE}
        skip = 0
        while True:
            told = await self._connection.ask("read", "POST", table.identity.name, "_find", body=body)
            yield [one for one in told["docs"] if not one[ID].startswith(_DESIGN)]
            if len(told["docs"]) < PAGE:
                return
            skip += PAGE
            mark = told.get("bookmark")
            # Some servers that speak the protocol have no bookmarks.
            body |= {"bookmark": mark} if mark not in (None, "", "nil") else {"skip": skip}

    async def _in_order(self, table: Table, after: str | None, page: int) -> AsyncGenerator[list[Document], None]:
        """Yield all documents in the order of their ids, behind one of them."""
        last = after
        while True:
            query: dict[str, Any] = {"include_docs": True, "limit": page + 1}
            if last is not None:
                query["startkey"] = last
            told = await self._connection.ask("read", "GET", table.identity.name, "_all_docs", query=query)
            rows = told["rows"]
            ended = len(rows) <= page
            # The last of a page begins the next one, and may be gone by then.
            if last is not None and rows and rows[0]["id"] == last:
                rows = rows[1:]
            yield _own(rows)
            if ended or not rows:
                return
            last, page = rows[-1]["id"], PAGE


def _own(rows: Sequence[Mapping[str, Any]]) -> list[Document]:
    """Answer the documents of a list that are there and are not about the database itself."""
    return [one["doc"] for one in rows if one.get("doc") and not one["doc"][ID].startswith(_DESIGN)]


def _id_after(plan: Select) -> str:
    keys = plan.table.primary_key
    values = plan.after or ()
    if len(keys) == 1 and keys[0].is_open:
        return str(values[0])
    return id_of(plan.table, {one.name: stored(one, value) for one, value in zip(keys, values, strict=True)})


def returned(table: Table, document: Document, fields: Sequence[Column]) -> Row:
    """Answer some columns of a document that was written."""
    return EVALUATOR.row(fields, record_of(table, document))
