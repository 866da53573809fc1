"""SQLAlchemy's dialect for Firebird with what statements of ours need beside it."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

from sqlalchemy_firebird.base import (  # type: ignore[import-untyped]  # brings no types
    FBCompiler,
    FBDDLCompiler,
    FBIdentifierPreparer,
)
from sqlalchemy_firebird.firebird import FBDialect_firebird  # type: ignore[import-untyped]

from trunkline.errors import BadRequest
from trunkline_firebird.errors import LOST

# The longest list that IN takes.
_MOST_VALUES = 1500
# Of bytes, before version 4.
_LONGEST_NAME = 31
# What may be a default beside literals.
_VARIABLES = frozenset({"CURRENT_TIMESTAMP", "CURRENT_DATE", "CURRENT_TIME"})


class _Compiler(FBCompiler):  # type: ignore[misc]  # the dialect's package has no annotations
    """Statements: binds have types of their own, lists may be long, rows are held by locks."""

    _bare = False

    def render_bind_cast(self, type_: Any, dbapi_type: Any, sqltext: str) -> str:
        """Leave out the cast where the grammar takes nothing but a bind."""
        return sqltext if self._bare else str(super().render_bind_cast(type_, dbapi_type, sqltext))

    def limit_clause(self, select: Any, **kw: Any) -> str:
        """Write the standard's words, where each bind stands once."""
        self._bare, text = True, ""
        if select._offset_clause is not None:
            text += f" OFFSET {self.process(select._offset_clause, **kw)} ROWS"
        if select._limit_clause is not None:
            text += f" FETCH NEXT {self.process(select._limit_clause, **kw)} ROWS ONLY"
        self._bare = False
        return text

    def for_update_clause(self, select: Any, **kw: Any) -> str:
        """Hold the rows: without WITH LOCK only a cursor would be announced."""
        return " FOR UPDATE WITH LOCK"

    def function_argspec(self, function: Any, **kw: Any) -> str:
        """Write parentheses also where there is nothing in them."""
        return str(super().function_argspec(function, **kw)) or "()"

    def visit_avg_func(self, function: Any, **kw: Any) -> str:
        """Average as a fraction: an average of integers would be an integer, of decimals cut to their digits."""
        return f"AVG(CAST({self.process(function.clauses, **kw)} AS DOUBLE PRECISION))"

    def visit_in_op_binary(self, binary: Any, operator: Any, **kw: Any) -> str:
        """Split what is too long for one list."""
        return self._in(binary, "IN", " OR ", **kw)

    def visit_not_in_op_binary(self, binary: Any, operator: Any, **kw: Any) -> str:
        """Split what is too long for one list."""
        return self._in(binary, "NOT IN", " AND ", **kw)

    def _in(self, binary: Any, word: str, joint: str, **kw: Any) -> str:
        items = [self.process(one, **kw) for one in binary.right.element.clauses]
        parts = [", ".join(items[start : start + _MOST_VALUES]) for start in range(0, len(items), _MOST_VALUES)]
        # Rendered for each part, as it may hold binds.
        return "(" + joint.join(f"{self.process(binary.left, **kw)} {word} ({part})" for part in parts) + ")"


class _DdlCompiler(FBDDLCompiler):  # type: ignore[misc]
    """Definitions."""

    def get_column_default_string(self, column: Any) -> str | None:
        """Write a default: a variable stands without parentheses, and functions can be none."""
        text: str | None = super().get_column_default_string(column)
        if text is None or not text.startswith("("):
            return text
        if (variable := text[1:-1]) not in _VARIABLES:
            raise BadRequest(f"The default of field '{column.name}' can not be a function in this kind of database.")
        return variable

    def visit_create_index(self, create: Any, *arguments: Any, **kw: Any) -> str:
        """Shorten the name where it is too long: it is ours, and all of the database share one space of them."""
        create.element.name = short_name(create.element.name)
        return str(super().visit_create_index(create, *arguments, **kw))


class _Preparer(FBIdentifierPreparer):  # type: ignore[misc]
    """Names exactly as they are: what is not quoted would become upper case."""

    def _requires_quotes(self, value: str) -> bool:
        return True


class FirebirdRendering(FBDialect_firebird):  # type: ignore[misc]
    """The dialect, in the words of version 3, which later ones know as well."""

    statement_compiler = _Compiler
    ddl_compiler = _DdlCompiler
    preparer = _Preparer
    server_version_info = (3, 0)
    requires_name_normalize = False
    # Names that are too long are refused by the server; SQLAlchemy would raise another error.
    max_identifier_length = 255

    def __init__(self) -> None:
        """Bind values as the driver wants them."""
        super().__init__(dbapi=self.import_dbapi())

    def is_disconnect(self, error: Any, connection: Any, cursor: Any) -> bool:
        """Say whether the connection is not to be used again: it is lost, or it was told to stop."""
        return not LOST.isdisjoint(getattr(error, "gds_codes", None) or ())

    def do_ping(self, dbapi_connection: Any) -> bool:
        """Ask for a sign of life."""
        dbapi_connection.ping()
        return True

    def do_rollback(self, dbapi_connection: Any) -> None:
        """Leave it to the connection."""
        dbapi_connection.rollback()

    def do_commit(self, dbapi_connection: Any) -> None:
        """Leave it to the connection."""
        dbapi_connection.commit()

    def do_terminate(self, dbapi_connection: Any) -> None:
        """Close: there is no shorter way."""
        dbapi_connection.close()

    def do_execute(self, cursor: Any, statement: str, parameters: Sequence[Any], context: Any = None) -> None:
        """Run a statement."""
        cursor.execute(statement, parameters)

    def do_execute_no_params(self, cursor: Any, statement: str, context: Any = None) -> None:
        """Run a statement without values."""
        cursor.execute(statement)


def short_name(name: str) -> str:
    """Answer a name that fits: the beginning, and a digest of the whole where it was longer."""
    if len(name.encode()) <= _LONGEST_NAME:
        return name
    digest = hashlib.sha256(name.encode()).hexdigest()[:10]
    return f"{name.encode()[: _LONGEST_NAME - 11].decode(errors='ignore')}_{digest}"
