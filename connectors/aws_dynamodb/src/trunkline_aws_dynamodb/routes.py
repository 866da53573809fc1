"""From a condition to what DynamoDB is asked: which keys, which query, else a scan; and what is judged here.

Keys that are named are fetched; a partition, of the table or of an index, is queried; all else is a scan of the table.
Every name and value of an expression is a numbered placeholder.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import product
from typing import Any

from trunkline_aws_dynamodb.tables import DynamoTable, Index
from trunkline_aws_dynamodb.values import Attribute, Item, written
from trunkline_database import types
from trunkline_database.documents.values import value_of
from trunkline_database.filters import And, Comparison, Literal, Node, Or, Scalar, all_of
from trunkline_database.model import Column

# Keys that one read names, values of one list, and conditions of one expression.
MOST_KEYS, _MOST_VALUES, _MOST_CONDITIONS = 10_000, 100, 60
_SIDES = frozenset({">", ">=", "<", "<="})
_NATIVE = frozenset({"=", "in", "between", "is null", "is not null", *_SIDES})


class Expression:
    """Names and values of a request's expressions, each a numbered placeholder."""

    def __init__(self) -> None:
        """Know none yet."""
        self._names: dict[str, str] = {}
        self._values: dict[str, Attribute] = {}

    def name(self, name: str) -> str:
        """Answer the placeholder of an attribute's name."""
        return self._names.setdefault(name, f"#{len(self._names)}")

    def path(self, column: Column) -> str:
        """Answer the placeholders of a column, which may be a path with dots where nobody declared it."""
        return ".".join(map(self.name, column.name.split("."))) if column.is_open else self.name(column.name)

    def value(self, value: Attribute) -> str:
        """Answer the placeholder of a value."""
        place = f":{len(self._values)}"
        self._values[place] = value
        return place

    def arguments(self) -> dict[str, Any]:
        """Answer what goes beside the expressions."""
        names = {place: name for name, place in self._names.items()}
        found: dict[str, Any] = {"ExpressionAttributeNames": names} if names else {}
        return found | ({"ExpressionAttributeValues": self._values} if self._values else {})


@dataclass(frozen=True, slots=True)
class Test:
    """``column op values`` as DynamoDB can judge it."""

    column: Column
    op: str
    values: tuple[Attribute, ...] = ()

    def written(self, expression: Expression) -> str:
        """Write the condition."""
        path = expression.path(self.column)
        if self.op in ("is null", "is not null"):
            null = expression.value({"S": "NULL"})
            is_null = f"(attribute_not_exists({path}) OR attribute_type({path}, {null}))"
            return is_null if self.op == "is null" else f"(NOT {is_null})"
        places = [expression.value(one) for one in self.values]
        if self.op == "between":
            return f"{path} BETWEEN {places[0]} AND {places[1]}"
        return f"{path} IN ({', '.join(places)})" if self.op == "in" else f"{path} {self.op} {places[0]}"


@dataclass(frozen=True, slots=True)
class Query:
    """A partition: of the table, or of an index; ``range`` narrows it."""

    hash: Test
    range: Test | None = None
    index: Index | None = None


@dataclass(frozen=True, slots=True)
class Route:
    """How rows are read: by keys, by queries in their order, or (both None) by a scan; and what is judged where."""

    keys: list[Item] | None = None
    queries: list[Query] | None = None
    tests: tuple[Test, ...] = ()
    rest: Node | None = None


@dataclass(slots=True)
class _Asked:
    """What a conjunction asks, by column, each part with the node that says so."""

    tests: dict[str, list[tuple[Test, Node]]] = field(default_factory=dict)
    keys: list[Item] | None = None
    rest: list[Node] = field(default_factory=list)
    is_nothing: bool = False

    def of(self, name: str | None, *ops: str) -> tuple[Test, Node] | None:
        """Find what is asked of a column by one of these operators."""
        return next((one for one in self.tests.get(name or "", ()) if one[0].op in ops), None)

    def without(self, used: Iterable[Test | None], left: Iterable[str]) -> tuple[tuple[Test, ...], Node | None]:
        """Answer the other tests; those of the columns ``left``, and what is too much, are judged here."""
        gone = {id(one) for one in used}
        others = [pair for pairs in self.tests.values() for pair in pairs if id(pair[0]) not in gone]
        kept = [pair for pair in others if pair[0].column.name not in left][:_MOST_CONDITIONS]
        taken = {id(test) for test, _ in kept}
        here = [node for test, node in others if id(test) not in taken]
        return tuple(test for test, _ in kept), all_of(*self.rest, *here)


