from __future__ import annotations

import pytest

from trunkline.errors import BadRequest, NotAcceptable
from trunkline.formats import Format, Formats

CSV = Format(("text/csv",), "csv", render=lambda content, _options: b"csv")


def formats() -> Formats:
    found = Formats()
    found.register(CSV)
    return found


@pytest.mark.parametrize(
    ("accept", "media_type"),
    [
        ("", "application/json"),
        ("*/*", "application/json"),
        ("text/html, */*;q=0.1", "application/json"),
        ("application/json, text/csv", "text/csv"),
        ("text/csv;q=0.5, application/json", "application/json"),
        ("image/png, text/csv", "text/csv"),
        ("text/csv;q=0, application/json;q=0.1", "application/json"),
        ("application/*", "application/json"),
    ],
)
def test_the_best_known_type_is_chosen(accept: str, media_type: str) -> None:
    """system-api 3.2: among equals the last one; qualities count."""
    assert formats().choose(accept)[1] == media_type


@pytest.mark.parametrize("accept", ["text/html", "image/png, audio/ogg", "text/csv;q=nonsense", "junk"])
def test_what_cannot_be_made_is_refused(accept: str) -> None:
    with pytest.raises(NotAcceptable):
        formats().choose(accept)


def test_an_unknown_body_type_is_tried_as_json() -> None:
    assert formats().parse("application/x-odd", b'{"a":1}') == {"a": 1}
    with pytest.raises(BadRequest, match="Unrecognized payload type"):
        formats().parse("", b"\x00\x01")
