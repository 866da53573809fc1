"""What an engine must be able to do; everything above is written against this alone."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from trunkline.errors import BadRequest, Unavailable
from trunkline_database.definition import ColumnDefinition, TableDefinition
from trunkline_database.filters import Node
from trunkline_database.model import Column, Table, TableName
from trunkline_database.plan import Select
from trunkline_database.routine import Outcome, Routine, RoutineKind, RoutineName

Row = dict[str, Any]


class StaleSchema(Unavailable):
    """The target no longer is as it was described; describing it anew and trying again may help."""


class BrokenView(BadRequest):
    """A view that refers to something which is not there (any more)."""


@dataclass(frozen=True, slots=True)
class Arithmetic:
    """A new value that is computed from the stored one: ``column op number``."""

    column: Column
    operator: Literal["+", "-", "*", "/"]
    number: int | float


class Rows(ABC):
    """Reading and changing rows, on the engine itself or inside a transaction.

    Rows go out as dictionaries by ``Column.key`` and come in by ``Column.name``, with values as ``types`` makes them;
    also ``Function`` and, in updates, ``Arithmetic``. Trees name columns by their real names, their values are typed.
    """

    # Whether inserts and updates can be told a ``check`` that new rows must pass.
    checks: bool = False

    @abstractmethod
    async def select(self, plan: Select) -> list[Row]:
        """Read rows."""

    async def select_json(self, plan: Select) -> tuple[int, bytes] | None:
        """Read rows as the engine's own JSON, without the brackets round them, and say how many they are.

        None where the engine does not write them exactly as ``select`` and the kernel's JSON would.
        """
        return None

    @abstractmethod
    async def count(self, plan: Select) -> int:
        """Count the rows that a plan would read without its limit and offset: groups where it groups."""

    @abstractmethod
    async def insert(
        self,
        table: Table,
        rows: Sequence[Mapping[str, Any]],
        returning: Sequence[Column],
        check: Node | None = None,
    ) -> list[Row]:
        """Insert rows, all or none, and answer these columns of each in order.

        Raises Forbidden when one does not pass the check, which only engines with ``checks`` are given.
        """

    @abstractmethod
    async def update(
        self, table: Table, where: Node | None, values: Mapping[str, Any], check: Node | None = None
    ) -> int:
        """Change the rows that match and answer their number; None is every row. Raises Forbidden as ``insert``."""

    async def replace(self, table: Table, where: Node | None, values: Mapping[str, Any]) -> int:
        """Give the rows that match these values and no others but their keys; only asked of open tables."""
        raise NotImplementedError

    @abstractmethod
    async def delete(self, table: Table, where: Node | None) -> int:
        """Delete the rows that match and answer their number; None is every row."""


class Transaction(Rows):
    """A store bound to one connection: all of it happens, or nothing."""

    @abstractmethod
    def savepoint(self) -> AbstractAsyncContextManager[None]:
        """Open a part that is undone alone when it raises."""


class Store(Rows):
    """One database of an engine."""

    # More keys than this are sent in several statements.
    most_keys: ClassVar[int] = 10_000
    # Whether a part of a transaction can be undone alone.
    savepoints: ClassVar[bool] = True
    # Whether rows have an order of the engine's own, in which they come when nothing else is asked for.
    own_order: ClassVar[bool] = False

    # Whether a table can be made without any column.
    bare_tables: ClassVar[bool] = False

    def native_filter(self, given: str | Mapping[str, Any]) -> Node | None:
        """Read a filter in the engine's own language, by a list of what is allowed in it; None where it is not one."""
        return None

    def scalar(self, given: Mapping[str, Any]) -> Any:
        """Read an object that the engine's clients write for one value; by default it is none and stays what it is."""
        return given

    def identifier(self, column: Column, value: Any, id_type: str) -> Any:
        """Read an identifier of a column without a type of its own; it goes into replies as it is answered here."""
        if value is None or isinstance(value, Mapping | list):
            raise BadRequest(f"Field '{column.key}' must be a single value.")
        return value

    def operated(self, table: Table, operator: str, given: Any) -> Mapping[str, Any]:
        """Read what an update operator of the engine does, by real column names; nothing where it has none such."""
        return {}

    @abstractmethod
    def stream(self, plan: Select, size: int) -> AsyncGenerator[list[Row], None]:
        """Read rows a few at a time, however many there are; the iterator is closed by whoever stops early."""

    @abstractmethod
    def transaction(self) -> AbstractAsyncContextManager[Transaction]:
        """Open a transaction: committed at the end, rolled back when it raises."""

    @abstractmethod
    async def tables(self) -> list[TableName]:
        """List tables and views."""

    @abstractmethod
    async def describe(self, table: TableName, service_id: int) -> Table | None:
        """Describe a table with its relations, or answer None when it is gone."""

    @abstractmethod
    async def create_table(self, definition: TableDefinition) -> None:
        """Make a table."""

    @abstractmethod
    async def add_columns(self, table: Table, columns: Sequence[ColumnDefinition]) -> None:
        """Add columns to a table."""

    @abstractmethod
    async def alter_columns(self, table: Table, columns: Sequence[ColumnDefinition]) -> None:
        """Change the declarations of columns; raises BadRequest where the engine cannot."""

    @abstractmethod
    async def drop_column(self, table: Table, column: Column) -> None:
        """Drop a column with its values."""

    @abstractmethod
    async def drop_table(self, table: Table) -> None:
        """Drop a table with its rows."""

    async def routines(self, kind: RoutineKind) -> list[RoutineName]:
        """List procedures or functions, each name once; engines without any have none."""
        return []

    async def describe_routine(self, name: RoutineName, kind: RoutineKind) -> list[Routine]:
        """Describe the routines of a name, several where they differ in parameters; none when they are gone."""
        return []

    async def call(self, routine: Routine, values: Mapping[int, Any]) -> Outcome:
        """Call a routine, in a transaction of its own; ``values`` go by the positions of the parameters.

        Parameters without a value are left to their defaults, else they are NULL; OUT parameters never have one.
        """
        raise BadRequest("Routines can not be called in this kind of database.")

    async def flush(self) -> None:
        """Forget what is known of the target's structure."""

    @abstractmethod
    async def close(self) -> None:
        """Let go of connections."""
