"""What differs between SQL engines, around SQLAlchemy's dialect: types both ways, functions, errors, catalogue."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Literal

import sqlalchemy as sa

from trunkline.errors import BadRequest
from trunkline_database import types
from trunkline_database.definition import ColumnDefinition
from trunkline_database.model import Column, Constraint, Table, TableName
from trunkline_database.relations import ForeignKey
from trunkline_database.sql.errors import Diagnosis, by_sqlstate
from trunkline_database.sql.statement import Converter

# How a column takes part in expressions; what is not listed is text to SQLAlchemy, and the engine knows better.
_COMPARED_AS: dict[str, type[sa.types.TypeEngine[Any]]] = {
    **dict.fromkeys(types.INTEGERS, sa.BigInteger),
    **dict.fromkeys(types.DECIMALS, sa.Numeric),
    **dict.fromkeys(types.FLOATS, sa.Float),
    **dict.fromkeys(types.DATETIMES, sa.DateTime),
    **dict.fromkeys(types.TIMES, sa.Time),
    "boolean": sa.Boolean,
    "date": sa.Date,
    "binary": sa.LargeBinary,
}
_DECLARATION = re.compile(r"([\w ]*)(?:\(\s*(\d{1,9})\s*(?:,\s*(\d{1,9})\s*)?\)([\w ]*))?")
# The first word (or words) of a declaration → simple type.
_SIMPLE = {
    "int": "integer", "integer": "integer", "int2": "smallint", "int4": "integer", "int8": "bigint",
    "smallint": "smallint", "mediumint": "integer", "bigint": "bigint", "unsigned big int": "bigint",
    "tinyint": "integer", "bool": "boolean", "boolean": "boolean", "bit": "boolean",
    "decimal": "decimal", "numeric": "decimal", "number": "decimal", "dec": "decimal", "money": "money",
    "real": "double", "double": "double", "double precision": "double", "float": "float",
    "date": "date", "time": "time", "datetime": "datetime", "timestamp": "timestamp",
    "timestamptz": "timestamptz", "datetimetz": "datetimetz", "timetz": "timetz",
    "timestamp with time zone": "timestamptz", "timestamp without time zone": "timestamp",
    "time with time zone": "timetz", "time without time zone": "time",
    "blob": "binary", "bytea": "binary", "binary": "binary", "varbinary": "binary",
    "text": "text", "clob": "text", "mediumtext": "text", "longtext": "text", "tinytext": "text",
    "json": "json", "jsonb": "json", "uuid": "uuid", "year": "year",
}  # fmt: skip
_FIXED = frozenset({"char", "character", "nchar", "native character", "bpchar"})


@dataclass(frozen=True, slots=True)
class Declared:
    """What a column's declaration says."""

    type: str
    db_type: str
    length: int | None = None
    precision: int | None = None
    scale: int | None = None
    fixed_length: bool = False
    supports_multibyte: bool = False


@dataclass(frozen=True, slots=True)
class FoundColumn:
    """A column as the catalogue has it; ``default`` is SQL text, ``counts`` says that the engine numbers new rows."""

    name: str
    declared: Declared
    nullable: bool
    default: str | None
    counts: bool
    generated: bool
    description: str | None = None
    loose: bool = False


