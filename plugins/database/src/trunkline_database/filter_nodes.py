"""The tree that a filter text becomes: immutable, and free of any engine's words."""

from __future__ import annotations

import typing as t
from collections.abc import Iterator
from dataclasses import dataclass, field

from trunkline.errors import BadRequest

Op: t.TypeAlias = t.Literal[
    "=", "!=", ">", "<", ">=", "<=",
    "like", "not like", "contains", "not contains", "starts with", "not starts with", "ends with", "not ends with",
    "in", "not in", "between", "not between", "is null", "is not null",
]  # fmt: skip
FunctionName: t.TypeAlias = t.Literal["CURRENT_TIMESTAMP", "CURRENT_DATE", "CURRENT_TIME", "UTC_TIMESTAMP", "UUID"]

# A condition in the engine's own language, which only its ``native_filter`` makes: no text of a filter leads to it.
Native: t.TypeAlias = t.Literal["matches"]

#: Every accepted spelling of an operator, in lower case with single blanks.
OPERATORS: t.Final[dict[str, Op]] = {
    **{op: op for op in t.get_args(Op)},
    "<>": "!=", "eq": "=", "ne": "!=", "gt": ">", "lt": "<", "gte": ">=", "lte": "<=",
    "start with": "starts with", "not start with": "not starts with",
    "end with": "ends with", "not end with": "not ends with",
    "does exist": "is not null", "does not exist": "is null",
}  # fmt: skip
#: The functions that may stand for a value (section 8.3), by meaning; each engine has its own words for these five.
FUNCTIONS: t.Final[dict[str, FunctionName]] = {
    **{name: name for name in t.get_args(FunctionName)},
    "NOW": "CURRENT_TIMESTAMP", "LOCALTIMESTAMP": "CURRENT_TIMESTAMP", "GETDATE": "CURRENT_TIMESTAMP",
    "SYSDATE": "CURRENT_TIMESTAMP", "SYSDATETIME": "CURRENT_TIMESTAMP", "GETUTCDATE": "UTC_TIMESTAMP",
    "CURDATE": "CURRENT_DATE", "CURTIME": "CURRENT_TIME", "NEWID": "UUID",
}  # fmt: skip

UNPARSABLE = "Invalid or unparsable filter request."
BARE_LIST = "Filter value lists must be wrapped in parentheses."


class BadFilter(BadRequest):
    """The filter cannot be understood."""

    @classmethod
    def at_field(cls, name: str) -> BadFilter:
        """Build the refusal of a column, as the planner needs it for unknown ones (D9)."""
        return cls(f"Invalid or unparsable field in filter request: '{name[:128]}'")


@dataclass(frozen=True, slots=True)
class Literal:
    """A value: text as the client wrote it, to be typed by its column; after ``bind`` or ``substitute`` any scalar."""

    value: object
    quoted: bool = field(default=False, compare=False)


@dataclass(frozen=True, slots=True)
class Param:
    """A placeholder ``:name``, filled by ``bind``."""

    name: str


@dataclass(frozen=True, slots=True)
class Function:
    """A call of one of the allowed functions, none of which takes arguments."""

    name: FunctionName


Scalar: t.TypeAlias = Literal | Param | Function
Value: t.TypeAlias = Scalar | tuple[Scalar, ...] | None


@dataclass(frozen=True, slots=True)
class Comparison:
    """One test of a field: a tuple for ``in`` (never empty) and ``between`` (two), None for the null tests."""

    field: str
    op: Op | Native
    value: Value = None


@dataclass(frozen=True, slots=True)
class _Several:
    items: tuple[Node, ...]

    def __post_init__(self) -> None:
        if len(self.items) < 2:
            # An empty conjunction would be true: no filter may come to match every row by accident (D26).
            raise ValueError("A conjunction or disjunction needs at least two items.")


class And(_Several):
    """Every item holds."""

    __slots__ = ()


class Or(_Several):
    """At least one item holds."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Not:
    """The item does not hold."""

    item: Node


Node: t.TypeAlias = Comparison | And | Or | Not


def walk(node: Node) -> Iterator[tuple[Node, int]]:
    """Yield every node with its depth; without recursion, as the depth of a fresh tree is not known yet."""
    stack = [(node, 1)]
    while stack:
        current, depth = stack.pop()
        yield current, depth
        if isinstance(current, Not):
            stack.append((current.item, depth + 1))
        elif not isinstance(current, Comparison):
            stack.extend((item, depth + 1) for item in current.items)
