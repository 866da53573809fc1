"""The suite's part about roles: who may touch which rows, on every form of request (database-api 16, D5)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from trunkline.testing import Client, Gateway
from trunkline_database.testing.library import Library, LibrarySuite, error_of, needs

DENIED = "Denied access to some of the requested fields."


class GuardingSuite(LibrarySuite):
    """Roles and their row filters."""

    def _client(self, gateway: Gateway, service: str, *rows: dict[str, Any]) -> Client:
        return gateway.key_for([{"service": service, "verb_mask": 31, **row} for row in rows])

    def _filter(self, name: str, value: Any, operator: str = "=") -> list[dict[str, Any]]:
        return [{"name": name, "operator": operator, "value": value}]

    @pytest.fixture
    def narrow(self, gateway: Gateway, library: Library) -> Client:
        """A caller who sees only the books that are in print."""
        row = {"component": "_table/book/*", "filters": self._filter("in_print", "true")}
        return self._client(gateway, library.service, row)

    def test_a_role_opens_only_what_it_names(self, gateway: Gateway, library: Library) -> None:
        client = self._client(gateway, library.service, {"component": "_table/book/*", "verb_mask": 1})
        assert client.get(library.path("book")).status_code == 200
        for verb, path in (("GET", "shelf"), ("POST", "book"), ("PATCH", "book"), ("DELETE", "book"), ("GET", "nope")):
            error_of(client.request(verb, library.path(path), json=[{"title": "x"}]), 401)

    def test_lists_show_what_the_role_may_touch(self, gateway: Gateway, library: Library) -> None:
        rows = ({"component": "_table/"}, {"component": "_table/book/*"}, {"component": "_schema/shelf"})
        client = self._client(gateway, library.service, *rows)
        assert client.get(f"/{library.service}/_table").json() == {"resource": [{"name": "book"}]}
        assert client.get(f"/{library.service}/_schema").json() == {"resource": [{"name": "shelf"}]}

    def test_hidden_rows_look_missing_on_every_read(self, library: Library, narrow: Client) -> None:
        path, hidden, seen = library.path("book"), library.books["Ulysses"], library.books["Dune"]
        titles = [row["title"] for row in narrow.get(path, params={"order": "id"}).json()["resource"]]
        assert titles == ["Dune", "Emma", "Beowulf"]
        error_of(narrow.get(f"{path}/{hidden}"), 404)
        assert error_of(narrow.get(path, params={"ids": f"{seen},{hidden}"}), 400)["context"]["error"] == [1]
        assert narrow.get(path, params={"filter": "title = Ulysses"}).json() == {"resource": []}
        assert narrow.get(path, params={"filter": "in_print = true or in_print = false"}).json()["resource"][2:]
        assert narrow.get(path, params={"count_only": "true"}).json() == 3
        assert narrow.get(path, params={"include_count": "true", "limit": 1}).json()["meta"]["count"] == 3

    @needs("aggregates")
    def test_hidden_rows_are_not_aggregated(self, library: Library, narrow: Client) -> None:
        """D5."""
        reply = narrow.get(library.path("book"), params={"fields": "COUNT(*),MAX(pages)"})
        assert reply.json() == {"resource": [{"count_all": 3, "max_pages": 412}]}

    def test_hidden_rows_are_not_changed_or_deleted(self, library: Library, narrow: Client) -> None:
        path, hidden = library.path("book"), library.books["Ulysses"]
        error_of(narrow.patch(f"{path}/{hidden}", json={"pages": 1}), 404)
        error_of(narrow.put(path, json=[{"id": hidden, "pages": 1}]), 400)
        error_of(narrow.patch(path, params={"ids": str(hidden)}, json={"resource": {"pages": 1}}), 400)
        assert narrow.patch(path, params={"filter": "id > 0"}, json={"resource": {"pages": 1}}).status_code == 200
        error_of(narrow.delete(f"{path}/{hidden}"), 404)
        error_of(narrow.delete(path, params={"ids": str(hidden)}), 400)
        assert narrow.delete(path, params={"filter": "title = Ulysses"}).json() == {"resource": []}
        assert library.get("book", hidden)["pages"] == 730

    def test_force_takes_only_what_is_seen(self, gateway: Gateway, library: Library) -> None:
        row = {"component": "_table/sample/*", "filters": self._filter("flag", "true")}
        client = self._client(gateway, library.service, row)
        library.client.post(
            library.path("sample"), json=[{"words": "mine", "flag": True}, {"words": "not", "flag": False}]
        )
        params = {"force": "true"}
        assert client.patch(library.path("sample"), params=params, json={"resource": {"words": "x"}}).status_code == 200
        assert client.delete(library.path("sample"), params=params).json() == {"success": True}
        assert [row["words"] for row in library.rows("sample")] == ["not"]

    def test_new_values_must_satisfy_the_filter(self, library: Library, narrow: Client) -> None:
        """D5, checklist 12."""
        path, seen = library.path("book"), library.books["Dune"]
        assert error_of(narrow.post(path, json={"title": "x", "in_print": False}), 403)["message"] == DENIED
        batch = error_of(narrow.post(path, json=[{"title": "y"}, {"title": "x", "in_print": False}]), 400)
        assert [one.get("status_code") for one in batch["context"]["resource"]] == [None, 403]
        assert error_of(narrow.patch(f"{path}/{seen}", json={"in_print": False}), 403)["message"] == DENIED
        error_of(narrow.patch(path, params={"filter": "id>0"}, json={"resource": {"in_print": False}}), 403)
        error_of(narrow.put(f"{path}/8888", params={"upsert": "true"}, json={"title": "z", "in_print": False}), 403)
        assert library.get("book", count_only="true", filter="in_print = false") == 2
        assert narrow.patch(f"{path}/{seen}", json={"in_print": True, "pages": 2}).status_code == 200

    def test_several_filters_all_bind(self, gateway: Gateway, library: Library) -> None:
        """D5: no later row widens what an earlier one narrowed."""
        rows = (
            {"component": "_table/book/*", "filters": self._filter("in_print", "true")},
            {"component": "_table/*", "filters": self._filter("pages", "300", ">")},
            {"component": "_table/b*"},
        )
        client = self._client(gateway, library.service, *rows)
        assert [row["title"] for row in client.get(library.path("book")).json()["resource"]] == ["Dune", "Emma"]

    @pytest.mark.parametrize(
        ("operator", "value", "titles"),
        [
            ("!=", "Dune", ["Emma", "Ulysses", "Beowulf", "Loose"]),
            ("in", "Dune,Emma", ["Dune", "Emma"]),
            ("not in", "(Dune,Emma)", ["Ulysses", "Beowulf", "Loose"]),
            ("starts with", "E", ["Emma"]),
            ("start with", "E", ["Emma"]),
            ("ends with", "a", ["Emma"]),
            ("contains", "eo", ["Beowulf"]),
            ("is not null", "", ["Dune", "Emma", "Ulysses", "Beowulf", "Loose"]),
            ("=", "x' or '1'='1", []),
            ("=", "(select 1)", []),
        ],
    )
    def test_every_operator_works_in_a_role(
        self, gateway: Gateway, library: Library, operator: str, value: str, titles: Sequence[str]
    ) -> None:
        row = {"component": "_table/*", "filters": self._filter("title", value, operator)}
        client = self._client(gateway, library.service, row)
        found = client.get(library.path("book"), params={"order": "id"}).json()["resource"]
        assert [one["title"] for one in found] == list(titles)

    def test_lookups_in_filters_are_bound(self, gateway: Gateway, library: Library) -> None:
        """Checklist 12: the value is data, whatever it looks like."""
        user = gateway.create_user(email=f"du'ne-{library.service}@example.com", first_name="Dune")
        hostile = gateway.create_user(email=f"x-{library.service}@example.com", first_name="x' or '1'='1")
        filters = self._filter("title", "{user.first_name}")
        row = {"service": library.service, "component": "*", "verb_mask": 31, "filters": filters}
        key = gateway.create_app(gateway.create_role([row]))["api_key"]
        reply = gateway.as_user(user, key).get(library.path("book"), params={"fields": "title"})
        assert reply.json() == {"resource": [{"title": "Dune"}]}
        assert gateway.as_user(hostile, key).get(library.path("book")).json() == {"resource": []}

    def test_a_filter_that_cannot_be_looked_up_opens_nothing(self, gateway: Gateway, library: Library) -> None:
        for operator in ("=", "!=", "not in"):
            row = {"component": "_table/*", "filters": self._filter("title", "{user.first_name}", operator)}
            client = self._client(gateway, library.service, row)
            error_of(client.get(library.path("book")), 403)
            error_of(client.delete(library.path("book"), params={"force": "true"}), 403)

    def test_a_broken_filter_opens_nothing(self, gateway: Gateway, library: Library) -> None:
        for filters in (self._filter("", "x"), self._filter("title", "x", "frobs"), self._filter("nope", "x")):
            client = self._client(gateway, library.service, {"component": "_table/*", "filters": filters})
            reply = client.get(library.path("book"))
            assert reply.status_code in (400, 500)
            assert "resource" not in reply.json()

    @needs("relations")
    def test_related_records_need_a_right_of_their_own(self, gateway: Gateway, library: Library) -> None:
        client = self._client(gateway, library.service, {"component": "_table/book/*"})
        for relation, table in (("shelf_by_shelf_id", "shelf"), ("genre_by_book_genre", "genre")):
            for path in (library.path("book"), library.path("book", library.books["Dune"])):
                error = error_of(client.get(path, params={"related": relation}), 403)
                assert error["message"] == (
                    f"GET access to component '_table/{table}' of service '{library.service}' is not allowed by this "
                    "user's role."
                )

    @needs("relations")
    def test_row_filters_hold_for_related_records(self, gateway: Gateway, library: Library) -> None:
        """D5: also behind a junction, and on the way back."""
        rows = (
            {"component": "_table/*"},
            {"component": "_table/genre", "filters": self._filter("label", "novel")},
            {"component": "_table/book", "filters": self._filter("in_print", "true")},
        )
        client = self._client(gateway, library.service, *rows)
        shelf = client.get(library.path("shelf", library.shelves["B2"]), params={"related": "book_by_shelf_id"})
        assert [one["title"] for one in shelf.json()["book_by_shelf_id"]] == ["Beowulf"]
        params = {"filter": "title = Dune", "related": "genre_by_book_genre"}
        (book,) = client.get(library.path("book"), params=params).json()["resource"]
        assert [one["label"] for one in book["genre_by_book_genre"]] == ["novel"]

    @needs("relations")
    def test_row_filters_hold_for_the_junction_itself(self, gateway: Gateway, library: Library) -> None:
        """D5: a link that is hidden leads nowhere."""
        epic = str(library.genres["epic"])
        rows = (
            {"component": "_table/*"},
            {"component": "_table/book_genre", "filters": self._filter("genre_id", epic)},
        )
        client = self._client(gateway, library.service, *rows)
        params = {"filter": "title = Dune", "related": "genre_by_book_genre"}
        (book,) = client.get(library.path("book"), params=params).json()["resource"]
        assert [one["label"] for one in book["genre_by_book_genre"]] == ["epic"]

    @needs("relations", "transactions")
    def test_nested_writes_need_rights_on_the_other_table(self, gateway: Gateway, library: Library) -> None:
        rows = ({"component": "_table/book/*"}, {"component": "_table/chapter/*", "verb_mask": 1})
        client = self._client(gateway, library.service, *rows)
        record = {"title": "x", "chapter_by_book_id": [{"heading": "One"}]}
        error_of(client.post(library.path("book"), json=record), 403)
        assert library.titles(filter="title = x") == []
        assert library.rows("chapter") == []

    def test_upsert_needs_the_right_to_create(self, gateway: Gateway, library: Library) -> None:
        client = self._client(gateway, library.service, {"component": "_table/shelf/*", "verb_mask": 1 + 4 + 8})
        params = {"upsert": "true"}
        error_of(client.put(library.path("shelf", 9999), json={"code": "x"}, params=params), 403)
        assert len(library.rows("shelf")) == 3

    def test_upsert_obeys_the_filters_of_both_verbs(self, gateway: Gateway, library: Library) -> None:
        """D5: what PUT may not write, it may not create either."""
        rows = (
            {"component": "_table/shelf/*", "verb_mask": 4, "filters": self._filter("room", "north")},
            {"component": "_table/shelf/*", "verb_mask": 2, "filters": self._filter("code", "X1")},
        )
        client = self._client(gateway, library.service, *rows)
        params = {"upsert": "true"}
        for record in ({"code": "X1", "room": "south"}, {"code": "X2", "room": "north"}):
            error_of(client.put(library.path("shelf", 9999), json=record, params=params), 403)
        reply = client.put(library.path("shelf", 9999), json={"code": "X1", "room": "north"}, params=params)
        assert reply.json() == {"id": 9999}
