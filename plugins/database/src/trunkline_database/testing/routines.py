"""The suite's part about procedures and functions (database-api 15, D31); the connector brings them.

A connector that has them overrides ``make_routines`` with what makes these, names in any case:

* ``proc_out(IN a integer, IN b integer, OUT total integer, OUT word varchar(20))``: a + b, and ``w`` before a;
* ``proc_note(IN t varchar(40))``: inserts t into ``sample.words`` and answers nothing;
* ``proc_fail(IN t varchar(40))``: inserts t into ``sample.words``, then raises the error ``No such luck.`` of its own;
* ``proc_twin(IN t varchar(40))``: inserts t into ``genre.label`` twice, both times with the id 1;
* ``proc_rows(IN lowest integer)``: one result set, ``title, pages`` of the books with so many pages, fewest first;
* ``proc_both(IN lowest integer, OUT total integer)``: the same with their number;
* ``proc_sets()``: two result sets, ``title`` of the books and ``code`` of the shelves, by these;
* ``proc_inout(INOUT n integer)``: n is doubled;
* ``func_add(a integer, b integer)``: a + b, NULL where one of them is;
* ``func_echo(t varchar(40))``: t;
* ``func_rows(lowest integer)``: a table like that of ``proc_rows``;
* ``func_default(a integer, b integer default 5)``: a + b.

What an engine cannot do stands in the type's ``lacks``: ``procedures``, ``functions``, and beside these ``result_sets``
(proc_rows), ``several_result_sets`` (proc_sets), ``result_sets_with_out`` (proc_both), ``inout``, ``table_functions``,
``parameter_defaults``. Those need not be made.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import pytest

from trunkline.testing import Client, Gateway
from trunkline_database.testing.hostile import CORPUS
from trunkline_database.testing.library import Library, LibrarySuite, error_of, needs, twin

THICK = [{"title": "Dune", "pages": 412}, {"title": "Ulysses", "pages": 730}]


class Routines:
    """A library whose database has the routines above."""

    def __init__(self, library: Library) -> None:
        """Take the library."""
        self.library = library
        self.client = library.client
        self.service = library.service

    def path(self, resource: str, *parts: str) -> str:
        """Build a path below ``_proc`` or ``_func``."""
        return "/".join((f"/{self.service}/{resource}", *parts))

    def call(self, resource: str, name: str, body: Any = None, client: Client | None = None, **params: Any) -> Any:
        """Call with POST where there is a body, else with GET, and answer the JSON of a 200."""
        client = client or self.client
        verb = "GET" if body is None else "POST"
        reply = client.request(verb, self.path(resource, name), json=body, params=params)
        assert reply.status_code == 200, reply.text
        return reply.json()

    def words(self) -> list[str]:
        """Read what procedures wrote."""
        return [row["words"] for row in self.library.rows("sample", order="id")]


class RoutinesSuite(LibrarySuite):
    """Procedures and functions: lists, parameters, shapes, roles, errors."""

    def make_routines(self, config: dict[str, Any], library: Library) -> None:
        """Make the routines in the database of ``config``, where the library's tables are; override it."""
        raise NotImplementedError

    @pytest.fixture
    def routines(self, config: dict[str, Any], library: Library) -> Routines:
        """The routines, made once."""
        found = Routines(library)
        known: set[str] = set()
        for resource in ("_proc", "_func"):
            reply = library.client.get(found.path(resource), params={"as_list": "true", "refresh": "true"})
            if reply.status_code == 200:
                known |= {name.lower() for name in reply.json()["resource"]}
        if not known & {"proc_out", "func_add"}:
            self.make_routines(config, library)
        return found

    # Lists.

    @needs("procedures")
    def test_procedures_are_listed_and_described(self, routines: Routines) -> None:
        path = routines.path("_proc")
        names = routines.client.get(path, params={"as_list": "true", "refresh": "true"}).json()["resource"]
        assert {"proc_out", "proc_note", "proc_fail"} <= {name.lower() for name in names}
        assert [one["name"] for one in routines.client.get(path).json()["resource"]] == names
        assert not [name for name in names if name.lower().startswith("func_")]
        (listed,) = (
            one
            for one in routines.client.get(path, params={"fields": "*"}).json()["resource"]
            if one["name"].lower() == "proc_out"
        )
        assert list(listed) == ["alias", "name", "label", "description", "native", "access"]
        assert listed["access"] == ["GET", "POST", "PUT", "PATCH", "DELETE"]
        assert listed["label"].lower() == "proc out"
        (described,) = routines.client.get(path, params={"ids": "proc_out"}).json()["resource"]
        assert described["access"] == 31
        assert (described["return_type"], described["return_schema"]) == ("", [])
        params = [(one["name"].lower(), one["position"], one["param_type"]) for one in described["params"]]
        assert params == [("a", 1, "IN"), ("b", 2, "IN"), ("total", 3, "OUT"), ("word", 4, "OUT")]
        assert [one["type"] for one in described["params"]] == ["integer", "integer", "integer", "string"]
        assert routines.client.get(path, params={"ids": "no_such"}).json() == {"resource": []}

    @needs("functions")
    def test_functions_are_listed_and_described(self, routines: Routines) -> None:
        path = routines.path("_func")
        names = routines.client.get(path, params={"as_list": "true", "refresh": "true"}).json()["resource"]
        assert {"func_add", "func_echo"} <= {name.lower() for name in names}
        assert not [name for name in names if name.lower().startswith("proc_")]
        (described,) = routines.client.get(path, params={"ids": "func_add"}).json()["resource"]
        assert described["return_type"] == "integer"
        assert [one["param_type"] for one in described["params"]] == ["IN", "IN"]

    def test_the_root_lists_what_there_is(self, gateway: Gateway, service: str) -> None:
        lacks = gateway.app.registry.load(self.service_type).lacks
        there = ["_proc"] * ("procedures" not in lacks) + ["_func"] * ("functions" not in lacks)
        listed = gateway.admin.get(f"/{service}", params={"as_list": "true"}).json()["resource"]
        assert listed[:4] == ["_schema", "_table", *there]
        for name in {"_proc", "_func"} - set(there):
            error_of(gateway.admin.get(f"/{service}/{name}"), 404)

    # Calls.

    @needs("procedures")
    def test_out_values_make_an_object(self, routines: Routines) -> None:
        expected = {"total": 7, "word": "w3"}
        ways: list[dict[str, Any]] = [
            {"body": {"params": [3, 4]}},
            {"body": {"params": {"A": 3, "b": "4"}}},
            {"body": {"params": [{"name": "b", "value": 4, "param_type": "IN"}, {"name": "a", "value": 3}]}},
            {"a": "3", "B": "4", "other": "x"},
        ]
        for way in ways:
            assert _lower(routines.call("_proc", "proc_out", **way)) == expected, way
        assert _lower(routines.call("_proc", "PROC_OUT(3,4)")) == expected
        assert _lower(routines.call("_proc", "proc_out", {"params": [0, 0]})) == {"total": 0, "word": "w0"}
        assert _lower(routines.call("_proc", "proc_out(0,0)")) == {"total": 0, "word": "w0"}
        # What is not sent is NULL; the first source that has something is the only one.
        assert _lower(routines.call("_proc", "proc_out(3)", b="4"))["total"] is None
        assert _lower(routines.call("_proc", "proc_out(8,8)", {"params": [3, 4]}, a="9")) == expected
        assert _lower(routines.call("_proc", "proc_out", {"a": 1, "params": {}}, a="3", b="4")) == expected

    @needs("procedures")
    def test_out_values_take_the_types_asked_for(self, routines: Routines) -> None:
        casts = {"total": "string", "TOTAL": "string"}
        found = _lower(routines.call("_proc", "proc_out", {"params": [3, 4], "schema": casts}))
        assert found == {"total": "7", "word": "w3"}
        assert routines.call("_proc", "proc_out(3,4)", returns="string") == "7"
        assert routines.call("_proc", "proc_out(3,4)", returns="integer") == 7

    @needs("procedures")
    def test_wrong_parameters_are_named(self, routines: Routines) -> None:
        path = routines.path("_proc", "proc_out")
        for params in ({"a": "x"}, ["x", 1], {"a": [1]}, {"a": 2**70}):
            message = error_of(routines.client.post(path, json={"params": params}), 400)["message"]
            assert "'a'" in message.lower()
        assert "'c'" in error_of(routines.client.post(path, json={"params": {"a": 1, "c": 2}}), 400)["message"]
        assert "3" in error_of(routines.client.post(path, json={"params": [1, 2, 3]}), 400)["message"]
        for odd in (5, "x", True):
            error_of(routines.client.post(path, json={"params": odd}), 400)
        error_of(routines.client.get(f"{path}(x,1)"), 400)

    @needs("procedures")
    def test_other_verbs_and_names_are_refused(self, routines: Routines) -> None:
        told = "requests without a resource are not currently supported by the '_proc' service."
        for verb in ("PUT", "PATCH", "DELETE"):
            for path in (routines.path("_proc", "proc_out"), routines.path("_proc")):
                assert error_of(routines.client.request(verb, path), 400)["message"] == f"{verb} {told}"
        assert error_of(routines.client.post(routines.path("_proc")), 400)["message"] == f"POST {told}"
        reply = routines.client.get(routines.path("_proc", "nope"))
        assert error_of(reply, 404)["message"] == "Procedure 'nope' does not exist in the database."

    @needs("procedures")
    def test_a_procedure_that_answers_nothing_writes(self, routines: Routines) -> None:
        assert routines.call("_proc", "proc_note", {"params": ["one"]}) == []
        assert routines.call("_proc", "proc_note", t="two") == []
        assert routines.call("_proc", "proc_note('three, it''s')") == []
        assert routines.call("_proc", 'proc_note( "fo""ur" )') == []
        assert routines.call("_proc", "proc_note(five)") == []
        assert routines.words() == ["one", "two", "three, it's", 'fo"ur', "five"]

    @needs("procedures")
    def test_kept_results_do_not_outlive_a_call(self, gateway: Gateway, routines: Routines) -> None:
        """D25."""
        name = f"{routines.service}_kept"
        twin(gateway, routines.library, name, cache_enabled=True)
        path = f"/{name}/_table/sample"
        assert routines.client.get(path).json() == {"resource": []}
        assert routines.client.post(f"/{name}/_proc/proc_note", json={"params": ["new"]}).status_code == 200
        assert [one["words"] for one in routines.client.get(path).json()["resource"]] == ["new"]

    @needs("procedures")
    def test_an_error_of_the_author_is_told(self, routines: Routines) -> None:
        reply = routines.client.post(routines.path("_proc", "proc_fail"), json={"params": ["lost"]})
        assert "No such luck." in error_of(reply, 400)["message"]
        assert routines.words() == []

    @needs("procedures", "unique")
    def test_what_breaks_a_rule_of_a_table_is_a_conflict(self, routines: Routines) -> None:
        error_of(routines.client.post(routines.path("_proc", "proc_twin"), json={"params": ["x"]}), 409)
        assert routines.library.get("genre", count_only="true") == 3

    @needs("procedures", "result_sets")
    def test_what_a_role_does_not_let_through_is_left_out(self, gateway: Gateway, routines: Routines) -> None:
        """D33."""
        filters = [{"name": "pages", "action": "exclude"}, {"name": "title", "action": "mask", "value": "last4"}]
        row = {"service": routines.service, "component": "_proc/proc_rows", "verb_mask": 3, "response_filters": filters}
        reply = gateway.key_for([row]).get(f"/{routines.service}/_proc/proc_rows(700)")
        assert _lower(reply.json()) == [{"title": "***sses"}]

    @needs("procedures", "result_sets")
    def test_one_result_set_is_a_bare_list(self, routines: Routines) -> None:
        assert _lower(routines.call("_proc", "proc_rows", {"params": [400]})) == THICK
        assert _lower(routines.call("_proc", "proc_rows(700)")) == THICK[1:]
        assert routines.call("_proc", "proc_rows(9000)") == []
        assert _lower(routines.call("_proc", "proc_rows", {"params": [400], "wrapper": "rows"})) == {"rows": THICK}
        assert _lower(routines.call("_proc", "proc_rows(400)", wrapper="rows", returns="TABLE")) == {"rows": THICK}
        assert routines.call("_proc", "proc_rows(400)", returns="string") == "Dune"
        casts = {"pages": "string", "PAGES": "string"}
        found = _lower(routines.call("_proc", "proc_rows", {"params": [700], "schema": casts}))
        assert found == [{"title": "Ulysses", "pages": "730"}]

    @needs("procedures", "several_result_sets")
    def test_several_result_sets_are_lists_in_a_list(self, routines: Routines) -> None:
        titles = [{"title": name} for name in ("Beowulf", "Dune", "Emma", "Loose", "Ulysses")]
        sets = [titles, [{"code": code} for code in ("A1", "B2", "C3")]]
        assert routines.call("_proc", "proc_sets") == sets
        assert routines.call("_proc", "proc_sets()", wrapper="all") == {"all": sets}

    @needs("procedures", "result_sets_with_out")
    def test_rows_and_out_values_stand_beside_each_other(self, routines: Routines) -> None:
        assert routines.call("_proc", "proc_both(400)") == {"resource": THICK, "total": 2}
        assert routines.call("_proc", "proc_both(400)", wrapper="rows") == {"rows": THICK, "total": 2}

    @needs("procedures", "inout")
    def test_inout_goes_both_ways(self, routines: Routines) -> None:
        assert routines.call("_proc", "proc_inout", {"params": [21]}) == {"n": 42}
        assert routines.call("_proc", "proc_inout", n="-4") == {"n": -8}
        assert routines.call("_proc", "proc_inout") == {"n": None}

    @needs("functions")
    def test_a_scalar_function_answers_bare(self, routines: Routines) -> None:
        for verb in ("GET", "POST"):
            reply = routines.client.request(verb, routines.path("_func", "func_add(2,3)"))
            assert (reply.status_code, reply.text) == (200, "5")
        assert routines.call("_func", "func_add", {"params": [2, 3]}) == 5
        assert routines.call("_func", "func_add", a="2", b="3", returns="string") == "5"
        reply = routines.client.get(routines.path("_func", "func_add"), params={"a": "2"})
        assert (reply.status_code, reply.text) == (200, "")
        reply = routines.client.get(routines.path("_func", "nope"))
        assert error_of(reply, 404)["message"] == "Function 'nope' does not exist in the database."

    @needs("functions", "table_functions")
    def test_rows_of_a_function_are_always_a_list(self, routines: Routines) -> None:
        """Database-api 22.28: one row was a bare object."""
        assert routines.call("_func", "func_rows(400)") == THICK
        assert routines.call("_func", "func_rows(700)") == THICK[1:]
        assert routines.call("_func", "func_rows(9000)") == []
        assert routines.call("_func", "func_rows(700)", wrapper="rows") == {"rows": THICK[1:]}
        assert routines.call("_func", "func_rows(400)", returns="string") == "Dune"

    @needs("functions", "parameter_defaults")
    def test_declared_defaults_are_used(self, routines: Routines) -> None:
        """Database-api 22.28."""
        assert routines.call("_func", "func_default(1)") == 6
        assert routines.call("_func", "func_default", {"params": {"a": 1}}) == 6
        assert routines.call("_func", "func_default(1,0)") == 1
        reply = routines.client.post(routines.path("_func", "func_default"), json={"params": [1, None]})
        assert (reply.status_code, reply.text) == (200, "")

    # Guarding.

    @needs("procedures", "functions")
    def test_a_role_opens_only_the_routines_that_it_names(self, gateway: Gateway, routines: Routines) -> None:
        rows = [
            {"service": routines.service, "component": component, "verb_mask": mask}
            for component, mask in (("_proc/proc_out", 3), ("_proc/", 1), ("_func/*", 1), ("_func/func_add", 0))
        ]
        client = gateway.key_for([*rows, {"service": routines.service, "component": "", "verb_mask": 1}])
        listed = client.get(routines.path("_proc")).json()["resource"]
        assert [one["name"].lower() for one in listed] == ["proc_out"]
        names = client.get(routines.path("_func"), params={"as_list": "true"}).json()["resource"]
        assert "func_echo" in {name.lower() for name in names}
        assert "func_add" not in {name.lower() for name in names}
        assert _lower(routines.call("_proc", "proc_out(3,4)", client=client))["total"] == 7
        assert routines.call("_func", "func_echo(x)", client=client) == "x"
        error_of(client.get(routines.path("_proc", "proc_note(x)")), 401)
        error_of(client.post(routines.path("_func", "func_echo(x)")), 401)
        error_of(client.get(routines.path("_func", "func_add(2,3)")), 401)
        # Whatever the brackets hide, it is the name itself that counts.
        for trick in ("func_add(')',2)", "func_add((),2)", "func_add(2,3)/", "func_add/(2,3)", "func_add()x(2,3)"):
            assert client.get(routines.path("_func", quote(trick, safe="/"))).status_code in (400, 401, 403, 404), trick
        for trick in ("proc_(x)out", "proc_out(1,2)x", "proc(/)_out"):
            assert client.get(routines.path("_proc", quote(trick, safe=""))).status_code in (400, 401, 403, 404), trick

    @needs("procedures", "functions")
    def test_a_role_editor_is_offered_them(self, gateway: Gateway, routines: Routines) -> None:
        params = {"as_access_list": "true"}
        offered = [one.lower() for one in gateway.admin.get(f"/{routines.service}", params=params).json()["resource"]]
        assert offered.index("_table/*") < offered.index("_proc/") < offered.index("_proc/proc_out")
        assert offered.index("_proc/*") < offered.index("_func/") < offered.index("_func/func_add")
        client = gateway.key_for(
            [
                {"service": routines.service, "component": component, "verb_mask": 1}
                for component in ("", "_proc/", "_proc/proc_out")
            ]
        )
        offered = [one.lower() for one in client.get(f"/{routines.service}", params=params).json()["resource"]]
        assert offered == ["", "*", "_proc/", "_proc/*", "_proc/proc_out"]

    @needs("functions")
    def test_lookups_in_parameters_are_values(self, gateway: Gateway, routines: Routines) -> None:
        role = gateway.create_role([{"service": routines.service, "component": "_func/*", "verb_mask": 3}])
        key = gateway.create_app(role)["api_key"]
        user = gateway.create_user(email=f"r-{routines.service}@example.com", first_name="x', 'y")
        client = gateway.as_user(user, key)
        assert routines.call("_func", "func_echo({user.first_name})", client=client) == "x', 'y"
        assert routines.call("_func", "func_echo", {"params": ["{user.first_name}"]}, client=client) == "x', 'y"
        assert routines.call("_func", "func_echo", client=client, t="{user.email}") == user.email
        assert routines.call("_func", "func_echo", {"params": ["{no.such}"]}, client=client) == "{no.such}"

    # Hostile input.

    @needs("functions")
    @pytest.mark.parametrize("text", CORPUS)
    def test_values_of_parameters_are_only_values(self, routines: Routines, text: str) -> None:
        path = routines.path("_func", "func_echo")
        for body in ({"params": [text]}, {"params": {"t": text}}, {"params": [{"name": "t", "value": text}]}):
            reply = routines.client.post(path, json=body)
            if "\x00" in text or len(text) > 40:
                assert reply.status_code in (200, 400), reply.text
            else:
                assert (reply.status_code, reply.json()) == (200, text)
        if "\x00" not in text:
            quoted = "'" + text.replace("'", "''") + "'"
            reply = routines.client.get(f"{path}({quote(quoted, safe='')})")
            assert reply.status_code in (200, 400), reply.text
            assert len(text) > 40 or reply.json() == text
        assert routines.library.get("book", count_only="true") == 5

    @needs("procedures", "functions")
    @pytest.mark.parametrize("text", CORPUS)
    def test_names_and_options_never_break_out(self, routines: Routines, text: str) -> None:
        for resource, name in (("_proc", "proc_out"), ("_func", "func_add")):
            for bad in (text, f"{name}({text})", f"{name}({text}", f"{text}(1)"):
                reply = routines.client.get(routines.path(resource, quote(bad, safe="")))
                assert reply.status_code in (200, 400, 404), (bad, reply.text)
            path = routines.path(resource, name)
            for body in ({"params": {text: 1}}, {"params": [{"name": text, "value": 1}]}, {"params": [text, text]}):
                error_of(routines.client.post(path, json=body), 400)
            for option in ("returns", "wrapper", "schema", "ids", "fields"):
                for at in (f"{path}(1,2)", routines.path(resource)):
                    reply = routines.client.get(at, params={option: text})
                    assert reply.status_code in (200, 400), (option, reply.text)
        assert routines.library.get("book", count_only="true") == 5


def _lower(found: Any) -> Any:
    """Compare names in any case: some engines have only large letters for routines."""
    if isinstance(found, dict):
        return {name.lower(): _lower(value) for name, value in found.items()}
    return [_lower(one) for one in found] if isinstance(found, list) else found
