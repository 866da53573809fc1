"""What Oracle's catalogue says of procedures and functions; those of a package are called ``package.name``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from trunkline_database.model import Column
from trunkline_database.routine import Direction, Parameter, Routine, RoutineKind, RoutineName
from trunkline_oracle.catalogue import Served, declaration
from trunkline_oracle.dialect import PLSQL_BOOLEAN, OracleDialect
from trunkline_oracle.driver import fetch

CURSOR = "REF CURSOR"
_DIRECTIONS: dict[str, Direction] = {"IN": "IN", "OUT": "OUT", "IN/OUT": "INOUT"}

# What has an argument at position 0 answers a value, so it is a function, also within a package.
_ANSWERS = """
    EXISTS (SELECT 1 FROM all_arguments a WHERE a.owner = p.owner AND a.object_id = p.object_id
      AND a.subprogram_id = p.subprogram_id AND a.position = 0 AND a.data_level = 0)
"""
_NAMES = """
    SELECT DISTINCT p.owner, NVL2(p.procedure_name, p.object_name || '.' || p.procedure_name, p.object_name)
    FROM all_procedures p JOIN all_users u ON u.username = p.owner
    WHERE (p.object_type IN ('PROCEDURE', 'FUNCTION') OR p.object_type = 'PACKAGE' AND p.procedure_name IS NOT NULL)
      AND p.aggregate = 'NO' AND CASE WHEN <answers> THEN 'function' ELSE 'procedure' END = :kind
      AND (p.owner = :owner OR :owner IS NULL
        AND (u.oracle_maintained = 'N' OR p.owner = SYS_CONTEXT('USERENV', 'CURRENT_SCHEMA')))
    ORDER BY 1, 2
""".replace("<answers>", _ANSWERS)
_OVERLOADS = """
    SELECT p.subprogram_id, p.pipelined FROM all_procedures p
    WHERE p.owner = :owner AND p.object_name = :holder AND (p.procedure_name = :name OR :name IS NULL
        AND p.procedure_name IS NULL AND p.object_type IN ('PROCEDURE', 'FUNCTION'))
      AND CASE WHEN <answers> THEN 'function' ELSE 'procedure' END = :kind
    ORDER BY p.subprogram_id
""".replace("<answers>", _ANSWERS)
_ARGUMENTS = """
    SELECT a.subprogram_id, a.position, a.argument_name, a.in_out, a.data_type, a.type_owner, a.type_name,
      a.data_length, a.char_length, a.char_used, a.data_precision, a.data_scale, a.defaulted
    FROM all_arguments a
    WHERE a.owner = :owner AND a.object_name = :name AND NVL(a.package_name, ' ') = NVL(:pack, ' ')
      AND a.data_level = 0 AND a.data_type IS NOT NULL
    ORDER BY a.subprogram_id, a.position
"""


@dataclass(frozen=True, eq=False)
class Pipelined(Routine):
    """A function whose rows a SELECT reads one after another."""


def parts_of(name: RoutineName) -> tuple[str | None, str]:
    """Answer package and name; without a package the former is None."""
    package, dot, own = name.name.partition(".")
    return (package, own) if dot else (None, package)


async def names(connection: Any, served: Served, kind: RoutineKind) -> list[RoutineName]:
    """List the procedures or functions of what is served; who comes last wins where names look the same."""
    found = [
        RoutineName(name, owner, served.public(owner, name))
        for owner, name in await fetch(connection, _NAMES, {"owner": served.only, "kind": kind})
    ]
    return sorted(found, key=lambda one: (one.schema == served.home, one.name == one.name.upper(), one.key))


async def describe(connection: Any, dialect: OracleDialect, name: RoutineName, kind: RoutineKind) -> list[Routine]:
    """Describe all routines of a name: a package may have several that differ in their parameters."""
    package, own = parts_of(name)
    place = {"owner": name.schema, "holder": package or own, "name": own if package else None, "kind": kind}
    overloads = await fetch(connection, _OVERLOADS, place)
    arguments: dict[Any, list[Sequence[Any]]] = {}
    for number, *rest in await fetch(connection, _ARGUMENTS, {"owner": name.schema, "name": own, "pack": package}):
        arguments.setdefault(number, []).append(rest)
    return [
        described(dialect, name, kind, pipelined == "YES", arguments.get(number, ())) for number, pipelined in overloads
    ]


def described(
    dialect: OracleDialect, name: RoutineName, kind: RoutineKind, pipelined: bool, rows: Sequence[Sequence[Any]]
) -> Routine:
    """Make the description of a routine of the rows of its arguments."""
    parameters = [
        Parameter(_column(dialect, row, row[1] or ""), row[0], _DIRECTIONS[row[2]], row[11] == "Y")
        for row in rows
        if row[0] > 0
    ]
    answer = next((_column(dialect, row, name.name) for row in rows if row[0] == 0), None)
    if pipelined:
        return Pipelined(name, kind, parameters, returns_rows=True)
    if answer is not None and answer.db_type == CURSOR:
        return Routine(name, kind, parameters, returns_rows=True)
    return Routine(name, kind, parameters, answer)


def _column(dialect: OracleDialect, row: Sequence[Any], name: str) -> Column:
    _, _, _, word, owner, type_name, length, characters, used, digits, scale, _ = row
    text = _declaration(word, owner, type_name, length, characters, used, digits, scale)
    if text == "NUMBER":
        # A parameter has no digits of its own: fractions pass.
        return Column(name, "decimal", text)
    declared = dialect.declared(_PLAIN.get(text, text))
    return Column(name, declared.type, text, length=declared.length, precision=declared.precision, scale=declared.scale)


def _declaration(
    word: str, owner: str | None, type_name: str | None, length: Any, characters: Any, used: str | None, digits: Any,
    scale: Any,
) -> str:  # fmt: skip
    if owner is not None and type_name is not None and word not in (CURSOR, PLSQL_BOOLEAN, "OPAQUE/XMLTYPE"):
        return declaration(type_name, owner, word, length, characters, used, digits, scale)
    if word in ("VARCHAR2", "CHAR", "NVARCHAR2", "NCHAR", "RAW") and not (characters or length):
        # Parameters have no length of their own.
        return word
    return declaration(word, None, None, length, characters, used, digits, scale)


# Types of PL/SQL alone, by what they are in the database.
_PLAIN: Mapping[str, str] = {
    PLSQL_BOOLEAN: "BOOLEAN", "BINARY_INTEGER": "NUMBER(10)", "PLS_INTEGER": "NUMBER(10)",
}  # fmt: skip
