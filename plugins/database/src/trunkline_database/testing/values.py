"""The suite's part about values: whatever fits a type comes back as it went, by every way there and back (12)."""

from __future__ import annotations

import base64
import datetime as dt
import json
from decimal import Decimal
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from trunkline_database.testing.library import Library, LibrarySuite

WHOLE = st.integers(-(2**63), 2**63 - 1)
CENTS = st.decimals(Decimal("-9999999999.99"), Decimal("9999999999.99"), places=2)
WORDS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=60)
DAYS = st.dates(dt.date(1901, 1, 1), dt.date(2999, 12, 31)).map(str)
RECORDS = st.fixed_dictionaries(
    {
        "big": st.none() | WHOLE,
        "ratio": st.none() | st.floats(-1e30, 1e30, allow_subnormal=False).map(lambda one: one + 0.0),
        "amount": st.none() | CENTS.map(str),
        "flag": st.none() | st.booleans(),
        "day": st.none() | DAYS,
        "hour": st.none() | st.times().map(lambda one: one.isoformat("seconds")),
        "moment": st.none() | st.tuples(DAYS, st.times()).map(lambda one: f"{one[0]} {one[1].isoformat('seconds')}"),
        "words": st.none() | WORDS,
        "data": st.none() | st.binary(max_size=300).map(lambda one: base64.b64encode(one).decode()),
    }
)
# What is read of a value: engines write fractions of a second, or none.
_LENGTHS = {"day": 10, "hour": 8, "moment": 19}


class ValuesSuite(LibrarySuite):
    """Random records there and back."""

    def test_random_values_come_back_as_they_went(self, library: Library) -> None:
        # A function made here, since hypothesis takes the same method of several suites for a mistake.
        @settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
        @given(st.lists(RECORDS, min_size=1, max_size=3))
        def there_and_back(records: list[dict[str, Any]]) -> None:
            _there_and_back(library, records)

        there_and_back()


def _there_and_back(library: Library, records: list[dict[str, Any]]) -> None:
    path = library.path("sample")
    made = _exact(library.client.post(path, json={"resource": records}, params={"fields": "*"}))
    ids = [row["id"] for row in made]
    expected = [_normal(one) for one in records]
    assert [_normal(row) for row in made] == expected
    by_ids = library.client.get(path, params={"ids": ",".join(map(str, ids))})
    assert [_normal(row) for row in _exact(by_ids)] == expected
    among = {"filter": f"id in ({','.join(map(str, ids))})", "order": "id"}
    # Long lists may be written by the engine itself.
    for limit in (10, 500):
        found = library.client.get(path, params={**among, "limit": limit})
        assert [_normal(row) for row in _exact(found)] == expected
    for row, one in zip(made, records, strict=True):
        changed = {name: value for name, value in one.items() if value is not None} or {"words": None}
        reply = library.client.patch(f"{path}/{row['id']}", json=changed, params={"fields": "*"})
        assert _normal(json.loads(reply.text, parse_float=Decimal)) == _normal(one)


def _exact(reply: Any) -> list[dict[str, Any]]:
    assert reply.status_code == 200, reply.text
    found: list[dict[str, Any]] = json.loads(reply.text, parse_float=Decimal)["resource"]
    return found


def _normal(record: dict[str, Any]) -> dict[str, Any]:
    """Write the values of a record in one form each; a null is one whatever it stands for."""
    normal: dict[str, Any] = {}
    for name in ("big", "ratio", "amount", "flag", "day", "hour", "moment", "words", "data"):
        value = record.get(name)
        if value is not None:
            if name in _LENGTHS:
                value = value.replace("T", " ")[: _LENGTHS[name]]
            elif name == "amount":
                value = Decimal(str(value))
            elif name == "ratio":
                value = float(value)
        normal[name] = value
    return normal
