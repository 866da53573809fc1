"""Distinguished names: compared as directories do, whatever way they are written (RFC 4514)."""

from __future__ import annotations

import re
from collections.abc import Iterator

Name = tuple[frozenset[tuple[str, str]], ...]
_TYPE = re.compile(r"[A-Za-z][A-Za-z0-9-]*|\d+(\.\d+)*")
_PAIR = re.compile(rb"\\([0-9A-Fa-f]{2})|\\(.)|([^\\])", re.DOTALL)


def normal(name: str) -> Name | None:
    """Answer a name in the form in which equal ones are equal; None for what is no name.

    Values count without regard to case and to how many spaces there are, as those that names are made of do.
    """
    parts = []
    for part in _split(name, ","):
        pairs = set()
        for pair in _split(part, "+"):
            kind, equals, value = pair.partition("=")
            plain = _plain(_trimmed(value))
            if not equals or not _TYPE.fullmatch(kind.strip()) or not plain:
                return None
            pairs.add((kind.strip().lower(), " ".join(plain.casefold().split())))
        parts.append(frozenset(pairs))
    return tuple(parts) or None


def _split(text: str, separator: str) -> Iterator[str]:
    """Split at separators that nothing escapes."""
    start = place = 0
    while place < len(text):
        if text[place] == separator:
            yield text[start:place]
            start = place + 1
        place += 2 if text[place] == "\\" else 1
    yield text[start:]


def _trimmed(value: str) -> str:
    """Leave out the spaces at the ends, but for one that is escaped."""
    short = value.strip(" ")
    return short + " " if short.endswith("\\") and value.endswith(" ") else short


def _plain(value: str) -> str | None:
    """Undo the escapes; None for a backslash that escapes nothing, or bytes that are no text."""
    found = bytearray()
    place, raw = 0, value.encode("utf-8", "surrogatepass")
    while place < len(raw):
        match = _PAIR.match(raw, place)
        if match is None:
            return None
        found += bytes.fromhex(match[1].decode()) if match[1] else match[2] or match[3]
        place = match.end()
    try:
        return found.decode()
    except UnicodeDecodeError:
        return None
