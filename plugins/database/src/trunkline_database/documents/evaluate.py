"""Judging conditions, orders, groups and pages here, for what an engine cannot do itself.

A condition is true, false or unknown, exactly as in SQL: nothing compares with NULL, and NOT of unknown is unknown.
What is read for it is bounded: more records than ``MOST_EXAMINED`` are a BadRequest that says why.
"""

from __future__ import annotations

import operator
import re
from collections.abc import AsyncIterable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from typing import Any

from trunkline.errors import BadRequest
from trunkline_database.documents.values import at, comparable, rank, read_as, value_of
from trunkline_database.filters import And, Comparison, Literal, Node, Not, Or, Scalar
from trunkline_database.model import Column, Table
from trunkline_database.plan import Aggregate, Order, Select, is_aggregate
from trunkline_database.store import Row

MOST_EXAMINED = 100_000
Record = Mapping[str, Any]
Judge = Callable[[Record], bool | None]
_COMPARE: dict[str, Callable[[Any, Any], Any]] = {
    "=": operator.eq, "!=": operator.ne, ">": operator.gt, "<": operator.lt, ">=": operator.ge, "<=": operator.le,
}  # fmt: skip


def _itself(_column: Column, value: Any) -> Any:
    return value


@dataclass(frozen=True, slots=True)
class Evaluator:
    """What is judged here for one engine.

    Records go in by real column names, with Python's values; rows come out by ``Column.key``, as ``shown`` renders the
    values. ``folds`` says whether LIKE and its kin take upper and lower case for one, ``most`` how much is examined.
    """

    shown: Callable[[Column, Any], Any] = _itself
    folds: bool = True
    most: int = MOST_EXAMINED

    def judge(self, table: Table, node: Node | None) -> Judge:
        """Make what says of a record whether a condition holds: True, False, or None for unknown."""
        return _judge(table, node, self.folds) if node is not None else lambda _record: True

    def matches(self, table: Table, node: Node | None, record: Record) -> bool:
        """Say whether a condition holds for a record."""
        return self.judge(table, node)(record) is True

    def select(self, plan: Select, records: Iterable[Record]) -> list[Row]:
        """Do all of a plan on records: condition, groups, order, pages (for each parent with ``per``), fields."""
        holds = self.judge(plan.table, plan.where)
        return self._finished(plan, [one for one in records if holds(one) is True])

    async def gather(self, plan: Select, parts: AsyncIterable[Sequence[Record]]) -> list[Row]:
        """Do all of a plan on records that come in parts; no more are read than are needed.

        Raises BadRequest where that would be more than ``most``.
        """
        holds, kept = self.judge(plan.table, plan.where), list[Record]()
        enough = plan.offset + plan.limit if plan.limit is not None and _needs_no_rest(plan) else None
        async for record in self._bounded(parts):
            if holds(record) is True:
                kept.append(record)
                if len(kept) == enough:
                    break
        return self._finished(plan, kept)

    async def count(self, plan: Select, parts: AsyncIterable[Sequence[Record]]) -> int:
        """Count what a plan would read without limit and offset: groups where it groups."""
        if not plan.group and any(map(is_aggregate, plan.fields)):
            return 1
        holds, groups, number = self.judge(plan.table, plan.where), set[Any](), 0
        async for record in self._bounded(parts):
            if holds(record) is True:
                number += 1
                if plan.group:
                    groups.add(_group_of(plan, record))
        return len(groups) if plan.group else number

    async def _bounded(self, parts: AsyncIterable[Sequence[Record]]) -> AsyncIterable[Record]:
        examined = 0
        async for part in parts:
            for record in part:
                examined += 1
                if examined > self.most:
                    raise BadRequest(
                        f"This kind of database can not do this itself, and more than {self.most} records would have "
                        "to be examined. Narrow the filter, or do without the order."
                    )
                yield record

    def _finished(self, plan: Select, records: list[Record]) -> list[Row]:
        if plan.group or any(map(is_aggregate, plan.fields)):
            return self._grouped(plan, records)
        records = ordered(records, plan.order)
        if plan.per is not None:
            records = _for_each(plan, plan.per, records)
        else:
            records = records[plan.offset :] if plan.limit is None else records[plan.offset :][: plan.limit]
        return [self.row(plan.fields, record) for record in records]

    def row(self, fields: Sequence[Column | Aggregate], record: Record) -> Row:
        """Answer some columns of a record; the one that stands for everything brings all that is there."""
        row: Row = {}
        for one in fields:
            if not isinstance(one, Column):
                continue
            if one.is_everything:
                row.update((name, self.shown(one, value)) for name, value in record.items())
            else:
                row[one.key] = self.shown(one, at(record, one))
        return row

    def _grouped(self, plan: Select, records: list[Record]) -> list[Row]:
        groups: dict[Any, list[Record]] = {} if plan.group else {(): []}
        for record in records:
            groups.setdefault(_group_of(plan, record), []).append(record)
        members = sorted(groups.values(), key=lambda one: _order_key(plan.order, one[0])) if plan.group else [records]
        rows = [
            {
                one.key: self._aggregate(one, group)
                if isinstance(one, Aggregate)
                else self.shown(one, at(group[0], one))
                for one in plan.fields
            }
            for group in members
        ]
        return rows[plan.offset :] if plan.limit is None else rows[plan.offset :][: plan.limit]

    def _aggregate(self, one: Aggregate, group: list[Record]) -> Any:
        if one.column is None:
            return len(group)
        found = [value for record in group if (value := comparable(one.column, at(record, one.column))) is not None]
        if one.function == "count":
            return len(found)
        if one.function in ("min", "max"):
            choose = min if one.function == "min" else max
            return self.shown(one.column, choose(found, key=rank)) if found else None
        numbers = [value for value in found if isinstance(value, int | float | Decimal) and not isinstance(value, bool)]
        if not numbers:
            return None
        if any(isinstance(value, float) for value in numbers):
            numbers = [float(value) for value in numbers]
        total: Any = sum(numbers)
        return total if one.function == "sum" else total / len(numbers)


