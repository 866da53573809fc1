"""Parameters of routines, wherever they stand, and the shapes of what routines leave."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trunkline.call import Call, Reply
from trunkline.errors import BadRequest
from trunkline.lookups import NO_LOOKUPS, Lookups
from trunkline_database.model import Column
from trunkline_database.routine import Direction, Outcome, Parameter, Routine, RoutineKind, RoutineName
from trunkline_database.routine_call import bound, sent
from trunkline_database.routine_shape import Shape, shaped


def routine(*parameters: tuple[str, str, Direction], kind: RoutineKind = "procedure", **more: Any) -> Routine:
    described = [
        Parameter(Column(name, type_, type_), place, direction)
        for place, (name, type_, direction) in enumerate(parameters, 1)
    ]
    return Routine(RoutineName("r"), kind, described, **more)


TWO = routine(("A", "integer", "IN"), ("b", "string", "INOUT"), ("c", "integer", "OUT"))


def values(call: Call, inline: str | None = None, lookups: Lookups = NO_LOOKUPS) -> dict[int, Any]:
    return bound([TWO], sent(call, inline, lookups))[1]


def post(body: Any, **params: Any) -> Call:
    return Call("POST", "s", ("_proc", "r"), params=params, body=body)


class TestSources:
    @pytest.mark.parametrize(
        ("params", "expected"),
        [
            ([1, "x"], {1: 1, 2: "x"}),
            (["1"], {1: 1}),
            ([None, None], {1: None, 2: None}),
            ({"a": 1, "B": "x"}, {1: 1, 2: "x"}),
            ({"b": "x", "c": 9}, {2: "x"}),
            ([{"name": "b", "value": "x", "type": "string"}, {"name": "c", "param_type": "OUT"}], {2: "x"}),
            ([{"name": "a", "value": None}, {"name": "b"}], {1: None}),
        ],
    )
    def test_a_body_has_them_in_order_or_by_name(self, params: Any, expected: dict[int, Any]) -> None:
        assert values(post({"params": params})) == expected

    def test_the_first_source_that_has_some_is_the_only_one(self) -> None:
        assert values(post({"params": [1]}, b="q"), "2,y") == {1: 1}
        assert values(post({"params": []}, b="q"), "2,y") == {1: 2, 2: "y"}
        assert values(post({"a": 1}, b="q"), " ") == {2: "q"}
        assert values(post({"params": None}, B="q", other="z")) == {2: "q"}
        assert values(post([1, 2])) == {}

    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("0", {1: 0}),
            ("1, x ", {1: 1, 2: "x"}),
            (" 1 , 'a,b' ", {1: 1, 2: "a,b"}),
            ("1,'it''s'", {1: 1, 2: "it's"}),
            ('1,"say ""so"""', {1: 1, 2: 'say "so"'}),
            ("1,''", {1: 1, 2: ""}),
            ("1,", {1: 1}),
            (",y", {2: "y"}),
            ("1,y,z,w", {1: 1, 2: "y"}),
            ("1,it's", {1: 1, 2: "it's"}),
        ],
    )
    def test_brackets_have_them_in_order(self, text: str, expected: dict[int, Any]) -> None:
        assert values(Call("GET", "s"), text) == expected

    @given(st.lists(st.text(), min_size=1, max_size=4))
    def test_what_is_quoted_comes_out_as_it_went_in(self, texts: list[str]) -> None:
        inline = ",".join("'" + one.replace("'", "''") + "'" for one in texts)
        assert list(sent(Call("GET", "s"), inline, NO_LOOKUPS).in_order) == texts

    @given(st.text())
    def test_no_text_in_brackets_is_more_than_a_bad_request(self, text: str) -> None:
        with contextlib.suppress(BadRequest):
            values(Call("GET", "s"), text)

    def test_lookups_are_put_in_after_the_text_is_taken_apart(self) -> None:
        lookups = Lookups({"user.name": "x','y"})
        assert values(Call("GET", "s"), "1,{user.name}", lookups) == {1: 1, 2: "x','y"}
        assert values(post({"params": {"b": "{user.name}"}}), None, lookups) == {2: "x','y"}
        assert values(Call("GET", "s", params={"b": "{user.name}"}), None, lookups) == {2: "x','y"}

    @pytest.mark.parametrize(
        ("params", "told"),
        [
            ([1, "x", 3], "Procedure 'r' takes 2 parameters, 3 were sent."),
            ({"z": 1}, "Procedure 'r' has no parameter 'z'."),
            (["x"], "Parameter 'A' must be a valid integer."),
            ({"b": ["x"]}, "Parameter 'b' must be a single value."),
            ("1,2", "The parameters 'params' must be a list of values or an object of values by name."),
        ],
    )
    def test_what_does_not_fit_is_told(self, params: Any, told: str) -> None:
        with pytest.raises(BadRequest) as raised:
            values(post({"params": params}))
        assert raised.value.message == told


