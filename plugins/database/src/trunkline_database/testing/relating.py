"""The suite's part about related records, read and written (database-api 11)."""

from __future__ import annotations

from typing import Any

import pytest

from trunkline.testing import Gateway
from trunkline_database.testing.library import Library, LibrarySuite, error_of, needs


class RelatingSuite(LibrarySuite):
    """Relations by foreign keys."""

    @needs("relations")
    def test_foreign_keys_become_relations(self, library: Library) -> None:
        reply = library.client.get(f"/{library.service}/_schema/book/_related")
        kinds = {one["name"]: one["type"] for one in reply.json()["resource"]}
        assert kinds["shelf_by_shelf_id"] == "belongs_to"
        assert kinds["genre_by_book_genre"] == "many_many"
        assert kinds["book_genre_by_book_id"] == "has_many"

    @needs("relations")
    def test_a_parent_comes_as_an_object_or_null(self, library: Library) -> None:
        rows = library.rows(
            "book", fields="title", related="shelf_by_shelf_id", **{"shelf_by_shelf_id.fields": "code"}, order="id"
        )
        assert rows[0] == {
            "title": "Dune",
            "shelf_id": library.shelves["A1"],
            "shelf_by_shelf_id": {"code": "A1"},
        }
        assert rows[-1] == {"title": "Loose", "shelf_id": None, "shelf_by_shelf_id": None}

    @needs("relations")
    def test_children_come_as_lists(self, library: Library) -> None:
        shelf = library.get("shelf", library.shelves["A1"], related="BOOK_by_shelf_id", book_by_shelf_id_fields="title")
        assert shelf["book_by_shelf_id"] == [{"title": "Dune"}, {"title": "Emma"}]
        assert library.get("shelf", library.shelves["C3"], related="book_by_shelf_id")["book_by_shelf_id"] == []

    @needs("relations")
    def test_junctions_lead_to_the_other_side(self, library: Library) -> None:
        (row,) = library.rows("book", filter="title=Dune", related="genre_by_book_genre")
        assert [genre["label"] for genre in row["genre_by_book_genre"]] == ["novel", "epic"]

    @needs("relations")
    def test_every_relation_comes_with_an_asterisk(self, library: Library) -> None:
        book = library.get("book", library.books["Dune"], related="*")
        assert {"shelf_by_shelf_id", "genre_by_book_genre", "book_genre_by_book_id", "chapter_by_book_id"} <= set(book)

    @needs("relations")
    def test_limit_and_offset_count_for_each_parent(self, library: Library) -> None:
        """D30."""
        options = {
            "book_by_shelf_id.limit": 1,
            "book_by_shelf_id.order": "title desc",
            "book_by_shelf_id.fields": "title",
        }
        rows = library.rows("shelf", related="book_by_shelf_id", order="id", **options)
        assert [row["book_by_shelf_id"] for row in rows] == [[{"title": "Emma"}], [{"title": "Ulysses"}], []]
        options["book_by_shelf_id.offset"] = 1
        rows = library.rows("shelf", related="book_by_shelf_id", order="id", **options)
        assert [row["book_by_shelf_id"] for row in rows] == [[{"title": "Dune"}], [{"title": "Beowulf"}], []]
        through = library.rows(
            "book",
            order="id",
            related="genre_by_book_genre",
            **{"genre_by_book_genre.limit": 1, "genre_by_book_genre.order": "label"},
        )
        assert [[one["label"] for one in row["genre_by_book_genre"]] for row in through[:2]] == [["epic"], ["novel"]]

    @needs("relations")
    def test_related_records_are_filtered(self, library: Library) -> None:
        rows = library.rows(
            "shelf", related="book_by_shelf_id", order="id", **{"book_by_shelf_id.filter": "pages > 400"}
        )
        assert [len(row["book_by_shelf_id"]) for row in rows] == [1, 1, 0]

    @needs("relations")
    def test_relations_nest(self, library: Library) -> None:
        """D30."""
        shelf = library.get(
            "shelf",
            library.shelves["B2"],
            related="book_by_shelf_id",
            **{
                "book_by_shelf_id.related": "genre_by_book_genre",
                "book_by_shelf_id.genre_by_book_genre.fields": "label",
            },
        )
        beowulf = next(one for one in shelf["book_by_shelf_id"] if one["title"] == "Beowulf")
        assert beowulf["genre_by_book_genre"] == [{"label": "epic"}]

    @needs("relations")
    def test_nesting_has_an_end(self, library: Library) -> None:
        """D30."""
        params, prefix = {}, ""
        for level in range(12):
            relation = "book_by_shelf_id" if level % 2 == 0 else "shelf_by_shelf_id"
            params[f"{prefix}related"] = relation
            prefix += f"{relation}."
        error_of(library.client.get(library.path("shelf"), params=params), 400)

    @needs("relations")
    def test_an_unknown_relation_is_refused_by_name(self, library: Library) -> None:
        """D9."""
        error = error_of(library.client.get(library.path("book"), params={"related": "nope_by_x"}), 400)
        assert "nope_by_x" in error["message"]

    @needs("relations")
    def test_one_statement_serves_all_parents(self, library: Library, gateway: Gateway) -> None:
        """However many parents there are; counted where the store is asked."""
        service = gateway.app.services.of(gateway.app.directory.snapshot.services[library.service])
        store: Any = service.store  # type: ignore[attr-defined]
        asked: list[Any] = []
        original = store.select

        async def counting(plan: Any) -> Any:
            asked.append(plan)
            return await original(plan)

        store.select = counting
        try:
            library.rows("book", related="shelf_by_shelf_id,genre_by_book_genre")
        finally:
            del store.select
        assert len(asked) == 3

    @needs("relations", "transactions")
    def test_a_record_brings_its_children_and_parents(self, library: Library) -> None:
        record = {
            "title": "Omnibus",
            "shelf_by_shelf_id": {"code": "N9"},
            "chapter_by_book_id": [{"heading": "One"}, {"heading": "Two"}],
            "genre_by_book_genre": [{"label": "new"}, {"id": library.genres["epic"]}],
        }
        params = {"related": "*", "fields": "title"}
        reply = library.client.post(library.path("book"), json={"resource": [record]}, params=params)
        (row,) = reply.json()["resource"]
        assert row["shelf_by_shelf_id"]["code"] == "N9"
        assert [one["heading"] for one in row["chapter_by_book_id"]] == ["One", "Two"]
        assert sorted(one["label"] for one in row["genre_by_book_genre"]) == ["epic", "new"]

    @needs("relations", "transactions")
    def test_a_failing_child_undoes_its_parent(self, library: Library) -> None:
        record = {"title": "Half", "chapter_by_book_id": [{"heading": "One"}, {"heading": None}]}
        error = error_of(library.client.post(library.path("book"), json={"resource": [record]}), 400)
        assert error["code"] == 1000
        assert library.titles(filter="title = Half") == []
        assert library.rows("chapter") == []

    @needs("relations", "transactions")
    def test_children_are_changed_moved_and_let_go(self, library: Library) -> None:
        shelf, dune, loose = library.shelves["C3"], library.books["Dune"], library.books["Loose"]
        children = [{"id": dune, "pages": 1}, {"id": loose}]
        reply = library.client.patch(library.path("shelf", shelf), json={"book_by_shelf_id": children})
        assert reply.status_code == 200, reply.text
        assert library.titles(filter=f"shelf_id = {shelf}") == ["Dune", "Loose"]
        assert library.get("book", dune)["pages"] == 1
        released = [{"id": dune, "shelf_id": None}]
        library.client.patch(library.path("shelf", shelf), json={"book_by_shelf_id": released})
        assert library.get("book", dune)["shelf_id"] is None

    @needs("relations", "transactions")
    def test_a_child_that_needs_its_parent_is_deleted_only_on_demand(self, library: Library) -> None:
        dune = library.books["Dune"]
        library.client.post(library.path("chapter"), json=[{"book_id": dune, "heading": "One"}])
        (chapter,) = library.rows("chapter")
        body = {"chapter_by_book_id": [{"id": chapter["id"], "book_id": None}]}
        error_of(library.client.patch(library.path("book", dune), json=body), 400)
        assert len(library.rows("chapter")) == 1
        params = {"allow_related_delete": "true"}
        assert library.client.patch(library.path("book", dune), json=body, params=params).status_code == 200
        assert library.rows("chapter") == []

    @needs("relations", "transactions")
    def test_many_to_many_links_are_taken_back(self, library: Library) -> None:
        """D30."""
        dune, epic = library.books["Dune"], library.genres["epic"]
        body = {"genre_by_book_genre": [{"id": epic, "book.id": None}]}
        reply = library.client.patch(library.path("book", dune), json=body)
        assert reply.status_code == 200, reply.text
        (row,) = library.rows("book", filter="title=Dune", related="genre_by_book_genre")
        assert [one["label"] for one in row["genre_by_book_genre"]] == ["novel"]
        assert "epic" in [row["label"] for row in library.rows("genre")]

    @needs("relations")
    @pytest.mark.parametrize("entry", ["text", 5, [[1]], {"chapter_by_book_id": 1}])
    def test_a_related_entry_of_the_wrong_shape_is_refused(self, library: Library, entry: Any) -> None:
        body = {"resource": [{"title": "X", "chapter_by_book_id": entry}]}
        error_of(library.client.post(library.path("book"), json=body), 400)
