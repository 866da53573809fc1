"""Oracle's catalogue: one statement for each kind of thing, without what Oracle itself keeps in the database."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from trunkline_database.model import Constraint, ConstraintKind, TableName
from trunkline_database.relations import ForeignKey
from trunkline_database.sql.dialect import Dialect, FoundColumn
from trunkline_oracle.dialect import ARRAY, OBJECT
from trunkline_oracle.driver import fetch
from trunkline_oracle.rendering import JSON_TEXT

_KINDS: dict[str, ConstraintKind] = {"P": "PRIMARY KEY", "U": "UNIQUE", "R": "FOREIGN KEY"}
_COLLECTIONS = ("VARRAY", "TABLE", "COLLECTION")
_NO_ACTION = "NO ACTION"

# :owner is the one schema that is served, or null for all that the login may see. Names come as they are stored; who
# comes last wins where they differ in case only, or where a dot in a name looks like a schema.
_SERVED = """
    <owner> IN (SELECT u.username FROM all_users u WHERE :owner IS NULL
      AND (u.oracle_maintained = 'N' OR u.username = SYS_CONTEXT('USERENV', 'CURRENT_SCHEMA')) OR u.username = :owner)
"""
HOME = """
    SELECT u.username FROM all_users u WHERE u.username = NVL(:name, SYS_CONTEXT('USERENV', 'CURRENT_SCHEMA'))
      OR u.username = UPPER(:name)
    ORDER BY CASE WHEN u.username = :name THEN 0 ELSE 1 END
"""
_TABLES = """
    SELECT owner, name, is_view FROM (
      SELECT t.owner, t.table_name AS name, 0 AS is_view FROM all_tables t
      WHERE t.nested = 'NO' AND t.secondary = 'N' AND t.dropped = 'NO' AND (t.iot_type IS NULL OR t.iot_type = 'IOT')
      UNION ALL SELECT v.owner, v.view_name, 1 FROM all_views v
    ) o WHERE <served>
    ORDER BY owner, name
""".replace("<served>", _SERVED.replace("<owner>", "o.owner"))
_FOREIGN_KEYS = """
    SELECT c.owner, c.table_name, MIN(k.column_name), r.owner, r.table_name, MIN(rk.column_name), c.delete_rule
    FROM all_constraints c
      JOIN all_cons_columns k ON k.owner = c.owner AND k.constraint_name = c.constraint_name
      JOIN all_constraints r ON r.owner = c.r_owner AND r.constraint_name = c.r_constraint_name
      JOIN all_cons_columns rk ON rk.owner = r.owner AND rk.constraint_name = r.constraint_name
    WHERE c.constraint_type = 'R' AND <served>
    GROUP BY c.owner, c.table_name, c.constraint_name, r.owner, r.table_name, c.delete_rule
    HAVING COUNT(*) = 1
    ORDER BY c.owner, c.table_name, c.constraint_name
""".replace("<served>", _SERVED.replace("<owner>", "c.owner"))
_UNIQUE_COLUMNS = """
    SELECT i.table_owner, i.table_name, MIN(k.column_name) FROM all_indexes i
      JOIN all_ind_columns k ON k.index_owner = i.owner AND k.index_name = i.index_name
    WHERE i.uniqueness = 'UNIQUE' AND i.index_type NOT LIKE 'FUNCTION-BASED%' AND <served>
    GROUP BY i.table_owner, i.table_name, i.owner, i.index_name HAVING COUNT(*) = 1
""".replace("<served>", _SERVED.replace("<owner>", "i.table_owner"))
_COLUMNS = """
    SELECT c.column_name, c.data_type, c.data_type_owner, c.data_length, c.char_length, c.char_used, c.data_precision,
      c.data_scale, c.nullable, c.identity_column, c.virtual_column, m.comments, t.typecode, j.column_name,
      c.data_default
    FROM all_tab_cols c
      LEFT JOIN all_col_comments m ON m.owner = c.owner AND m.table_name = c.table_name
        AND m.column_name = c.column_name
      LEFT JOIN all_types t ON t.owner = c.data_type_owner AND t.type_name = c.data_type
      LEFT JOIN all_json_columns j ON j.owner = c.owner AND j.table_name = c.table_name
        AND j.column_name = c.column_name
    WHERE c.owner = :owner AND c.table_name = :name AND c.hidden_column = 'NO'
    ORDER BY c.column_id
