"""What is known of stored procedures and functions, and what a call of one leaves (database-api 15)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from trunkline_database.model import Column, label_of

RoutineKind = Literal["procedure", "function"]
Direction = Literal["IN", "OUT", "INOUT"]


@dataclass(frozen=True, slots=True)
class RoutineName:
    """A routine in the list of a database: its own name, its schema, and the name that clients use for both."""

    name: str
    schema: str | None = None
    public: str = ""

    @property
    def key(self) -> str:
        """The name in paths: bare in the default schema, else ``schema.name``."""
        return self.public or self.name


@dataclass(frozen=True, eq=False)
class Parameter:
    """One parameter; its type is that of ``column``, whose ``default`` is the text of a default that it declares."""

    column: Column
    position: int
    direction: Direction = "IN"
    # Whether it may be left out of a call.
    optional: bool = False

    @property
    def name(self) -> str:
        """The name, empty where the routine gave it none."""
        return self.column.name

    def describe(self) -> dict[str, Any]:
        """Render the parameter object."""
        column = self.column
        return {
            "name": column.name,
            "position": self.position,
            "param_type": self.direction,
            "type": column.type,
            "db_type": column.db_type,
            "length": column.length,
            "precision": column.precision,
            "scale": column.scale,
            "default": column.default,
        }


@dataclass(frozen=True, eq=False)
class Routine:
    """One procedure or function; those of one name that differ in their parameters are several.

    ``returns`` is the single value of a function, None where it returns rows (``row`` lists their columns, as far as
    they are known) and for procedures.
    """

    identity: RoutineName
    kind: RoutineKind
    parameters: Sequence[Parameter] = ()
    returns: Column | None = None
    returns_rows: bool = False
    row: Sequence[Column] = ()
    description: str | None = None

    def describe(self, access: int) -> dict[str, Any]:
        """Render the routine object; ``access`` is the caller's verb mask."""
        return {
            "alias": None,
            "name": self.identity.key,
            "label": label_of(self.identity.key),
            "description": self.description,
            "native": [],
            "return_type": self.returns.type if self.returns else "",
            "return_schema": [{"name": one.name, "type": one.type, "db_type": one.db_type} for one in self.row],
            "params": [one.describe() for one in self.parameters],
            "access": access,
        }


@dataclass(slots=True)
class Outcome:
    """What a call left: its result sets in order, OUT and INOUT values by parameter, and a function's single value."""

    sets: list[list[dict[str, Any]]] = field(default_factory=list)
    out: dict[str, Any] = field(default_factory=dict)
    value: Any = None
