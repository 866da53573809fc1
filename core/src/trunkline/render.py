"""From a reply's content to bytes: wrapping, negotiation, downloads (system-api 3.2 and 3.3)."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

from trunkline import json
from trunkline.call import Call, Records, Reply, truth
from trunkline.errors import NotAcceptable
from trunkline.formats import JSON, Format, RenderOptions

if TYPE_CHECKING:
    from trunkline.app import App

_UNSAFE_IN_NAME = re.compile(r"[^\w .()\-]+")


def accept_of(app: App, call: Call) -> str:
    """Answer the media types the client asks for: query before header before the configured default."""
    return str(call.params.get("accept") or call.headers.get("accept") or app.settings.content_type)


def passes_json(app: App, call: Call) -> bool:
    """Say whether content may hold finished JSON (``json.Finished``): it goes out as JSON, seen by nobody before."""
    if not call.over_http or not _is_plain(app, call):
        return False
    return all(getattr(function, "headers_only", False) for function, _ in app.plugins.callers("after_call"))


def streams(app: App, call: Call) -> bool:
    """Say whether content may be Records: the client can have its list in pieces."""
    if not call.over_http:
        return False
    chosen, media_type, _ = _format(app, call)
    if chosen is JSON:
        return media_type == "application/json" and _wraps(app, call)
    return chosen.stream is not None


def has_envelope(app: App, call: Call) -> bool:
    """Say whether there is a place for meta beside the records."""
    return _format(app, call)[0] is JSON


def rendered(app: App, call: Call, reply: Reply) -> tuple[bytes | AsyncIterator[bytes], dict[str, str]]:
    """Answer body and headers; raises NotAcceptable when a good result cannot be told to this client."""
    headers = dict(reply.headers)
    content = reply.content
    if reply.status == 204:
        return b"", headers
    if reply.media_type is not None:
        headers["content-type"] = reply.media_type
        return content if isinstance(content, bytes) or reply.is_stream else str(content).encode(), headers
    if not isinstance(content, Records) and _is_plain(app, call):
        # The usual case first.
        headers["content-type"] = "application/json"
        return json.dumps(content), headers
    content = _unwrapped(app, call, content) if reply.status < 400 else content
    try:
        chosen, media_type, name = _format(app, call)
    except NotAcceptable:
        if reply.status < 400:
            raise
        chosen, media_type, name = JSON, "application/json", None
    if reply.status < 400 and name is not None:
        headers["content-disposition"] = f'attachment; filename="{name}"'
    options = RenderOptions(app.settings.resource_wrapper, app.settings.xml_root)
    headers["content-type"] = media_type if media_type == "application/json" else f"{media_type}; charset=UTF-8"
    if isinstance(content, Records):
        assert chosen.stream is not None  # noqa: S101 - as ``streams`` has said
        return chosen.stream(content, options), headers
    assert chosen.render is not None  # noqa: S101 - choose answers only formats that render
    return chosen.render(content, options), headers


def _is_plain(app: App, call: Call) -> bool:
    """Say whether a reply is JSON in its usual wrapper, and no download."""
    params = call.params
    if "file" in params or "wrap" in params or "wrap" in call.headers or not app.settings.wrap_resources:
        return False
    return app.settings.resource_wrapper == "resource" and accept_of(app, call) in ("*/*", "application/json")


def _format(app: App, call: Call) -> tuple[Format, str, str | None]:
    """Answer format, media type and the name of a download; raises NotAcceptable."""
    file = call.params.get("file")
    if file is None:
        return *app.formats.choose(accept_of(app, call)), None
    name, extension = _file_name(call, str(file))
    chosen = app.formats.by_extension.get(extension, JSON)
    return chosen, chosen.media_types[0], name


def _wraps(app: App, call: Call) -> bool:
    asked = call.params.get("wrap", call.headers.get("wrap"))
    return truth(asked) if asked is not None else app.settings.wrap_resources


def _unwrapped(app: App, call: Call, content: Any) -> Any:
    """Rename or drop the list wrapper as asked; a list with meta then gets numbered keys (database-api 1.1)."""
    if (
        not isinstance(content, dict)
        or not content
        or content.keys() - {"resource", "meta"}
        or "resource" not in content
    ):
        return content
    if _wraps(app, call):
        wrapper = app.settings.resource_wrapper
        return (
            content
            if wrapper == "resource"
            else {wrapper if key == "resource" else key: content[key] for key in content}
        )
    rows = content["resource"]
    if "meta" in content and isinstance(rows, list):
        return {**{str(index): row for index, row in enumerate(rows)}, "meta": content["meta"]}
    return rows


def _file_name(call: Call, asked: str) -> tuple[str, str]:
    """Answer a safe download name and its extension; ``file=true`` is named after the resource."""
    if truth(asked) or "." not in asked:
        return f"{_UNSAFE_IN_NAME.sub('_', '_'.join((call.service, *call.path)))}.json", "json"
    name = _UNSAFE_IN_NAME.sub("_", asked).strip(". ")
    return name, name.rpartition(".")[2].lower()
