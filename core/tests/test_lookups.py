from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from trunkline.call import Call
from trunkline.db.records import LookupRecord
from trunkline.lookups import Lookups, of_call
from trunkline.testing import Gateway

SYSTEM = (LookupRecord("region", "EU", False), LookupRecord("pin", "1234", True), LookupRecord("empty", None, False))
USER = (LookupRecord("region", "US", False),)


def test_later_owners_win_and_built_ins_come_first() -> None:
    lookups = Lookups({"user.id": 7}, SYSTEM, USER)
    assert lookups.fill("{region}/{user.id}") == "US/7"


def test_unknown_and_null_ones_stay() -> None:
    assert Lookups({}, SYSTEM).fill("{nope} {empty} {}") == "{nope} {empty} {}"


def test_private_ones_are_for_private_places() -> None:
    lookups = Lookups({}, SYSTEM)
    assert lookups.fill("{pin}") == "{pin}"
    assert lookups.fill("{pin}", private=True) == "1234"


def test_modifiers_nest_and_only_allowed_ones_work() -> None:
    lookups = Lookups({"a": " x y "}, modifiers=frozenset({"trim", "urlencode"}))
    assert lookups.fill("{urlencode(trim(a))}") == "x+y"
    assert lookups.fill("{strtoupper(a)}") == "{strtoupper(a)}"


def test_containers_are_walked_values_only() -> None:
    assert Lookups({"a": "1"}).fill({"{a}": ["{a}", 2, {"x": "{a}"}]}) == {"{a}": ["1", 2, {"x": "1"}]}


@given(st.text())
def test_no_text_makes_it_fail(text: str) -> None:
    assert isinstance(Lookups({"a": "1"}).fill(text), str)


def test_a_filled_value_is_not_filled_again() -> None:
    assert Lookups({"a": "{b}", "b": "secret"}).fill("{a}") == "{b}"


def test_the_pages_of_mails_can_be_looked_up(fresh_gateway: Gateway) -> None:
    found = of_call(fresh_gateway.app, Call("GET", "db"))
    for page in ("invite", "register", "reset"):
        assert found.fill(f"{{df.confirm_{page}_url}}?x").startswith("http://localhost/dreamfactory/dist/index.html#/")
