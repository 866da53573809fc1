"""The suite's part about ``_schema`` and about types (database-api 12 and 13)."""

from __future__ import annotations

from typing import Any

import pytest

from trunkline.testing import Gateway
from trunkline_database.testing.library import Library, LibrarySuite, error_of, needs


class StructureSuite(LibrarySuite):
    """Tables described, made, changed, dropped; values there and back."""

    def _schema(self, library: Library, *parts: str) -> str:
        return "/".join((f"/{library.service}/_schema", *parts))

    def test_a_table_describes_itself(self, library: Library) -> None:
        table = library.client.get(self._schema(library, "shelf")).json()
        assert set(table) == {
            "alias", "name", "label", "plural", "description", "native", "is_view", "primary_key", "name_field",
            "field", "related", "constraints", "access",
        }  # fmt: skip
        assert (table["label"], table["plural"], table["primary_key"]) == ("Shelf", "Shelfs", ["id"])
        code = next(one for one in table["field"] if one["name"] == "code")
        is_unique = "unique" not in library.lacks
        assert (code["type"], code["length"], code["required"], code["is_unique"]) == ("string", 10, True, is_unique)

    def test_fields_and_relations_are_resources(self, library: Library) -> None:
        names = [one["name"] for one in library.client.get(self._schema(library, "shelf", "_field")).json()["resource"]]
        assert names == ["id", "code", "room"]
        for path in (("shelf", "_field", "code"), ("shelf", "code")):
            assert library.client.get(self._schema(library, *path)).json()["name"] == "code"
        error_of(library.client.get(self._schema(library, "shelf", "_field", "nope")), 404)
        error_of(library.client.get(self._schema(library, "shelf", "_related", "nope")), 404)
        error_of(library.client.get(self._schema(library, "shelf", "_field", "code", "more")), 400)
        error_of(library.client.get(self._schema(library, "nope")), 404)

    def test_several_tables_are_described_at_once(self, library: Library) -> None:
        tables = library.client.get(self._schema(library), params={"ids": "book,shelf"}).json()["resource"]
        assert [table["name"] for table in tables] == ["book", "shelf"]
        assert tables[0]["field"]

    def test_a_table_is_made_used_and_dropped(self, library: Library) -> None:
        """D15."""
        body = {"field": [{"name": "id", "type": "id"}, {"name": "note", "type": "string", "allow_null": True}]}
        assert library.client.post(self._schema(library, "fresh"), json=body).json() == {"name": "fresh"}
        assert library.client.post(library.path("fresh"), json={"note": "x"}).status_code == 200
        error_of(library.client.post(self._schema(library, "fresh"), json=body), 409)
        error_of(library.client.post(self._schema(library), json={"resource": [{"name": "fresh", **body}]}), 409)
        assert library.client.delete(self._schema(library, "fresh")).json() == {"success": True}
        error_of(library.client.delete(self._schema(library, "fresh")), 404)
        error_of(library.client.get(library.path("fresh")), 404)

    def test_fields_are_added_and_dropped(self, library: Library) -> None:
        body = {"field": [{"name": "id", "type": "id"}]}
        library.client.post(self._schema(library, "growing"), json=body)
        try:
            note = {"name": "note", "type": "string", "allow_null": True}
            reply = library.client.patch(self._schema(library, "growing"), json={"field": [note]})
            assert reply.json() == {"name": "growing"}
            count = {"type": "integer", "default": 7}
            assert library.client.post(self._schema(library, "growing", "_field", "n"), json=count).status_code == 200
            reply = library.client.post(library.path("growing"), json={"note": "x"}, params={"fields": "note,n"})
            assert reply.json() == {"note": "x", "n": 7}
            error_of(library.client.post(self._schema(library, "growing", "_field"), json=[note]), 409)
            dropped = library.client.delete(self._schema(library, "growing", "_field", "note"))
            assert dropped.json() == {"success": True}
            error_of(library.client.get(library.path("growing"), params={"fields": "note"}), 400)
        finally:
            library.client.delete(self._schema(library, "growing"))

    @needs("alter_column")
    def test_fields_are_changed_in_place(self, library: Library) -> None:
        fields = [{"name": "id", "type": "id"}, {"name": "n", "type": "integer", "default": 7},
                  {"name": "note", "type": "string", "length": 5, "allow_null": True, "default": "x"}]  # fmt: skip
        library.client.post(self._schema(library, "changing"), json={"field": fields})
        try:
            made = library.client.post(
                library.path("changing"), json=[{"note": "five5"}], params={"fields": "*"}
            ).json()
            for change, record, expected in (
                ({"name": "n", "type": "integer", "default": 8}, {"note": "a"}, {"n": 8, "note": "a"}),
                ({"name": "note", "type": "string", "length": 30}, {"note": "b" * 30}, {"n": 8, "note": "b" * 30}),
                ({"name": "n", "type": "bigint", "default": 9}, {"n": 2**40}, {"n": 2**40, "note": "x"}),
            ):
                reply = library.client.patch(self._schema(library, "changing"), json={"field": [change]})
                assert reply.status_code == 200, reply.text
                reply = library.client.post(library.path("changing"), json=record, params={"fields": "n,note"})
                assert reply.json() == expected
            kept = library.get("changing", made["resource"][0]["id"])
            assert (kept["n"], kept["note"]) == (7, "five5")
        finally:
            library.client.delete(self._schema(library, "changing"))

    @pytest.mark.parametrize(
        "body",
        [
            {"resource": []},
            {},
            {"resource": [{"field": [{"name": "x", "type": "id"}]}]},
            {"resource": [{"name": "t", "field": [{"name": "x"}]}]},
            {"resource": [{"name": "t", "field": [{"type": "id"}]}]},
            {"resource": [{"name": "t", "field": ["x"]}]},
            {"resource": [{"name": "t", "field": [{"name": "x", "type": "integer); drop table book; --"}]}]},
            {"resource": [{"name": "t", "field": [{"name": "x", "type": "string", "length": "1); --"}]}]},
            {
                "resource": [
                    {"name": "t", "field": [{"name": "x", "type": "integer", "default": {"expression": "x()"}}]}
                ]
            },
            {"resource": [{"name": "t", "field": [{"name": "x", "type": "reference"}]}]},
            {"resource": [{"name": "t" * 200, "field": [{"name": "x", "type": "id"}]}]},
            {"resource": [{"name": "t\x00u", "field": [{"name": "x", "type": "id"}]}]},
        ],
    )
    def test_a_description_that_makes_no_table_is_refused(self, library: Library, body: Any) -> None:
        error_of(library.client.post(self._schema(library), json=body), 400)
        assert "book" in library.get(as_list="true")["resource"]

    @needs("columns_demanded")
    def test_a_table_without_fields_is_refused(self, library: Library) -> None:
        error_of(library.client.post(self._schema(library), json={"resource": [{"name": "t"}]}), 400)

    def test_dropping_needs_names(self, library: Library) -> None:
        """Checklist 6."""
        for params, body in (
            ({}, None),
            ({"names": "book"}, None),
            ({"ids": ""}, None),
            ({}, []),
            ({}, {"resource": []}),
        ):
            error_of(library.client.request("DELETE", self._schema(library), params=params, json=body), 400)
        assert "book" in library.get(as_list="true")["resource"]

    def test_structure_is_changed_only_with_the_right(self, gateway: Gateway, library: Library) -> None:
        rows = [{"service": library.service, "component": "_schema/*", "verb_mask": 1}]
        client = gateway.key_for(rows)
        assert client.get(self._schema(library, "book")).status_code == 200
        for verb in ("POST", "PATCH", "PUT", "DELETE"):
            error_of(client.request(verb, self._schema(library, "book"), json={"field": []}), 401)

    # Types.

    @pytest.mark.parametrize(
        ("field", "sent", "answered"),
        [
            ("big", 9223372036854775807, 9223372036854775807),
            ("big", "-9223372036854775808", -9223372036854775808),
            ("big", "5.7", 5),
            ("big", "", None),
            ("ratio", 0.1, 0.1),
            ("ratio", "1e3", 1000.0),
            ("amount", "12345678.91", 12345678.91),
            ("amount", 99.5, 99.5),
            ("amount", "0.005", 0.01),
            ("flag", True, True),
            ("flag", "no", False),
            ("flag", 1, True),
            ("flag", "OFF", False),
            ("flag", None, None),
            ("day", "2024-02-29", "2024-02-29"),
            ("hour", "23:59:58", "23:59:58"),
            ("moment", "2024-02-29 12:13:14", "2024-02-29 12:13:14"),
            ("words", "x" * 5000, "x" * 5000),
            ("words", 5, "5"),
            ("data", "AAEC/w==", "AAEC/w=="),
            ("data", None, None),
        ],
    )
    def test_values_come_back_as_they_went(self, library: Library, field: str, sent: Any, answered: Any) -> None:
        reply = library.client.post(library.path("sample"), json={field: sent}, params={"fields": field})
        assert reply.status_code == 200, reply.text
        assert reply.json() == {field: answered}

    @pytest.mark.parametrize(
        ("field", "sent"),
        [
            ("big", "x"),
            ("big", True),
            ("big", 9223372036854775808),
            ("big", 1.5),
            ("ratio", "x"),
            ("ratio", True),
            ("amount", "12,5"),
            ("amount", 12345678901.5),
            ("flag", "maybe"),
            ("flag", 5),
            ("flag", 0.5),
            ("day", "yesterday"),
            ("day", "2024-02-30"),
            ("hour", "25:00"),
            ("moment", "2024-13-01 00:00:00"),
            ("moment", {"a": 1}),
            ("words", {"a": 1}),
            ("words", [1]),
            ("data", "http://example.com/picture.png"),
            ("data", 5),
        ],
    )
    def test_values_of_another_type_are_refused(self, library: Library, field: str, sent: Any) -> None:
        """D20, D30: nothing is coerced in silence, nothing is fetched."""
        error = error_of(library.client.post(library.path("sample"), json={field: sent}), 400)
        assert f"'{field}'" in error["message"]

    @needs("views")
    def test_a_view_cannot_be_written_by_accident(self, library: Library) -> None:
        names = library.client.get(f"/{library.service}/_table", params={"fields": "*"}).json()["resource"]
        for view in (one["name"] for one in names if one["is_view"]):
            reply = library.client.post(library.path(view), json={"title": "x"})
            assert reply.status_code < 500
