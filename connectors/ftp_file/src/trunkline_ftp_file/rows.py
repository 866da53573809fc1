"""Rows of lists, in the form that machines write (MLSD) and in the one that people read (LIST)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal

from trunkline_files.paths import joined
from trunkline_files.store import Entry

if TYPE_CHECKING:
    from aioftp import Client

Kind = Literal["file", "folder", "other"]
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_KINDS: Mapping[str, Kind] = {"file": "file", "dir": "folder"}
# What systems say of links; whatever else has it is looked at twice.
_MODE_OF_LINKS = "777"


@dataclass(frozen=True, slots=True)
class Row:
    """Something in a folder. Links, devices and the like are of another kind."""

    name: str
    kind: Kind
    size: int | None = None
    modified: float | None = None
    may_be_link: bool = False

    def at(self, modified: float | None) -> Row:
        """Answer the same with another time."""
        return replace(self, modified=modified)

    def entry(self, folder: str) -> Entry:
        """Answer the entry for a file or folder."""
        path = joined(folder, self.name)
        if self.kind == "folder":
            return Entry(path, is_folder=True, modified=self.modified)
        etag = None if self.modified is None or self.size is None else f"{int(self.modified):x}-{self.size:x}"
        return Entry(path, size=self.size, modified=self.modified, etag=etag)


def of_facts(client: Client, line: str, name: str = "") -> Row | None:
    """Read a row of MLSD or MLST, whose name is known; None for the folder itself and the one above it."""
    path, facts = client.parse_mlsx_line(line)
    return _row(name or str(path), dict(facts))


def listed(client: Client, line: str) -> Row | None:
    """Read a row of LIST; None for what is none, such as a sum."""
    try:
        path, facts = client.parse_list_line(line.encode())
    except (ValueError, LookupError):
        return None
    return _row(str(path), dict(facts))


def _row(name: str, facts: dict[str, Any]) -> Row | None:
    if not name or name in (".", "..") or "/" in name or _CONTROL.search(name):
        return None
    told = str(facts.get("type", "")).lower()
    if told in ("cdir", "pdir"):
        return None
    kind = "other" if "link_dst" in facts else _KINDS.get(told, "other")
    size = str(facts.get("size", ""))
    # With LIST the type says what is a link.
    mode = facts.get("unix.mode", _MODE_OF_LINKS)
    return Row(
        name,
        kind,
        int(size) if size.isdecimal() else None,
        moment(str(facts.get("modify", ""))),
        kind == "file" and isinstance(mode, str) and mode.endswith(_MODE_OF_LINKS),
    )


def moment(text: str) -> float | None:
    """Read a time, ``20250304101112`` with or without a fraction, in epoch seconds; None when it is none."""
    try:
        return datetime.strptime(text.partition(".")[0], "%Y%m%d%H%M%S").replace(tzinfo=UTC).timestamp()
    except ValueError:
        return None
