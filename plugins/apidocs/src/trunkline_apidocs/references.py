"""References between the parts of a document: renaming them, and finding the parts that nothing refers to."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

_COMPONENTS = "#/components/"


class Renamer:
    """Copies values with new names for references; what stands in several places is copied once, and stays one."""

    def __init__(self, renamed: Mapping[str, str]) -> None:
        """Take the new references by the old ones."""
        self._renamed = renamed
        self._done: dict[int, Any] = {}
        # Objects whose ids are remembered must not be let go.
        self._kept: list[Any] = []

    def __call__(self, value: Any) -> Any:
        """Answer a copy, or the value itself where nothing is renamed."""
        if not self._renamed:
            return value
        self._kept.append(value)
        return _renamed(value, self._renamed, self._done)


def _renamed(value: Any, renamed: Mapping[str, str], done: dict[int, Any]) -> Any:
    if not isinstance(value, dict | list | tuple):
        return value
    known = done.get(id(value))
    if known is not None:
        return known
    if isinstance(value, dict):
        found: Any = {
            key: renamed.get(one, one) if key == "$ref" and isinstance(one, str) else _renamed(one, renamed, done)
            for key, one in value.items()
        }
    else:
        found = [_renamed(one, renamed, done) for one in value]
    done[id(value)] = found
    return found


def pruned(document: dict[str, Any]) -> dict[str, Any]:
    """Leave out the components that nothing refers to, directly or through others; security schemes stay."""
    components = document["components"]
    needed: set[str] = set()
    waiting = set(_references({"paths": document["paths"]}, set()))
    while waiting:
        one = waiting.pop()
        needed.add(one)
        kind, _, name = one.removeprefix(_COMPONENTS).partition("/")
        found = components.get(kind, {}).get(name.replace("~1", "/").replace("~0", "~"))
        waiting |= set(_references(found, set())) - needed
    kept = {
        kind: members
        if kind == "securitySchemes"
        else {name: one for name, one in members.items() if f"{_COMPONENTS}{kind}/{name}" in needed}
        for kind, members in components.items()
    }
    return {**document, "components": kept}


def _references(value: Any, seen: set[int]) -> Iterator[str]:
    if id(value) in seen or not isinstance(value, dict | list | tuple):
        return
    seen.add(id(value))
    if isinstance(value, dict):
        found = value.get("$ref")
        if isinstance(found, str):
            yield found
        for one in value.values():
            yield from _references(one, seen)
    else:
        for one in value:
            yield from _references(one, seen)