ROWS = [{"n": 1, "t": "x"}, {"n": 2, "t": None}]
PROCEDURE = routine()
SCALAR = routine(kind="function", returns=Column("r", "integer", "integer"))
TABLE = routine(kind="function", returns_rows=True)


class TestShapes:
    @pytest.mark.parametrize(
        ("asked", "outcome", "expected"),
        [
            ({}, Outcome(), []),
            ({}, Outcome(sets=[ROWS]), ROWS),
            ({"wrapper": "rows"}, Outcome(sets=[ROWS]), {"rows": ROWS}),
            ({"returns": "TABLE"}, Outcome(sets=[ROWS]), ROWS),
            ({}, Outcome(sets=[ROWS, []]), [ROWS, []]),
            ({}, Outcome(out={"b": 7, "c": "c3"}), {"b": 7, "c": "c3"}),
            ({}, Outcome(sets=[ROWS], out={"total": 3}), {"resource": ROWS, "total": 3}),
            ({"wrapper": "rows"}, Outcome(sets=[[]], out={"total": 0}), {"rows": [], "total": 0}),
            ({"returns": "integer"}, Outcome(sets=[ROWS]), 1),
            ({"returns": "string"}, Outcome(sets=[ROWS], out={"total": 3}), "1"),
            ({"returns": "string"}, Outcome(out={"b": 7}), "7"),
            (
                {"schema": {"n": "string"}},
                Outcome(sets=[ROWS[:1]], out={"n": 5}),
                {"resource": [{"n": "1", "t": "x"}], "n": "5"},
            ),
            ({"schema": '{"n": "string"}'}, Outcome(sets=[ROWS[:1]]), [{"n": "1", "t": "x"}]),
            ({"schema": {"n": "unheard of"}}, Outcome(sets=[ROWS]), ROWS),
        ],
    )
    def test_procedures(self, asked: dict[str, Any], outcome: Outcome, expected: Any) -> None:
        """The table of database-api 15."""
        assert shaped(PROCEDURE, outcome, Shape.of(post(asked))) == expected

    def test_functions(self) -> None:
        plain = Shape.of(post({}))
        assert shaped(SCALAR, Outcome(value=5), plain) == 5
        assert shaped(SCALAR, Outcome(value=0), plain) == 0
        assert shaped(SCALAR, Outcome(value=5), Shape.of(post({"returns": "string"}))) == "5"
        assert shaped(TABLE, Outcome(sets=[ROWS[:1]]), plain) == ROWS[:1]
        assert shaped(TABLE, Outcome(sets=[[]]), plain) == []
        assert shaped(TABLE, Outcome(sets=[ROWS]), Shape.of(post({"wrapper": "rows"}))) == {"rows": ROWS}

    @pytest.mark.parametrize("asked", [{}, {"returns": "integer"}])
    def test_null_is_an_empty_body(self, asked: dict[str, Any]) -> None:
        reply = shaped(SCALAR, Outcome(), Shape.of(post(asked)))
        assert isinstance(reply, Reply)
        assert reply.content == b""

    @pytest.mark.parametrize(
        "asked",
        [
            {"returns": "nonsense"},
            {"returns": [1]},
            {"schema": "x"},
            {"schema": [1]},
            {"schema": {"n": 1}},
            {"wrapper": {"a": 1}},
        ],
    )
    def test_options_that_cannot_be_ones_are_refused_before_the_call(self, asked: dict[str, Any]) -> None:
        with pytest.raises(BadRequest):
            Shape.of(post(asked))

    def test_a_value_that_is_not_of_the_type_asked_for_stays(self) -> None:
        """The routine has done its work, so a refusal would come too late."""
        assert shaped(PROCEDURE, Outcome(sets=[ROWS]), Shape.of(post({"schema": {"t": "integer"}}))) == ROWS
        assert shaped(PROCEDURE, Outcome(out={"t": "x"}), Shape.of(post({"returns": "integer"}))) == "x"
