"""The suite's part about hostile input: names, values, shapes (security checklist 1, 3, 5, 8)."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import pytest

from trunkline.testing import Gateway
from trunkline_database.testing.library import Library, LibrarySuite, error_of, needs

CORPUS = [
    "'", '"', "`", ";", "--", "/*", "x'--", '"; drop table book; --', "1 or 1=1", "(select 1)", "id) union select 1 --",
    "\x00", "i\x00d", "\uff49d", "\u0456d", "id\u200b", "%", "%s", ":p0", "?", "{no.such}", "a" * 5000, "..", "$where",
    "\\", "id/**/", "id::text", "[id]", "\N{PILE OF POO}", "\n", "null", "rowid", "1e999", "-",
]  # fmt: skip
# Behind each text, so that it is found wherever it got to.
MARK = "zq7x"
NAMED = "x\"y'z`; drop -- %s ?"


class HostileSuite(LibrarySuite):
    """No input becomes SQL, and none is a 500."""

    @pytest.mark.parametrize("text", CORPUS)
    @pytest.mark.parametrize(
        "parameter",
        ["fields", "order", "group", "filter", "related", "id_field", "ids", "id_type", "limit", "offset", "having"],
    )
    def test_parameters_never_break_out(self, library: Library, parameter: str, text: str) -> None:
        reply = library.client.get(library.path("book"), params={parameter: text})
        assert reply.status_code in (200, 400), reply.text
        if reply.status_code == 400:
            assert "SELECT " not in error_of(reply, 400)["message"]
        assert library.get("book", count_only="true") == 5

    @pytest.mark.parametrize("text", CORPUS)
    def test_no_place_for_a_name_lets_text_into_a_statement(
        self, gateway: Gateway, library: Library, text: str
    ) -> None:
        """Checklist 1, 3, 5: columns, aliases, functions, directions, relations and their options, cursors, params."""
        text += MARK
        for params in (
            {"fields": f"SUM({text})"}, {"fields": f"{text}(pages)"}, {"fields": f"COUNT({text})", "group": "shelf_id"},
            {"fields": f"id,{text}"}, {"fields": f"title as {text}"}, {"order": f"id {text}"},
            {"order": f"{text} desc"},
            {"order": f"id desc nulls {text}"}, {"group": f"shelf_id,{text}"}, {"related": f"shelf_by_shelf_id,{text}"},
            {"related": "shelf_by_shelf_id", "shelf_by_shelf_id.fields": text},
            {"related": "shelf_by_shelf_id", "shelf_by_shelf_id.order": text},
            {"related": "shelf_by_shelf_id", "shelf_by_shelf_id.filter": f"{text} = 1"},
            {"related": "shelf_by_shelf_id", "shelf_by_shelf_id.related": text}, {text: "1"}, {f"{text}.fields": "id"},
            {"filter": f"{text} = 1"}, {"filter": f"title {text} 1"}, {"filter": f"title = {text}()"},
            {"filter": f"title = ({text})"}, {"filter": f"title in ({text})"},
            {"filter": f"pages between 1 and {text}"},
            {"filter": f"title like '{text}"}, {"filter": "title = :x", "params": {text: 1, ":x": text}},
            {"ids": [{text: 1}]}, {"ids": [[text, text]]}, {"id_field": f"id,{text}"}, {"ids": "1", "id_field": text},
            {"paging": "keyset", "page": text}, {"paging": text}, {"having": text}, {"as_list": True, "id_field": text},
        ):  # fmt: skip
            reply = library.client.post(library.path("book"), json=params, headers={"X-HTTP-Method": "GET"})
            self.harmless(reply, params)
            if all(isinstance(value, str) for value in params.values()):
                self.harmless(library.client.get(library.path("book"), params=params), params)
        for record in ({text: 1}, {"title": "x", text: {text: 1}}, {"shelf_by_shelf_id": {text: text}}):
            self.harmless(library.client.post(library.path("book"), json=record, params={"rollback": "true"}), record)
            self.harmless(library.client.patch(library.path("book", 0), json=record), record)
        for field in ({"name": "title", "alias": f"{text}"}, {"name": "title", "label": text}, {text: text}):
            path = f"/{library.service}/_schema/book/_field"
            self.harmless(library.client.patch(path, json={"resource": [field]}), field)
        library.client.patch(
            f"/{library.service}/_schema/book/_field",
            json={"resource": [{"name": "title", "alias": None, "label": ""}]},
        )
        assert [one for one in statements(gateway, library.service) if MARK in one] == []

    def harmless(self, reply: Any, what: Any) -> None:
        """Check that a reply is no failure, and that an error tells nothing of SQL."""
        assert reply.status_code in (200, 400, 404), (what, reply.text)
        if reply.status_code != 200:
            told = reply.json()["error"]["message"].upper()
            assert not any(
                word in told for word in ("FROM BOOK", 'FROM "BOOK', "FROM `BOOK", "SYNTAX", "SQLSTATE", "NEAR ")
            ), told

    @pytest.mark.parametrize("text", CORPUS)
    def test_paths_never_break_out(self, library: Library, text: str) -> None:
        quoted = quote(text, safe="")
        for path in (library.path(quoted), library.path("book", quoted), f"/{library.service}/_schema/{quoted}"):
            for verb in ("GET", "DELETE"):
                reply = library.client.request(verb, path)
                assert reply.status_code in (200, 400, 404), (path, reply.text)
        assert library.get("book", count_only="true") == 5

    @pytest.mark.parametrize("text", CORPUS)
    def test_values_are_only_values(self, library: Library, text: str) -> None:
        if "\x00" in text:
            reply = library.client.post(library.path("sample"), json={"words": text})
            assert reply.status_code in (200, 400)  # some engines have no such texts
            return
        body = {"words": text}
        reply = library.client.post(library.path("sample"), json=body, params={"fields": "words"})
        assert reply.json() == body
        found = {"filter": "words = :w", "params": {":w": text}, "fields": "words"}
        reply = library.client.post(library.path("sample"), json=found, headers={"X-HTTP-Method": "GET"})
        assert reply.json() == {"resource": [body]}, text

    @needs("any_names")
    def test_names_that_look_like_sql_are_names(self, library: Library) -> None:
        """Checklist 5: they really exist."""
        fields = [{"name": "id", "type": "id"}, {"name": NAMED, "type": "string", "allow_null": True}]
        reply = library.client.post(
            f"/{library.service}/_schema", json={"resource": [{"name": NAMED, "field": fields}]}
        )
        assert reply.status_code == 200, reply.text
        path = library.path(quote(NAMED, safe=""))
        try:
            assert library.client.post(path, json=[{NAMED: "v"}]).status_code == 200
            quoted = '"' + NAMED.replace('"', '""') + '"'
            reply = library.client.get(path, params={"filter": f"{quoted} = v", "fields": NAMED})
            assert reply.json() == {"resource": [{NAMED: "v"}]}
            assert (
                library.client.patch(path, params={"force": "true"}, json={"resource": {NAMED: "w"}}).status_code == 200
            )
            assert library.client.get(f"/{library.service}/_schema/{quote(NAMED, safe='')}").json()["name"] == NAMED
        finally:
            reply = library.client.delete(f"/{library.service}/_schema/{quote(NAMED, safe='')}")
        assert reply.json() == {"success": True}
        assert library.get("book", count_only="true") == 5

    @pytest.mark.parametrize(
        "record",
        [
            {"title": {"$ne": None}},
            {"title": {"expression": "(select code from shelf)"}},
            {"title": {"expression": {"value": "upper(?)", "params": ["x"]}}},
            {"title": [["x"]]},
            {"pages": {"$gt": 0}},
            {"pages": 10**40},
            {"price": float(10**30)},
            {"published": {"$date": "x"}},
        ],
    )
    def test_shapes_that_are_no_values_are_refused(self, library: Library, record: dict[str, Any]) -> None:
        """Checklist 3 and 8."""
        error_of(library.client.post(library.path("book"), json={"title": "x", **record}), 400)
        error_of(library.client.patch(library.path("book", library.books["Dune"]), json=record), 400)

    @pytest.mark.parametrize("content", [b"{", b"[1,", b'{"resource": [}', b"\xff\xfe", b'{"a": NaN}'])
    def test_malformed_bodies_are_refused(self, library: Library, content: bytes) -> None:
        headers = {"Content-Type": "application/json"}
        reply = library.client.request("POST", library.path("book"), content=content, headers=headers)
        error_of(reply, 400)

    def test_deep_filters_and_long_lists_end(self, library: Library) -> None:
        """Checklist 32."""
        deep = "(" * 200 + "id=1" + ")" * 200
        tunnel = {"X-HTTP-Method": "GET"}
        for text in (deep, " or ".join(["id=1"] * 6000), "not " * 500 + "id=1"):
            reply = library.client.post(library.path("book"), json={"filter": text}, headers=tunnel)
            assert reply.status_code in (200, 400)
        long = {"filter": f"id in ({','.join(map(str, range(4000)))})"}
        reply = library.client.post(library.path("book"), json=long, headers=tunnel)
        assert reply.status_code in (200, 400)
        ids = {"ids": list(range(1, 4000)), "continue": True}
        assert library.client.post(library.path("book"), json=ids, headers=tunnel).status_code == 400


def statements(gateway: Gateway, service: str) -> list[str]:
    """List the texts that a store has compiled so far; some have none."""
    record = gateway.app.directory.snapshot.services[service]
    store: Any = getattr(gateway.app.services.built(record.id), "store", None)
    return store.compiled() if hasattr(store, "compiled") else []
