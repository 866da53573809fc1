import json
from decimal import Decimal

import pytest

from trunkline import json as kernel
from trunkline_database.sql.json_text import exact_json


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"a": [1, 2.5, null, "x"]}', {"a": [1, 2.5, None, "x"]}),
        ("12345678901234567890.123456789", Decimal("12345678901234567890.123456789")),
        ("[123456789012345678901234567890]", [123456789012345678901234567890]),
        (b'{"a": 1}', {"a": 1}),
        ("{no json", "{no json"),
        ('"' + "[{" * 300 + '"', "[{" * 300),
    ],
)
def test_documents_keep_their_digits(text: str | bytes, expected: object) -> None:
    assert exact_json(text) == expected


@pytest.mark.parametrize("depth", [1, 100, 199, 200, 201, 400, 5000])
def test_what_is_too_deep_for_a_reply_stays_text(depth: int) -> None:
    text = "[" * depth + "]" * depth
    found = exact_json(text)
    assert found == (text if depth > 200 else json.loads(text))
    kernel.dumps({"resource": [{"doc": found}]})
