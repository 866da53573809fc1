"""The file: YAML as people read it, with the line of everything for what is said about it."""

from __future__ import annotations

import re
from typing import Any

import yaml

from trunkline.errors import BadRequest

VERSION = 1
_SHORT = 80
_HEADER = """\
# Configuration of a Trunkline gateway: `trunkline apply FILE --plan` tells what it would change.
# What is left out has its default. `secret:` stands for a stored secret that the file does not tell.
"""


class Mapping(dict[str, Any]):
    """A mapping that knows the line where it begins."""

    line: int = 0


class _Loader(yaml.SafeLoader):
    """Reads plain data; dates stay text, and no key may be there twice."""


def _mapping(loader: _Loader, node: yaml.MappingNode) -> Mapping:
    found = Mapping()
    found.line = node.start_mark.line + 1
    for key_node, value_node in node.value:
        key = str(loader.construct_object(key_node, deep=True))
        if key in found:
            raise BadRequest(f"Line {key_node.start_mark.line + 1}: '{key}' is there twice.")
        found[key] = loader.construct_object(value_node, deep=True)
    return found


_Loader.add_constructor("tag:yaml.org,2002:map", _mapping)
_Loader.yaml_implicit_resolvers = {
    first: [pair for pair in resolvers if pair[0] != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


class _Dumper(yaml.SafeDumper):
    """Writes long texts as blocks."""

    def ignore_aliases(self, data: Any) -> bool:
        """Write everything out, however often it is there."""
        return True


def _text(dumper: _Dumper, value: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", str(value), style="|" if "\n" in value else None)


def _list(dumper: _Dumper, value: list[Any]) -> yaml.SequenceNode:
    """Write short lists of words in one line."""
    short = all(isinstance(one, str | int) and "\n" not in str(one) for one in value) and len(str(value)) <= _SHORT
    return dumper.represent_sequence("tag:yaml.org,2002:seq", value, flow_style=short)


_Dumper.add_representer(list, _list)
_Dumper.add_multi_representer(str, _text)
_Dumper.add_representer(str, _text)


def parse(text: str) -> Mapping:
    """Read a file; raises BadRequest with the line for what is no YAML, or not ours."""
    try:
        found = yaml.load(text, _Loader)  # noqa: S506 - derived from the safe loader
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark is not None else 1
        raise BadRequest(f"Line {line}: the file is not valid YAML: {error.problem}.") from None
    except yaml.YAMLError as error:
        told = re.sub(r"\s+", " ", str(error))
        raise BadRequest(f"The file is not valid YAML: {told}.") from None
    if not isinstance(found, Mapping) or found.get("trunkline") != VERSION:
        raise BadRequest(f"Line 1: the file must begin with 'trunkline: {VERSION}'.")
    return found


def write(content: dict[str, Any]) -> str:
    """Write a file; each kind of record is set off by a blank line."""
    parts = [_HEADER]
    for name, value in {"trunkline": VERSION, **content}.items():
        parts.append(dumped({name: value}))
    return parts[0] + "\n".join(parts[1:])


def dumped(value: Any) -> str:
    """Write one value."""
    text: str = yaml.dump(value, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=110, indent=2)
    return text
