"""From a filter's tree to a query document: operators are ours alone, every value is typed data (checklist 3).

NULL and a missing field are one, and nothing compares with it, as in SQL; so NOT is moved inwards until it is part of
a comparison, where it means what it says.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from trunkline.errors import BadRequest
from trunkline_database import types
from trunkline_database.documents.evaluate import expression
from trunkline_database.filters import And, Comparison, Function, Literal, Node, Not, Scalar
from trunkline_database.model import Column, Table
from trunkline_mongodb.values import bson_of, candidates

Document = dict[str, Any]
# What no document passes.
NEVER: Document = {"_id": {"$in": []}}
ID = "_id"
_COMPARE = {">": "$gt", "<": "$lt", ">=": "$gte", "<=": "$lte"}
_OPPOSITE = {
    "=": "!=", "!=": "=", ">": "<=", "<": ">=", ">=": "<", "<=": ">",
    "is null": "is not null", "is not null": "is null",
}  # fmt: skip
_LIKE = ("like", "contains", "starts with", "ends with")
_TEXTS = frozenset({"string", "text", "uuid", "json", "array"})


def path(table: Table, column: Column) -> str:
    """Answer where documents have a column: a key of one column is what MongoDB calls ``_id``."""
    key = table.primary_key
    return ID if len(key) == 1 and key[0] is column else column.name


def query(table: Table, node: Node | None) -> Document:
    """Write the query document of a tree; of none, that of all documents."""
    return {} if node is None else _written(table, node, False)


def can(table: Table) -> Callable[[Node], bool]:
    """Make what says of a part of a tree whether MongoDB can judge it: not what asks for the text of a number."""

    def judged(node: Node) -> bool:
        if isinstance(node, Not):
            return judged(node.item)
        if not isinstance(node, Comparison):
            return all(judged(item) for item in node.items)
        column = table.by_real_name[node.field]
        return column.is_open or column.type in _TEXTS or not node.op.removeprefix("not ").startswith(_LIKE)

    return judged


def _written(table: Table, node: Node, negated: bool) -> Document:
    if isinstance(node, Not):
        return _written(table, node.item, not negated)
    if isinstance(node, Comparison):
        return _comparison(table, node, negated)
    word = "$and" if isinstance(node, And) is not negated else "$or"
    return {word: [_written(table, item, negated) for item in node.items]}


def _comparison(table: Table, node: Comparison, negated: bool) -> Document:
    column = table.by_real_name[node.field]
    place = path(table, column)
    op: str = node.op
    if op == "matches":
        given = _native(column, node.value)
        return {"$nor": [{place: given}]} if negated else {place: given}
    if negated:
        op = _OPPOSITE.get(op) or (op.removeprefix("not ") if op.startswith("not ") else f"not {op}")
    if node.value is None:
        return {place: {"$eq" if op == "is null" else "$ne": None}}
    if isinstance(node.value, tuple):
        return _listed(column, place, op, node.value)
    return _single(column, place, op, node.value)


def _single(column: Column, place: str, op: str, scalar: Scalar) -> Document:
    if isinstance(scalar, Literal) and scalar.value is None:
        return NEVER
    if op.removeprefix("not ") in _LIKE:
        return _like(place, op, scalar)
    found = _values(column, scalar)
    if op == "=":
        return {place: {"$eq": found[0]} if len(found) == 1 else {"$in": found}}
    if op == "!=":
        return {place: {"$nin": [*found, None]}}
    ways = [{place: {_COMPARE[op]: one}} for one in found if not isinstance(one, bool) or len(found) == 1]
    return ways[0] if len(ways) == 1 else {"$or": ways}


def _listed(column: Column, place: str, op: str, scalars: Sequence[Scalar]) -> Document:
    nothing = any(isinstance(one, Literal) and one.value is None for one in scalars)
    if op.endswith("between"):
        if nothing:
            return NEVER
        low, high = (_single(column, place, word, one) for word, one in zip((">=", "<="), scalars, strict=True))
        if op == "between":
            return {"$and": [low, high]}
        low, high = (_single(column, place, word, one) for word, one in zip(("<", ">"), scalars, strict=True))
        return {"$or": [low, high]}
    found = [
        value
        for one in scalars
        if not (isinstance(one, Literal) and one.value is None)
        for value in _values(column, one)
    ]
    if op == "in":
        return {place: {"$in": found}} if found else NEVER
    return NEVER if nothing else {place: {"$nin": [*found, None]}}


def _like(place: str, op: str, scalar: Scalar) -> Document:
    if not isinstance(scalar, Literal):
        raise BadRequest("A pattern must be text.")
    word = op.removeprefix("not ")
    whole = expression(word, str(scalar.value)).replace("\0", r"\x00")
    # Without anchors where they would be no more than a longer search.
    whole = whole.removeprefix(".*") if whole.startswith(".*") else f"^{whole}"
    whole = whole.removesuffix(".*") if whole.endswith(".*") else rf"{whole}\z"
    found = {"$regex": whole, "$options": "is"}
    if op == word:
        return {place: found}
    return {place: {"$not": found, "$ne": None}}


def _values(column: Column, scalar: Scalar) -> list[Any]:
    """List what a scalar may be as MongoDB stores it: one value, or several where no type says which."""
    if isinstance(scalar, Function):
        return [bson_of(column, scalar)]
    if not isinstance(scalar, Literal):
        raise BadRequest(f"The parameter '{scalar.name}' has no value.")
    if column.is_open:
        return candidates(column.name, scalar.value, scalar.quoted)
    return [bson_of(column, scalar.value)]


def _native(column: Column, value: Any) -> Any:
    """Answer the condition of a native filter, read and checked before; of a declared column, in its type."""
    given = value.value
    if column.is_open:
        return given
    return {
        word: [_typed(column, one) for one in operand] if word in ("$in", "$nin") else _typed(column, operand)
        if word in ("$eq", "$ne", "$gt", "$gte", "$lt", "$lte") else operand
        for word, operand in given.items()
    }  # fmt: skip


def _typed(column: Column, value: Any) -> Any:
    if isinstance(value, Mapping | list):
        raise BadRequest(f"Field '{column.key}' must be a single value.")
    return bson_of(column, types.incoming(column, value))
