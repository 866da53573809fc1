"""Target: the file or folder that a call is about."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from trunkline_files.paths import name_of


@dataclass(frozen=True, slots=True)
class Target:
    """A checked path below the container, and whether it names a folder; the root is the empty path."""

    path: str
    is_folder: bool

    @property
    def name(self) -> str:
        """The last part of the path."""
        return name_of(self.path)

    @property
    def shown(self) -> str:
        """The path as clients know it: folders end in a slash, the root is empty."""
        return f"{self.path}/" if self.is_folder and self.path else self.path

    def told(self, *, with_type: bool = True) -> dict[str, Any]:
        """Answer what replies to writes say of it (connectors 4.4, 4.5 and 4.10)."""
        told = {"name": self.name, "path": self.shown}
        return {**told, "type": "folder" if self.is_folder else "file"} if with_type else told
