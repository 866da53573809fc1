"""From Query to plan: what is to be read, checked against the schema and narrowed by the caller's role."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

from trunkline.call import Call
from trunkline.errors import BadRequest
from trunkline_database import access, filters, types
from trunkline_database.documents.shape import nested
from trunkline_database.documents.veil import OpenVeil
from trunkline_database.filters import Node
from trunkline_database.model import Column, Relation, Table
from trunkline_database.params import AggregateField, OrderField, Query, tuple_of
from trunkline_database.resolve import every, resolved
from trunkline_database.veil import Veil, veil_of

if TYPE_CHECKING:
    from trunkline_database.service import DatabaseService

NO_IDENTITY = "Identifying field(s) could not be determined."


@dataclass(frozen=True, slots=True)
class Aggregate:
    """A function over rows; ``column`` is None for all of them."""

    function: str
    column: Column | None

    @property
    def key(self) -> str:
        """The name in replies, in the recorded lower case: ``count_all``, ``sum_pages`` (D29)."""
        return f"{self.function}_{self.column.key if self.column else 'all'}".lower()


@dataclass(frozen=True, slots=True)
class Order:
    """One member of an order; ``nulls`` is None where the engine's own habit is good."""

    column: Column
    descending: bool = False
    nulls: Literal["first", "last"] | None = None


@dataclass(frozen=True, slots=True)
class Via:
    """A way through a junction table: its rows have ``parent`` = the key looked for and ``ref`` = the joined column.

    ``where`` narrows the junction's rows.
    """

    table: Table
    parent: Column
    ref: Column
    joined: Column
    keys: tuple[Any, ...]
    where: Node | None = None


@dataclass(frozen=True, slots=True)
class Select:
    """A read of one table that any engine can run. Trees inside name columns by their real names.

    With ``per``, limit and offset count within each value of that column (or of the junction's parent column); with
    ``via``, each row has the parent's key under ``PARENT`` besides. ``lock`` asks to hold the rows until commit.
    ``after`` is the primary key of the row behind which to begin, for engines that have an order of their own.
    """

    table: Table
    fields: tuple[Column | Aggregate, ...]
    where: Node | None = None
    order: tuple[Order, ...] = ()
    group: tuple[Column, ...] = ()
    limit: int | None = None
    offset: int = 0
    per: Column | None = None
    via: Via | None = None
    lock: bool = False
    after: tuple[Any, ...] | None = None


# The name of the parent's key in rows that came through a junction; no column can be called so.
PARENT = "\0parent"


