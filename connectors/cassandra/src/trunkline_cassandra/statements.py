"""The texts of all statements about rows: names from the catalogue, quoted, and a place for each value."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from trunkline_cassandra.routes import Scan

Bound = tuple[str, list[object]]


def quoted(name: str) -> str:
    """Quote a name."""
    return '"' + name.replace('"', '""') + '"'


def joined(names: Iterable[str]) -> str:
    """Write a list of names."""
    return ", ".join(map(quoted, names))


def select(
    source: str, names: Iterable[str], scan: Scan, partition: Iterable[str], order: str, limit: int | None
) -> Bound:
    """Write a read of columns."""
    return _read(f"SELECT {joined(names)} FROM {source}", scan, partition, order, limit)  # noqa: S608 - quoted


def count(source: str, scan: Scan, partition: Iterable[str]) -> Bound:
    """Write a count of rows."""
    return _read(f"SELECT COUNT(*) FROM {source}", scan, partition, "", None)  # noqa: S608 - quoted


def insert(source: str, names: Sequence[str]) -> str:
    """Write what makes a row unless its key is there."""
    places = ", ".join("?" for _ in names)
    return f"INSERT INTO {source} ({joined(names)}) VALUES ({places}) IF NOT EXISTS"  # noqa: S608 - quoted


def update(source: str, names: Iterable[str], key: Iterable[str], guards: Sequence[str]) -> str:
    """Write what changes a row that is there, and has the values of these guards."""
    changes = ", ".join(f"{quoted(name)} = ?" for name in names)
    return f"UPDATE {source} SET {changes} WHERE {_equal(key)} IF {_condition(guards)}"  # noqa: S608 - quoted


def move(source: str, operators: Iterable[tuple[str, str]], key: Iterable[str]) -> str:
    """Write what moves counters; the operators are ``+`` or ``-``."""
    changes = ", ".join(f"{quoted(name)} = {quoted(name)} {operator} ?" for name, operator in operators)
    return f"UPDATE {source} SET {changes} WHERE {_equal(key)}"  # noqa: S608 - quoted


def delete(source: str, key: Iterable[str], guards: Sequence[str] | None) -> str:
    """Write what deletes a row that is there, and has the values of these guards; None asks for nothing of it."""
    condition = "" if guards is None else f" IF {_condition(guards)}"
    return f"DELETE FROM {source} WHERE {_equal(key)}{condition}"  # noqa: S608 - quoted


def _read(text: str, scan: Scan, partition: Iterable[str], order: str, limit: int | None) -> Bound:
    restrictions = [f"{quoted(one.column.name)} {one.op.upper()} ?" for one in scan.restrictions]
    values: list[object] = [one.value for one in scan.restrictions]
    if scan.token is not None:
        places = ", ".join("?" for _ in scan.token)
        restrictions.append(f"token({joined(partition)}) > token({places})")
        values += scan.token
    if restrictions:
        text += f" WHERE {' AND '.join(restrictions)}"
    text += order
    if limit is not None:
        text += " LIMIT ?"
        values.append(min(limit, 2**31 - 1))
    return text + (" ALLOW FILTERING" if scan.filters else ""), values


def _equal(names: Iterable[str]) -> str:
    return " AND ".join(f"{quoted(name)} = ?" for name in names)


def _condition(guards: Sequence[str]) -> str:
    return _equal(guards) if guards else "EXISTS"
