"""The suite's part about results that are kept for a while (database-api 17.2, D25)."""

from __future__ import annotations

from typing import Any

import pytest

from trunkline.testing import Gateway
from trunkline_database.testing.library import Library, LibrarySuite, needs, twin


class KeepingSuite(LibrarySuite):
    """A service that keeps results, and a second one on the same database that changes rows behind its back."""

    @pytest.fixture
    def kept(self, gateway: Gateway, library: Library) -> Library:
        """The same tables through a service with ``cache_enabled``."""
        twin(gateway, library, "kept", cache_enabled=True, cache_ttl=600)
        # Rows were made anew behind the back of this one.
        assert library.client.delete("/system/cache/kept").status_code == 200
        return Library(library.client, "kept", library.shelves, library.books, library.genres, library.lacks)

    def _behind(self, library: Library, title: str, pages: int) -> None:
        library.client.patch(library.path("book", library.books[title]), json={"pages": pages})

    def test_a_result_is_kept_until_a_write_or_refresh(self, library: Library, kept: Library) -> None:
        dune = kept.books["Dune"]
        assert kept.get("book", dune)["pages"] == 412
        self._behind(library, "Dune", 1)
        assert kept.get("book", dune)["pages"] == 412
        # Another request is another result.
        assert kept.get("book", dune, fields="pages")["pages"] == 1
        assert kept.get("book", dune, refresh="true")["pages"] == 1
        assert kept.get("book", dune)["pages"] == 1
        self._behind(library, "Dune", 2)
        assert kept.get("book", dune)["pages"] == 1
        kept.client.patch(kept.path("book", kept.books["Emma"]), json={"pages": 3})
        assert kept.get("book", dune)["pages"] == 2

    @pytest.mark.parametrize(
        ("verb", "body", "params"),
        [
            ("POST", {"title": "New"}, {}),
            ("PATCH", {"resource": {"pages": 9}}, {"filter": "title=Emma"}),
            ("PUT", {"resource": [{"id": 0, "pages": 9}]}, {}),
            ("DELETE", None, {"filter": "title=Loose"}),
        ],
    )
    def test_every_kind_of_write_lets_results_go(
        self, library: Library, kept: Library, verb: str, body: Any, params: dict[str, str]
    ) -> None:
        """Also one that fails, as it may have written some of its records."""
        asked = {"filter": "title=Dune", "fields": "pages"}
        assert kept.rows("book", **asked) == [{"pages": 412}]
        assert kept.get("book", count_only="true") == 5
        self._behind(library, "Dune", 1)
        kept.client.request(verb, kept.path("book"), json=body, params=params)
        assert kept.rows("book", **asked) == [{"pages": 1}]
        assert kept.get("book", count_only="true") == {"POST": 6, "DELETE": 4}.get(verb, 5)

    @needs("relations")
    def test_related_records_do_not_outlive_a_write_to_their_table(self, library: Library, kept: Library) -> None:
        shelf = kept.shelves["B2"]
        asked = {"related": "book_by_shelf_id", "book_by_shelf_id.fields": "title"}
        assert len(kept.get("shelf", shelf, **asked)["book_by_shelf_id"]) == 2
        kept.client.delete(kept.path("book", kept.books["Ulysses"]))
        assert len(kept.get("shelf", shelf, **asked)["book_by_shelf_id"]) == 1

    def test_a_result_is_never_answered_to_somebody_with_other_rights(self, gateway: Gateway, kept: Library) -> None:
        """Checklist 29."""
        everything = [{"service": "kept", "component": "_table/*", "verb_mask": 31}]
        filters = [{"name": "title", "operator": "=", "value": "{user.first_name}"}]
        mine = [{**everything[0], "filters": filters}]
        assert len(gateway.key_for(everything).get(kept.path("book")).json()["resource"]) == 5
        role = gateway.create_role(mine)
        app = gateway.create_app(role)["api_key"]
        for name in ("Dune", "Emma"):
            user = gateway.create_user(email=f"{name}@example.com", first_name=name)
            rows = gateway.as_user(user, app).get(kept.path("book"), params={"fields": "title"})
            assert rows.json() == {"resource": [{"title": name}]}

    def test_a_look_up_in_the_request_tells_callers_apart(self, gateway: Gateway, kept: Library) -> None:
        app = gateway.create_app(gateway.create_role([{"service": "kept", "component": "_table/*", "verb_mask": 1}]))
        for name in ("Dune", "Emma"):
            user = gateway.create_user(email=f"{name}@example.com", first_name=name)
            params = {"filter": "title = {user.first_name}", "fields": "title"}
            rows = gateway.as_user(user, app["api_key"]).get(kept.path("book"), params=params)
            assert rows.json() == {"resource": [{"title": name}]}

    def test_clearing_the_cache_of_the_service_lets_results_go(self, library: Library, kept: Library) -> None:
        dune = kept.books["Dune"]
        assert kept.get("book", dune)["pages"] == 412
        self._behind(library, "Dune", 1)
        assert kept.client.delete("/system/cache/kept").status_code == 200
        assert kept.get("book", dune)["pages"] == 1

    def test_what_a_body_asks_for_is_not_kept(self, library: Library, kept: Library) -> None:
        asked = {"ids": [kept.books["Dune"]], "fields": "pages"}
        for pages in (412, 1):
            reply = kept.client.post(kept.path("book"), json=asked, headers={"X-HTTP-Method": "GET"})
            assert reply.json() == {"resource": [{"pages": pages}]}
            self._behind(library, "Dune", 1)

    def test_decimals_are_kept_with_their_digits(self, kept: Library) -> None:
        """D14."""
        paths = [kept.path("book", kept.books["Dune"])] * 2
        first, second = (kept.client.get(path, params={"fields": "price"}).text for path in paths)
        assert first == second
