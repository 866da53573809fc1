"""CSV as RFC 4180 has it, with line feeds between the lines (spec database-api 19, D14)."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import AsyncIterator, Iterable, Sequence
from typing import Any

from trunkline.call import Records
from trunkline.errors import BadRequest
from trunkline.formats import Format, RenderOptions
from trunkline_formats.content import text_of, unwrap

# Also blanks at the ends and a byte order mark, which some readers drop.
_NEEDS_QUOTES = re.compile(r'[",\r\n\ufeff]|\A\s|\s\Z')
_FORMULA = re.compile(r"[=+\-@\t\r]")

# The size of the body is what is limited; a cell may be a large text or a binary column in base64.
csv.field_size_limit(2**31 - 1)


def parse(data: bytes) -> list[dict[str, str]]:
    """Parse lines under a header to records of texts; raises BadRequest that names the line.

    A line with fewer cells than the header leaves its last columns out; an empty cell is an empty text.
    """
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise BadRequest("Invalid CSV in request body: not in UTF-8.") from None
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    header: list[str] = []
    records = []
    try:
        for row in filter(None, reader):
            if not header:
                header = _header(row)
            elif len(row) > len(header):
                raise BadRequest(
                    f"Invalid CSV in line {reader.line_num}: {len(row)} cells, but {len(header)} columns in the header."
                )
            else:
                records.append(dict(zip(header, row, strict=False)))
    except csv.Error as error:
        raise BadRequest(f"Invalid CSV in line {reader.line_num}: {error}.") from None
    return records


def _header(names: list[str]) -> list[str]:
    for place, name in enumerate(names):
        if not name.strip():
            raise BadRequest(f"Invalid CSV in request body: column {place + 1} has no name in the header.")
        if name in names[:place]:
            raise BadRequest(f"Invalid CSV in request body: column '{name}' is twice in the header.")
    return names


def render(content: Any, options: RenderOptions, *, guard_formulas: bool = False) -> bytes:
    """Render records under a header, values without a record one a line.

    ``guard_formulas`` puts an apostrophe before texts that a spreadsheet would calculate (checklist 7); off, because
    the data would not be what it was.
    """
    data = unwrap(content, options.wrapper)
    if data in ([], [{}]):
        return b"\n\n"  # as recorded
    if isinstance(data, dict):
        data = [data]
    if not isinstance(data, list):
        return _lines([[data]], guard_formulas) if data is not None else b""
    if not any(isinstance(record, dict) for record in data):
        return _lines(([value] for value in data), guard_formulas)
    records = [record if isinstance(record, dict) else {"value": record} for record in data]
    columns = _columns(records)
    rows = ([record.get(name) for name in columns] for record in records)
    return _lines([columns]) + _lines(rows, guard_formulas)


async def stream(source: Records, _options: RenderOptions) -> AsyncIterator[bytes]:
    """Render records as they come; the columns are those of the first records."""
    columns: list[str] = []
    async for records in source.batches:
        if not columns:
            columns = _columns(records)
            if columns:
                yield _lines([columns])
        yield _lines([record.get(name) for name in columns] for record in records)
    if not columns:
        yield b"\n\n"


def _columns(records: Iterable[dict[str, Any]]) -> list[str]:
    """Collect the keys of all records: no value is dropped because the first record lacked it."""
    return list(dict.fromkeys(key for record in records for key in record))


def _lines(rows: Iterable[Sequence[Any]], guard_formulas: bool = False) -> bytes:
    lines = []
    for row in rows:
        line = ",".join(_cell(value, guard_formulas) for value in row)
        lines.append(line or '""')  # a blank line is no record to a reader
    return "".join(line + "\n" for line in lines).encode("utf-8", "replace")


def _cell(value: Any, guard_formulas: bool) -> str:
    text = text_of(value)
    if guard_formulas and isinstance(value, str) and _FORMULA.match(text):
        text = "'" + text
    return '"' + text.replace('"', '""') + '"' if _NEEDS_QUOTES.search(text) else text


FORMAT = Format(media_types=("text/csv",), extension="csv", parse=parse, render=render, stream=stream)