def route(table: DynamoTable, where: Node | None) -> Route:
    """Work out how to read the rows that match."""
    asked = _Asked()
    for node in _conjuncts(where):
        _take(table, node, asked)
    if asked.is_nothing:
        return Route(keys=[])
    if asked.keys is not None:
        every = [node for pairs in asked.tests.values() for _, node in pairs]
        return Route(keys=asked.keys, rest=all_of(*asked.rest, *every))
    whole = [asked.of(name, "=", "in") for name in table.names]
    hashes = whole[0]
    if all(whole) and (keys := _keys(table, [one[0] for one in whole if one is not None])) is not None:
        every = [
            node for pairs in asked.tests.values() for test, node in pairs if not any(test is w[0] for w in whole if w)
        ]
        return Route(keys=keys, rest=all_of(*asked.rest, *every))
    if hashes is not None and len(hashes[0].values) <= _MOST_VALUES:
        ranges = asked.of(table.range, "=", "between", *_SIDES)
        queries = [
            Query(Test(hashes[0].column, "=", (one,)), ranges[0] if ranges else None)
            for one in sorted(hashes[0].values, key=_place)
        ]
        tests, rest = asked.without([hashes[0], ranges[0] if ranges else None], table.names)
        return Route(queries=queries, tests=tests, rest=rest)
    for index in sorted(table.indexes, key=lambda one: asked.of(one.range, "=", "between", *_SIDES) is None):
        found = asked.of(index.hash, "=")
        if found is not None:
            ranges = asked.of(index.range, "=", "between", *_SIDES)
            used = [found[0], ranges[0] if ranges else None]
            left = [name for name in (index.hash, index.range) if name is not None]
            tests, rest = asked.without(used, left)
            return Route(queries=[Query(found[0], used[1], index)], tests=tests, rest=rest)
    tests, rest = asked.without((), ())
    return Route(tests=tests, rest=rest)


def key_of(table: DynamoTable, item: Mapping[str, Any]) -> Item:
    """Answer the key of an item."""
    return {name: item[name] for name in table.names}


def place_of(key: Item) -> list[Any]:
    """Answer what keys are sorted by."""
    return [_place(one) for one in key.values()]


def _place(attribute: Attribute) -> Any:
    from decimal import Decimal

    ((kind, value),) = attribute.items()
    return Decimal(value) if kind == "N" else value


# Conditions.


def _conjuncts(node: Node | None) -> Iterator[Node]:
    if isinstance(node, And):
        for item in node.items:
            yield from _conjuncts(item)
    elif node is not None:
        yield node


def _take(table: DynamoTable, node: Node, asked: _Asked) -> None:
    if isinstance(node, Or) and asked.keys is None and (keys := _keys_in(table, node)) is not None:
        asked.keys = keys
        return
    column = table.by_real_name[node.field] if isinstance(node, Comparison) else None
    if not isinstance(node, Comparison) or column is None or not _can(column, node):
        asked.rest.append(node)
        return
    scalars = [one for one in _scalars(node) if not _is_null(one)]
    if node.value is not None and (not scalars or (node.op != "in" and any(map(_is_null, _scalars(node))))):
        asked.is_nothing = True  # nothing compares with NULL
        return
    values = [_written(column, one) for one in scalars]
    if column.is_primary_key and node.op in ("=", "in"):
        values = [one for one in values if one not in ({"S": ""}, {"B": b""})]  # which no key can be
        asked.is_nothing |= not values
    if node.op == "between" and _is_above(*values):
        asked.is_nothing = True  # which DynamoDB refuses to be asked
        return
    distinct = tuple(one for place, one in enumerate(values) if one not in values[:place])
    op = node.op
    if op == "in" and len(distinct) == 1:
        op = "="
    if op == "in" and len(distinct) > _MOST_VALUES and not column.is_primary_key:
        asked.rest.append(node)
        return
    test = Test(column, op, tuple(values) if op == "between" else distinct)
    asked.tests.setdefault(column.name, []).append((test, node))


def _is_above(least: Attribute, most: Attribute) -> bool:
    """Say whether nothing can be between two values of one type."""
    ((kind, low),), ((_, high),) = least.items(), most.items()
    if kind == "N":
        return bool(Decimal(low) > Decimal(high))
    return bool(low.encode() > high.encode()) if kind == "S" else bool(low > high)


def _can(column: Column, node: Comparison) -> bool:
    """Say whether DynamoDB judges a comparison as it is meant: of a column whose values all are of one type."""
    if node.op not in _NATIVE or column.is_open:
        return False
    if node.value is None:
        return True
    ordered = (
        column.type in types.NUMBERS or column.type in ("string", "text", "date") or column.type in types.DATETIMES
    )
    return column.type not in types.FLOATS and column.type not in ("json", "array") and (
        node.op in ("=", "in") or (ordered and column.type not in types.FLOATS)
    )  # fmt: skip


def _scalars(node: Comparison) -> Iterator[Scalar]:
    if isinstance(node.value, tuple):
        yield from node.value
    elif node.value is not None:
        yield node.value


def _is_null(scalar: Scalar) -> bool:
    return isinstance(scalar, Literal) and scalar.value is None


def _written(column: Column, scalar: Scalar) -> Attribute:
    return written(column, scalar.value if isinstance(scalar, Literal) else value_of(column, scalar))


def _keys_in(table: DynamoTable, node: Or) -> list[Item] | None:
    """Read a disjunction of whole keys; None where it is another one."""
    keys: list[Item] = []
    for item in node.items:
        key: Item = {}
        for one in _conjuncts(item):
            if not isinstance(one, Comparison) or one.op != "=" or one.field not in table.names or one.field in key:
                return None
            if not isinstance(one.value, Literal) or one.value.value is None:
                return None
            key[one.field] = _written(table.by_real_name[one.field], one.value)
        if set(key) != set(table.names):
            return None
        key = key_of(table, key)
        if key not in keys:
            keys.append(key)
    return sorted(keys, key=place_of)


def _keys(table: DynamoTable, tests: Sequence[Test]) -> list[Item] | None:
    number = 1
    for one in tests:
        number *= len(one.values)
    if number > MOST_KEYS:
        return None
    keys = [dict(zip(table.names, key, strict=True)) for key in product(*(one.values for one in tests))]
    return sorted(keys, key=place_of)
