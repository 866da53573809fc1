"""From a reply's content to bytes: wrapping, negotiation, downloads (system-api 3.2 and 3.3)."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

from trunkline import json
from trunkline.call import Call, Reply, truth
from trunkline.errors import NotAcceptable
from trunkline.formats import JSON, RenderOptions

if TYPE_CHECKING:
    from trunkline.app import App

_UNSAFE_IN_NAME = re.compile(r"[^\w .()\-]+")


def accept_of(app: App, call: Call) -> str:
    """Answer the media types the client asks for: query before header before the configured default."""
    return str(call.params.get("accept") or call.headers.get("accept") or app.settings.content_type)


def rendered(app: App, call: Call, reply: Reply) -> tuple[bytes | AsyncIterator[bytes], dict[str, str]]:
    """Answer body and headers; raises NotAcceptable when a good result cannot be told to this client."""
    headers = dict(reply.headers)
    content = reply.content
    if reply.status == 204:
        return b"", headers
    if reply.media_type is not None:
        headers["content-type"] = reply.media_type
        return content if isinstance(content, bytes) or reply.is_stream else str(content).encode(), headers
    file = call.params.get("file")
    # The usual case first: JSON, wrapped, no download.
    if file is None and "wrap" not in call.params and "wrap" not in call.headers and app.settings.wrap_resources:
        accept = accept_of(app, call)
        if accept in ("*/*", "application/json"):
            headers["content-type"] = "application/json"
            return json.dumps(content), headers
    content = _unwrapped(app, call, content) if reply.status < 400 else content
    chosen, media_type = JSON, "application/json"
    if file is not None and reply.status < 400:
        name, extension = _file_name(call, str(file))
        headers["content-disposition"] = f'attachment; filename="{name}"'
        chosen = app.formats.by_extension.get(extension, JSON)
        media_type = chosen.media_types[0]
    else:
        try:
            chosen, media_type = app.formats.choose(accept_of(app, call))
        except NotAcceptable:
            if reply.status < 400:
                raise
    assert chosen.render is not None  # noqa: S101 - choose answers only formats that render
    options = RenderOptions(app.settings.resource_wrapper, app.settings.xml_root)
    headers["content-type"] = media_type if media_type == "application/json" else f"{media_type}; charset=UTF-8"
    return chosen.render(content, options), headers


def _unwrapped(app: App, call: Call, content: Any) -> Any:
    """Rename or drop the list wrapper as asked; a list with meta then gets numbered keys (database-api 1.1)."""
    if (
        not isinstance(content, dict)
        or not content
        or content.keys() - {"resource", "meta"}
        or "resource" not in content
    ):
        return content
    asked = call.params.get("wrap", call.headers.get("wrap"))
    if truth(asked) if asked is not None else app.settings.wrap_resources:
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
