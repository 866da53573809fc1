"""Filter texts become an immutable tree that every engine translates, with all values as data (D11, spec section 8)."""

from __future__ import annotations

import re
import typing as t
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from trunkline import json
from trunkline.errors import BadRequest
from trunkline_database import filter_grammar
from trunkline_database.filter_nodes import (
    BARE_LIST,
    OPERATORS,
    And,
    BadFilter,
    Comparison,
    Function,
    Literal,
    Node,
    Not,
    Op,
    Or,
    Param,
    Scalar,
    Value,
    walk,
)
from trunkline_database.filter_parser import parse, parse_value, parse_values

__all__ = [
    "And",
    "BadFilter",
    "Comparison",
    "Function",
    "Literal",
    "Node",
    "Not",
    "Op",
    "Or",
    "Param",
    "Scalar",
    "Value",
    "all_of",
    "bind",
    "fields_of",
    "from_rows",
    "parse",
    "render",
    "substitute",
]

_LOOKUP: t.Final = re.compile(filter_grammar.LOOKUP)
_PLAIN_NAME: t.Final = re.compile(filter_grammar.NAME)


def render(node: Node) -> str:
    """Render the canonical text, all values quoted; ``parse`` gives the same node back if its literals are texts."""
    if isinstance(node, Comparison):
        return _render_comparison(node)
    if isinstance(node, Not):
        return f"not ({render(node.item)})"
    return (" and " if isinstance(node, And) else " or ").join(f"({render(item)})" for item in node.items)


def fields_of(node: Node) -> set[str]:
    """List the names of the fields that are tested."""
    return {comparison.field for comparison, _ in walk(node) if isinstance(comparison, Comparison)}


def all_of(*nodes: Node | None) -> Node | None:
    """Join those that are not None by AND, as the row filters of one level are (D5); None if there are none."""
    present = tuple(node for node in nodes if node is not None)
    return And(present) if len(present) > 1 else next(iter(present), None)


def bind(node: Node, params: Mapping[str, t.Any]) -> Node:
    """Put values in place of parameters; keys may have the colon or not. Raises BadFilter for what is no scalar.

    An unknown parameter stays the text that it is, as recorded. A list is spread where a list of values is due. A null
    becomes ``Literal(None)``, which no row may match, whatever the operator.
    """

    def bound(scalar: Scalar) -> object:
        if not isinstance(scalar, Param):
            return scalar
        return params.get(f":{scalar.name}", params.get(scalar.name, f":{scalar.name}"))

    return _replace_scalars(node, bound)


def substitute(node: Node, look_up: Callable[[str], t.Any]) -> Node:
    """Put look-up values in place of ``{name}`` in literals, as bound data that is never parsed (checklist 12).

    A literal that is just one look-up takes its typed value; inside longer text it becomes text. What ``look_up``
    answers with a KeyError stays as it is. Raises BadFilter for a value that is no scalar.
    """

    def found(text: str) -> object:
        try:
            return look_up(text[1:-1])
        except KeyError:
            return text

    def substituted(scalar: Scalar) -> object:
        if not isinstance(scalar, Literal) or not isinstance(scalar.value, str):
            return scalar
        if _LOOKUP.fullmatch(scalar.value):
            return found(scalar.value)
        return replace(scalar, value=_LOOKUP.sub(lambda match: _text(_scalar(found(match[0])).value), scalar.value))

    return _replace_scalars(node, substituted)


def from_rows(rows: Sequence[Mapping[str, t.Any]], joined_by: t.Literal["and", "or"] = "and") -> Node:
    """Build the filter of a role (system-api 11.4); raises ValueError for an empty name, a bad operator or no rows.

    A value is one literal and never parsed as a filter; only a pair of quotes round it goes, as in filters.
    """
    nodes = tuple(_from_row(row) for row in rows)
    if not nodes:
        raise ValueError("No filter rows.")
    if len(nodes) == 1:
        return nodes[0]
    if joined_by not in ("and", "or"):
        raise ValueError(f"Unknown filter_op '{joined_by}'.")
    return And(nodes) if joined_by == "and" else Or(nodes)


