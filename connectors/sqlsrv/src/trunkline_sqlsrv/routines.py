"""SQL Server's procedures and functions: what the catalogue says of them, and how they are called."""

from __future__ import annotations

import contextlib
import datetime as dt
import logging
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from trunkline.errors import InternalError
from trunkline_database.model import Column, TableName
from trunkline_database.routine import Outcome, Parameter, Routine, RoutineKind, RoutineName
from trunkline_database.sql import ddl
from trunkline_sqlsrv.catalogue import Served, declaration
from trunkline_sqlsrv.connection import Connection, parameter
from trunkline_sqlsrv.dialect import SqlsrvDialect, as_base64, without_zeros

log = logging.getLogger(__name__)

_TYPES: dict[RoutineKind, str] = {"procedure": "'P', 'PC'", "function": "'FN', 'FS', 'IF', 'TF', 'FT'"}
_ROUTINES = """
    SELECT s.name, o.name FROM sys.objects o JOIN sys.schemas s ON s.schema_id = o.schema_id
    WHERE o.type IN ({types}) AND o.is_ms_shipped = 0 ORDER BY s.name, o.name
"""
_ABOUT = """
    SELECT o.object_id, o.type, CAST(p.value AS nvarchar(4000))
    FROM sys.objects o JOIN sys.schemas s ON s.schema_id = o.schema_id
      LEFT JOIN sys.extended_properties p
        ON p.class = 1 AND p.major_id = o.object_id AND p.minor_id = 0 AND p.name = 'MS_Description'
    WHERE s.name = %s AND o.name = %s AND o.type IN ({types})
"""
_PARAMETERS = """
    SELECT a.parameter_id, a.name, t.name, b.name, a.max_length, a.precision, a.scale, a.is_output
    FROM sys.parameters a JOIN sys.types t ON t.user_type_id = a.user_type_id
      LEFT JOIN sys.types b ON b.user_type_id = a.system_type_id
    WHERE a.object_id = %s ORDER BY a.parameter_id
"""
_ANSWERED = """
    SELECT c.column_id, c.name, t.name, b.name, c.max_length, c.precision, c.scale, 0
    FROM sys.columns c JOIN sys.types t ON t.user_type_id = c.user_type_id
      LEFT JOIN sys.types b ON b.user_type_id = c.system_type_id
    WHERE c.object_id = %s ORDER BY c.column_id
"""
_SCALAR = frozenset({"FN", "FS"})
_MISSING_PARAMETER = 201
# What a statement inside a routine misses; trying again does not help.
_MISSING = frozenset({207, 208, 2812})


def names(connection: Connection, served: Served, kind: RoutineKind) -> list[RoutineName]:
    """List the procedures or functions of what is served; who comes last wins where names look the same."""
    found = [
        RoutineName(name, schema, served.public(schema, name))
        for schema, name in connection.rows(_ROUTINES.format(types=_TYPES[kind]))
        if served.has(schema)
    ]
    return sorted(found, key=lambda one: one.schema == served.home)


def describe(connection: Connection, dialect: SqlsrvDialect, name: RoutineName, kind: RoutineKind) -> list[Routine]:
    """Describe a routine: one, or none when it is gone. OUTPUT parameters go both ways."""
    about = connection.rows(_ABOUT.format(types=_TYPES[kind]), (name.schema, name.name))
    if not about:
        return []
    number, form, description = about[0]
    rows = connection.rows(_PARAMETERS, (number,))
    parameters = [
        Parameter(_column(dialect, row), row[0], "INOUT" if row[-1] else "IN", optional=kind == "procedure")
        for row in rows
        if row[0] > 0
    ]
    if kind == "procedure":
        return [Routine(name, kind, parameters, description=description)]
    if form.strip() in _SCALAR:
        (returned,) = (_column(dialect, row, name.name) for row in rows if row[0] == 0)
        return [Routine(name, kind, parameters, returned, description=description)]
    columns = [_column(dialect, row) for row in connection.rows(_ANSWERED, (number,))]
    return [Routine(name, kind, parameters, returns_rows=True, row=columns, description=description)]


def _column(dialect: SqlsrvDialect, row: Sequence[Any], name: str = "") -> Column:
    _, own, word, base, length, precision, scale, _ = row
    declared = dialect.declared(declaration(base or word, length, precision, scale))
    return Column(
        name or own.removeprefix("@"), declared.type, declared.db_type, length=declared.length,
        precision=declared.precision, scale=declared.scale,
    )  # fmt: skip


def call(connection: Connection, dialect: SqlsrvDialect, routine: Routine, values: Mapping[int, Any]) -> Outcome:
    """Call a routine in a transaction, which a procedure may end by itself."""
    connection.say("BEGIN TRANSACTION")
    try:
        with _own_failures(routine):
            called = _procedure if routine.kind == "procedure" else _function
            outcome = called(connection, dialect, routine, values)
    except BaseException:
        with contextlib.suppress(Exception):
            connection.say("IF @@TRANCOUNT > 0 ROLLBACK")
        raise
    connection.say("IF @@TRANCOUNT > 0 COMMIT")
    return outcome


# Functions.


@dataclass(frozen=True, slots=True)
class Query:
    """The call of a function as text, with its values and the columns that it answers."""

    text: str
    values: Sequence[Any]
    columns: Sequence[Column]