class Dialect:
    """The common behaviour; an engine overrides where it is special."""

    # Parts of a new table by simple type (13.5); {digits} become precision and scale.
    creates: ClassVar[Mapping[str, str]] = {}
    # Options of SQLAlchemy's for new tables.
    table_options: ClassVar[Mapping[str, Any]] = {}
    # Whether an insert into a view can answer the row; where it cannot, it may even seem to have worked.
    views_return: ClassVar[bool] = False
    # Whether a statement can refuse the rows that it writes (see ``guard``), and take many of them as lists of values.
    checks: ClassVar[bool] = False
    unnests: ClassVar[bool] = False
    # Whether the engine can write a whole result as JSON.
    writes_json: ClassVar[bool] = False
    # Simple types whose columns start with the time of the insert.
    born_now: ClassVar[frozenset[str]] = frozenset({"timestamp_on_create"})

    def __init__(self, dialect: sa.Dialect) -> None:
        """Wrap SQLAlchemy's dialect, which renders and quotes."""
        self.sa = dialect

    # Statements.

    def compared_as(self, column: Column) -> sa.types.TypeEngine[Any]:
        """Answer the SQLAlchemy type of a column in expressions."""
        return _COMPARED_AS.get(column.type, sa.String)()

    def sent_as(self, column: Column) -> sa.types.TypeEngine[Any]:
        """Answer the type as which values travel in lists, from which they are cast."""
        return self.compared_as(column)

    def guard(self, condition: sa.ColumnElement[bool]) -> sa.ColumnElement[Any]:
        """Render what fails, by an error that ``diagnose`` calls ``outside``, unless a condition holds."""
        raise NotImplementedError

    def selected(self, expression: sa.ColumnElement[Any], column: Column) -> sa.ColumnElement[Any]:
        """Answer what is read for a column, or for its least or greatest value: by default just that."""
        return expression

    def json_member(self, expression: sa.ColumnElement[Any], column: Column) -> sa.ColumnElement[Any] | None:
        """Render what becomes the very JSON that ``selected`` and ``converter`` lead to; None where nothing does."""
        return None

    def binder(self, column: Column) -> Converter | None:
        """Answer what turns a typed value into one that the driver takes; None when they all pass."""
        return None

    def converter(self, column: Column) -> Converter | None:
        """Answer what turns a driver's value into one for JSON; None when they all pass."""
        return None

    def aggregate_converter(self, function: str, column: Column | None) -> Converter | None:
        """Answer the same for an aggregate."""
        if column is None or function in ("count", "sum", "avg"):
            return None
        return self.converter(column)

    def aggregated(self, function: str, expression: sa.ColumnElement[Any], column: Column) -> sa.ColumnElement[Any]:
        """Render the sum, average, least, greatest or number of a column's values."""
        rendered: sa.ColumnElement[Any] = getattr(sa.func, function)(expression)
        return rendered

    def locked(self, query: sa.Select[Any], source: sa.FromClause) -> sa.Select[Any]:
        """Have a read hold its rows until the transaction ends."""
        return query.with_for_update()

    def pattern_binder(self) -> Converter | None:
        """Answer what rewrites a pattern of LIKE in which more signs than ``%`` and ``_`` mean something."""
        return None

    def inserting(self, text: str, table: Table, names: Collection[str]) -> str:
        """Complete the text of an insert that brings values for these columns."""
        return text

    def any_order(self) -> list[sa.ColumnElement[Any]]:
        """Answer what a page or a row number is ordered by where nothing else says, if there must be something."""
        return []

    def function(self, name: str) -> sa.ColumnElement[Any]:
        """Render one of the functions that clients may name (filters.FUNCTIONS)."""
        raise NotImplementedError

    def ordered(
        self, column: sa.ColumnElement[Any], descending: bool, nulls: Literal["first", "last"] | None
    ) -> list[sa.ColumnElement[Any]]:
        """Render one member of an order, as one or more expressions."""
        ordered = column.desc() if descending else column.asc()
        if nulls is None:
            return [ordered]
        return [ordered.nulls_first() if nulls == "first" else ordered.nulls_last()]

    # Structure.

    def columns(self, connection: sa.Connection, table: TableName) -> list[FoundColumn]:
        """List the columns of a table or view; none when it is gone."""
        try:
            reflected = sa.inspect(connection).get_columns(table.name, schema=table.schema)
        except sa.exc.NoSuchTableError:
            return []
        return [
            FoundColumn(
                name=str(one["name"]),
                declared=self.declared(one["type"].compile(self.sa)),
                nullable=one["nullable"],
                default=one.get("default"),
                counts=bool(one.get("identity")) or one.get("autoincrement") is True,
                generated=bool(one.get("computed")),
            )
            for one in reflected
        ]

    def foreign_keys(self, connection: sa.Connection) -> list[ForeignKey]:
        """List the foreign keys of one column in the whole database, in bulk."""
        inspector = sa.inspect(connection)
        keys = [
            (table, found)
            for (_, table), several in inspector.get_multi_foreign_keys().items()
            for found in several
            if len(found["constrained_columns"]) == 1
        ]
        unique = self._unique_columns(inspector, sorted({table for table, _ in keys}))
        return [
            ForeignKey(
                table=str(table),
                column=str(found["constrained_columns"][0]),
                ref_table=str(found["referred_table"]),
                ref_column=str(found["referred_columns"][0]),
                on_update=str(found.get("options", {}).get("onupdate") or "NO ACTION"),
                on_delete=str(found.get("options", {}).get("ondelete") or "NO ACTION"),
                unique=(table, found["constrained_columns"][0]) in unique,
            )
            for table, found in keys
        ]

    def _unique_columns(self, inspector: sa.Inspector, tables: Sequence[str]) -> set[tuple[str, str]]:
        if not tables:
            return set()
        groups = [
            (table, constraint["column_names"])
            for (_, table), several in inspector.get_multi_unique_constraints(filter_names=tables).items()
            for constraint in several
        ]
        groups += [
            (table, found["constrained_columns"])
            for (_, table), found in inspector.get_multi_pk_constraint(filter_names=tables).items()
            if found
        ]
        return {(table, columns[0]) for table, columns in groups if len(columns) == 1}

    def constraints(self, connection: sa.Connection, table: TableName) -> list[Constraint]:
        """List the primary key, the uniques and the foreign keys of a table."""
        inspector, schema = sa.inspect(connection), table.schema
        primary = inspector.get_pk_constraint(table.name, schema=schema)
        found = [Constraint.of(table, "PRIMARY KEY", primary["constrained_columns"], primary["name"])]
        for unique in inspector.get_unique_constraints(table.name, schema=schema):
            found.append(Constraint.of(table, "UNIQUE", unique["column_names"], unique["name"]))
        for foreign in inspector.get_foreign_keys(table.name, schema=schema):
            made = Constraint.of(table, "FOREIGN KEY", foreign["constrained_columns"], foreign["name"])
            options = foreign.get("options", {})
            found.append(
                replace(
                    made,
                    ref_table=str(foreign["referred_table"]),
                    ref_columns=tuple(str(one) for one in foreign["referred_columns"]),
                    on_update=str(options.get("onupdate") or "NO ACTION"),
                    on_delete=str(options.get("ondelete") or "NO ACTION"),
                )
            )
        return [one for one in found if one.columns]

    def indexes(self, connection: sa.Connection, table: TableName) -> list[tuple[tuple[str, ...], bool]]:
        """List the columns of each index, and whether it is unique."""
        return [
            (tuple(str(column) for column in one["column_names"] if column is not None), bool(one.get("unique")))
            for one in sa.inspect(connection).get_indexes(table.name, schema=table.schema)
        ]

    def declared(self, declaration: str) -> Declared:
        """Read a declaration such as ``numeric(12,2)``."""
        found = _DECLARATION.fullmatch(declaration.strip())
        if found is None:
            return Declared("string", declaration)
        before, first, second, after = found.groups(default="")
        # Words may stand on both sides: ``timestamp(6) with time zone``, ``int(10) unsigned``.
        word = " ".join(f"{before} {after}".lower().split())
        return self._declared(word, declaration, _int(first), _int(second))

    def _declared(self, word: str, declaration: str, first: int | None, second: int | None) -> Declared:
        base = word.removesuffix(" unsigned")
        if (base == "tinyint" and first == 1) or (base == "bit" and first in (1, None)):
            return Declared("boolean", declaration)
        simple = _SIMPLE.get(base)
        if simple in types.DECIMALS:
            return Declared(simple, declaration, length=first, precision=first, scale=second if first else None)
        if simple is not None:
            return Declared(simple, declaration, length=first if simple == "binary" else None)
        fixed, wide = base in _FIXED, base in ("nchar", "nvarchar", "national varchar", "native character")
        return Declared("string", declaration, first, first, None, fixed, wide)

    # Definitions.

    def column_type(self, definition: ColumnDefinition) -> str:
        """Render the type of a new column; raises BadRequest for an unknown one."""
        pattern = self.creates.get(definition.type)
        if definition.type == "string":
            word = ("n" if definition.supports_multibyte else "") + ("char" if definition.fixed_length else "varchar")
            return f"{word}({definition.length or 255})"
        if pattern is not None:
            precision = definition.precision or definition.length
            digits = f"({precision},{definition.scale or 0})" if precision else ""
            return pattern.format(digits=digits)
        # A native type goes on as it is (13.5), but only what looks like one: it stands in the statement as text.
        if not re.fullmatch(
            r"[A-Za-z][A-Za-z0-9_ ]{0,62}(\(\d{1,9}(\s*,\s*\d{1,9})?\))?[A-Za-z ]{0,32}", definition.type
        ):
            raise BadRequest(f"Unknown type '{definition.type[:64]}' of field '{definition.name}'.")
        return definition.type

    # Errors.

    def is_driver_error(self, error: BaseException) -> bool:
        """Say whether an error is one that the database or its driver raises, and not a fault of ours."""
        known = self.sa.loaded_dbapi.Error
        return isinstance(error, known | sa.exc.SQLAlchemyError | OverflowError | TimeoutError)

    def diagnose(self, error: Exception) -> Diagnosis:
        """Read what a driver's error says, by its SQLSTATE unless the engine knows better."""
        sqlstate = getattr(error, "sqlstate", None) or getattr(error, "pgcode", None)
        return Diagnosis(by_sqlstate(str(sqlstate)), str(sqlstate)) if sqlstate else Diagnosis("other")


def _int(text: str) -> int | None:
    return int(text) if text else None
