"""Media types of files: what the store keeps, else what the name says. Content is never looked at (checklist 23)."""

from __future__ import annotations

import mimetypes

from trunkline_files.store import Entry, Store

_TYPES = mimetypes.MimeTypes()  # its own tables, so that all machines answer alike
for _type, _extension in (
    ("text/markdown", ".md"),
    ("application/yaml", ".yaml"),
    ("application/yaml", ".yml"),
    ("application/x-ndjson", ".ndjson"),
    ("image/webp", ".webp"),
    ("image/avif", ".avif"),
    ("font/woff2", ".woff2"),
    ("text/javascript", ".js"),
    ("application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", ".xlsx"),
    ("application/vnd.openxmlformats-officedocument.wordprocessingml.document", ".docx"),
):
    _TYPES.add_type(_type, _extension)


def of_name(name: str, otherwise: str) -> str:
    """Answer the type that an extension stands for; compressed files are what they are, not what is in them."""
    found, encoding = _TYPES.guess_type(name)
    if encoding is not None:
        return {"gzip": "application/gzip", "bzip2": "application/x-bzip2", "xz": "application/x-xz"}.get(
            encoding, otherwise
        )
    return found or otherwise


def of_entry(store: Store, entry: Entry) -> str:
    """Answer the type of a stored file."""
    return entry.media_type or of_name(entry.name, store.unknown_media_type)
