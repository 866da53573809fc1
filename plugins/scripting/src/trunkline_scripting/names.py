"""The names under which a call is told (system-api 15)."""

from __future__ import annotations

import logging
from typing import Any
from weakref import WeakKeyDictionary

from trunkline.call import SYSTEM, Call
from trunkline.service import Service

log = logging.getLogger(__name__)
Pattern = tuple[str, ...]


class Names:
    """Finds the events of calls by the paths that services declare, which are asked for once."""

    def __init__(self) -> None:
        """Know no service yet."""
        self._patterns: WeakKeyDictionary[Service, list[Pattern]] = WeakKeyDictionary()

    async def of(self, service: Service, call: Call) -> tuple[list[str], Any]:
        """Answer the names of a call without verb and phase, and what stands for the placeholders.

        The name with placeholders comes first, then the one with what stands there.
        """
        patterns = self._patterns.get(service)
        if patterns is None:
            patterns = self._patterns[service] = await _patterns(service)
        path = [one.lower() for one in call.path]
        pattern = next((one for one in patterns if _fits(one, path)), ())
        filled = {part: call.path[place] for place, part in enumerate(pattern) if part.startswith("{")}
        there = path[: len(pattern)]
        names = [".".join((service.name.lower(), *pattern)), ".".join((service.name.lower(), *there))]
        resource = next(iter(filled.values())) if len(filled) == 1 else filled or None
        return list(dict.fromkeys(names)), resource


async def _patterns(service: Service) -> list[Pattern]:
    """List the paths of a service, the longest first: a call is told where it is handled, and not above as well."""
    try:
        paths = await service.call_paths(SYSTEM)
    except Exception as error:
        log.warning("the paths of service %s are not known: %s", service.name, type(error).__name__)
        return []
    found = {tuple(one.path.lower().split("/")) if one.path else () for one in paths}
    return sorted(found, key=len, reverse=True)


def _fits(pattern: Pattern, path: list[str]) -> bool:
    if len(pattern) > len(path):
        return False
    return all(part.startswith("{") or part == one for part, one in zip(pattern, path, strict=False))
