"""Where answers are better than the recorded ones, by decision; and what cannot be asked here, by reason."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Better:
    """A better answer: its status, and its body or a part of its message.

    So that the lines behind find the rows that they were recorded with, ``undo`` deletes the record that was made where
    the original made none, and ``then`` makes the one that the original had made.
    """

    decision: str
    status: int
    reply: Any = None
    says: str = ""
    undo: bool = False
    then: Any = None


def _ids(*numbers: int) -> dict[str, Any]:
    return {"resource": [{"id": number} for number in numbers]}


_COUNTRIES = {"resource": [{"country_code": code} for code in ("BR", "DE", "FR", "JP", "US")]}

DIFFERENCES: dict[tuple[str, int], Better] = {
    # An unknown direction was dropped, an unknown relation ignored.
    ("reads", 34): Better("D9", 400, says="Invalid direction 'sideways' in order by clause."),
    ("reads", 39): Better("D9", 400, says="nosuch"),
    # Five groups were reported as 10000 rows with a next page; meta stands where something was cut short.
    ("reads", 35): Better("D29", 200, _COUNTRIES),
    ("filters", 69): Better("D29", 200, {"resource": [{**one, "count_all": 2000} for one in _COUNTRIES["resource"]]}),
    ("filters", 72): Better("D29", 200, _COUNTRIES),
    ("reads", 42): Better("D12", 400, says="Identifying field(s) could not be determined."),
    # The filter language.
    ("filters", 4): Better("D11", 200, _ids(5)),
    ("filters", 7): Better("D11", 200, _ids(1)),
    ("filters", 12): Better("D11", 200, _ids(1, 10)),
    ("filters", 13): Better("D11", 200, _ids(1, 2)),
    ("filters", 14): Better("D11", 200, _ids(9, 19)),
    ("filters", 15): Better("D11", 200, _ids(3, 4)),
    ("filters", 33): Better("D11", 200, _ids(2)),
    ("filters", 34): Better("D11", 200, _ids(1, 2)),
    ("filters", 44): Better("D11", 400, says="Invalid or unparsable filter request."),
    ("filters", 45): Better("D11", 400, says="Invalid or unparsable filter request."),
    ("filters", 46): Better("D11", 400, says="Invalid or unparsable field in filter request: '1'"),
    ("filters", 49): Better("D11", 400, says="Invalid or unparsable filter request."),
    ("filters", 62): Better("D11", 200, _ids(5)),
    # The original read the parameter only where its brackets were not encoded.
    ("filters", 64): Better("D11", 200, _ids(7)),
    ("filters", 67): Better("D29", 200, {"resource": [{"count_id": 10000}]}),
    ("filters", 68): Better("D29", 200, {"resource": [{"sum_age": 474640}]}),
    # Writes.
    ("writes", 3): Better("D8", 200, {"id": 8}, undo=True),
    ("writes", 15): Better("D20", 400, says="Field 'complete' must be a valid boolean.", then=[{"name": "b2"}]),
    ("writes", 29): Better("D13", 200, {"id": 1}),
    ("writes", 34): Better("D10", 400, says="Required id field(s) not found in record 0: id"),
    ("writes", 35): Better("D8", 200, _ids(1, 2)),
    ("writes", 43): Better("D8", 400, says="Required id field(s) not found in record 0: id"),
    ("writes", 63): Better("D4", 200),
    ("writes", 64): Better("D4", 204),
    ("writes", 65): Better("D3", 204),
    # Deleting every row does not restart the sequence.
    ("writes", 69): Better("D20", 200, _ids(20)),
    ("writes", 70): Better("D20", 200, _ids(21)),
    ("writes", 71): Better("D20", 200, _ids(22)),
    ("writes", 76): Better("D10", 409, says="The record can not be deleted"),
    # Names instead of empty arrays.
    ("schema-roles", 7): Better("D15", 200, {"resource": [{"name": "f2"}]}),
    ("schema-roles", 8): Better("D15", 200, {"name": "f3"}),
    ("schema-roles", 9): Better("D15", 200, {"name": "f2"}),
    ("schema-roles", 14): Better("D15", 200, {"resource": [{"name": "contact_by_v"}]}),
    # No order was asked for, and the original's database had its rows in another one: that is nobody's promise.
    ("schema-roles", 47): Better("spec 6", 200, {"resource": [{"id": 5}]}),
    # Just the installed types.
    ("schema-roles", 54): Better("D1", 200, says='"services":[]'),
    # A password of five letters was accepted; the longer one that the line's rest needs is set behind it.
    ("schema-roles", 64): Better(
        "D18",
        400,
        says="at least 16",
        then={"old_password": "UserPass#123456789", "new_password": "NewPass#1234567890"},
    ),
    # Neither had a way to mail; the original showed the command that it had tried.
    ("schema-roles", 65): Better("spec 8.5", 500, says="No security question found or email confirmation"),
}

_ROUTINES = "SQLite has no procedures and functions of its own."
_ALTER = "SQLite cannot change a column's type; PostgreSQL had dropped fields before it failed here."


@dataclass(frozen=True)
class Engine:
    """What is different on one kind of database, beside what is different everywhere."""

    service_type: str
    differences: dict[tuple[str, int], Better]
    excluded: dict[tuple[str, int], str]


SQLITE = Engine(
    "sqlite",
    DIFFERENCES,
    {
        **{("reads", n): _ROUTINES for n in (0, 1, 2, 48, 49, 50, 51, 52)},
        ("writes", 77): "A view that PostgreSQL can write to and SQLite cannot.",
        **{("schema-roles", n): _ALTER for n in (5, 6, 16)},
    },
)
PGSQL = Engine(
    "pgsql",
    {
        **DIFFERENCES,
        # As everywhere, but what was tried and undone has used up numbers of the sequence.
        **{("writes", n): Better("D20", 200, says='{"resource":[{"id":') for n in (69, 70, 71)},
        # A row without a key was answered as an empty name.
        ("writes", 77): Better("D12", 200, says='"first_name":"x"'),
        # PUT dropped what it had not named, changed types, and then failed.
        ("schema-roles", 5): Better("D15", 200, {"name": "sw"}),
        ("schema-roles", 6): Better("D15", 200, says='"type":"bigint"'),
    },
    {},
)
