"""SQL that stands for columns: texts that an administrator of the schema wrote (database-api 14.2, 14.3).

Only ``_schema`` takes such texts; of a request, nothing but a bound value ever comes near them.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.compiler import compiles

from trunkline_database.model import Column
from trunkline_database.sql.dialect import Dialect

VALUE = "{value}"


def read(source: sa.FromClause, column: Column, dialect: Dialect) -> sa.ColumnElement[Any]:
    """Answer what is selected for a column."""
    return _expression(source, column, "SELECT", dialect)


def compared(source: sa.FromClause, column: Column, dialect: Dialect) -> sa.ColumnElement[Any]:
    """Answer what filters compare."""
    return _expression(source, column, "FILTER", dialect)


def ranked(source: sa.FromClause, column: Column, dialect: Dialect) -> sa.ColumnElement[Any]:
    """Answer what orders and groups go by: the column itself, where there is one."""
    return read(source, column, dialect) if column.is_virtual else source.c[column.name]


def written(column: Column, use: str, value: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
    """Answer what is written for a bound value."""
    text = column.functions.get(use)
    return value if text is None else _Written(text, value)


def _expression(source: sa.FromClause, column: Column, use: str, dialect: Dialect) -> sa.ColumnElement[Any]:
    text = column.functions.get(use)
    return source.c[column.name] if text is None else sa.literal_column(f"({text})", dialect.compared_as(column))


class _Written(sa.ColumnElement[Any]):
    inherit_cache = False

    def __init__(self, text: str, value: sa.ColumnElement[Any]) -> None:
        self.parts = text.split(VALUE)
        self.value = value
        self.type = value.type


@compiles(_Written)
def _render(element: _Written, compiler: Any, **options: Any) -> str:
    rendered = [compiler.escape_literal_column(element.parts[0])]
    for part in element.parts[1:]:
        # Rendered anew each time, so that drivers with nameless places get the value for each of them.
        rendered += [compiler.process(element.value, **options), compiler.escape_literal_column(part)]
    return "".join(rendered)
