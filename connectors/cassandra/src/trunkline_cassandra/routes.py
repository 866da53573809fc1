"""From a condition to what Cassandra is asked: which partitions, which restrictions, and what is judged here.

Rows have an order of the cluster's own: by the tokens of their partitions, within those by the clustering columns. A
read of named partitions has these in the order of their keys instead. Either way a read can begin behind any key.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import product
from typing import Any

from trunkline_cassandra.columns import CqlColumn
from trunkline_cassandra.kinds import ORDERED, OutOfRange, bound
from trunkline_database.documents.values import value_of
from trunkline_database.filters import And, Comparison, Literal, Node, Or, Scalar, all_of
from trunkline_database.model import Table

# Partitions that one read names; more are found by looking at all of them.
MOST_PARTITIONS = 10_000
_SIDES = {">": "lower", ">=": "lower", "<": "upper", "<=": "upper"}
_NATIVE = frozenset({"=", "in", "between", *_SIDES})


@dataclass(frozen=True, slots=True)
class Restriction:
    """``column op value`` in a statement; the value is one for the driver, for ``in`` a list of such."""

    column: CqlColumn
    op: str
    value: Any


@dataclass(frozen=True, slots=True)
class Scan:
    """What one statement restricts; ``token`` has it begin behind a partition.

    ``filters`` says that Cassandra has to look at more rows than it answers, which it must be allowed.
    """

    restrictions: tuple[Restriction, ...] = ()
    token: tuple[Any, ...] | None = None
    filters: bool = False


@dataclass(frozen=True, slots=True)
class Route:
    """The scans of a read, in order, and what is judged here of the rows that they bring."""

    scans: tuple[Scan, ...]
    rest: Node | None = None
    # Whether each scan is of one row, known by its key.
    is_single: bool = False
    # Whether all of it is within one partition.
    is_together: bool = False


@dataclass(slots=True)
class _Asked:
    """What a conjunction asks of the columns, each part with the node that says so."""

    equal: dict[str, tuple[Any, Node]] = field(default_factory=dict)
    among: dict[str, tuple[list[Any], Node]] = field(default_factory=dict)
    ranges: dict[str, dict[str, tuple[Restriction, Node]]] = field(default_factory=dict)
    keys: list[dict[str, Any]] | None = None
    rest: list[Node] = field(default_factory=list)
    is_nothing: bool = False

    def nodes(self, names: Iterable[str]) -> Iterator[Node]:
        """List what is asked of these columns."""
        for name in names:
            for known in (self.equal, self.among):
                if name in known:
                    yield known[name][1]
            for _, node in self.ranges.get(name, {}).values():
                yield node

    def restrictions(self, columns: Iterable[CqlColumn]) -> Iterator[Restriction]:
        """Write what is asked of these columns."""
        for column in columns:
            name = column.name
            if name in self.equal:
                yield Restriction(column, "=", self.equal[name][0])
            elif name in self.among:
                yield Restriction(column, "in", self.among[name][0])
            for one, _ in self.ranges.get(name, {}).values():
                yield one


def partition_of(table: Table) -> list[CqlColumn]:
    """List the columns of the partition key, in their order."""
    return _with_role(table, "partition_key")


def clustering_of(table: Table) -> list[CqlColumn]:
    """List the clustering columns, in their order."""
    return _with_role(table, "clustering")


def column_in(table: Table, name: str) -> CqlColumn:
    """Answer a column by its real name."""
    column = table.by_real_name[name]
    assert isinstance(column, CqlColumn)  # noqa: S101 - no other is described here
    return column


def route(table: Table, where: Node | None, after: tuple[Any, ...] | None = None) -> Route:
    """Work out how to read the rows that match; ``after`` is the key behind which to begin, ready for the driver."""
    asked = _Asked()
    for node in _conjuncts(where):
        _take(table, node, asked)
    if asked.is_nothing:
        return Route(())
    partition, clustering = partition_of(table), clustering_of(table)
    others = [one for one in table.stored if isinstance(one, CqlColumn) and not one.is_primary_key]
    place = dict(zip([one.name for one in table.primary_key], after, strict=True)) if after is not None else None
    if asked.keys is not None:
        # A key that is named is judged by all else here: there is one row of it.
        rest = all_of(*asked.rest, *asked.nodes(table.by_real_name))
        key = [*partition, *clustering]
        keys = [one for one in _sorted(asked.keys, key) if place is None or _values(one, key) > _values(place, key)]
        scans = [Scan(tuple(Restriction(column, "=", one[column.name]) for column in key)) for one in keys]
        return Route(tuple(scans), rest, is_single=True, is_together=len(scans) == 1)
    named = _partitions(asked, partition)
    if place is not None:
        # A place to begin restricts the key already.
        asked.rest += asked.nodes([one.name for one in (clustering if named is not None else table.primary_key)])
    rest = all_of(*asked.rest)
    if named is None:
        return Route(tuple(_everywhere(asked, partition, clustering, others, place)), rest)
    scans = list(_within(named, asked, partition, clustering, others, place))
    whole = place is None and all(one.name in asked.equal for one in clustering)
    return Route(tuple(scans), rest, is_single=whole, is_together=len(named) == 1)


# Scans.


def _everywhere(
    asked: _Asked, partition: list[CqlColumn], clustering: list[CqlColumn], others: list[CqlColumn], place: Any
) -> Iterator[Scan]:
    restrictions = tuple(asked.restrictions([*partition, *clustering, *others]))
    if place is None:
        yield Scan(restrictions, filters=bool(restrictions))
        return
    key = tuple(place[one.name] for one in partition)
    yield from _behind(key, partition, clustering, tuple(asked.restrictions(others)), place)
    yield Scan(restrictions, key, bool(restrictions))


def _within(
    named: list[dict[str, Any]], asked: _Asked, partition: list[CqlColumn], clustering: list[CqlColumn],
    others: list[CqlColumn], place: Any,
) -> Iterator[Scan]:  # fmt: skip
    more = tuple(asked.restrictions([*clustering, *others]))
    filters = _looks_further(asked, clustering) or any(True for _ in asked.restrictions(others))
    begun = None if place is None else _values(place, partition)
    for one in named:
        key = _values(one, partition)
        if begun is not None and key < begun:
            continue
        if key == begun:
            yield from _behind(key, partition, clustering, tuple(asked.restrictions(others)), place)
        else:
            at = tuple(Restriction(column, "=", value) for column, value in zip(partition, key, strict=True))
            yield Scan((*at, *more), filters=filters)


def _behind(
    key: tuple[Any, ...], partition: list[CqlColumn], clustering: list[CqlColumn], more: tuple[Restriction, ...],
    place: Any,
) -> Iterator[Scan]:  # fmt: skip
    """List the scans for what is behind a row in its own partition: alike up to some column, and beyond in that one."""
    at = tuple(Restriction(column, "=", value) for column, value in zip(partition, key, strict=True))
    for number in range(len(clustering) - 1, -1, -1):
        alike = tuple(Restriction(one, "=", place[one.name]) for one in clustering[:number])
        last = clustering[number]
        beyond = Restriction(last, "<" if last.is_descending else ">", place[last.name])
        yield Scan((*at, *alike, beyond, *more), filters=bool(more))


def _looks_further(asked: _Asked, clustering: list[CqlColumn]) -> bool:
    """Say whether clustering columns are restricted otherwise than from the first on, with no range but the last."""
    ended = False
    for column in clustering:
        is_restricted = any(True for _ in asked.restrictions([column]))
        if ended and is_restricted:
            return True
        ended = ended or not is_restricted or column.name in asked.ranges
    return False


# Conditions.


def _conjuncts(node: Node | None) -> Iterator[Node]:
    if isinstance(node, And):
        for item in node.items:
            yield from _conjuncts(item)
    elif node is not None:
        yield node


def _take(table: Table, node: Node, asked: _Asked) -> None:
    """Put one conjunct where it belongs; what Cassandra cannot do is judged here."""
    if isinstance(node, Or) and asked.keys is None and (keys := _keys_in(table, node)) is not None:
        asked.keys = keys
        return
    column = table.by_real_name[node.field] if isinstance(node, Comparison) else None
    if not isinstance(node, Comparison) or not isinstance(column, CqlColumn) or not column.kind.is_single:
        asked.rest.append(node)
        return
    scalars = tuple(_scalars(node))
    if node.op in _NATIVE and any(map(_is_null, scalars)):
        scalars = tuple(one for one in scalars if not _is_null(one)) if node.op == "in" else ()
        if not scalars:
            asked.is_nothing = True  # nothing compares with NULL
            return
    try:
        _restrict(column, node, scalars, asked)
    except OutOfRange:
        if node.op == "=":
            asked.is_nothing = True
        else:
            asked.rest.append(node)


def _restrict(column: CqlColumn, node: Comparison, scalars: tuple[Scalar, ...], asked: _Asked) -> None:
    name = column.name
    is_free = name not in asked.equal and name not in asked.among and name not in asked.ranges
    if node.op == "=" and is_free:
        asked.equal[name] = _typed(column, scalars[0]), node
    elif node.op == "in" and is_free:
        values = list(_each(column, scalars))
        asked.among[name] = values, node
        asked.is_nothing |= not values
    elif node.op == "between" and is_free and column.kind.name in ORDERED:
        lower, upper = (_typed(column, one) for one in scalars)
        sides: dict[str, tuple[Restriction, Node]]
        sides = {"lower": (Restriction(column, ">=", lower), node), "upper": (Restriction(column, "<=", upper), node)}
        asked.ranges[name] = sides
    elif node.op in _SIDES and column.kind.name in ORDERED and name not in asked.equal and name not in asked.among:
        side = asked.ranges.setdefault(name, {})
        restriction = Restriction(column, node.op, _typed(column, scalars[0]))
        if _SIDES[node.op] in side:
            asked.rest.append(node)
        else:
            side[_SIDES[node.op]] = restriction, node
    else:
        if node.op in ("=", "!=", "in", "not in"):
            list(_each(column, scalars))  # refuses what is no value of the column
        asked.rest.append(node)


def _scalars(node: Comparison) -> Iterator[Scalar]:
    if isinstance(node.value, tuple):
        yield from node.value
    elif node.value is not None:
        yield node.value


def _is_null(scalar: Scalar) -> bool:
    return isinstance(scalar, Literal) and scalar.value is None


def _typed(column: CqlColumn, scalar: Scalar) -> Any:
    value = scalar.value if isinstance(scalar, Literal) else value_of(column, scalar)
    return bound(column.kind, column, value)


def _each(column: CqlColumn, scalars: Iterable[Scalar]) -> Iterator[Any]:
    seen = set()
    for one in scalars:
        try:
            value = _typed(column, one)
        except OutOfRange:
            continue  # which no row can have
        if value not in seen:
            seen.add(value)
            yield value


def _keys_in(table: Table, node: Or) -> list[dict[str, Any]] | None:
    """Read a disjunction of whole primary keys; None where it is another one."""
    whole = {one.name for one in table.primary_key}
    keys: list[dict[str, Any]] = []
    for item in node.items:
        key: dict[str, Any] = {}
        for one in _conjuncts(item):
            if not isinstance(one, Comparison) or one.op != "=" or one.field not in whole or one.field in key:
                return None
            if not isinstance(one.value, Literal) or one.value.value is None:
                return None
            try:
                key[one.field] = _typed(column_in(table, one.field), one.value)
            except OutOfRange:
                return None
        if set(key) != whole:
            return None
        if key not in keys:
            keys.append(key)
    return keys


def _partitions(asked: _Asked, partition: list[CqlColumn]) -> list[dict[str, Any]] | None:
    """List the partitions that are asked for by their keys, in order; None where they are not named."""
    choices: list[list[Any]] = []
    number = 1
    for column in partition:
        if column.name in asked.equal:
            choices.append([asked.equal[column.name][0]])
        elif column.name in asked.among:
            choices.append(asked.among[column.name][0])
        else:
            return None
        number *= len(choices[-1])
    if number > MOST_PARTITIONS:
        return None
    names = [one.name for one in partition]
    return _sorted([dict(zip(names, key, strict=True)) for key in product(*choices)], partition)


def _sorted(keys: list[dict[str, Any]], columns: Sequence[CqlColumn]) -> list[dict[str, Any]]:
    return sorted(keys, key=lambda one: _values(one, columns)) if len(keys) > 1 else keys


def _values(key: dict[str, Any], columns: Sequence[CqlColumn]) -> tuple[Any, ...]:
    return tuple(key[one.name] for one in columns)


def _with_role(table: Table, role: str) -> list[CqlColumn]:
    found = [one for one in table.columns if isinstance(one, CqlColumn) and one.role == role]
    return sorted(found, key=lambda one: one.position)
