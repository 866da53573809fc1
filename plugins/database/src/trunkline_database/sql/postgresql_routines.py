"""PostgreSQL's procedures and functions: what the catalogue says of them, and how they are called."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

import sqlalchemy as sa

from trunkline.errors import BadRequest, InternalError
from trunkline_database.model import Column
from trunkline_database.routine import Direction, Outcome, Parameter, Routine, RoutineKind, RoutineName
from trunkline_database.sql.asyncpg_driver import AsyncpgDriver
from trunkline_database.sql.json_text import exact_json
from trunkline_database.sql.postgresql import PostgresqlDialect, word_of
from trunkline_database.sql.postgresql_catalogue import plain_default, public_name
from trunkline_database.sql.postgresql_values import array_text, plain_text, shortest
from trunkline_database.sql.statement import Converter
from trunkline_database.store import StaleSchema

log = logging.getLogger(__name__)

_KINDS: dict[RoutineKind, str] = {"procedure": "p", "function": "f"}
_DIRECTIONS: dict[str, Direction] = {"i": "IN", "v": "IN", "o": "OUT", "b": "INOUT"}
_CURSOR = "refcursor"
_ANY_ARRAY = frozenset({"anyarray", "anycompatiblearray"})
# Values in the driver's own types, as a CALL and a cursor answer them, that go out as they are.
_PLAIN = (str, int, float, bool, Decimal, bytes)

# What is for the server alone: triggers, and what takes or answers its inner structures; and what extensions brought.
# The order is that of tables: who comes last wins where names differ in case only.
_ROUTINES = """
    SELECT n.nspname::text AS schema, p.proname::text AS name, n.nspname = current_schema() AS home
    FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace JOIN pg_type r ON r.oid = p.prorettype
    WHERE p.prokind = $2::text::"char" AND ($1::text IS NULL OR n.nspname = $1)
      AND n.nspname <> 'information_schema' AND n.nspname !~ '^pg_' AND has_schema_privilege(n.oid, 'USAGE')
      AND (r.typtype <> 'p' OR r.typname = 'void' OR r.typname = 'record' OR r.typname ~ '^any.')
      AND NOT EXISTS (SELECT FROM unnest(p.proargtypes::oid[]) AS a (oid) JOIN pg_type t ON t.oid = a.oid
        WHERE t.typtype = 'p' AND t.typname !~ '^any.')
      AND NOT EXISTS (SELECT FROM pg_depend d
        WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e')
    GROUP BY n.nspname, p.proname
    ORDER BY n.nspname = current_schema(), p.proname = lower(p.proname), n.nspname, p.proname
"""
_OVERLOADS = """
    SELECT p.oid, p.proretset AS is_set, obj_description(p.oid, 'pg_proc') AS about,
      format_type(p.prorettype, NULL) AS db_type, nullif(r.typbasetype, 0)::regtype::text AS base,
      nullif(r.typrelid, 0) AS composite
    FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace JOIN pg_type r ON r.oid = p.prorettype
    WHERE n.nspname = $1 AND p.proname = $2 AND p.prokind = $3::text::"char"
    ORDER BY p.oid
"""
_PARAMETERS = """
    SELECT a.place::integer, coalesce(a.name, '') AS name, coalesce(a.mode::text, 'i') AS mode,
      format_type(a.type, NULL) AS db_type, nullif(t.typbasetype, 0)::regtype::text AS base,
      pg_get_function_arg_default(p.oid, a.place::integer) AS default
    FROM pg_proc p
      CROSS JOIN LATERAL unnest(coalesce(p.proallargtypes, p.proargtypes::oid[]), p.proargmodes, p.proargnames)
        WITH ORDINALITY AS a (type, mode, name, place)
      JOIN pg_type t ON t.oid = a.type
    WHERE p.oid = $1 ORDER BY a.place
"""
_ATTRIBUTES = """
    SELECT a.attname::text AS name, format_type(a.atttypid, a.atttypmod) AS db_type,
      nullif(t.typbasetype, 0)::regtype::text AS base, NULL AS default
    FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid
    WHERE a.attrelid = $1 AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum
"""


@dataclass(frozen=True, eq=False)
class Variadic(Parameter):
    """The last parameter of a routine that takes any number of values: here it takes one list."""


# Describing.


async def routines(connection: Any, schema: str | None, kind: RoutineKind) -> list[RoutineName]:
    """List the procedures or functions of a schema, or of all."""
    return [
        RoutineName(row["name"], row["schema"], public_name(row["schema"], row["name"], row["home"]))
        for row in await connection.fetch(_ROUTINES, schema, _KINDS[kind])
    ]


async def describe(connection: Any, dialect: PostgresqlDialect, name: RoutineName, kind: RoutineKind) -> list[Routine]:
    """Describe all routines of a name."""
    found = await connection.fetch(_OVERLOADS, name.schema, name.name, _KINDS[kind])
    return [await _described(connection, dialect, name, kind, row) for row in found]


async def _described(
    connection: Any, dialect: PostgresqlDialect, name: RoutineName, kind: RoutineKind, row: Any
) -> Routine:
    places = await connection.fetch(_PARAMETERS, row["oid"])
    parameters = [_parameter(_column(dialect, one), one) for one in places if one["mode"] != "t"]
    routine = Routine(name, kind, parameters, description=row["about"])
    if kind == "procedure" or row["db_type"] == "void":
        return routine
    answered = [one for one in places if one["mode"] in "obt"]
    columns = [_column(dialect, one, f"column{place}") for place, one in enumerate(answered, 1)]
    if row["composite"] is not None:
        columns = [_column(dialect, one) for one in await connection.fetch(_ATTRIBUTES, row["composite"])]
    elif row["db_type"] != "record":
        single = _column(dialect, {"name": name.name, "db_type": row["db_type"], "base": row["base"], "default": None})
        if not row["is_set"]:
            return replace(routine, returns=single)
        columns = columns or [single]
    # A record that says nothing of its columns cannot be read: it is rows of no columns.
    return replace(routine, returns_rows=row["is_set"] or not columns, row=columns)


def _parameter(column: Column, row: Mapping[str, Any]) -> Parameter:
    if row["mode"] == "v":
        return Variadic(column, row["place"], optional=True)
    return Parameter(column, row["place"], _DIRECTIONS[row["mode"]], row["default"] is not None)


def _column(dialect: PostgresqlDialect, row: Mapping[str, Any], unnamed: str = "") -> Column:
    declared = dialect.declared(row["base"] or row["db_type"])
    return Column(
        row["name"] or unnamed,
        "array" if row["db_type"] in _ANY_ARRAY else declared.type,
        row["db_type"],
        length=declared.length,
        precision=declared.precision,
        scale=declared.scale,
        default=plain_default(row["default"], declared.type),
    )


# Calling.


@dataclass(frozen=True, slots=True)
class Statement:
    """A call as text with its values, the columns that it answers, and whether some of them are cursors to fetch."""

    text: str
    values: Sequence[Any] = ()
    columns: Sequence[Column] = ()
    has_cursors: bool = False


def statement(dialect: PostgresqlDialect, routine: Routine, values: Mapping[int, Any]) -> Statement:
    """Write the call of a routine; raises BadRequest for a function whose rows have no declared columns."""
    sent: list[Any] = []
    quoted = dialect.sa.identifier_preparer.quote_identifier
    arguments = ", ".join(_arguments(quoted, routine, values, sent))
    call = f"{quoted(routine.identity.schema or '')}.{quoted(routine.identity.name)}({arguments})"
    if routine.kind == "procedure":
        columns = [one.column for one in routine.parameters if one.direction != "IN"]
        return Statement(f"CALL {call}", sent, columns, any(one.db_type == _CURSOR for one in columns))
    if routine.returns_rows and not routine.row:
        raise BadRequest(f"Function '{routine.identity.key}' can not be called: it does not say what it answers.")
    columns = list(routine.row) if routine.returns is None else [routine.returns]
    if not columns:
        return Statement(f"SELECT NULL FROM {call} AS t", sent)  # noqa: S608 - names from the catalogue, quoted
    # Named by place, whatever the function calls them.
    names = [f"c{place}" for place in range(len(columns))]
    read = ", ".join(
        str(dialect.selected(sa.column(name), column).compile(dialect=dialect.sa))
        for name, column in zip(names, columns, strict=True)
    )
    cursors = [one.db_type == _CURSOR for one in columns]
    has_cursors = all(cursors) if routine.returns_rows else any(cursors)
    text = f"SELECT {read} FROM {call} AS t ({', '.join(names)})"  # noqa: S608 - likewise
    return Statement(text, sent, columns, has_cursors)


def _arguments(
    quoted: Callable[[str], str], routine: Routine, values: Mapping[int, Any], sent: list[Any]
) -> Iterator[str]:
    """Write the arguments, each with its type, so that the very overload is called that was chosen.

    What has a default is left out by naming what comes behind it; only where that has no name, it is NULL.
    """
    taken = [one for one in routine.parameters if routine.kind == "procedure" or one.direction != "OUT"]
    in_order = max((place for place, one in enumerate(taken, 1) if not one.name), default=0)
    for place, one in enumerate(taken, 1):
        if one.position not in values and one.optional and place > in_order and not isinstance(one, Variadic):
            continue
        word = _word(one.column)
        if one.direction == "OUT":
            written = f"NULL::{word}"
        elif isinstance(one, Variadic) and one.position not in values:
            written = f"'{{}}'::{word}"
        else:
            written = _argument(one.column, word, values.get(one.position), sent)
        named = written if place <= in_order else f"{quoted(one.name)} => {written}"
        yield f"VARIADIC {named}" if isinstance(one, Variadic) else named


def _argument(column: Column, word: str, value: Any, sent: list[Any]) -> str:
    """Write one argument: PostgreSQL reads its text as it reads any other."""
    if isinstance(value, bytes):
        sent.append(value)
        return f"${len(sent)}::bytea::{word}"
    sent.append(None if value is None else array_text(value) if column.type == "array" else plain_text(value))
    return f"${len(sent)}::text::{word}"


def _word(column: Column) -> str:
    """Answer the type of an argument; what may be of any type is text."""
    if not column.db_type.startswith("any"):
        return word_of(column)
    return "text[]" if column.type == "array" else "text"


async def call(driver: AsyncpgDriver, dialect: PostgresqlDialect, routine: Routine, made: Statement) -> Outcome:
    """Run a call; what it opened is fetched in the same transaction, else a procedure may have transactions itself."""
    with _own_failures(routine):
        if not made.has_cursors:
            rows = await driver.fetch(made.text, made.values)
            return _outcome(dialect, routine, made, rows)
        async with driver.connected() as connection, connection.transaction():
            rows = await connection.fetch(made.text, *made.values)
            found = _outcome(dialect, routine, made, rows)
            return await _fetched(dialect, connection, made, found, rows)


@contextlib.contextmanager
def _own_failures(routine: Routine) -> Iterator[None]:
    """Tell a routine that is gone from one that fails in its own statements: only these have a context."""
    import asyncpg

    try:
        yield
    except asyncpg.SyntaxOrAccessError as error:
        by_author = error.server_source_function == "exec_stmt_raise"
        if by_author or isinstance(error, asyncpg.InsufficientPrivilegeError):
            raise
        if error.context:
            log.error("a statement of the %s %s failed", routine.kind, routine.identity.key, exc_info=error)
            raise InternalError(f"The {routine.kind} failed in the database. The log has the cause.") from error
        if isinstance(error, asyncpg.AmbiguousFunctionError):
            told = f"The database knows several of the name '{routine.identity.key}' that take these parameters."
            raise BadRequest(told) from error
        if isinstance(error, asyncpg.UndefinedFunctionError):
            raise StaleSchema(f"The {routine.kind} is no longer as it was described. Try again.") from error
        raise


def _outcome(dialect: PostgresqlDialect, routine: Routine, made: Statement, rows: Sequence[Sequence[Any]]) -> Outcome:
    if routine.kind == "procedure":
        convert = [_native(one.db_type) for one in made.columns]
    else:
        convert = [dialect.converter(one) or _same for one in made.columns]
    read = [
        {
            column.name: None if value is None else converted(value)
            for column, converted, value in zip(made.columns, convert, row, strict=False)
        }
        for row in rows
    ]
    if made.has_cursors and routine.returns_rows:
        return Outcome()
    if routine.returns_rows:
        return Outcome(sets=[read])
    (first,) = read or [{}]
    if routine.returns is not None:
        return Outcome(value=None if made.has_cursors else first[routine.returns.name])
    return Outcome(out={one.name: first[one.name] for one in made.columns if one.db_type != _CURSOR})


async def _fetched(
    dialect: PostgresqlDialect, connection: Any, made: Statement, outcome: Outcome, rows: Sequence[Sequence[Any]]
) -> Outcome:
    """Fetch the rows of the cursors that a call opened, in their order."""
    quoted = dialect.sa.identifier_preparer.quote_identifier
    for row in rows:
        for column, cursor in zip(made.columns, row, strict=True):
            if column.db_type != _CURSOR or cursor is None:
                continue
            fetch = await connection.prepare(f"FETCH ALL FROM {quoted(cursor)}")
            columns = [(one.name, _native(one.type.name)) for one in fetch.get_attributes()]
            outcome.sets.append(
                [
                    {
                        name: None if value is None else convert(value)
                        for (name, convert), value in zip(columns, one, strict=True)
                    }
                    for one in await fetch.fetch()
                ]
            )
    return outcome


def _native(word: str) -> Converter:
    """Answer what turns a value of the driver's own into one for JSON."""
    word, array, _ = word.partition("[")
    convert = _CONVERTERS.get(word, _plain)
    if not array:
        return convert

    def each(value: Any) -> Any:
        if isinstance(value, list):
            return [each(one) for one in value]
        return None if value is None else convert(value)

    return each


def _plain(value: Any) -> Any:
    """Write the driver's own types as PostgreSQL does; what has fields of names is an object."""
    if value is None or isinstance(value, _PLAIN):
        return value
    import asyncpg

    if isinstance(value, asyncpg.Record):
        return {name: _plain(one) for name, one in value.items()}
    if isinstance(value, asyncpg.Range):
        return _range(value)
    if isinstance(value, asyncpg.BitString):
        return value.as_string().replace(" ", "")
    if isinstance(value, list):
        return [_plain(one) for one in value]
    if isinstance(value, tuple):
        return f"({','.join(str(_plain(one)).removesuffix('.0') for one in value)})"
    return str(value)


def _range(value: Any) -> str:
    if value.isempty:
        return "empty"
    lower, upper = ("" if one is None else str(one) for one in (value.lower, value.upper))
    return f"{'[' if value.lower_inc else '('}{lower},{upper}{']' if value.upper_inc else ')'}"


def _same(value: Any) -> Any:
    return value


# By PostgreSQL's own words and by the driver's.
_CONVERTERS: dict[str, Converter] = {"json": exact_json, "jsonb": exact_json, "real": shortest, "float4": shortest}
