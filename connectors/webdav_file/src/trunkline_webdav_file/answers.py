"""What a server tells of files and folders (RFC 4918, 9.1), read while it comes."""

from __future__ import annotations

from collections.abc import AsyncIterable
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from urllib.parse import unquote_to_bytes, urlsplit
from xml.etree.ElementTree import ParseError

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import DefusedXMLParser

from trunkline_files.errors import unavailable
from trunkline_files.paths import name_of
from trunkline_files.store import Entry

QUESTION = (
    b'<?xml version="1.0" encoding="utf-8"?><propfind xmlns="DAV:"><prop>'
    b"<resourcetype/><getcontentlength/><getlastmodified/><getetag/></prop></propfind>"
)
_DAV = "{DAV:}"
_WANTED = frozenset({"href", "getcontentlength", "getlastmodified", "getetag"})


@dataclass(slots=True)
class Row:
    """A file or folder: the path of its URL, decoded, without a slash at the end."""

    path: str = ""
    is_folder: bool = False
    size: int | None = None
    modified: float | None = None
    etag: str | None = None

    @property
    def name(self) -> str:
        """The last part of the path."""
        return name_of(self.path)

    def entry(self, path: str) -> Entry:
        """Answer the entry for a path below the container."""
        if self.is_folder:
            return Entry(path, is_folder=True, modified=self.modified)
        return Entry(path, size=self.size or 0, modified=self.modified, etag=self.etag)


@dataclass(slots=True)
class _Target:
    """Collects rows while a parser goes through the answer."""

    rows: list[Row] = field(default_factory=list)
    _row: Row | None = None
    _text: list[str] | None = None

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        name = tag.removeprefix(_DAV)
        if name == "response":
            self._row = Row()
        elif name == "collection" and self._row is not None:
            self._row.is_folder = True
        self._text = [] if name in _WANTED and tag.startswith(_DAV) else None

    def data(self, text: str) -> None:
        if self._text is not None:
            self._text.append(text)

    def end(self, tag: str) -> None:
        text = "".join(self._text or ()).strip()
        name, self._text = tag.removeprefix(_DAV), None
        if self._row is None:
            return
        if name == "response":
            self.rows.append(self._row)
            self._row = None
        elif text:
            _set(self._row, name, text)

    def close(self) -> None:
        """Do nothing: rows are there already."""


def _set(row: Row, name: str, text: str) -> None:
    match name:
        case "href" if not row.path:
            # Names that are no text cannot be told or asked for; they keep a mark by which they are left out.
            row.path = unquote_to_bytes(urlsplit(text).path).decode("utf-8", "surrogateescape").rstrip("/")
        case "getcontentlength" if text.isdecimal():
            row.size = int(text)
        case "getetag":
            row.etag = text.removeprefix("W/").strip('"')
        case "getlastmodified":
            try:
                row.modified = parsedate_to_datetime(text).timestamp()
            except ValueError:
                row.modified = None


async def rows_of(pieces: AsyncIterable[bytes]) -> list[Row]:
    """Read an answer; raises Unavailable for what is none."""
    target = _Target()
    parser = DefusedXMLParser(target=target, forbid_dtd=True)
    try:
        async for piece in pieces:
            parser.feed(piece)
        parser.close()
    except (ParseError, DefusedXmlException, ValueError) as error:
        raise unavailable("The storage did not answer as WebDAV servers do.") from error
    return target.rows