def function(dialect: SqlsrvDialect, routine: Routine, values: Mapping[int, Any]) -> Query:
    """Write the call of a function; what is not sent is NULL."""
    sent = [values.get(one.position) for one in routine.parameters]
    places = ", ".join("%s" for _ in sent)
    called = f"{quoted(dialect, routine)}({places})"
    if routine.returns is not None:
        read = dialect.selected(sa.literal_column("\0"), routine.returns).compile(dialect=dialect.sa)
        return Query(f"SELECT {str(read).replace(chr(0), called)}", sent, [routine.returns])
    columns = [str(dialect.selected(sa.column(one.name), one).compile(dialect=dialect.sa)) for one in routine.row] or [
        "*"
    ]
    return Query(f"SELECT {', '.join(columns)} FROM {called}", sent, routine.row)  # noqa: S608 - names are quoted


def _function(connection: Connection, dialect: SqlsrvDialect, routine: Routine, values: Mapping[int, Any]) -> Outcome:
    made = function(dialect, routine, values)
    rows = [
        {
            column.name: value if value is None or (convert := dialect.converter(column)) is None else convert(value)
            for column, value in zip(made.columns, row, strict=True)
        }
        for row in connection.rows(made.text, made.values)
    ]
    if routine.returns is None:
        return Outcome(sets=[rows])
    return Outcome(value=next(iter(rows[0].values())) if rows else None)


# Procedures: called by their name, with values beside it, as the protocol has it. No text is written for them.


def arguments(routine: Routine, values: Mapping[int, Any], empty: frozenset[str] = frozenset()) -> dict[str, Any]:
    """Answer the arguments by name: what is not sent is left to its default, except what is known to have none."""
    import pytds

    found: dict[str, Any] = {}
    # What comes back stands first: python-tds counts the values that came back from the first argument on.
    for one in sorted(routine.parameters, key=lambda one: one.direction == "IN"):
        name, column = f"@{one.name}", one.column
        there = one.position in values
        if one.direction != "IN":
            value = values.get(one.position) if there or name in empty else pytds.default
            found[name] = pytds.output(value, _declared(column))
        elif there or name in empty:
            found[name] = parameter(values.get(one.position))
    return found


def _declared(column: Column) -> str:
    """Answer the type of what comes back; what python-tds has no word for comes as text."""
    word = column.db_type.partition("(")[0]
    known = {"smallmoney": "decimal(10,4)", "money": "decimal(19,4)", "sysname": "nvarchar(128)"}
    if word in known:
        return known[word]
    return "nvarchar(max)" if word in ("xml", "sql_variant") else column.db_type


def _procedure(connection: Connection, dialect: SqlsrvDialect, routine: Routine, values: Mapping[int, Any]) -> Outcome:
    empty: frozenset[str] = frozenset()
    while True:
        try:
            return _called(connection, routine, arguments(routine, values, empty))
        except Exception as error:
            # Nothing of the procedure has run: it asks for a parameter that has no default, which then is NULL.
            name = missing(error, routine)
            if name is None or name in empty:
                raise
            empty |= {name}


def missing(error: Exception, routine: Routine) -> str | None:
    """Answer the parameter whose value a procedure misses, if that is what an error says of this procedure."""
    if getattr(error, "number", 0) != _MISSING_PARAMETER or not _is_itself(error, routine):
        return None
    text = str(getattr(error, "text", "")).lower()
    return next((f"@{one.name}" for one in routine.parameters if f"'@{one.name.lower()}'" in text), None)


def _called(connection: Connection, routine: Routine, given: dict[str, Any]) -> Outcome:
    outcome = Outcome()
    with contextlib.closing(connection.cursor()) as cursor:
        cursor.call(called_by(routine), given)
        more, last = True, None
        while more:
            # After a statement without columns, those of the set before still stand there.
            if (description := cursor.description) is not None and description is not last:
                last = description
                keys = [one[0] for one in description]
                rows = cursor.raw.fetchall()
                outcome.sets.append([{key: plain(value) for key, value in zip(keys, row, strict=True)} for row in rows])
            more = bool(cursor.raw.nextset())
        outputs = cursor.raw.get_proc_outputs()
    answered = [one for one in routine.parameters if one.direction != "IN"]
    outcome.out = {one.name: plain(value) for one, value in zip(answered, outputs, strict=True)}
    return outcome


def plain(value: Any) -> Any:
    """Turn a value of which only the driver's type is known into one for JSON."""
    if isinstance(value, dt.datetime):
        return without_zeros(value.isoformat(" ", "microseconds"))
    if isinstance(value, dt.date | dt.time):
        return value.isoformat()
    return str(value).upper() if isinstance(value, uuid.UUID) else as_base64(value)


@contextlib.contextmanager
def _own_failures(routine: Routine) -> Iterator[None]:
    """Tell a routine that is gone from one that misses something itself, which trying again does not help."""
    import pytds

    try:
        yield
    except pytds.DatabaseError as error:
        inside = error.number in _MISSING and error.procname and _is_itself(error, routine)
        if inside:
            log.error("a statement of the %s %s failed", routine.kind, routine.identity.key, exc_info=error)
            raise InternalError(f"The {routine.kind} failed in the database. The log has the cause.") from error
        raise


def _is_itself(error: Any, routine: Routine) -> bool:
    return str(error.procname).rpartition(".")[2].strip("[]").lower() == routine.identity.name.lower()


def called_by(routine: Routine) -> str:
    """Write the name by which a procedure is called: no statement, so nothing in it is doubled but the brackets."""
    parts = (routine.identity.schema or "", routine.identity.name)
    return ".".join(f"[{part.replace(']', ']]')}]" for part in parts)


def quoted(dialect: SqlsrvDialect, routine: Routine) -> str:
    """Write the name of a routine, always with its schema: functions are not found without."""
    return ddl.quoted(dialect, TableName(routine.identity.name, routine.identity.schema))
