"""Redshift's procedures and functions: what the catalogue says of them, and how they are called."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import sqlalchemy as sa

from trunkline_aws_redshift_db.catalogue import SERVED
from trunkline_aws_redshift_db.dialect import MOST_DIGITS, RedshiftDialect
from trunkline_database.model import Column
from trunkline_database.routine import Direction, Parameter, Routine, RoutineKind, RoutineName
from trunkline_database.sql.postgresql import word_of
from trunkline_database.sql.postgresql_catalogue import public_name
from trunkline_database.sql.postgresql_routines import Statement
from trunkline_database.sql.postgresql_values import plain_text

_KINDS: dict[RoutineKind, str] = {"procedure": "p", "function": "f"}
_DIRECTIONS: dict[str, Direction] = {"i": "IN", "o": "OUT", "b": "INOUT"}
_CURSOR = "refcursor"
# A bare NUMERIC has no digits behind the point here.
_NUMERIC = f"numeric({MOST_DIGITS},18)"
# What a parameter's place may be at most.
_MOST = 64

ROUTINES = f"""
    SELECT DISTINCT n.nspname AS schema, p.proname AS name, n.nspname = current_schema() AS home
    FROM pg_proc_info p JOIN pg_namespace n ON n.oid = p.pronamespace
    WHERE p.prokind::text = $2::text AND {SERVED}
    ORDER BY 3, 1, 2
"""  # noqa: S608 - all of it is ours
OVERLOADS = """
    SELECT p.prooid AS oid, format_type(p.prorettype, NULL) AS db_type
    FROM pg_proc_info p JOIN pg_namespace n ON n.oid = p.pronamespace
    WHERE n.nspname = $1 AND p.proname = $2 AND p.prokind::text = $3::text
    ORDER BY p.prooid
"""
PARAMETERS = f"""
    SELECT s.place, p.proargnames[s.place] AS name, p.proargmodes[s.place]::text AS mode,
      format_type(coalesce(p.proallargtypes[s.place], p.proargtypes[s.place - 1]), NULL) AS db_type
    FROM pg_proc_info p JOIN (SELECT generate_series(1, {_MOST}) AS place) AS s
      ON coalesce(p.proallargtypes[s.place], p.proargtypes[s.place - 1]) IS NOT NULL
    WHERE p.prooid = $1 ORDER BY s.place
"""  # noqa: S608 - likewise


async def names(connection: Any, schema: str | None, kind: RoutineKind) -> list[RoutineName]:
    """List the procedures or functions of a schema, or of all."""
    return [
        RoutineName(row["name"], row["schema"], public_name(row["schema"], row["name"], row["home"]))
        for row in await connection.fetch(ROUTINES, schema, _KINDS[kind])
    ]


async def describe(connection: Any, dialect: RedshiftDialect, name: RoutineName, kind: RoutineKind) -> list[Routine]:
    """Describe all routines of a name."""
    described = []
    for row in await connection.fetch(OVERLOADS, name.schema, name.name, _KINDS[kind]):
        parameters = [
            Parameter(_column(dialect, one["name"] or "", one["db_type"]), one["place"], _direction(one["mode"]))
            for one in await connection.fetch(PARAMETERS, row["oid"])
        ]
        single = _column(dialect, name.name, row["db_type"]) if kind == "function" else None
        described.append(Routine(name, kind, parameters, single))
    return described


def statement(dialect: RedshiftDialect, routine: Routine, values: Mapping[int, Any]) -> Statement:
    """Write the call of a routine; a cursor that has no name yet is given one, as Redshift wants it."""
    sent: list[Any] = []
    quoted = dialect.sa.identifier_preparer.quote_identifier
    arguments = ", ".join(_arguments(dialect, routine, values, sent))
    call = f"{quoted(routine.identity.schema or '')}.{quoted(routine.identity.name)}({arguments})"
    if routine.kind == "procedure":
        columns = [one.column for one in routine.parameters if one.direction != "IN"]
        return Statement(f"CALL {call}", sent, columns, any(one.db_type == _CURSOR for one in columns))
    column = routine.returns
    assert column is not None  # noqa: S101 - functions have a single value, as described above
    read = dialect.selected(sa.literal_column(call), column)
    return Statement(f"SELECT {read.compile(dialect=dialect.sa)}", sent, [column])


def _arguments(dialect: RedshiftDialect, routine: Routine, values: Mapping[int, Any], sent: list[Any]) -> Iterator[str]:
    for one in routine.parameters:
        if one.direction == "OUT":
            if dialect.names_out:
                yield f"NULL::{_word(one.column)}"
            continue
        value = values.get(one.position)
        if one.column.db_type == _CURSOR and value is None:
            value = f"trunkline_{one.position}"
        sent.append(None if value is None else plain_text(value))
        yield f"${len(sent)}::text::{_word(one.column)}"


def _direction(mode: str | None) -> Direction:
    return _DIRECTIONS.get(mode or "i", "IN")


def _column(dialect: RedshiftDialect, name: str, db_type: str) -> Column:
    declared = dialect.declared(db_type)
    return Column(
        name, declared.type, declared.db_type, length=declared.length, precision=declared.precision,
        scale=declared.scale,
    )  # fmt: skip


def _word(column: Column) -> str:
    word = word_of(column)
    return _NUMERIC if word == "numeric" else word
