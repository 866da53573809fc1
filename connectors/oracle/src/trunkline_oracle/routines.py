"""Calling Oracle's procedures and functions: one block of PL/SQL, whose values come and go in variables."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from trunkline.errors import BadRequest, InternalError
from trunkline_database.model import Column
from trunkline_database.routine import Outcome, Parameter, Routine
from trunkline_oracle import values as forms
from trunkline_oracle.dialect import OracleDialect
from trunkline_oracle.driver import read, variable
from trunkline_oracle.errors import diagnose, message_of, number_of
from trunkline_oracle.kinds import DAY, MOMENT, ZONED, Carrier, DayType, MomentType, Out, ZonedType, carrier_of
from trunkline_oracle.routine_catalogue import CURSOR, Pipelined, parts_of

log = logging.getLogger(__name__)

# Of PL/SQL, in bytes; a longer text goes in as a CLOB.
_LONGEST_TEXT = 32767
_SIZED = frozenset({"VARCHAR", "NVARCHAR", "RAW"})
_UNKNOWN_HERE = 6550
_NO_RESULTS = "DPY-1004"
_FORGET = "BEGIN DBMS_SESSION.RESET_PACKAGE; END;"


@dataclass(frozen=True, slots=True)
class _Form:
    """How values of a type that travels as text are read and written, and what holds them in between."""

    kind: str
    reads: str
    writes: str


_FORMS: dict[type, _Form] = {
    DayType: _Form("DATE", f"TO_DATE({{}}, '{DAY}')", f"TO_CHAR({{}}, '{DAY}')"),
    MomentType: _Form("TIMESTAMP(9)", f"TO_TIMESTAMP({{}}, '{MOMENT}')", f"TO_CHAR({{}}, '{MOMENT}')"),
    ZonedType: _Form("TIMESTAMP(9) WITH TIME ZONE", f"TO_TIMESTAMP_TZ({{}}, '{ZONED}')", f"TO_CHAR({{}}, '{ZONED}')"),
}


@dataclass(slots=True)
class Block:
    """A call: its text, the values that it is given, and what comes back in which variable."""

    text: str = ""
    given: dict[str, Any] = field(default_factory=dict)
    # By the names of variables: whether a value is also given, what carries it, and whose it is; None is the result.
    answers: dict[str, tuple[Carrier, Column, Parameter | None]] = field(default_factory=dict)


def block(dialect: OracleDialect, routine: Routine, values: Mapping[int, Any]) -> Block:
    """Write a call; raises BadRequest for parameters of types that nothing carries."""
    made = Block()
    local: list[str] = []
    before: list[str] = []
    after: list[str] = []
    arguments: list[str] = []
    quote = dialect.sa.identifier_preparer.quote_identifier
    for one in routine.parameters:
        if one.optional and one.direction == "IN" and one.position not in values:
            continue
        place = one.position
        form = _FORMS.get(type(dialect.compared_as(one.column)))
        if one.direction != "OUT":
            made.given[f"i{place}"] = _sent(dialect, one.column, values.get(place))
        if one.direction == "IN":
            _carrier(dialect, one.column, one.name)
            text = form.reads.format(f":i{place}") if form else f":i{place}"
        else:
            made.answers[f"o{place}"] = (_carrier(dialect, one.column, one.name, out=True), one.column, one)
            text = f":o{place}"
            if form is not None:
                text = f"v{place}"
                local.append(f"v{place} {form.kind};")
                after.append(f":o{place} := {form.writes.format(text)};")
                if one.direction == "INOUT":
                    before.append(f"{text} := {form.reads.format(f':i{place}')};")
            elif one.direction == "INOUT":
                before.append(f":o{place} := :i{place};")
        arguments.append(f"{quote(one.name)} => {text}" if one.name else text)
    package, own = parts_of(routine.identity)
    path = ".".join(quote(one) for one in (routine.identity.schema, package, own) if one)
    called = f"{path}({', '.join(arguments)})" if arguments else path
    if isinstance(routine, Pipelined):
        source = called if arguments else f"{path}()"
        made.text = f"SELECT * FROM TABLE({source})"  # noqa: S608 - quoted names from the catalogue, values are binds
        return made
    statement = f"{called};"
    if routine.kind == "function":
        answer = routine.returns or Column(own, "ref_cursor", CURSOR)
        result = _FORMS.get(type(dialect.compared_as(answer)))
        made.answers["result"] = (_carrier(dialect, answer, own, out=True), answer, None)
        statement = f":result := {result.writes.format(called) if result else called};"
    declared = f"DECLARE {' '.join(local)} " if local else ""
    made.text = f"{declared}BEGIN {' '.join([*before, statement, *after])} END;"
    return made


async def call(connection: Any, dialect: OracleDialect, routine: Routine, made: Block) -> Outcome:
    """Run a block within a transaction; what packages keep for the session is forgotten, however it ends."""
    try:
        outcome = await _called(connection, dialect, made)
    except Exception as error:
        with contextlib.suppress(Exception):
            await connection.execute(_FORGET)
        if number_of(error) != _UNKNOWN_HERE and diagnose(error).kind == "stale":
            # What a statement within the routine misses does not come back by describing the routine anew.
            log.error("a statement of the %s %s failed", routine.kind, routine.identity.key, exc_info=error)
            raise InternalError(f"The {routine.kind} failed in the database. The log has the cause.") from error
        raise
    await connection.execute(_FORGET)
    return outcome


async def _called(connection: Any, dialect: OracleDialect, made: Block) -> Outcome:
    outcome = Outcome()
    with connection.cursor() as cursor:
        given = {name: await _long(connection, value) for name, value in made.given.items()}
        variables = {
            name: variable(cursor, Out(carrier), size=_LONGEST_TEXT if carrier in _SIZED else 0)
            for name, (carrier, _, _) in made.answers.items()
        }
        await cursor.execute(made.text, {**given, **variables})
        if cursor.description is not None:
            outcome.sets.append(await _rows(cursor))
            return outcome
        for name, (carrier, column, parameter) in made.answers.items():
            value = variables[name].getvalue()
            if carrier == "CURSOR":
                outcome.sets += [] if value is None else [await _rows(value)]
                continue
            shown = _shown(dialect, column, await read(value))
            if parameter is None:
                outcome.value = shown
            else:
                outcome.out[parameter.name] = shown
        for one in _implicit(cursor):
            outcome.sets.append(await _rows(one))
    return outcome


def _implicit(cursor: Any) -> Sequence[Any]:
    """Answer what DBMS_SQL.RETURN_RESULT was given; the driver has an error for nothing."""
    import oracledb

    try:
        found: Sequence[Any] = cursor.getimplicitresults()
    except oracledb.InterfaceError as error:
        if message_of(error).startswith(_NO_RESULTS):
            return ()
        raise
    return found


async def _rows(cursor: Any) -> list[dict[str, Any]]:
    names = [one[0] for one in cursor.description]
    rows: Sequence[Sequence[Any]] = await cursor.fetchall()
    return [{name: forms.plain(value) for name, value in zip(names, row, strict=True)} for row in rows]


async def _long(connection: Any, value: Any) -> Any:
    """Put what is too long for a variable of PL/SQL into a temporary long value."""
    import oracledb

    if isinstance(value, str) and len(value.encode()) > _LONGEST_TEXT:
        return await connection.createlob(oracledb.DB_TYPE_CLOB, value)
    if isinstance(value, bytes) and len(value) > _LONGEST_TEXT:
        return await connection.createlob(oracledb.DB_TYPE_BLOB, value)
    return value


def _carrier(dialect: OracleDialect, column: Column, name: str, *, out: bool = False) -> Carrier:
    if column.db_type == CURSOR and out:
        return "CURSOR"
    kind = dialect.compared_as(column)
    found = "VARCHAR" if type(kind) in _FORMS else carrier_of(kind)
    if found is None or column.db_type == CURSOR:
        raise BadRequest(f"Parameter '{name}' has a type that can not be passed: {column.db_type}.")
    return found


def _sent(dialect: OracleDialect, column: Column, value: Any) -> Any:
    binder = dialect.binder(column)
    return value if binder is None or value is None else binder(value)


def _shown(dialect: OracleDialect, column: Column, value: Any) -> Any:
    converter = dialect.converter(column)
    return forms.plain(value) if converter is None or value is None else converter(value)
