"""The suite's part about response filters: what a role leaves out of replies or masks in them (D33)."""

from __future__ import annotations

from typing import Any

import pytest

from trunkline.testing import Client, Gateway
from trunkline_database.testing.hostile import MARK
from trunkline_database.testing.library import Library, LibrarySuite, error_of, needs

TUNNEL = {"X-HTTP-Method": "GET"}


class VeilingSuite(LibrarySuite):
    """What is veiled is in no reply, and nothing can be asked that would tell it."""

    def veiled(self, gateway: Gateway, library: Library, *filters: dict[str, str], **rows: Any) -> Client:
        """Make a client whose role has these filters for books, and none for the rest unless given."""
        table = {"service": library.service, "component": "_table/book/*", "verb_mask": 31, "response_filters": filters}
        others = {"service": library.service, "component": "_table/*", "verb_mask": 31}
        return gateway.key_for([table, {**others, "component": "_table/shelf/*", **rows}, *self._rest(library)])

    def _rest(self, library: Library) -> list[dict[str, Any]]:
        tables = ("genre", "book_genre", "chapter", "sample")
        return [{"service": library.service, "component": f"_table/{one}/*", "verb_mask": 31} for one in tables]

    @pytest.fixture
    def client(self, gateway: Gateway, library: Library) -> Client:
        """A client that sees no price, the end of titles, and digests of pages."""
        return self.veiled(
            gateway,
            library,
            {"name": "price", "action": "exclude"},
            {"name": "TITLE", "action": "mask", "value": "last4"},
            {"name": "pages", "action": "mask", "value": "hash"},
            {"name": "published", "action": "mask", "value": "null"},
        )

    def test_every_way_of_reading_is_veiled(self, client: Client, library: Library) -> None:
        dune, path = library.books["Dune"], library.path("book")
        plain = library.get("book", dune)
        replies = [
            client.get(f"{path}/{dune}").json(),
            *client.get(path, params={"filter": f"id = {dune}"}).json()["resource"],
            *client.get(path, params={"filter": f"id = {dune}", "limit": 5, "order": "id"}).json()["resource"],
            *client.get(path, params={"ids": str(dune)}).json()["resource"],
            *client.post(path, json={"resource": [{"id": dune}]}, headers=TUNNEL).json()["resource"],
            *client.get(path, params={"paging": "keyset", "filter": f"id = {dune}"}).json()["resource"],
        ]
        digest = replies[0]["pages"]
        assert len(digest) == 32
        for found in replies:
            assert found == {
                **{name: plain[name] for name in ("id", "shelf_id", "in_print")},
                "title": "****", "pages": digest, "published": None,
            }  # fmt: skip
        emma = client.get(f"{path}/{library.books['Ulysses']}", params={"fields": "title,pages"}).json()
        assert emma["title"] == "***sses"
        assert emma["pages"] not in (digest, "730", 730)
        named = client.get(path, params={"as_list": "true", "id_field": "id", "order": "id"}).json()["resource"]
        assert named == sorted(library.books.values())

    def test_errors_in_batches_are_veiled(self, client: Client, library: Library) -> None:
        params = {"ids": f"{library.books['Dune']},999999", "continue": "true"}
        error = error_of(client.get(library.path("book"), params=params), 400)
        assert error["context"]["resource"][0]["title"] == "****"
        assert "price" not in error["context"]["resource"][0]

    def test_replies_to_writes_are_veiled(self, client: Client, library: Library) -> None:
        path, wanted = library.path("book"), {"fields": "*"}
        made = client.post(path, json={"resource": [{"title": "Middlemarch", "price": "5.00"}]}, params=wanted)
        (row,) = made.json()["resource"]
        assert row["title"] == "*******arch"
        assert "price" not in row
        assert library.get("book", row["id"])["price"] == 5  # it may be written nevertheless
        changed = client.patch(f"{path}/{row['id']}", json={"title": "Daniel"}, params=wanted).json()
        assert changed["title"] == "**niel"
        listed = client.patch(path, json=[{"id": row["id"], "title": "Romola"}], params={"fields": "title"}).json()
        assert listed == {"resource": [{"title": "**mola"}]}
        gone = client.delete(path, params={"ids": str(row["id"]), "fields": "*"}).json()["resource"]
        assert gone[0]["title"] == "**mola"
        assert "price" not in gone[0]
        refused = client.patch(f"{path}/{library.books['Dune']}", json={"pages": {"expression": "price + 1"}})
        error_of(refused, 400)

    @needs("relations")
    def test_related_records_are_veiled(self, gateway: Gateway, client: Client, library: Library) -> None:
        params = {"related": "book_by_shelf_id", "filter": "code = 'A1'"}
        (shelf,) = client.get(library.path("shelf"), params=params).json()["resource"]
        assert [(one["title"], "price" in one) for one in shelf["book_by_shelf_id"]] == [("****", False)] * 2
        for options in ({"order": "price"}, {"filter": "price > 1"}, {"fields": "price"}):
            below = {f"book_by_shelf_id.{name}": value for name, value in options.items()}
            error_of(client.get(library.path("shelf"), params={**params, **below}), 400)
        linkless = self.veiled(gateway, library, {"name": "shelf_id", "action": "exclude"})
        params = {"related": "shelf_by_shelf_id", "filter": "title = 'Dune'"}
        (book,) = linkless.get(library.path("book"), params=params).json()["resource"]
        assert "shelf_id" not in book
        assert book["shelf_by_shelf_id"]["code"] == "A1"

    @pytest.mark.parametrize("field", ["price", "title"])
    def test_what_is_veiled_cannot_be_asked_for(self, client: Client, library: Library, field: str) -> None:
        path = library.path("book")
        for params in (
            {"filter": f"{field} > 1"}, {"filter": f"not (({field} is null) or (id = 1))"}, {"order": f"{field} desc"},
            {"group": field}, {"fields": f"MAX({field})"}, {"fields": f"COUNT({field})", "group": "shelf_id"},
            {"id_field": field, "ids": "Dune"}, {"paging": "keyset", "order": field},
        ):  # fmt: skip
            for reply in (
                client.get(path, params=params),
                client.patch(path, json={"resource": {"in_print": True}}, params={**params, "force": "true"}),
                client.delete(path, params={**params, "filter": params.get("filter", f"{field} = 1")}),
            ):
                assert MARK not in reply.text
                if reply.request.method == "GET" or "filter" in params or "id_field" in params:
                    error_of(reply, 400)
        assert library.get("book", count_only="true") == 5
        if field == "price":
            error_of(client.get(path, params={"fields": "id,price"}), 400)

    def test_only_what_is_allowed_goes_out(self, gateway: Gateway, library: Library) -> None:
        client = self.veiled(gateway, library, {"name": "id", "action": "allow"}, {"name": "title", "action": "allow"})
        found = client.get(library.path("book"), params={"limit": 1, "order": "id"}).json()["resource"]
        assert found == [{"id": library.books["Dune"], "title": "Dune"}]
        error_of(client.get(library.path("book"), params={"fields": "pages"}), 400)

    def test_all_filters_of_a_level_bind(self, gateway: Gateway, library: Library) -> None:
        """D5: no row widens what another one narrowed."""
        row = {"service": library.service, "component": "_table/book/*", "verb_mask": 1}
        filters = (
            [{"name": "title", "action": "mask", "value": "last4"}, {"name": "id", "action": "allow"},
             {"name": "title", "action": "allow"}, {"name": "pages", "action": "allow"}],
            [{"name": "title", "action": "mask", "value": "null"}, {"name": "pages", "action": "exclude"}],
        )  # fmt: skip
        client = gateway.key_for([*({**row, "response_filters": one} for one in filters), row])
        found = client.get(library.path("book"), params={"limit": 1, "order": "id"}).json()["resource"]
        assert found == [{"id": library.books["Dune"], "title": None}]
