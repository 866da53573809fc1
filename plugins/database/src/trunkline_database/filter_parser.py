"""The parser: from a filter text to its tree, or to a refusal in the words of spec section 8."""

from __future__ import annotations

import re
import typing as t
from collections.abc import Iterator
from functools import lru_cache

import lark

from trunkline_database import filter_grammar
from trunkline_database.filter_nodes import (
    BARE_LIST,
    FUNCTIONS,
    OPERATORS,
    UNPARSABLE,
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
    walk,
)

MAX_LENGTH = 65_536
MAX_DEPTH = 100
MAX_NODES = 5_000
CACHED_LENGTH = 2_048


def parse(text: object) -> Node:
    """Parse a filter text; raises BadFilter for all that is not one, blank texts and other types included (D26)."""
    if not isinstance(text, str) or not text.strip():
        raise BadFilter(UNPARSABLE)
    if len(text) > MAX_LENGTH:
        raise BadFilter(f"The filter is longer than {MAX_LENGTH} characters.")
    return _parse_cached(text) if len(text) <= CACHED_LENGTH else _parse(text)


def parse_value(text: str) -> Scalar:
    """Take a text as one value of a comparison: an allowed function, a quoted text or just the text."""
    text = text.strip()
    if _FUNCTION.fullmatch(text):
        return _function(text)
    quoted = len(text) > 1 and text[0] == text[-1] and text[0] in "'\""
    return Literal(_unquote(text), quoted=True) if quoted else Literal(text)


def parse_values(text: str) -> tuple[Scalar, ...]:
    """Split the inside of a value list, quotes honoured; raises ValueError. What looks like a parameter is text."""
    try:
        items = t.cast("tuple[Scalar, ...]", _PARSER.parse(text, start="items"))
    except (lark.exceptions.UnexpectedInput, BadFilter):
        raise ValueError("A list of values cannot be understood.") from None
    return tuple(Literal(f":{item.name}") if isinstance(item, Param) else item for item in items)


# What the parser calls.


class _DepthGuard:
    """Refuses deep parentheses while the tokens pass by, before anything is built."""

    always_accept = ()

    def process(self, stream: Iterator[lark.Token]) -> Iterator[lark.Token]:
        depth = 0
        for token in stream:
            if token.type == "_LPAR":
                depth += 1
                if depth > MAX_DEPTH:
                    raise BadFilter(_too_large())
            elif token.type == "_RPAR":
                depth -= 1
            yield token


@lark.v_args(inline=True)
class _Builder(lark.Transformer[lark.Token, Node]):
    """Builds nodes while the parser runs; the methods are named after rules and terminals of the grammar."""

    def any_of(self, *items: Node) -> Node:
        return Or(items)

    def none_of(self, *items: Node) -> Node:
        return Not(Or(items))

    def one_of(self, first: Node, *others: Node) -> Node:
        # Spelled out, because hardly any engine knows XOR.
        for other in others:
            first = Or((And((first, Not(other))), And((Not(first), other))))
        return first

    def all_of(self, *items: Node) -> Node:
        return And(items)

    def negation(self, item: Node) -> Node:
        return Not(item)

    def single(self, name: str, op: Op, value: Scalar = Literal("")) -> Node:  # noqa: B008 - immutable
        return Comparison(name, op, value)

    def within(self, name: str, items: tuple[Scalar, ...]) -> Node:
        return Comparison(name, "in", items)

    def without(self, name: str, items: tuple[Scalar, ...]) -> Node:
        return Comparison(name, "not in", items)

    def between(self, name: str, low: Scalar, high: Scalar) -> Node:
        return Comparison(name, "between", (low, high))

    def outside(self, name: str, low: Scalar, high: Scalar) -> Node:
        return Comparison(name, "not between", (low, high))

    def null(self, name: str) -> Node:
        return Comparison(name, "is null")

    def not_null(self, name: str) -> Node:
        return Comparison(name, "is not null")

    def items(self, *items: Scalar) -> tuple[Scalar, ...]:
        return items

    def FIELD(self, token: lark.Token) -> str:  # noqa: N802 - the name of the terminal
        if token[0] == "[":
            return token[1:-1]
        return _unquote(token) if token[0] in '"`' else str(token)

    def OPERATOR(self, token: lark.Token) -> Op:  # noqa: N802
        return OPERATORS[" ".join(token.lower().split())]

    def QUOTED(self, token: lark.Token) -> Scalar:  # noqa: N802
        return Literal(_unquote(token), quoted=True)

    def PARAM(self, token: lark.Token) -> Scalar:  # noqa: N802
        return Param(token[1:])

    def FUNCTION(self, token: lark.Token) -> Scalar:  # noqa: N802
        return _function(token)

    def BARE(self, token: lark.Token) -> Scalar:  # noqa: N802
        return Literal(str(token))

    HARMLESS = LOW = ELEMENT = BARE


_PARSER: t.Final = lark.Lark(
    filter_grammar.GRAMMAR,
    parser="lalr",
    lexer="contextual",
    start=["start", "items"],
    maybe_placeholders=False,
    transformer=_Builder(),
    postlex=_DepthGuard(),
)
_FUNCTION: t.Final = re.compile(rf"\(\s*(?:{filter_grammar.FUNCTION})\s*\)|{filter_grammar.FUNCTION}")
_OPERATOR: t.Final = re.compile(rf"{filter_grammar.SYMBOL}|(?<=[\s)])(?!(?ai:not)\b){filter_grammar.WORD_OPERATOR}")


def _parse(text: str) -> Node:
    try:
        node = t.cast(Node, _PARSER.parse(text, start="start"))
    except lark.exceptions.UnexpectedInput as error:
        raise _explain(error, text) from None
    for count, (_, depth) in enumerate(walk(node)):
        if count >= MAX_NODES or depth > MAX_DEPTH:
            raise BadFilter(_too_large())
    return node


_parse_cached = lru_cache(maxsize=1024)(_parse)


def _explain(error: lark.exceptions.UnexpectedInput, text: str) -> BadFilter:
    """Say it in the words of section 8: a list without parentheses, a bad field, or just unparsable."""
    expected = set(getattr(error, "expected", ())) | set(getattr(error, "allowed", None) or ())
    if "ELEMENT" in expected or expected == {"_LPAR", "_LSQB"}:
        return BadFilter(BARE_LIST)
    history = getattr(error, "token_history", None) or [None]
    if "FIELD" in expected:
        start = error.pos_in_stream
    elif "OPERATOR" in expected and history[-1] is not None:
        start = history[-1].start_pos
    else:
        return BadFilter(UNPARSABLE)
    operator = _OPERATOR.search(text, start or 0)
    return BadFilter.at_field(text[start : operator.start()].strip()) if operator else BadFilter(UNPARSABLE)


def _too_large() -> str:
    return f"The filter is nested deeper than {MAX_DEPTH} levels or has more than {MAX_NODES} parts."


def _unquote(token: str) -> str:
    """Take off the outer pair; quotes inside are halved only if all are doubled: ``'O'Brien'`` works as recorded."""
    quote, inner = token[0], token[1:-1]
    return inner.replace(quote * 2, quote) if quote not in inner.replace(quote * 2, "") else inner


def _function(text: str) -> Function:
    return Function(FUNCTIONS[text.strip("() ").upper()])
