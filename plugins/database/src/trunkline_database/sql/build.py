"""Building statements with SQLAlchemy: quoting, dialects and binds are its business."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from trunkline_database.filters import And, Comparison, Function, Literal, Node, Not, Or, Scalar
from trunkline_database.model import Column, Table
from trunkline_database.plan import PARENT, Aggregate, Select
from trunkline_database.sql import computed
from trunkline_database.sql.dialect import Dialect
from trunkline_database.sql.statement import Converter, Statement
from trunkline_database.store import Arithmetic

_COMPARE: dict[str, Callable[[Any, Any], Any]] = {
    "=": operator.eq,
    "!=": operator.ne,
    ">": operator.gt,
    "<": operator.lt,
    ">=": operator.ge,
    "<=": operator.le,
}
_LONGEST_NAME = 63


def padded(items: tuple[Scalar, ...]) -> tuple[Scalar, ...]:
    """Lengthen a long list to a power of two by repeating its last value, so that few shapes serve all lengths."""
    if len(items) < 5:
        return items
    size = 1 << (len(items) - 1).bit_length()
    return items + (items[-1],) * (size - len(items))


class Builder:
    """Builds one statement; binds are numbered in the order in which shapes collect their values."""

    def __init__(self, dialect: Dialect) -> None:
        self.dialect = dialect
        self.binders: list[Converter | None] = []

    # Whole statements.

    def select(self, plan: Select) -> Statement:
        """Build a read."""
        if plan.via is not None or plan.per is not None:
            return self._partitioned(plan)
        source = self._source(plan.table)
        query = self._read(plan, source, [self._field(source, one) for one in plan.fields])
        return self._finished(query, plan.fields)

    def select_json(self, plan: Select) -> Statement | None:
        """Build a read of plain columns that counts its rows and joins them as JSON objects; None where it can not."""
        source, members = self._source(plan.table), []
        for column in plan.fields:
            if not isinstance(column, Column) or "SELECT" in column.functions:
                return None
            member = self.dialect.json_member(source.c[column.name], column)
            # PostgreSQL cuts longer names off.
            if member is None or len(column.key.encode()) > _LONGEST_NAME:
                return None
            members.append(member.label(column.key))
        rows = self._read(plan, source, members).subquery("r")
        texts = sa.cast(sa.func.row_to_json(rows.table_valued()), sa.Text())
        return self._finished(sa.select(sa.func.count(), sa.func.string_agg(texts, sa.literal_column("','"))), ())

    def _read(self, plan: Select, source: sa.FromClause, fields: Sequence[sa.ColumnElement[Any]]) -> sa.Select[Any]:
        query = self._filtered(sa.select(*fields).select_from(source), source, plan)
        order = self._order(source, plan)
        if not order and (plan.limit is not None or plan.offset):
            order = self.dialect.any_order()
        query = query.group_by(*(self._ranked(source, one) for one in plan.group)).order_by(*order)
        if plan.limit is not None:
            query = query.limit(self._number())
        if plan.offset:
            query = query.offset(self._number())
        return self.dialect.locked(query, source) if plan.lock else query

    def _partitioned(self, plan: Select) -> Statement:
        """Build a read whose limit and offset count for each parent, by a window function."""
        source = self._source(plan.table).alias("o")
        columns = [self._field(source, one).label(f"c{index}") for index, one in enumerate(plan.fields)]
        # Values are collected for the tree first, so it is built first.
        condition = None if plan.where is None else self.clause(plan.where, source, plan.table)
        origin: sa.FromClause = source
        parent = source.c[plan.per.name] if plan.per is not None else None
        if plan.via is not None:
            junction = self._source(plan.via.table).alias("j")
            parent = junction.c[plan.via.parent.name]
            joined = junction.c[plan.via.ref.name] == source.c[plan.via.joined.name]
            origin = junction.join(source, joined)
            keys = padded(tuple(Literal(key) for key in plan.via.keys))
            condition = _joined(condition, parent.in_([self._bind(plan.via.parent) for _ in keys]))
            if plan.via.where is not None:
                condition = _joined(condition, self.clause(plan.via.where, junction, plan.via.table))
            columns.append(parent.label("c_parent"))
        query = sa.select(*columns).select_from(origin)
        query = query if condition is None else query.where(condition)
        order = self._order(source, plan)
        extra = (PARENT,) if plan.via is not None else ()
        if plan.limit is None and not plan.offset:
            return self._finished(query.order_by(*order), plan.fields, extra)
        ranking = order or self.dialect.any_order() or None
        number = sa.func.row_number().over(partition_by=parent, order_by=ranking).label("n")
        inner = query.add_columns(number).subquery("ranked")
        outer = sa.select(*(one for one in inner.c if one.name != "n")).order_by(inner.c.n)
        if plan.limit is not None:
            outer = outer.where(inner.c.n <= self._number())
        if plan.offset:
            outer = outer.where(inner.c.n > self._number())
        return self._finished(outer, plan.fields, extra)

    def count(self, plan: Select) -> Statement:
        """Build the count of what a plan reads without limit."""
        source = self._source(plan.table)
        if not plan.group:
            query = self._filtered(sa.select(sa.func.count()).select_from(source), source, plan)
            return self._finished(query, ())
        groups = sa.select(*(self._ranked(source, one) for one in plan.group))
        groups = self._filtered(groups, source, plan).group_by(*(self._ranked(source, one) for one in plan.group))
        return self._finished(sa.select(sa.func.count()).select_from(groups.subquery("grouped")), ())

    def insert(
        self, table: Table, given: Sequence[tuple[str, str | None]], returning: Sequence[Column], check: Node | None
    ) -> Statement:
        """Build an insert of one row; ``given`` has each column with the name of a function, or None for a bind."""
        source = self._source(table)
        query = sa.insert(source)
        values = {name: self._new_value(table, name, function) for name, function in given}
        query = query.values(values) if values else query
        answers = self.dialect.sa.insert_returning and (not table.is_view or self.dialect.views_return)
        if returning and answers:
            query = query.returning(*(self._field(source, one) for one in returning))
            query = query if check is None else query.returning(self._guard(check, source, table))
            statement = self._finished(query, returning, keys=values)
        else:
            statement = self._finished(query, (), keys=values)
        statement.text = self.dialect.inserting(statement.text, table, values)
        return statement

    def insert_many(
        self, table: Table, names: Sequence[str], returning: Sequence[Column], check: Node | None
    ) -> Statement:
        """Build an insert of any number of rows, whose values come as one list for each column."""
        source = self._source(table)
        columns = [table.by_real_name[name] for name in names]
        lists = [self._list_bind(column) for column in columns]
        given = sa.func.unnest(*lists).table_valued(*(f"v{index}" for index in range(len(lists)))).render_derived("new")
        values = [
            computed.written(column, "INSERT", sa.cast(given.c[index], self.dialect.compared_as(column)))
            for index, column in enumerate(columns)
        ]
        query = sa.insert(source).from_select(list(names), sa.select(*values).select_from(given))
        answer = query.returning(*(self._field(source, one) for one in returning))
        answer = answer if check is None else answer.returning(self._guard(check, source, table))
        return self._finished(answer, returning)

    def update(self, table: Table, where: Node | None, changes: Mapping[str, Any], check: Node | None) -> Statement:
        """Build an update; with a check it answers a row for each that it changed."""
        source = self._source(table)
        values = {name: self._changed(source, table, name, value) for name, value in changes.items()}
        query = sa.update(source).values(values)
        query = query if where is None else query.where(self.clause(where, source, table))
        if check is None:
            return self._finished(query, ())
        return self._finished(query.returning(self._guard(check, source, table)), ())

    def delete(self, table: Table, where: Node | None) -> Statement:
        """Build a delete."""
        source = self._source(table)
        query = sa.delete(source)
        return self._finished(query if where is None else query.where(self.clause(where, source, table)), ())

    # Trees.

    def clause(self, node: Node, source: sa.FromClause, table: Table) -> sa.ColumnElement[bool]:
        """Build the condition of a tree."""
        if isinstance(node, Not):
            return sa.not_(self.clause(node.item, source, table))
        if isinstance(node, And | Or):
            join = sa.and_ if isinstance(node, And) else sa.or_
            return join(*(self.clause(item, source, table) for item in node.items))
        column = table.by_real_name[node.field]
        return self._comparison(computed.compared(source, column, self.dialect), column, node)

    def _comparison(self, left: sa.ColumnElement[Any], column: Column, node: Comparison) -> sa.ColumnElement[bool]:
        op, value = node.op, node.value
        if value is None:
            return left.is_(None) if op == "is null" else left.is_not(None)
        if isinstance(value, tuple):
            items = [self._scalar(column, one) for one in padded(value)]
            if op.endswith("between"):
                low, high = items
                return left.between(low, high) if op == "between" else sa.not_(left.between(low, high))
            return left.in_(items) if op == "in" else left.not_in(items)
        if op.endswith(("like", "contains", "with")):
            text = left if isinstance(left.type, sa.String) else sa.cast(left, sa.String)
            pattern = self._text_bind() if isinstance(value, Literal) else self._scalar(column, value)
            return text.not_like(pattern) if op.startswith("not ") else text.like(pattern)
        result: sa.ColumnElement[bool] = _COMPARE[op](left, self._scalar(column, value))
        return result

    def _scalar(self, column: Column, value: Scalar) -> sa.ColumnElement[Any]:
        return self.dialect.function(value.name) if isinstance(value, Function) else self._bind(column)

    # Pieces.

    def _source(self, table: Table) -> sa.TableClause[Any]:
        columns = [sa.column(one.name, self.dialect.compared_as(one)) for one in table.columns]
        return sa.table(table.identity.name, *columns, schema=table.identity.schema)

    def _field(self, source: sa.FromClause, field: Column | Aggregate) -> sa.ColumnElement[Any]:
        if isinstance(field, Column):
            return self.dialect.selected(computed.read(source, field, self.dialect), field)
        if field.column is None:
            return sa.func.count()
        function = self.dialect.aggregated(field.function, source.c[field.column.name], field.column)
        # The least and the greatest are values of the column; sums and counts are something new.
        return self.dialect.selected(function, field.column) if field.function in ("min", "max") else function

    def _filtered(self, query: sa.Select[Any], source: sa.FromClause, plan: Select) -> sa.Select[Any]:
        return query if plan.where is None else query.where(self.clause(plan.where, source, plan.table))

    def _order(self, source: sa.FromClause, plan: Select) -> list[sa.ColumnElement[Any]]:
        order: list[sa.ColumnElement[Any]] = []
        for one in plan.order:
            order += self.dialect.ordered(self._ranked(source, one.column), one.descending, one.nulls)
        return order

    def _ranked(self, source: sa.FromClause, column: Column) -> sa.ColumnElement[Any]:
        return computed.ranked(source, column, self.dialect)

    def _new_value(self, table: Table, name: str, function: str | None) -> sa.ColumnElement[Any]:
        if function is not None:
            return self.dialect.function(function)
        column = table.by_real_name[name]
        return computed.written(column, "INSERT", self._bind(column))

    def _changed(self, source: sa.FromClause, table: Table, name: str, value: Any) -> sa.ColumnElement[Any]:
        if isinstance(value, Function):
            return self.dialect.function(value.name)
        column = table.by_real_name[name]
        if isinstance(value, Arithmetic):
            return source.c[value.column.name].op(value.operator)(self._bind(column))
        return computed.written(column, "UPDATE", self._bind(column))

    def _bind(self, column: Column) -> sa.BindParameter[Any]:
        self.binders.append(self.dialect.binder(column))
        return sa.bindparam(f"p{len(self.binders) - 1}", type_=self.dialect.compared_as(column))

    def _list_bind(self, column: Column) -> sa.BindParameter[Any]:
        binder, kind = self.dialect.binder(column), self.dialect.sent_as(column)
        self.binders.append(None if binder is None else _each(binder))
        return sa.bindparam(f"p{len(self.binders) - 1}", type_=sa.ARRAY(kind, dimensions=1))

    def _guard(self, check: Node, source: sa.FromClause, table: Table) -> sa.ColumnElement[Any]:
        """Build what fails for a row that does not pass the check; it stands behind the columns that are answered."""
        return self.dialect.guard(self.clause(check, source, table))

    def _text_bind(self) -> sa.BindParameter[Any]:
        self.binders.append(self.dialect.pattern_binder())
        return sa.bindparam(f"p{len(self.binders) - 1}", type_=sa.String())

    def _number(self) -> sa.BindParameter[Any]:
        self.binders.append(None)
        return sa.bindparam(f"p{len(self.binders) - 1}", type_=sa.BigInteger())

    def _finished(
        self,
        query: Any,
        fields: Sequence[Column | Aggregate],
        extra: tuple[str, ...] = (),
        keys: Mapping[str, Any] | None = None,
    ) -> Statement:
        compiled = query.compile(dialect=self.dialect.sa, column_keys=list(keys) if keys is not None else None)
        constants: list[Any] = []

        def slot(name: str) -> int:
            """Find the collected value for a bind; a bind that the dialect added itself is a constant."""
            if name[:1] == "p" and name[1:].isdigit():
                return int(name[1:])
            constants.append(compiled.params[name])
            return len(self.binders) + len(constants) - 1

        slots: tuple[int, ...] | dict[str, int]
        if compiled.positional:
            slots = tuple(slot(name) for name in compiled.positiontup or ())
        else:
            slots = {name: slot(name) for name in compiled.bind_names.values()}
        converters = [(str(field.key), self._converter(field)) for field in fields]
        return Statement(
            text=str(compiled),
            slots=slots,
            straight=slots == tuple(range(len(self.binders) + len(constants))),
            constants=tuple(constants),
            binders=tuple(self.binders) if any(self.binders) else None,
            keys=(*(str(one.key) for one in fields), *extra),
            converters=tuple((key, found) for key, found in converters if found is not None),
            # Counting a table or reading a large value is one step that no stop-watch interrupts.
            small=all(isinstance(one, Column) and one.type != "binary" for one in fields),
        )

    def _converter(self, field: Column | Aggregate) -> Converter | None:
        if isinstance(field, Aggregate):
            return self.dialect.aggregate_converter(field.function, field.column)
        return self.dialect.converter(field)


def _joined(one: sa.ColumnElement[bool] | None, other: sa.ColumnElement[bool]) -> sa.ColumnElement[bool]:
    return other if one is None else sa.and_(one, other)


def _each(convert: Converter) -> Converter:
    return lambda values: [None if value is None else convert(value) for value in values]
