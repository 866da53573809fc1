r"""The grammar of filter texts: rules for lark's LALR parser, terminals for its contextual lexer.

In ``name = von Trapp and age>1`` values stand without quotes, so what a piece of text means depends on where it stands.
The contextual lexer gives exactly that: after an operator only value terminals are tried, so no operator is ever
searched inside a value. Where a bare value ends is said by the terminals below, in look-aheads.

Every repetition is possessive (``++``, ``*+``) or bounded, so that no text can make the lexer backtrack for long.
Keywords are matched as ASCII (``(?ai:...)``): no homoglyph is a keyword.
"""

from __future__ import annotations

RULES = r"""
?start: any_of
?any_of: none_of (_OR none_of)*
?none_of: one_of (_NOR one_of)*
?one_of: all_of (_XOR all_of)*
?all_of: term (_AND term)*
?term: comparison | _NOT term -> negation | _LPAR any_of _RPAR

?comparison: FIELD OPERATOR _value? -> single
           | FIELD _IN _list -> within
           | FIELD _NOT_IN _list -> without
           | FIELD _BETWEEN _low _AND _value -> between
           | FIELD _NOT_BETWEEN _low _AND _value -> outside
           | FIELD _NULL -> null
           | FIELD _NOT_NULL -> not_null

_value: QUOTED | PARAM | FUNCTION | BARE | _enclosed
_enclosed: _LPAR (QUOTED | PARAM | FUNCTION | HARMLESS | _enclosed) _RPAR
_low: QUOTED | PARAM | FUNCTION | LOW
_list: _LPAR items _RPAR | _LSQB items _RSQB
items: _item (_COMMA _item)*
_item: QUOTED | PARAM | FUNCTION | ELEMENT

%ignore /\s+/
"""

BLANKS = r"[ \t\r\n\f\v]++"


def _word(pattern: str) -> str:
    """Build a keyword: any case, ASCII only, as many blanks as one likes, and behind it what ends a word."""
    return rf"(?ai:{pattern.replace(' ', BLANKS)})(?=[\s()'\"\[\]`:{{|&,]|\Z)"


# What a column name looks like. It may have blanks inside, as DreamFactory takes all text before the operator for it.
PART = r"\w[\w.$-]{0,127}+"
WORD_OPERATORS = "not|eq|ne|gte?|lte?|in|like|between|contains|is|does|starts? with|ends? with"
KEYWORD = _word(rf"(?:and|or|nor|xor|{WORD_OPERATORS})")
MORE_PARTS = rf"(?: (?!{KEYWORD}){PART}){{0,7}}+"
NAME = rf"(?!{KEYWORD}){PART}{MORE_PARTS}"
#: A column whose name is odd or a keyword stands in double quotes, backticks or brackets.
QUOTED_NAME = r"\"(?:[^\"]|\"\"){1,255}+\"|`(?:[^`]|``){1,255}+`|\[[^\[\]]{1,255}+\]"
SYMBOL = r">=|<=|!=|<>|=|>|<"

# Where the pieces of a comparison end.
CONNECTIVE = _word("(?:and|or|nor|xor)")
WORD_OPERATOR = _word(f"(?:{WORD_OPERATORS})")
COMPARISON_AHEAD = rf"\s*+(?:{_word('not')}\s*+)*+(?:\(|(?:{QUOTED_NAME}|{NAME})\s*+(?:{SYMBOL}|{WORD_OPERATOR}))"
#: What shows that an `and` joins comparisons: `name = Bosnia and Herzegovina` stays one value, as recorded. An `and`
#: before a symbol (`x != a and lower(y) = b`) or before nothing is no part of a value either, so that it is refused.
SYMBOL_AHEAD = rf"(?:(?!\s{CONNECTIVE})[^=<>!]){{0,64}}+(?:{SYMBOL})"
JOINING = rf"(?:{COMPARISON_AHEAD}|{SYMBOL_AHEAD}|\s*+(?:\Z|\)))"
END = rf"(?=\s*+(?:\Z|[,)\]]|&&|\|\||{CONNECTIVE}))"

# Balanced parentheses inside a bare value belong to it: `phone = (555) 123-4567`.
PAREN = r"\((?:[^()]++|\((?:[^()]++|\([^()]*+\))*+\))*+\)"
ATOM = rf"(?:[^\s()&|]++|(?!(?:&&|\|\|){JOINING})[&|]|{PAREN})"
LIST_ATOM = rf"(?:[^\s,()\]]++|{PAREN})"

FUNCTION = (
    r"(?ai:(?:now|curdate|curtime|uuid|newid|getdate|getutcdate|sysdate|sysdatetime|localtimestamp|utc_timestamp"
    r"|current_date|current_time|current_timestamp)[ ]*+\([ ]*+\)|current_(?:date|time|timestamp))"
)
LOOKUP = r"\{\w[\w.|()-]*+\}"


def _quoted(quote: str) -> str:
    """Build a quoted value: as in SQL, doubled quotes inside; else, as recorded, the outer pair is what counts."""
    strict = rf"{quote}(?:[^{quote}]|{quote}{quote})*+{quote}{END}"
    outer = rf"{quote}(?:[^{quote}]|{quote}(?!{END}))*+{quote}{END}"
    return rf"{strict}|{outer}"


#: Terminals by name; the number is lark's priority where two could match at one place.
TERMINALS = {
    "_NOT.2": rf"{_word('not')}(?!\s*+(?:{SYMBOL}))",
    "FIELD.1": rf"{QUOTED_NAME}|{PART}{MORE_PARTS}",
    "OPERATOR": rf"{SYMBOL}|{_word('(?:eq|ne|gte?|lte?|(?:not )?(?:like|contains|starts? with|ends? with))')}",
    "_IN": _word("in"),
    "_NOT_IN": _word("not in"),
    "_BETWEEN": _word("between"),
    "_NOT_BETWEEN": _word("not between"),
    "_NULL": _word("(?:is null|does not exist)"),
    "_NOT_NULL": _word("(?:is not null|does exist)"),
    "_AND": rf"&&|{_word('and')}",
    "_OR": rf"\|\||{_word('or')}",
    "_NOR": _word("nor"),
    "_XOR": _word("xor"),
    "QUOTED.3": f"{_quoted(chr(39))}|{_quoted(chr(34))}",
    "FUNCTION.3": f"{FUNCTION}{END}",
    "PARAM.3": rf":(?!\d)\w{{1,128}}+{END}",
    # Only what is harmless may stand in parentheses: in DreamFactory that is raw SQL, which is refused (D28).
    "HARMLESS.2": rf"(?:[-+]?\d++(?:\.\d++)?|{LOOKUP})(?=\s*+\))",
    # A value takes its first word whatever it is (`state = OR`), unless that plainly starts the next comparison.
    "BARE.1": (
        rf"(?!['\"]|{PAREN}{END}|{CONNECTIVE}{COMPARISON_AHEAD}){ATOM}++"
        rf"(?:\s++(?!{CONNECTIVE}{JOINING}){ATOM}++)*+"
    ),
    "LOW.1": rf"(?!['\"(])[^\s()]++(?:\s++(?!{_word('and')})[^\s()]++)*+",
    "ELEMENT.1": rf"(?!['\"(\[]){LIST_ATOM}++(?:\s++{LIST_ATOM}++)*+",
    "_LPAR": r"\(",
    "_RPAR": r"\)",
    "_LSQB": r"\[",
    "_RSQB": r"\]",
    "_COMMA": ",",
}

GRAMMAR = RULES + "\n".join(f"{name}: /{pattern}/" for name, pattern in TERMINALS.items())
