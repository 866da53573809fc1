"""Procedures and functions of PSQL: what the catalogue says of them, and how they are called."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from trunkline_database.model import Column
from trunkline_database.routine import Direction, Outcome, Parameter, Routine, RoutineKind, RoutineName
from trunkline_database.sql.driver import RawRow
from trunkline_firebird import catalogue
from trunkline_firebird.dialect import FirebirdDialect

_NAMES: dict[RoutineKind, str] = {
    "procedure": """
        SELECT TRIM(RDB$PROCEDURE_NAME) FROM RDB$PROCEDURES
        WHERE COALESCE(RDB$SYSTEM_FLAG, 0) = 0 AND RDB$PACKAGE_NAME IS NULL
        ORDER BY IIF(RDB$PROCEDURE_NAME = UPPER(RDB$PROCEDURE_NAME), 1, 0), RDB$PROCEDURE_NAME
    """,
    # Functions of libraries have no parameters with names, and go by what is called a descriptor.
    "function": """
        SELECT TRIM(RDB$FUNCTION_NAME) FROM RDB$FUNCTIONS
        WHERE COALESCE(RDB$SYSTEM_FLAG, 0) = 0 AND RDB$PACKAGE_NAME IS NULL AND COALESCE(RDB$LEGACY_FLAG, 0) = 0
        ORDER BY IIF(RDB$FUNCTION_NAME = UPPER(RDB$FUNCTION_NAME), 1, 0), RDB$FUNCTION_NAME
    """,
}
_ABOUT: dict[RoutineKind, str] = {
    "procedure": """
        SELECT RDB$PROCEDURE_TYPE AS kind, CAST(RDB$DESCRIPTION AS BLOB SUB_TYPE TEXT) AS about, 0 AS answer
        FROM RDB$PROCEDURES WHERE RDB$PROCEDURE_NAME = ? AND RDB$PACKAGE_NAME IS NULL
    """,
    "function": """
        SELECT 0 AS kind, CAST(RDB$DESCRIPTION AS BLOB SUB_TYPE TEXT) AS about, RDB$RETURN_ARGUMENT AS answer
        FROM RDB$FUNCTIONS WHERE RDB$FUNCTION_NAME = ? AND RDB$PACKAGE_NAME IS NULL
    """,
}
_PARAMETERS: dict[RoutineKind, str] = {
    "procedure": f"""
        SELECT TRIM(p.RDB$PARAMETER_NAME) AS name, p.RDB$PARAMETER_NUMBER AS place, p.RDB$PARAMETER_TYPE AS comes_out,
          {catalogue.FIELD}, COALESCE(p.RDB$DEFAULT_SOURCE, f.RDB$DEFAULT_SOURCE) AS default_source
        FROM RDB$PROCEDURE_PARAMETERS p
          JOIN RDB$FIELDS f ON f.RDB$FIELD_NAME = p.RDB$FIELD_SOURCE
          LEFT JOIN RDB$CHARACTER_SETS c ON c.RDB$CHARACTER_SET_ID = f.RDB$CHARACTER_SET_ID
            AND f.RDB$FIELD_TYPE IN (14, 37)
        WHERE p.RDB$PROCEDURE_NAME = ? AND p.RDB$PACKAGE_NAME IS NULL
        ORDER BY p.RDB$PARAMETER_TYPE, p.RDB$PARAMETER_NUMBER
    """,  # noqa: S608 - put together from constants
    "function": f"""
        SELECT TRIM(p.RDB$ARGUMENT_NAME) AS name, p.RDB$ARGUMENT_POSITION AS place, 0 AS comes_out,
          {catalogue.FIELD}, COALESCE(p.RDB$DEFAULT_SOURCE, f.RDB$DEFAULT_SOURCE) AS default_source
        FROM RDB$FUNCTION_ARGUMENTS p
          JOIN RDB$FIELDS f ON f.RDB$FIELD_NAME = p.RDB$FIELD_SOURCE
          LEFT JOIN RDB$CHARACTER_SETS c ON c.RDB$CHARACTER_SET_ID = f.RDB$CHARACTER_SET_ID
            AND f.RDB$FIELD_TYPE IN (14, 37)
        WHERE p.RDB$FUNCTION_NAME = ? AND p.RDB$PACKAGE_NAME IS NULL ORDER BY p.RDB$ARGUMENT_POSITION
    """,  # noqa: S608 - put together from constants
}
# What SUSPEND makes of a procedure: rows that are selected.
_SELECTABLE = 1


def names(connection: sa.Connection, kind: RoutineKind) -> list[RoutineName]:
    """List the procedures or functions."""
    return [RoutineName(name) for (name,) in connection.exec_driver_sql(_NAMES[kind])]


def describe(
    connection: sa.Connection, dialect: FirebirdDialect, name: RoutineName, kind: RoutineKind
) -> list[Routine]:
    """Describe a routine, or answer nothing when it is gone."""
    found = catalogue.read(connection, _ABOUT[kind], name.name)
    if not found:
        return []
    (about,) = found
    rows = catalogue.read(connection, _PARAMETERS[kind], name.name)
    columns = [(row, _column(dialect, row)) for row in rows]
    if kind == "function":
        returns = next((column for row, column in columns if row["place"] == about["answer"]), None)
        taken = [column for row, column in columns if row["place"] != about["answer"]]
        return [Routine(name, kind, _parameters(taken), returns, description=about["about"])]
    taken = [column for row, column in columns if not row["comes_out"]]
    out = [column for row, column in columns if row["comes_out"]]
    if about["kind"] == _SELECTABLE and out:
        return [Routine(name, kind, _parameters(taken), None, True, out, about["about"])]
    parameters = [*_parameters(taken), *_parameters(out, "OUT", len(taken))]
    return [Routine(name, kind, parameters, description=about["about"])]


def statement(dialect: FirebirdDialect, routine: Routine, values: Mapping[int, Any]) -> tuple[str, list[Any]]:
    """Write a call and its values; what is left out is left to its default, which is the catalogue's own text."""
    takes = [one for one in routine.parameters if one.direction == "IN"]
    needed = [place for place, one in enumerate(takes, 1) if one.position in values or not one.optional]
    places, sent = [], []
    for one in takes[: max(needed, default=0)]:
        if one.position not in values and one.optional:
            places.append(str(one.column.default))
            continue
        value, send = values.get(one.position), dialect.sender(one.column)
        places.append("?")
        sent.append(value if value is None or send is None else send(value))
    name = dialect.sa.identifier_preparer.quote(routine.identity.name)
    given = f"({', '.join(places)})"
    if routine.kind == "function":
        return f"SELECT {name}{given} FROM RDB$DATABASE", sent  # noqa: S608 - a quoted name and binds
    called = f"{name}{given if places else ''}"
    return f"{'SELECT * FROM' if routine.returns_rows else 'EXECUTE PROCEDURE'} {called}", sent


