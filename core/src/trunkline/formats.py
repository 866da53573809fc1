"""Media types: which bytes a body may come in and which a reply may go out as; JSON is the kernel's own."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any

from trunkline import json
from trunkline.call import Records
from trunkline.errors import BadRequest, NotAcceptable


@dataclass(frozen=True, slots=True)
class RenderOptions:
    """What a renderer may need to know beside the content."""

    wrapper: str = "resource"
    xml_root: str = "dfapi"


@dataclass(frozen=True, slots=True)
class Format:
    """One format; ``parse`` or ``render`` is None where only the other direction exists."""

    media_types: tuple[str, ...]
    extension: str
    parse: Callable[[bytes], Any] | None = None
    render: Callable[[Any, RenderOptions], bytes] | None = None
    stream: Callable[[Records, RenderOptions], AsyncIterator[bytes]] | None = None


async def _json_stream(records: Records, options: RenderOptions) -> AsyncIterator[bytes]:
    """Render the envelope piece by piece."""
    before = b'{"' + options.wrapper.encode() + b'":['
    async for some in records.batches:
        if some:
            yield before + json.dumps(some)[1:-1]
            before = b","
    end = b"]" if before == b"," else before + b"]"
    meta = await records.meta() if records.meta is not None else None
    yield end + (b',"meta":' + json.dumps(meta) if meta else b"") + b"}"


JSON = Format(
    media_types=("application/json",),
    extension="json",
    parse=json.loads,
    render=lambda content, _options: json.dumps(content),
    stream=_json_stream,
)
TEXT = Format(media_types=("text/plain",), extension="txt", render=JSON.render)


class Formats:
    """The formats in use, by media type and by file extension."""

    def __init__(self) -> None:
        """Start with JSON, also as plain text."""
        self.by_type: dict[str, Format] = {}
        self.by_extension: dict[str, Format] = {}
        for known in (JSON, TEXT):
            self.register(known)

    def register(self, new: Format) -> None:
        """Add a format; a later one replaces an earlier one of the same media type."""
        for media_type in new.media_types:
            self.by_type[media_type] = new
        self.by_extension[new.extension] = new

    def parse(self, media_type: str, data: bytes) -> Any:
        """Parse a body; an absent or unknown type is tried as JSON (system-api 3.1)."""
        found = self.by_type.get(media_type)
        if found is not None and found.parse is not None:
            return found.parse(data)
        if media_type == "text/plain":
            return data.decode("utf-8", "replace")
        try:
            return json.loads(data)
        except BadRequest:
            raise BadRequest("Unrecognized payload type") from None

    def choose(self, accept: str) -> tuple[Format, str]:
        """Choose format and media type for an ``Accept`` value; raises NotAcceptable.

        The highest quality wins, and among equals the last known type, as in the original (system-api 3.2, which
        ignores qualities); anything with ``*/*`` is JSON.
        """
        if not accept or "*/*" in accept or accept == "application/json":
            return JSON, "application/json"
        best: tuple[float, Format, str] | None = None
        for part in accept.split(","):
            name, *options = (piece.strip().lower() for piece in part.split(";"))
            known = self.by_type.get(name)
            if known is None or known.render is None:
                continue
            quality = _quality(options)
            if quality > 0 and (best is None or quality >= best[0]):
                best = (quality, known, name)
        if best is None:
            if "application/*" in accept:
                return JSON, "application/json"
            raise NotAcceptable(f"No response format is known for Accept '{accept}'.")
        return best[1], best[2]


def _quality(options: list[str]) -> float:
    for option in options:
        if option.startswith("q="):
            try:
                return float(option[2:])
            except ValueError:
                return 0.0
    return 1.0
