"""The hook implementation."""

from __future__ import annotations

from trunkline.formats import Formats
from trunkline_formats import csv, ndjson, plugin, xml


def test_hook_register_formats() -> None:
    formats = Formats()
    plugin.register_formats(formats.register)
    assert formats.by_type["text/csv"] is formats.by_extension["csv"] is csv.FORMAT
    assert (
        formats.by_type["application/xml"] is formats.by_type["text/xml"] is formats.by_extension["xml"] is xml.FORMAT
    )
    assert formats.by_type["application/x-ndjson"] is formats.by_type["application/jsonl"] is ndjson.FORMAT
    assert formats.by_extension["ndjson"] is ndjson.FORMAT
    assert formats.choose("application/json, text/csv") == (csv.FORMAT, "text/csv")
