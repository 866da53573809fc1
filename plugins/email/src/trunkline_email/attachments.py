"""Files that go with a mail: uploaded, from a file service, or from a URL (connectors 5.4)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from trunkline import bodies
from trunkline.errors import BadRequest, TooLarge, TrunklineError
from trunkline_email.message import Attachment

if TYPE_CHECKING:
    from trunkline.app import App
    from trunkline.call import Call, Reply
    from trunkline.lookups import Lookups

_FIELDS = ("file", "attachment")
_STORAGE = "Failed to get attachment file from storage service."
_URL = "Failed to import attachment file from url."


async def uploaded(call: Call) -> list[Attachment]:
    """Answer the files of a multipart request, in the fields ``file`` and ``attachment``."""
    return [
        Attachment.of(one.name, one.content, one.media_type)
        for one in await bodies.uploads(call)
        if one.field.partition("[")[0] in _FIELDS
    ]


async def attached(
    app: App, call: Call, lookups: Lookups, given: Mapping[str, Any], template: Mapping[str, Any]
) -> list[Attachment]:
    """Fetch what the request names, or else what the template does, with the caller's rights.

    Raises BadRequest that says which way failed, TooLarge when it is more than a request may have.
    """
    named = given.get("import_url") or given.get("attachment")
    if not named:
        named = template.get("attachment")
    found: list[Attachment] = []
    left = app.settings.max_body
    for source in _sources(lookups.fill(named)):
        is_url = isinstance(source, str) and "://" in source
        one = await (_from_url(app, source, left) if is_url else _from_storage(app, call, source, left))
        left -= len(one.content)
        found.append(one)
    return found


def _sources(named: Any) -> list[Any]:
    """Answer the single sources; a text with commas is a list."""
    if not named:
        return []
    if isinstance(named, str):
        return [one.strip() for one in named.split(",") if one.strip()]
    return named if isinstance(named, list) else [named]


async def _from_url(app: App, url: str, most: int) -> Attachment:
    """Fetch a URL through the guard, so that nobody reaches our own network by it (checklist 24)."""
    try:
        fetched = await app.outgoing.fetch(url, most=most)
    except BadRequest as error:
        raise BadRequest(f"{_URL} {error.message}") from error
    return Attachment.of(unquote(fetched.name), fetched.content, fetched.media_type)


async def _from_storage(app: App, call: Call, source: Any, most: int) -> Attachment:
    """Read a file through the platform."""
    service = source.get("service") if isinstance(source, dict) else None
    path = (source.get("path") or source.get("file_path")) if isinstance(source, dict) else None
    if not isinstance(service, str) or not isinstance(path, str) or not service or not path.strip("/"):
        raise BadRequest(f"{_STORAGE} No service name and file path provided in request.")
    segments = [one for one in path.split("/") if one]
    # As for calls over HTTP: nothing may climb out of what the caller's role names.
    if "/" in service or any(one in (".", "..") or "\0" in one for one in segments):
        raise BadRequest(f"{_STORAGE} The path has a segment that is not allowed.")
    try:
        reply = await app.ask("GET", "/".join((service, *segments)), caller=call.caller)
        return Attachment.of(segments[-1], await _content(reply, most), reply.media_type or "")
    except TrunklineError as error:
        if error.status >= 500 or isinstance(error, TooLarge):
            raise
        raise BadRequest(f"{_STORAGE} {error.message}") from error


async def _content(reply: Reply, most: int) -> bytes:
    data = bytearray()
    if reply.is_stream:
        async for chunk in reply.content:
            data += chunk
            if len(data) > most:
                break
    elif isinstance(reply.content, bytes):
        data += reply.content
    else:
        raise BadRequest("It is not a file.")
    if len(data) > most:
        raise TooLarge("The attachments are larger than a request may be.")
    return bytes(data)
