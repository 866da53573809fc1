"""Adds CSV, XML and NDJSON to the kernel's JSON."""

from __future__ import annotations

from collections.abc import Callable

from trunkline.formats import Format
from trunkline.hooks import hookimpl
from trunkline_formats import csv, ndjson, xml


@hookimpl
def register_formats(register: Callable[[Format], None]) -> None:
    """Register all three."""
    for module in (csv, xml, ndjson):
        register(module.FORMAT)