def ordered(records: list[Record], order: Sequence[Order]) -> list[Record]:
    """Sort records; NULL is the least of all where the order does not say where it goes."""
    return sorted(records, key=lambda one: _order_key(order, one)) if order else records


class _Backwards:
    """A key that sorts the other way round."""

    __slots__ = ("key",)

    def __init__(self, key: Any) -> None:
        self.key = key

    def __lt__(self, other: _Backwards) -> bool:
        return bool(other.key < self.key)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Backwards) and bool(self.key == other.key)

    __hash__ = None  # type: ignore[assignment]  # never kept in a set


def _order_key(order: Sequence[Order], record: Record) -> tuple[Any, ...]:
    keys: list[Any] = []
    for one in order:
        value = comparable(one.column, at(record, one.column))
        if one.nulls is not None:
            keys.append((value is None) == (one.nulls == "last"))
        key = rank(value)
        keys.append(_Backwards(key) if one.descending else key)
    return tuple(keys)


def _group_of(plan: Select, record: Record) -> tuple[Any, ...]:
    return tuple(rank(comparable(column, at(record, column))) for column in plan.group)


def _needs_no_rest(plan: Select) -> bool:
    return not (plan.order or plan.group or plan.per is not None or any(map(is_aggregate, plan.fields)))


def _for_each(plan: Select, per: Column, records: list[Record]) -> list[Record]:
    """Cut out the page of each parent."""
    seen: dict[Any, int] = {}
    kept = []
    for record in records:
        key = rank(comparable(per, at(record, per)))
        number = seen[key] = seen.get(key, 0) + 1
        if number > plan.offset and (plan.limit is None or number <= plan.offset + plan.limit):
            kept.append(record)
    return kept


# Conditions.


def _judge(table: Table, node: Node, folds: bool) -> Judge:
    if isinstance(node, Not):
        inner = _judge(table, node.item, folds)
        return lambda record: None if (found := inner(record)) is None else not found
    if isinstance(node, And | Or):
        judges = [_judge(table, item, folds) for item in node.items]
        return _every(judges) if isinstance(node, And) else _any(judges)
    column = table.by_real_name[node.field]
    return _comparison(column, node, folds)


