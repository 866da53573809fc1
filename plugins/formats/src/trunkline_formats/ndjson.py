"""One JSON document a line, for records that are read and written as a stream (D14)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from trunkline import json
from trunkline.call import Records
from trunkline.errors import BadRequest
from trunkline.formats import Format, RenderOptions
from trunkline_formats.content import unwrap


def parse(data: bytes) -> list[Any]:
    """Parse every line that is not blank; raises BadRequest that names the line."""
    documents = []
    for number, line in enumerate(data.removeprefix(b"\xef\xbb\xbf").split(b"\n"), 1):
        if line.strip():
            try:
                documents.append(json.loads(line))
            except BadRequest as error:
                raise BadRequest(f"Line {number}: {error.message}") from None
    return documents


def render(content: Any, options: RenderOptions) -> bytes:
    """Render each record as a line; an error keeps its envelope, so that a reader can tell it from a record."""
    data = content if isinstance(content, dict) and "error" in content else unwrap(content, options.wrapper)
    return _lines(data if isinstance(data, list) else [data])


async def stream(source: Records, _options: RenderOptions) -> AsyncIterator[bytes]:
    """Render records as they come."""
    async for records in source.batches:
        yield _lines(records)


def _lines(documents: list[Any]) -> bytes:
    return b"".join(json.dumps(document) + b"\n" for document in documents)


FORMAT = Format(
    media_types=("application/x-ndjson", "application/jsonl"),
    extension="ndjson",
    parse=parse,
    render=render,
    stream=stream,
)
