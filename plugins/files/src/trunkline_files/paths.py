"""Paths below a container: what a client may name, and how it is put together (connectors 4.1, checklist 21)."""

from __future__ import annotations

import re
from collections.abc import Iterable
from urllib.parse import unquote

from trunkline.errors import BadRequest

# Names that a store uses for what is not finished yet; nobody may see or name them.
RESERVED = ".trunkline-"
_MOST_BYTES = 255
_MOST_PATH_BYTES = 1024
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_DRIVE = re.compile(r"[A-Za-z]:")
_NOT_IN_UPLOADS = re.compile(r"[^A-Za-z0-9_.\-]+")


class BadPath(BadRequest):
    """A path or name that could mean a place outside, or another one than it says."""


def checked(segments: Iterable[str]) -> str:
    """Join segments to a path; raises BadPath for any that is not plainly one name.

    What decodes to a separator or to dots is refused however often it was encoded, since what stands behind us may
    decode once more. Dots and blanks at the end are refused because some file systems drop them, so that a name
    would pass for another.
    """
    names = [name for name in segments if name]
    for name in names:
        check_name(name)
    path = "/".join(names)
    if len(path.encode()) > _MOST_PATH_BYTES:
        raise BadPath(f"The path is longer than {_MOST_PATH_BYTES} bytes.")
    return path


def check_name(name: str) -> None:
    """Raise BadPath unless this is the plain name of one file or folder."""
    decoded, once_more = name, unquote(name)
    while decoded != once_more:
        decoded, once_more = once_more, unquote(once_more)
    for one in (name, decoded):
        if "/" in one or "\\" in one or _CONTROL.search(one):
            raise BadPath("The path has a name with characters that are not allowed.")
        if one != one.rstrip(". ") or one != one.lstrip(" ") or not one:
            raise BadPath("The path has a name that begins or ends in a way that is not allowed.")
        if _DRIVE.match(one):
            raise BadPath("The path has a name that begins with a drive letter.")
        if one.lower().startswith(RESERVED):
            raise BadPath(f"Names that begin with '{RESERVED}' are reserved.")
    try:
        size = len(name.encode())
    except UnicodeEncodeError:
        raise BadPath("The path is not valid Unicode.") from None
    if size > _MOST_BYTES:
        raise BadPath(f"The path has a name of more than {_MOST_BYTES} bytes.")


def from_text(text: object) -> tuple[str, bool]:
    """Read a path that a client sends in a body; answer it, and whether it ends as folders do. Raises BadPath."""
    if not isinstance(text, str):
        raise BadPath("A path must be text.")
    if text.startswith("/") and text.strip("/"):
        raise BadPath("A path must not be absolute.")
    return checked(text.split("/")), text.endswith("/")


def joined(folder: str, name: str) -> str:
    """Answer the path of something in a folder; the root is empty."""
    return f"{folder}/{name}" if folder else name


def parent_of(path: str) -> str:
    """Answer the folder in which something is."""
    return path.rpartition("/")[0]


def name_of(path: str) -> str:
    """Answer the last part of a path."""
    return path.rpartition("/")[2]


def above(path: str) -> Iterable[str]:
    """List the folders in which a path is, the outermost first, without the root."""
    parts = path.split("/")[:-1]
    return ["/".join(parts[: count + 1]) for count in range(len(parts))]


def sanitized(name: str) -> str:
    """Answer the name that an uploaded file gets, of the letters that are safe everywhere (connectors 4.4).

    Browsers may send a path; only its last part counts. Raises BadPath when nothing is left.
    """
    last = re.split(r"[/\\]", name)[-1]
    plain = _NOT_IN_UPLOADS.sub("_", last).rstrip(". ")
    if not plain.strip("_"):
        raise BadPath("An uploaded file has no name.")
    check_name(plain)
    return plain