def _every(judges: Sequence[Judge]) -> Judge:
    def judged(record: Record) -> bool | None:
        found: bool | None = True
        for one in judges:
            judgement = one(record)
            if judgement is False:
                return False
            found = None if judgement is None else found
        return found

    return judged


def _any(judges: Sequence[Judge]) -> Judge:
    def judged(record: Record) -> bool | None:
        found: bool | None = False
        for one in judges:
            judgement = one(record)
            if judgement is True:
                return True
            found = None if judgement is None else found
        return found

    return judged


def _comparison(column: Column, node: Comparison, folds: bool) -> Judge:
    op, value = node.op, node.value
    if value is None:
        wanted = op == "is null"
        return lambda record: (comparable(column, at(record, column)) is None) is wanted
    negated = op.startswith("not ")
    plain = op.removeprefix("not ")
    if isinstance(value, tuple):
        test = _between(column, value) if plain == "between" else _within(column, value)
    elif plain in ("like", "contains", "starts with", "ends with"):
        test = _like(plain, value, folds)
    else:
        test = _compared(column, _COMPARE[op], value)

    def judged(record: Record) -> bool | None:
        stored = comparable(column, at(record, column))
        found = None if stored is None else test(stored)
        return found if found is None or not negated else not found

    return judged


_Test = Callable[[Any], bool | None]


def _against(column: Column, scalar: Scalar) -> Callable[[Any], Any]:
    """Make what answers the value that a stored one is compared with; None where that is none."""
    if column.is_open and isinstance(scalar, Literal):
        return lambda stored: read_as(stored, scalar)
    fixed = value_of(column, scalar)
    return lambda _stored: fixed


def _compared(column: Column, compare: Callable[[Any, Any], Any], scalar: Scalar) -> _Test:
    against = _against(column, scalar)
    is_null = isinstance(scalar, Literal) and scalar.value is None

    def test(stored: Any) -> bool | None:
        other = against(stored)
        if other is None:
            # A value of another type is certainly not equal, and has no order.
            return None if is_null or not column.is_open else compare is operator.ne
        try:
            return bool(compare(stored, other))
        except TypeError:
            return None

    return test


def _between(column: Column, bounds: Sequence[Scalar]) -> _Test:
    low, high = _compared(column, operator.ge, bounds[0]), _compared(column, operator.le, bounds[1])

    def test(stored: Any) -> bool | None:
        first, second = low(stored), high(stored)
        if first is False or second is False:
            return False
        return None if first is None or second is None else True

    return test


def _within(column: Column, values: Sequence[Scalar]) -> _Test:
    tests = [_compared(column, operator.eq, one) for one in values]

    def test(stored: Any) -> bool | None:
        found: bool | None = False
        for one in tests:
            judgement = one(stored)
            if judgement is True:
                return True
            found = None if judgement is None else found
        return found

    return test


def _like(word: str, scalar: Scalar, folds: bool) -> _Test:
    if not isinstance(scalar, Literal) or scalar.value is None:
        return lambda _stored: None
    match = pattern(word, str(scalar.value), folds=folds).fullmatch
    return lambda stored: match(str(stored).lower() if isinstance(stored, bool) else str(stored)) is not None


@lru_cache(maxsize=512)
def pattern(word: str, text: str, *, folds: bool = True) -> re.Pattern[str]:
    """Make the regular expression for LIKE, CONTAINS, STARTS WITH, ENDS WITH; wildcards keep their meaning in all."""
    return re.compile(expression(word, text), re.DOTALL | (re.IGNORECASE if folds else 0))


def expression(word: str, text: str) -> str:
    """Write the regular expression of a whole value, everything but ``%`` and ``_`` escaped."""
    wild = {"%": ".*", "_": "."}
    if word in ("contains", "ends with"):
        text = f"%{text}"
    if word in ("contains", "starts with"):
        text = f"{text}%"
    # Wildcards side by side would make the search take ever longer.
    return "".join(wild.get(letter) or re.escape(letter) for letter in re.sub("%+", "%", text))