@dataclass
class Target:
    """One table as one call may see it: where every read, write and related fetch begins."""

    service: DatabaseService
    call: Call
    table: Table
    query: Query
    verb: str
    component: str
    # The services that this call reads from, which its related targets share.
    sources: set[int] = field(default_factory=set)

    @cached_property
    def rows(self) -> Node | None:
        """The filter that the caller's role puts on the rows."""
        return access.row_filter(self.service, self.call, self.table, self.verb, self.component)

    @cached_property
    def veil(self) -> Veil | OpenVeil | None:
        """What the caller's role leaves out of replies or masks in them (D33)."""
        return veil_of(self.service, self.call, self.table, self.component)

    def covers(self, column: Column) -> bool:
        """Say whether a column may not be asked for, because its values are not for the caller."""
        return self.veil is not None and self.veil.covers(column)

    def seen(self, rows: Iterable[dict[str, Any]]) -> None:
        """Take out of rows that are about to go out what is not for the caller."""
        if self.veil is not None:
            rows = list(rows)
            for row in rows:
                self.veil.put_on(row)
        if self.table.is_open:
            for row in rows:
                nested(row, self.table.relations_by_name)

    @cached_property
    def identity(self) -> tuple[Column, ...]:
        """The columns that identify records: ``id_field``, else the primary key; empty when there is none."""
        if self.query.id_field:
            found = self.table.columns_named(self.query.id_field)
            if virtual := next((one for one in found if one.is_virtual or self.covers(one)), None):
                raise BadRequest(f"Field '{virtual.key}' can not identify records.")
            return found
        return self.table.primary_key

    def demand_identity(self) -> tuple[Column, ...]:
        """Answer the identifying columns; raises BadRequest when there are none (D12)."""
        if not self.identity:
            raise BadRequest(NO_IDENTITY)
        return self.identity

    def key(self, value: Any) -> tuple[Any, ...]:
        """Type one identifier: a scalar, a tuple, a text such as ``(1,a)``, or an object with the columns."""
        columns = self.demand_identity()
        if isinstance(value, dict) and not (value and all(str(name).startswith("$") for name in value)):
            value = self._key_in(value, columns)
        elif len(columns) > 1 and isinstance(value, str):
            value = tuple_of(value)
        parts = tuple(value) if isinstance(value, tuple | list) else (value,)
        if len(parts) != len(columns):
            names = ", ".join(one.key for one in columns)
            raise BadRequest(f"An identifier of '{self.table.name}' needs values for: {names}.")
        return tuple(self._key_part(column, one) for column, one in zip(columns, parts, strict=True))

    def _key_part(self, column: Column, value: Any) -> Any:
        if column.is_open:
            return self.service.store.identifier(column, value, self.query.id_type)
        return _key_part(column, value)

    def _key_in(self, record: dict[str, Any], columns: tuple[Column, ...]) -> tuple[Any, ...]:
        by_name = {str(name).lower(): one for name, one in record.items()}
        try:
            return tuple(by_name[column.key.lower()] for column in columns)
        except KeyError:
            names = ", ".join(one.key for one in columns)
            raise BadRequest(f"Required id field(s) not found in record: {names}") from None

    def fields(self, default: Literal["all", "key"] = "all") -> tuple[Column | Aggregate, ...]:
        """Answer the output fields; an empty list means the key, or all where there is none (database-api 4.2)."""
        asked = self.query.fields
        if asked is None:
            asked = ("*",) if default == "all" else ()
        if not asked:
            return self._shown((*(self.identity or self.table.stored), *self.table.companions))
        if asked == ("*",):
            return self._shown(self.table.readable)
        found: dict[Column | Aggregate, None] = {}
        for one in asked:
            if isinstance(one, AggregateField):
                found[self._aggregate(one)] = None
            elif one == "*":
                found.update(dict.fromkeys(self._shown(self.table.readable)))
            else:
                (column,) = self.table.columns_named([one])
                if not self._shown((column,)):
                    raise BadRequest(f"Invalid field requested: {one.strip()[:128]}")
                found[column] = None
        if self.table.is_open and not self.query.group and not any(map(is_aggregate, found)):
            # What identifies a document always comes along (database-api 20.1).
            along = self._shown((*self.table.primary_key, *self.table.companions))
            return tuple({**dict.fromkeys(along), **found})
        return tuple(found)

    def _shown(self, columns: tuple[Column, ...]) -> tuple[Column, ...]:
        return columns if self.veil is None else tuple(one for one in columns if not self.veil.hides(one))

    def columns(self, default: Literal["all", "key"] = "all") -> tuple[Column, ...]:
        """Answer the output fields where aggregates make no sense; raises BadRequest for those."""
        fields = self.fields(default)
        if any(is_aggregate(one) for one in fields):
            raise BadRequest("Aggregates are not possible in this request.")
        return tuple(one for one in fields if isinstance(one, Column))

    def _aggregate(self, asked: AggregateField) -> Aggregate:
        if asked.column is None:
            return Aggregate(asked.function, None)
        column = self.table.column(asked.column)
        if column is None or column.is_virtual or self.covers(column):
            raise BadRequest(f"Invalid field requested: {asked.function.upper()}({asked.column[:128]})")
        if asked.function in ("sum", "avg") and not (column.type in types.NUMBERS or column.is_open):
            raise BadRequest(f"Field '{column.key}' must be a number for {asked.function.upper()}.")
        return Aggregate(asked.function, column)

    def where(self, *more: Node | None) -> Node | None:
        """Join the caller's filter of the request, the role's and others by AND."""
        return filters.all_of(self.asked_filter, self.rows, *more)

    @cached_property
    def asked_filter(self) -> Node | None:
        """The filter of the request, with parameters and look-ups bound."""
        if self.query.filter is None:
            return None
        node = self.service.store.native_filter(self.query.filter) or self._parsed(self.query.filter)
        node = resolved(self.table, node)
        if self.veil is not None:
            for name in filters.fields_of(node):
                if self.covers(column := self.table.by_real_name[name]):
                    raise filters.BadFilter.at_field(column.key)
        return node

    def _parsed(self, text: Any) -> Node:
        if not isinstance(text, str):
            # D26: DreamFactory ignores an object here and reads, changes or deletes the whole table.
            raise filters.BadFilter("The filter must be text.")
        params = {
            name: self.service.store.scalar(value) if isinstance(value, dict) else value
            for name, value in self.query.params.items()
        }
        node = filters.bind(filters.parse(text), params)
        if "{" in text or params:
            node = filters.substitute(node, access.look_up_of(self.service, self.call))
        return node

    def narrowed(self, node: Node) -> Node:
        """Join a test for keys with the role's filter; what the request filters does not count there."""
        return filters.all_of(node, self.rows) or node

    def by_key(self, key: tuple[Any, ...]) -> Node:
        """Build the test for one record that the caller may see."""
        return self.narrowed(every(self.demand_identity(), key))

    def order(self) -> tuple[Order, ...]:
        """Answer the order asked for, else that of the primary key, so that pages never overlap."""
        if self.query.order:
            return tuple(self._order(one) for one in self.query.order)
        return self.natural_order()

    def natural_order(self) -> tuple[Order, ...]:
        """Answer the order of the primary key; none where the engine has one of its own."""
        return () if self.service.store.own_order else self.key_order()

    def key_order(self) -> tuple[Order, ...]:
        """Answer the order of the primary key."""
        return tuple(Order(column) for column in self.table.primary_key)

    def _order(self, asked: OrderField) -> Order:
        column = self.table.column(asked.name)
        if column is None or not column.is_readable or self.covers(column):
            raise BadRequest(f"Invalid field '{asked.name[:128]}' in order by clause.")
        return Order(column, asked.descending, asked.nulls)

    def group(self) -> tuple[Column, ...]:
        """Answer the columns to group by."""
        found = []
        for name in self.query.group:
            column = self.table.column(name)
            if column is None or not column.is_readable or column.is_aggregate or self.covers(column):
                raise BadRequest(f"Invalid or unknown field '{name[:128]}' in group by clause.")
            found.append(column)
        return tuple(found)

    def relation(self, name: str) -> Relation:
        """Find a relation by name or alias; raises BadRequest for unknown ones (D9)."""
        found = self.table.relations_by_name.get(name.lower())
        if found is None:
            raise BadRequest(f"Invalid relationship requested: {name[:128]}")
        return found

    def filtered_read(self, limit: int | None) -> Select:
        """Plan the read by filter, with grouping and aggregates (D29)."""
        group = self.group()
        fields = group if group and self.query.fields is None else self.fields()
        aggregated = any(is_aggregate(one) for one in fields)
        if not group and not aggregated:
            if any(one.column.is_aggregate for one in self.order()):
                raise BadRequest("Aggregates can stand in the order by clause of a grouped request only.")
            return Select(self.table, fields, self.where(), self.order(), limit=limit, offset=self.query.offset)
        if loose := [one.key for one in fields if not is_aggregate(one) and one not in group]:
            raise BadRequest(f"Fields must be grouped or aggregated: {', '.join(loose)}")
        order = tuple(self._order(one) for one in self.query.order) or tuple(Order(column) for column in group)
        if any(one.column not in group and not one.column.is_aggregate for one in order):
            raise BadRequest("Only grouped fields can stand in the order by clause of a grouped request.")
        return Select(self.table, fields, self.where(), order, group, limit=limit, offset=self.query.offset)


def is_aggregate(field: Column | Aggregate) -> bool:
    """Say whether a field is about many rows: a function over a column, or a column that is one (database-api 14.3)."""
    return isinstance(field, Aggregate) or field.is_aggregate


def _key_part(column: Column, value: Any) -> Any:
    if value is None or isinstance(value, dict | list):
        raise BadRequest(f"Field '{column.key}' must be a valid {column.type if column.type != 'id' else 'integer'}.")
    if isinstance(value, str) and column.type in types.INTEGERS and "," in value:
        value = value.partition(",")[0]  # as recorded: /book/1,2 is the first
    return types.incoming(column, value)


def identify(columns: Sequence[Column], row: dict[str, Any]) -> dict[str, Any]:
    """Answer the key part of a row, by the names that clients use."""
    return {column.key: row[column.key] for column in columns}


__all__ = ["PARENT", "Aggregate", "Order", "Select", "Target", "Via", "identify", "is_aggregate"]