def outcome(dialect: FirebirdDialect, routine: Routine, rows: Sequence[RawRow]) -> Outcome:
    """Read what a call left."""
    if routine.kind == "function":
        value = rows[0][0] if rows else None
        return Outcome(value=_shown(dialect, routine.returns, value))
    columns = list(routine.row) or [one.column for one in routine.parameters if one.direction == "OUT"]
    read = [{one.name: _shown(dialect, one, value) for one, value in zip(columns, row, strict=True)} for row in rows]
    if routine.returns_rows:
        return Outcome(sets=[read])
    return Outcome(out=read[0] if read else {})


def _parameters(columns: Sequence[Column], direction: Direction = "IN", before: int = 0) -> list[Parameter]:
    return [
        Parameter(one, place, direction, direction == "IN" and one.default is not None)
        for place, one in enumerate(columns, before + 1)
    ]


def _column(dialect: FirebirdDialect, row: Mapping[str, Any]) -> Column:
    declared = catalogue.declared(dialect, row)
    return Column(
        row["name"] or "",
        declared.type,
        declared.db_type,
        length=declared.length,
        precision=declared.precision,
        scale=declared.scale,
        default=catalogue.default_of(row["default_source"]),
        fixed_length=declared.fixed_length,
    )


def _shown(dialect: FirebirdDialect, column: Column | None, value: Any) -> Any:
    convert = dialect.converter(column) if column is not None else None
    return value if value is None or convert is None else convert(value)
