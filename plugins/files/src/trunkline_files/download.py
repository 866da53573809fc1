"""GET on a file: its bytes, a part of them, or what is known of it (connectors 4.3)."""

from __future__ import annotations

import base64
import re
from collections.abc import AsyncGenerator
from typing import Any
from urllib.parse import quote

from trunkline.call import Call, Reply, truth
from trunkline.errors import BadRequest, TooLarge
from trunkline_files import dates, media_types
from trunkline_files.errors import FileMissing
from trunkline_files.store import Entry, Store
from trunkline_files.target import Target

# Content inside of JSON has to be held in memory.
_MOST_INLINE = 64 * 2**20
_RANGE = re.compile(r"bytes\s*=\s*(\d*)\s*-\s*(\d*)\s*", re.IGNORECASE)
_NOT_PLAIN = re.compile(r'[^\x20-\x7e]|["\\%]')


async def answer(store: Store, call: Call, target: Target) -> Any:
    """Answer a file or what is known of it; raises FileMissing."""
    if call.flag("include_properties"):
        return await _properties(store, call, await _known(store, target))
    return await sent(store, call, target, attached=call.flag("download"))


async def _known(store: Store, target: Target) -> Entry:
    entry = await store.file(target.path)
    if entry is None:
        raise FileMissing(target.path)
    return entry


async def sent(store: Store, call: Call, target: Target, *, attached: bool = False) -> Reply:
    """Answer the bytes of a file as the headers ask for them; raises FileMissing."""
    entry = await _known(store, target)
    media_type = media_types.of_entry(store, entry)
    headers = {
        **store.download_headers,
        **_validators(entry),
        "Accept-Ranges": "bytes",
        "X-Content-Type-Options": "nosniff",
        **_disposition(store, entry, media_type, attached=attached),
    }
    if _is_unchanged(call, entry):
        return Reply(b"", 304, headers, media_type)
    size = entry.size or 0
    part = _part(call, entry)
    if part is None:
        return Reply(store.read(entry.path), 200, {**headers, "Content-Length": str(size)}, media_type)
    start, end = part
    if start >= size or end < start:
        return Reply(b"", 416, {"Content-Range": f"bytes */{size}", "Accept-Ranges": "bytes"}, media_type)
    headers |= {"Content-Range": f"bytes {start}-{end}/{size}", "Content-Length": str(end - start + 1)}
    return Reply(store.read(entry.path, start, end - start + 1), 206, headers, media_type)


async def _properties(store: Store, call: Call, entry: Entry) -> dict[str, Any]:
    told = {
        "path": entry.path,
        "name": entry.name,
        "content_type": media_types.of_entry(store, entry),
        "last_modified": dates.written(entry.modified),
        "content_length": entry.size,
        **entry.more,
    }
    if call.flag("content"):
        if (entry.size or 0) > _MOST_INLINE:
            raise TooLarge("The file is too large to be told as a field; download it instead.")
        content = await _whole(store.read(entry.path))
        encoded = call.option("is_base64")
        if encoded is None or truth(encoded):
            told["content"] = base64.b64encode(content).decode()
        else:
            try:
                told["content"] = content.decode()
            except UnicodeDecodeError:
                raise BadRequest("The file is not text; leave 'is_base64' on.") from None
    return told


async def _whole(pieces: AsyncGenerator[bytes, None]) -> bytes:
    return b"".join([piece async for piece in pieces])


def _validators(entry: Entry) -> dict[str, str]:
    """Answer the headers by which a client asks again whether anything changed."""
    found = {}
    if entry.modified is not None:
        found["Last-Modified"] = dates.written(entry.modified) or ""
    if entry.etag is not None:
        found["ETag"] = f'"{entry.etag}"'
    return found


def _is_unchanged(call: Call, entry: Entry) -> bool:
    """Say whether the client has these bytes already; a tag counts before a time (RFC 9110, 13.2.2)."""
    if (tags := call.headers.get("if-none-match")) is not None:
        return tags.strip() == "*" or f'"{entry.etag}"' in [one.strip().removeprefix("W/") for one in tags.split(",")]
    if (since := call.headers.get("if-modified-since")) is not None and entry.modified is not None:
        moment = dates.read(since)
        return moment is not None and int(entry.modified) <= moment
    return False


def _part(call: Call, entry: Entry) -> tuple[int, int] | None:
    """Answer first and last byte of the part asked for, None for all; several parts at once are not offered.

    What is malformed is ignored, as RFC 9110 wants; a part of a file that has changed since is the whole file.
    """
    asked = call.headers.get("range")
    if asked is None or (match := _RANGE.fullmatch(asked)) is None:
        return None
    if (condition := call.headers.get("if-range")) is not None:
        current = (f'"{entry.etag}"', dates.written(entry.modified))
        if condition.strip() not in current:
            return None
    size = entry.size or 0
    first, last = match.groups()
    if (not first and not last) or max(len(first), len(last)) > 19:
        return None
    if not first:
        return (max(size - int(last), 0), size - 1) if int(last) else (size, size)
    if last and int(last) < int(first):
        return None
    return int(first), min(int(last), size - 1) if last else size - 1


def _disposition(store: Store, entry: Entry, media_type: str, *, attached: bool) -> dict[str, str]:
    """Say how a browser shows the file; the name is safe whatever it holds (checklist 23)."""
    if attached:
        return {"Content-Disposition": f"attachment; {file_name(entry.name)}"}
    if not store.has_folders:
        return {"Content-Disposition": f"inline; {file_name(entry.name)}"}
    return {} if media_type == "text/html" else {"Content-Disposition": "inline"}


def file_name(name: str) -> str:
    """Write a file's name for a header, with the exact one beside it where it is not plain (RFC 6266)."""
    plain = _NOT_PLAIN.sub("_", name)
    exact = f" filename*=UTF-8''{quote(name, safe='')};" if plain != name else ""
    return f'filename="{plain}";{exact}'