"""
_COMMENT = "SELECT comments FROM all_tab_comments WHERE owner = :owner AND table_name = :name"
_CONSTRAINTS = """
    SELECT c.constraint_name, c.constraint_type, k.column_name, c.delete_rule, r.owner, r.table_name, rk.column_name
    FROM all_constraints c
      JOIN all_cons_columns k ON k.owner = c.owner AND k.constraint_name = c.constraint_name
      LEFT JOIN all_constraints r ON r.owner = c.r_owner AND r.constraint_name = c.r_constraint_name
      LEFT JOIN all_cons_columns rk ON rk.owner = r.owner AND rk.constraint_name = r.constraint_name
        AND rk.position = k.position
    WHERE c.owner = :owner AND c.table_name = :name AND c.constraint_type IN ('P', 'U', 'R')
    ORDER BY DECODE(c.constraint_type, 'P', 1, 'U', 2, 3), c.constraint_name, k.position
"""
_INDEXES = """
    SELECT i.owner || '.' || i.index_name, DECODE(i.uniqueness, 'UNIQUE', 1, 0), k.column_name FROM all_indexes i
      JOIN all_ind_columns k ON k.index_owner = i.owner AND k.index_name = i.index_name
    WHERE i.table_owner = :owner AND i.table_name = :name AND i.index_type NOT LIKE 'FUNCTION-BASED%'
    ORDER BY i.owner, i.index_name, k.column_position
