"""Installed service types by name; finding them imports nothing, a type is imported when first used."""

from __future__ import annotations

import logging
from importlib.metadata import EntryPoint, entry_points

from trunkline.errors import Unavailable
from trunkline.service import Service

GROUP = "trunkline.service_types"
log = logging.getLogger(__name__)


class Registry:
    """The service types that installed packages offer."""

    def __init__(self) -> None:
        """Read the entry points."""
        self._points: dict[str, EntryPoint] = {point.name: point for point in entry_points(group=GROUP)}
        self._loaded: dict[str, type[Service]] = {}
        self.broken: dict[str, str] = {}

    def names(self) -> list[str]:
        """List the installed types by name."""
        return sorted({*self._points, *self._loaded})

    def add(self, name: str, kind: type[Service]) -> None:
        """Add a type that no package brings; for tests and experiments."""
        self._loaded[name] = kind

    def load(self, name: str) -> type[Service]:
        """Answer a type, importing it; raises Unavailable that says what to install when it is not there or broken."""
        found = self._loaded.get(name)
        if found is not None:
            return found
        point = self._points.get(name)
        if point is None:
            raise Unavailable(f"Service type '{name}' is not installed. Try: pip install {package_of(name)}")
        try:
            kind: type[Service] = point.load()
        except Exception as error:
            self.broken[name] = f"{type(error).__name__}: {error}"
            log.exception("service type %s cannot be loaded", name)
            raise Unavailable(f"Service type '{name}' cannot be loaded: its package or a driver is broken.") from error
        self._loaded[name] = kind
        return kind

    def find(self, name: str) -> type[Service] | None:
        """Answer a type, or None when it is not installed or broken."""
        found = self._loaded.get(name)
        if found is not None or name not in self._points or name in self.broken:
            return found
        try:
            return self.load(name)
        except Unavailable:
            return None


def package_of(name: str) -> str:
    """Name the package that brings a service type, by convention."""
    return "trunkline-" + name.replace("_", "-")
