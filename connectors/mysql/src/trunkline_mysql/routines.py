"""MySQL's procedures and functions: what the catalogue says of them, and how they are called."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from trunkline.errors import InternalError
from trunkline_database.model import Column
from trunkline_database.routine import Direction, Outcome, Parameter, Routine, RoutineKind, RoutineName
from trunkline_mysql import values as forms
from trunkline_mysql.catalogue import Served
from trunkline_mysql.connection import Connection, ResultSet
from trunkline_mysql.dialect import MysqlDialect

log = logging.getLogger(__name__)

_ROUTINES = """
    SELECT routine_schema, routine_name FROM information_schema.routines
    WHERE {served} AND routine_type = ? ORDER BY routine_schema, routine_name
"""
_ABOUT = """
    SELECT dtd_identifier, routine_comment FROM information_schema.routines
    WHERE routine_schema = ? AND routine_name = ? AND routine_type = ?
"""
_PARAMETERS = """
    SELECT ordinal_position, parameter_mode, parameter_name, dtd_identifier FROM information_schema.parameters
    WHERE specific_schema = ? AND specific_name = ? AND routine_type = ? AND ordinal_position > 0
    ORDER BY ordinal_position
"""
_DIRECTIONS: dict[str, Direction] = {"IN": "IN", "OUT": "OUT", "INOUT": "INOUT"}
_NO_ROUTINE, _NO_COLUMN, _NO_TABLE = 1305, 1054, 1146


async def names(connection: Connection, served: Served, kind: RoutineKind) -> list[RoutineName]:
    """List the procedures or functions of what is served; who comes last wins where names look the same."""
    condition, values = served.where("routine_schema")
    found = [
        RoutineName(name, schema, served.public(schema, name))
        for schema, name in await connection.rows(_ROUTINES.format(served=condition), [*values, kind.upper()])
    ]
    return sorted(found, key=lambda one: one.schema == served.home)


async def describe(
    connection: Connection, dialect: MysqlDialect, name: RoutineName, kind: RoutineKind
) -> list[Routine]:
    """Describe a routine: one, or none when it is gone."""
    place = (name.schema, name.name, kind.upper())
    about = await connection.rows(_ABOUT, place)
    if not about:
        return []
    returns, comment = about[0]
    parameters = [
        Parameter(_column(dialect, word or "", declared), position, _DIRECTIONS[mode or "IN"])
        for position, mode, word, declared in await connection.rows(_PARAMETERS, place)
    ]
    single = _column(dialect, name.name, returns) if kind == "function" else None
    return [Routine(name, kind, parameters, single, description=comment or None)]


async def call(connection: Connection, dialect: MysqlDialect, routine: Routine, values: Mapping[int, Any]) -> Outcome:
    """Call a routine. The session is its own: what is left in variables and temporary tables ends with it."""
    with _own_failures(routine):
        if routine.kind == "function":
            return await _function(connection, dialect, routine, values)
        return await _procedure(connection, dialect, routine, values)


async def _function(
    connection: Connection, dialect: MysqlDialect, routine: Routine, values: Mapping[int, Any]
) -> Outcome:
    sent = [_bound(dialect, one.column, values.get(one.position)) for one in routine.parameters]
    written: sa.ColumnElement[Any] = sa.literal_column(f"{_name(dialect, routine)}({', '.join('?' for _ in sent)})")
    column = routine.returns
    read = written if column is None else dialect.selected(written, column)
    ((value,),) = await connection.rows(f"SELECT {read.compile(dialect=dialect.sa)}", sent)
    return Outcome(value=value if column is None else _read(dialect, column, value))


async def _procedure(
    connection: Connection, dialect: MysqlDialect, routine: Routine, values: Mapping[int, Any]
) -> Outcome:
    """Call with variables of the session, as what a procedure answers by OUT can only come back in these."""
    variables = {one.position: f"@trunkline_{one.position}" for one in routine.parameters}
    given = [one for one in routine.parameters if one.direction != "OUT"]
    if given:
        text = ", ".join(f"{variables[one.position]} = ?" for one in given)
        sent = [_bound(dialect, one.column, values.get(one.position)) for one in given]
        await connection.execute(f"SET {text}", tuple(sent))
    found = await connection.sets(f"CALL {_name(dialect, routine)}({', '.join(variables.values())})")
    outcome = Outcome(sets=[_rows(one) for one in found])
    answered = [one for one in routine.parameters if one.direction != "IN"]
    if answered:
        read = ", ".join(variables[one.position] for one in answered)
        (row,) = await connection.rows(f"SELECT {read}")
        for one, value in zip(answered, row, strict=True):
            outcome.out[one.name] = _read(dialect, one.column, value)
    return outcome


@contextlib.contextmanager
def _own_failures(routine: Routine) -> Iterator[None]:
    """Tell a routine that is gone from one that misses something itself, which trying again does not help."""
    from asyncmy.errors import MySQLError

    try:
        yield
    except MySQLError as error:
        number, text = (*error.args, "", "")[:2]
        itself = number == _NO_ROUTINE and f".{routine.identity.name} " in str(text)
        if number in (_NO_ROUTINE, _NO_COLUMN, _NO_TABLE) and not itself:
            log.error("a statement of the %s %s failed", routine.kind, routine.identity.key, exc_info=error)
            raise InternalError(f"The {routine.kind} failed in the database. The log has the cause.") from error
        raise


def _name(dialect: MysqlDialect, routine: Routine) -> str:
    quoted = dialect.sa.identifier_preparer.quote_identifier
    return f"{quoted(routine.identity.schema or '')}.{quoted(routine.identity.name)}"


def _column(dialect: MysqlDialect, name: str, declaration: str) -> Column:
    declared = dialect.declared(declaration)
    return Column(
        name, declared.type, declared.db_type, length=declared.length, precision=declared.precision,
        scale=declared.scale,
    )  # fmt: skip


def _bound(dialect: MysqlDialect, column: Column, value: Any) -> Any:
    binder = dialect.binder(column)
    return value if binder is None or value is None else binder(value)


def _read(dialect: MysqlDialect, column: Column, value: Any) -> Any:
    converter = dialect.converter(column)
    value = value if converter is None or value is None else converter(value)
    return forms.as_base64(value)


def _rows(found: ResultSet) -> list[dict[str, Any]]:
    return [_row(found.columns, row) for row in found.rows]


def _row(columns: Sequence[tuple[str, int, int | None]], row: Sequence[Any]) -> dict[str, Any]:
    pairs = zip(columns, row, strict=True)
    return {name: forms.of_result(value, kind, length) for (name, kind, length), value in pairs}