"""


@dataclass(frozen=True, slots=True)
class Served:
    """Which schemas are served: one, or all that the login may see. Those of ``home`` are named without a schema."""

    home: str
    only: str | None

    def public(self, schema: str, name: str) -> str:
        """Answer the name for clients."""
        return name if schema == self.home else f"{schema}.{name}"


@dataclass(frozen=True, slots=True)
class Found:
    """What the catalogue says of one table."""

    columns: list[FoundColumn]
    constraints: list[Constraint]
    indexes: list[tuple[tuple[str, ...], bool]]
    description: str | None


async def home(connection: Any, name: str | None) -> str:
    """Answer the schema of the session, or the one that a name means; in upper case unless there is one spelled so."""
    found = await fetch(connection, HOME, {"name": name})
    # A schema that is not there serves nothing, rather than another one.
    return str(found[0][0]) if found else name or ""


async def tables(connection: Any, served: Served) -> list[TableName]:
    """List tables and views."""
    found = await fetch(connection, _TABLES, {"owner": served.only})
    names = [TableName(name, owner, served.public(owner, name), bool(is_view)) for owner, name, is_view in found]
    return sorted(names, key=lambda one: (one.schema == served.home, one.name == one.name.upper(), one.key))


async def foreign_keys(connection: Any, served: Served) -> list[ForeignKey]:
    """List the foreign keys of one column between the tables that are served."""
    found = await fetch(connection, _FOREIGN_KEYS, {"owner": served.only})
    unique = {tuple(row) for row in await fetch(connection, _UNIQUE_COLUMNS, {"owner": served.only})} if found else ()
    return [
        ForeignKey(
            served.public(owner, table), column, served.public(ref_owner, ref_table), ref_column, _NO_ACTION,
            rule or _NO_ACTION, unique=(owner, table, column) in unique,
        )
        for owner, table, column, ref_owner, ref_table, ref_column, rule in found
        if served.only in (None, ref_owner)
    ]  # fmt: skip


async def describe(connection: Any, dialect: Dialect, served: Served, table: TableName) -> Found | None:
    """Read all about one table, or answer None when it is gone."""
    found = await columns(connection, dialect, table)
    if not found:
        return None
    place = {"owner": table.schema, "name": table.name}
    about = await fetch(connection, _COMMENT, place)
    comment = about[0][0] if about else None
    if table.is_view:
        return Found(found, [], [], comment)
    indexes = _grouped(await fetch(connection, _INDEXES, place))
    return Found(
        found,
        _constraints(await fetch(connection, _CONSTRAINTS, place), served, table),
        [(tuple(row[1] for row in rows), bool(rows[0][0])) for rows in indexes.values()],
        comment,
    )


async def columns(connection: Any, dialect: Dialect, table: TableName) -> list[FoundColumn]:
    """Read the columns of one table or view; none when it is gone."""
    rows = await fetch(connection, _COLUMNS, {"owner": table.schema, "name": table.name})
    return [_column(dialect, row) for row in rows]


def _column(dialect: Dialect, row: Sequence[Any]) -> FoundColumn:
    name, word, owner, length, characters, used, digits, scale, nullable, identity, virtual, comment, code, is_json, \
        default = row  # fmt: skip
    text = declaration(word, owner, code, length, characters, used, digits, scale)
    declared = dialect.declared(text)
    if is_json is not None and declared.type in ("text", "string"):
        # Text that is JSON by a check; it goes out as what it says.
        declared = replace(dialect.declared(JSON_TEXT), db_type=declared.db_type)
    counts = identity == "YES" or (default or "").strip().lower().endswith(".nextval")
    return FoundColumn(
        name=name,
        declared=declared,
        nullable=nullable == "Y",
        default=None if counts else default_text(default),
        counts=counts,
        generated=virtual == "YES",
        description=comment,
        # Blanks at the end do not count.
        loose=declared.fixed_length,
    )


def declaration(
    word: str, owner: str | None, code: str | None, length: Any, characters: Any, used: str | None, digits: Any,
    scale: Any,
) -> str:  # fmt: skip
    """Write a type as one would declare it; what somebody made is called an object or an array with its name."""
    if owner is not None and word != "XMLTYPE":
        return f"{ARRAY if code in _COLLECTIONS else OBJECT}{owner}.{word}"
    if word in ("VARCHAR2", "CHAR"):
        return f"{word}({characters} {'CHAR' if used == 'C' else 'BYTE'})"
    if word in ("NVARCHAR2", "NCHAR"):
        return f"{word}({characters})"
    if word == "RAW":
        return f"RAW({length})"
    if word == "FLOAT":
        return f"FLOAT({digits})"
    if word != "NUMBER" or (digits is None and scale is None):
        return word
    return f"NUMBER({'*' if digits is None else digits}{f',{scale}' if scale else '' if digits else ',0'})"


def default_text(default: str | None) -> str | None:
    """Answer the text of a default; NULL is none, and blanks may stand behind it."""
    text = (default or "").strip()
    return None if text.upper() in ("", "NULL") else text


def _constraints(rows: Sequence[Sequence[Any]], served: Served, table: TableName) -> list[Constraint]:
    found = []
    for name, parts in _grouped(rows).items():
        kind, _, rule, ref_owner, ref_table, _ = parts[0]
        made = Constraint.of(table, _KINDS[kind], [part[1] for part in parts], name)
        if kind == "R":
            made = replace(
                made,
                ref_table=served.public(ref_owner, ref_table) if ref_table else None,
                ref_columns=tuple(part[5] for part in parts if part[5]),
                on_update=_NO_ACTION,
                on_delete=rule or _NO_ACTION,
            )
        found.append(made)
    return found


def _grouped(rows: Iterable[Sequence[Any]]) -> dict[str, list[Sequence[Any]]]:
    groups: dict[str, list[Sequence[Any]]] = {}
    for first, *rest in rows:
        groups.setdefault(first, []).append(rest)
    return groups