# Rows of a role.


def _from_row(row: Mapping[str, t.Any]) -> Comparison:
    name, spelled, value = (row.get(key) for key in ("name", "operator", "value"))
    if not isinstance(name, str) or not name.strip() or not isinstance(spelled, str):
        raise ValueError("A row filter needs a name and an operator.")
    op = OPERATORS.get(" ".join(spelled.lower().split()))
    if op is None:
        raise ValueError(f"Unknown operator '{spelled}' in a row filter.")
    return Comparison(name.strip(), op, _row_value(op, value))


def _row_value(op: Op, value: t.Any) -> Value:
    if op in ("is null", "is not null"):
        return None
    if op in ("in", "not in"):
        values = _row_values(value)
    elif op in ("between", "not between"):
        values = _row_values(re.split(r"\s+and\s+|,", value) if isinstance(value, str) else value)
    else:
        return _row_scalar(value)
    if not values or (op.endswith("between") and len(values) != 2):
        raise ValueError(f"A row filter with '{op}' lacks the values it needs.")
    return values


def _row_values(value: t.Any) -> tuple[Scalar, ...]:
    if isinstance(value, str):
        text = value.strip()
        try:
            loaded = json.loads(text) if text.startswith("[") else None
        except BadRequest:
            loaded = None
        if not isinstance(loaded, list):
            return parse_values(text[1:-1] if text[:1] + text[-1:] in ("()", "[]") else text)
        value = loaded
    return tuple(map(_row_scalar, value if isinstance(value, list | tuple) else [value]))


def _row_scalar(value: t.Any) -> Scalar:
    if isinstance(value, str):
        return parse_value(value)
    if isinstance(value, Mapping | list | tuple):
        raise ValueError("A row filter's value must be a single value.")
    return Literal("" if value is None else value, quoted=True)


# From tree to text.


def _render_comparison(node: Comparison) -> str:
    name = node.field if _PLAIN_NAME.fullmatch(node.field) else '"' + node.field.replace('"', '""') + '"'
    if node.value is None:
        return f"{name} {node.op}"
    if not isinstance(node.value, tuple):
        return f"{name} {node.op} {_render_scalar(node.value)}"
    values = [_render_scalar(value) for value in node.value]
    if node.op.endswith("between"):
        return f"{name} {node.op} {' and '.join(values)}"
    return f"{name} {node.op} ({', '.join(values)})"


def _render_scalar(value: Scalar) -> str:
    if isinstance(value, Param):
        return f":{value.name}"
    if isinstance(value, Function):
        return f"{value.name}()"
    return "'" + _text(value.value).replace("'", "''") + "'"


def _text(value: object) -> str:
    if value is None:
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value)


# Values from elsewhere.


def _replace_scalars(node: Node, change: Callable[[Scalar], object]) -> Node:
    if isinstance(node, Not):
        return Not(_replace_scalars(node.item, change))
    if not isinstance(node, Comparison):
        return type(node)(tuple(_replace_scalars(item, change) for item in node.items))
    if node.value is None:
        return node
    if not isinstance(node.value, tuple):
        return replace(node, value=_scalar(change(node.value)))
    spread = node.op in ("in", "not in")
    return replace(node, value=_scalars([change(value) for value in node.value], spread))


def _scalars(values: Sequence[object], spread: bool) -> tuple[Scalar, ...]:
    flat: list[object] = []
    for value in values:
        flat.extend(value if spread and isinstance(value, list | tuple) else [value])
    if not flat:
        raise BadFilter(BARE_LIST)  # as `in ()`: an empty `not in` would match every row (D26)
    return tuple(_scalar(value) for value in flat)


def _scalar(value: t.Any) -> t.Any:
    """Wrap a value; raises BadFilter for objects and lists, which a document store could read as operators."""
    if isinstance(value, Literal | Param | Function):
        return value
    if isinstance(value, Mapping | list | tuple | set):
        raise BadFilter("A filter value must be a single value.")
    return Literal(value, quoted=True)
