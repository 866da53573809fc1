"""Plans as finds and pipelines, and documents as rows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from bson import Decimal128
from cachetools import LRUCache

from trunkline_database.documents.values import at
from trunkline_database.model import Column, Table
from trunkline_database.plan import Aggregate, Order, Select, is_aggregate
from trunkline_database.store import Row
from trunkline_mongodb.query import ID, path
from trunkline_mongodb.values import outgoing, shown

Document = dict[str, Any]
Reader = Callable[[Document], Row]
# By the columns asked for; no two tables share columns.
_readers: LRUCache[tuple[Any, ...], Reader] = LRUCache(1024)


def reader(table: Table, fields: Sequence[Column | Aggregate]) -> Reader:
    """Answer what makes rows of documents."""
    key = (table, *fields)
    found = _readers.get(key)
    if found is None:
        found = _readers[key] = _reader(table, [one for one in fields if isinstance(one, Column)])
    return found


def _reader(table: Table, columns: Sequence[Column]) -> Reader:
    if any(one.is_everything for one in columns):
        others = [one for one in columns if not one.is_everything]

        def whole(document: Document) -> Row:
            more = {one.key: shown(one, at(document, one)) for one in others if one.key not in document}
            row = outgoing(document)
            row.update(more)
            return row  # type: ignore[no-any-return]  # a document becomes an object

        return _renamed(table, whole)
    plain = [(one.key, path(table, one), one) for one in columns]

    def some(document: Document) -> Row:
        return {
            key: shown(one, document.get(place) if place in document else at(document, one))
            for key, place, one in plain
        }

    return some


def is_changed(column: Column) -> bool:
    """Say whether a column of an open table goes out otherwise than it is stored: typed, or under an alias."""
    return not column.is_open or column.alias is not None


def _renamed(table: Table, read: Reader) -> Reader:
    """Let declared columns of an open table answer in their types and under their aliases."""
    known = [one for one in table.columns if is_changed(one)]
    if not known:
        return read

    def renamed(document: Document) -> Row:
        typed = {one: document.pop(one.name) for one in known if one.name in document}
        row = read(document)
        row.update({one.key: shown(one, value) for one, value in typed.items()})
        return row

    return renamed


def projection(table: Table, fields: Sequence[Column | Aggregate]) -> Document | None:
    """Answer which fields to read; None for all."""
    columns = [one for one in fields if isinstance(one, Column)]
    if not columns or any(one.is_everything for one in columns):
        return None
    places = {_up_to_number(path(table, one)) for one in columns}
    # A field is read whole where a part of it is asked for as well.
    found: Document = {
        one: 1 for one in sorted(places) if not any(one.startswith(f"{other}.") for other in places if other != one)
    }
    return found if ID in found else {**found, ID: 0}


def _up_to_number(place: str) -> str:
    """Cut a path before the number of a list's member, which no projection knows."""
    parts = place.split(".")
    number = next((index for index, part in enumerate(parts) if index and part.isdigit()), len(parts))
    return ".".join(parts[:number])


def sort_of(table: Table, order: Sequence[Order]) -> list[tuple[str, int]] | None:
    """Answer the order as MongoDB has it, where NULL is the least of all; None where it is wanted elsewhere."""
    if any(one.nulls is not None and (one.nulls == "last") is not one.descending for one in order):
        return None
    return [(path(table, one.column), -1 if one.descending else 1) for one in order]


def pipeline(plan: Select, where: Document) -> list[Document]:
    """Write the pipeline of a plan that a find cannot do: groups, or NULL out of its place."""
    stages: list[Document] = [{"$match": where}] if where else []
    if plan.group or any(map(is_aggregate, plan.fields)):
        stages += _grouping(plan)
    else:
        ranks = {
            f"__null{index}": {"$cond": [{"$lte": [f"${path(plan.table, one.column)}", None]}, 1, 0]}
            for index, one in enumerate(plan.order)
            if one.nulls is not None
        }
        sort: dict[str, int] = {}
        for index, one in enumerate(plan.order):
            if one.nulls is not None:
                sort[f"__null{index}"] = 1 if one.nulls == "last" else -1
            sort.setdefault(path(plan.table, one.column), -1 if one.descending else 1)
        stages += [{"$addFields": ranks}, {"$sort": sort}]
        hidden = {"$unset": list(ranks)}
        stages += [hidden]
    if plan.offset:
        stages.append({"$skip": plan.offset})
    if plan.limit is not None:
        stages.append({"$limit": plan.limit})
    return stages


def _grouping(plan: Select) -> list[Document]:
    keys = {f"g{index}": {"$ifNull": [f"${path(plan.table, one)}", None]} for index, one in enumerate(plan.group)}
    group: Document = {ID: keys or None}
    for index, one in enumerate(plan.fields):
        if not isinstance(one, Aggregate):
            continue
        if one.column is None:
            group[f"a{index}"] = {"$sum": 1}
            continue
        place = f"${path(plan.table, one.column)}"
        known = {"$sum": {"$cond": [{"$gt": [place, None]}, 1, 0]}}
        if one.function == "count":
            group[f"a{index}"] = known
        else:
            group[f"a{index}"] = {f"${one.function}": place}
            group[f"n{index}"] = known
    stages: list[Document] = [{"$group": group}]
    order = {
        f"{ID}.g{plan.group.index(one.column)}": -1 if one.descending else 1
        for one in plan.order
        if one.column in plan.group
    }
    return [*stages, {"$sort": order}] if order else stages


def grouped_rows(plan: Select, documents: Sequence[Document]) -> list[Row]:
    """Make rows of groups; a whole table without documents is a group, too."""
    if not documents and not plan.group:
        documents = [{}]
    rows = []
    for document in documents:
        row: Row = {}
        for index, one in enumerate(plan.fields):
            if isinstance(one, Aggregate):
                row[one.key] = _aggregate(one, document, index)
            else:
                row[one.key] = shown(one, document[ID][f"g{plan.group.index(one)}"])
        rows.append(row)
    return rows


def _aggregate(one: Aggregate, document: Document, index: int) -> Any:
    value = document.get(f"a{index}")
    if one.function == "count":
        return int(value or 0)
    if not document.get(f"n{index}"):
        return None
    if one.function in ("min", "max") and one.column is not None:
        return shown(one.column, value)
    return value.to_decimal() if isinstance(value, Decimal128) else outgoing(value)
