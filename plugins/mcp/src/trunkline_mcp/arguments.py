"""Arguments of tools: names in any case are understood, all else is held against the schema (checklist 35)."""

from __future__ import annotations

import difflib
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import best_match

from trunkline import json
from trunkline.errors import BadRequest

if TYPE_CHECKING:
    from trunkline_mcp.tool import Arguments, Tool

_MOST_WORDS = 400


class BadArguments(BadRequest):
    """The arguments of a tool are not what its schema says; the message is for the model that made them."""


def checked(tool: Tool, given: dict[str, Any]) -> Arguments:
    """Answer the arguments under their own names; raises BadArguments that says what is wrong."""
    known = {_bare(name): name for name in (*tool.schema["properties"], *tool.understood)}
    found: Arguments = {}
    for name, value in given.items():
        right = known.get(_bare(name))
        if right is None or right in found:
            raise BadArguments(f"Invalid arguments for {tool.name}: {_unknown(name, list(known.values()))}")
        if value is not None:
            found[right] = value
    listed = {name: value for name, value in found.items() if name not in tool.understood}
    wrong = best_match(_validator(json.dumps(tool.schema)).iter_errors(listed))
    if wrong is not None:
        where = ".".join(map(str, wrong.absolute_path))
        told = f"{where}: {wrong.message}" if where else wrong.message
        raise BadArguments(f"Invalid arguments for {tool.name}: {told[:_MOST_WORDS]}")
    return found


@lru_cache(maxsize=512)
def _validator(schema: bytes) -> Draft202012Validator:
    return Draft202012Validator(json.loads(schema))


def _bare(name: str) -> str:
    return name.replace("_", "").replace("-", "").lower()


def _unknown(name: str, known: list[str]) -> str:
    near = difflib.get_close_matches(name[:64].lower(), known, 1)
    return f"unknown argument {name[:64]}" + (f", did you mean {near[0]}" if near else "")
