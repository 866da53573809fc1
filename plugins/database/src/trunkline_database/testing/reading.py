"""The suite's part about reading: ids, fields, filters, pages, order, groups (database-api 4 to 8)."""

from __future__ import annotations

import pytest

from trunkline_database.testing.library import Library, LibrarySuite, error_of, needs


class ReadingSuite(LibrarySuite):
    """Reads in all four ways."""

    def test_tables_are_listed_in_natural_order(self, library: Library) -> None:
        names = library.get(as_list="true")["resource"]
        assert [name for name in names if name in ("book", "book_genre", "genre", "shelf")] == [
            "book",
            "book_genre",
            "genre",
            "shelf",
        ]

    def test_a_record_by_id_is_a_bare_object(self, library: Library) -> None:
        book = library.get("book", library.books["Dune"])
        assert book["title"] == "Dune"
        assert book["in_print"] is True
        assert book["price"] == 9.5
        assert book["published"].startswith("1965-08-01")

    def test_the_table_name_matches_in_any_case(self, library: Library) -> None:
        assert library.get("BOOK", library.books["Emma"], fields="TITLE") == {"title": "Emma"}

    def test_a_missing_record_is_a_404_that_names_it(self, library: Library) -> None:
        error = error_of(library.client.get(library.path("book", 999999)), 404)
        assert error["message"] == "Record with identifier '999999' not found."

    def test_a_missing_table_is_a_404_that_names_it(self, library: Library) -> None:
        error = error_of(library.client.get(library.path("nope")), 404)
        assert error["message"] == 'Table "nope" does not exist in the database.'

    def test_an_id_of_the_wrong_type_is_a_400_that_names_the_field(self, library: Library) -> None:
        error = error_of(library.client.get(library.path("book", "abc")), 400)
        assert error["message"] == "Field 'id' must be a valid integer."

    def test_more_path_behind_an_id_is_a_404(self, library: Library) -> None:
        """D13."""
        error_of(library.client.get(library.path("book", library.books["Dune"], "title")), 404)

    def test_ids_keep_their_order_and_repetitions(self, library: Library) -> None:
        dune, emma = library.books["Dune"], library.books["Emma"]
        rows = library.rows("book", ids=f"{emma},{dune},{emma}", fields="title")
        assert rows == [{"title": "Emma"}, {"title": "Dune"}, {"title": "Emma"}]

    def test_a_missing_id_in_a_list_is_a_batch_error(self, library: Library) -> None:
        dune = library.books["Dune"]
        params = {"ids": f"{dune},999999,{dune}", "fields": "id"}
        error = error_of(library.client.get(library.path("book"), params=params), 400)
        assert error["code"] == 1000
        assert error["context"]["error"] == [1]
        assert len(error["context"]["resource"]) == 2
        params["continue"] = "true"
        error = error_of(library.client.get(library.path("book"), params=params), 400)
        assert [one.get("id") for one in error["context"]["resource"]] == [dune, None, dune]

    def test_ids_and_records_may_come_in_a_tunnelled_body(self, library: Library) -> None:
        dune, emma = library.books["Dune"], library.books["Emma"]
        tunnel = {"X-HTTP-Method": "GET"}
        for body in ({"ids": [dune, emma]}, {"ids": f"{dune},{emma}"}, [dune, emma], [{"id": dune}, {"id": emma}]):
            reply = library.client.post(library.path("book"), json=body, headers=tunnel)
            assert [row["title"] for row in reply.json()["resource"]] == ["Dune", "Emma"], body
        bare = library.client.post(library.path("book"), json={"id": emma}, headers=tunnel)
        assert bare.json()["title"] == "Emma"  # D8

    def test_an_empty_list_of_ids_reads_nothing(self, library: Library) -> None:
        """Checklist 6: it must not come to mean every row."""
        reply = library.client.post(library.path("book"), json={"ids": []}, headers={"X-HTTP-Method": "GET"})
        assert reply.json() == {"resource": []}

    def test_another_column_may_identify(self, library: Library) -> None:
        assert library.get("shelf", "B2", id_field="code")["room"] == "south"
        assert [row["room"] for row in library.rows("shelf", ids="C3,A1", id_field="code")] == [None, "north"]

    def test_a_composite_key_works_in_ids_and_paths(self, library: Library) -> None:
        """D12."""
        book, epic, novel = library.books["Dune"], library.genres["epic"], library.genres["novel"]
        rows = library.rows("book_genre", ids=f"({book},{epic}),({book},{novel})")
        assert [row["genre_id"] for row in rows] == [epic, novel]
        assert library.get("book_genre", f"({book},{epic})")["genre_id"] == epic
        assert library.get("book_genre", f"{epic},{book}", id_field="genre_id,book_id")["book_id"] == book
        body = {"ids": [{"book_id": book, "genre_id": epic}]}
        reply = library.client.post(library.path("book_genre"), json=body, headers={"X-HTTP-Method": "GET"})
        assert [row["genre_id"] for row in reply.json()["resource"]] == [epic]
        error_of(library.client.get(library.path("book_genre", book)), 400)

    @needs("keyless_tables")
    def test_a_table_without_key_is_readable(self, library: Library) -> None:
        """D12."""
        library.client.post(library.path("visit"), json=[{"day": "2024-02-29", "people": 3}])
        assert [row["people"] for row in library.rows("visit")] == [3]
        error = error_of(library.client.get(library.path("visit", 1)), 400)
        assert error["message"] == "Identifying field(s) could not be determined."
        assert library.get("visit", 3, id_field="people")["day"].startswith("2024-02-29")

    def test_fields_choose_and_order_the_output(self, library: Library) -> None:
        book = library.books["Dune"]
        assert list(library.get("book", book, fields=" pages , Title, pages")) == ["pages", "title"]
        assert library.get("book", book, fields="") == {"id": book}
        error = error_of(library.client.get(library.path("book", book), params={"fields": "id,nope"}), 400)
        assert error["message"] == "Invalid field requested: nope"

    @pytest.mark.parametrize(
        ("text", "titles"),
        [
            ("title = Dune", ["Dune"]),
            ("title = 'Dune' or pages < 200", ["Dune", "Beowulf"]),
            ("(pages > 300) and (in_print = true)", ["Dune", "Emma"]),
            ("pages between 100 and 350", ["Emma", "Beowulf"]),
            ("title in ('Dune', Emma)", ["Dune", "Emma"]),
            ("title not in (Dune,Emma,Loose)", ["Ulysses", "Beowulf"]),
            ("title like 'E%'", ["Emma"]),
            ("title contains eo", ["Beowulf"]),
            ("title contains 'eo'", ["Beowulf"]),
            ("title starts with Ul", ["Ulysses"]),
            ("title ends with 'mma'", ["Emma"]),
            ("pages is null", ["Loose"]),
            ("price is not null and not (in_print = 1)", ["Ulysses", "Loose"]),
            ("published >= 1922-02-02", ["Dune", "Ulysses"]),
            ("price > 7.25", ["Dune", "Ulysses"]),
            ("in_print = no", ["Ulysses", "Loose"]),
            ("pages != 412", ["Emma", "Ulysses", "Beowulf"]),
            ("title = 'x' OR '1' = '1'", None),
            ("nope = 1", None),
            ("pages = abc", None),
            ("in_print = maybe", None),
            ("published > yesterday", None),
            ("(pages = 1", None),
            ("title", None),
        ],
    )
    def test_filters_select_rows_or_are_refused(self, library: Library, text: str, titles: list[str] | None) -> None:
        """D11; the language itself is tested where it is parsed."""
        if titles is None:
            error_of(library.client.get(library.path("book"), params={"filter": text}), 400)
        else:
            assert library.titles(filter=text) == titles

    def test_parameters_of_a_filter_are_bound(self, library: Library) -> None:
        body = {"filter": "title = :t", "params": {":t": "Du' or 1=1"}, "fields": "title"}
        reply = library.client.post(library.path("book"), json=body, headers={"X-HTTP-Method": "GET"})
        assert reply.json() == {"resource": []}

    @needs("text_filters")
    def test_a_filter_as_an_object_is_refused(self, library: Library) -> None:
        """D26: where objects are no filters."""
        body = {"filter": {"title": "Dune"}}
        error_of(library.client.post(library.path("book"), json=body, headers={"X-HTTP-Method": "GET"}), 400)

    def test_a_filter_of_another_type_is_refused(self, library: Library) -> None:
        """D26."""
        for filter_ in (["title=Dune"], 5, True, {}, {"title": {"$where": "1"}}, {"$where": "1"}):
            reply = library.client.post(
                library.path("book"), json={"filter": filter_}, headers={"X-HTTP-Method": "GET"}
            )
            error_of(reply, 400)

    def test_pages_follow_each_other_without_gap(self, library: Library) -> None:
        """Without an order the key orders, or the engine's own order, so that no row is seen twice."""
        seen = [library.rows("book", limit=2, offset=offset, fields="id") for offset in (0, 2, 4)]
        found = [row["id"] for page in seen for row in page]
        assert (sorted(found) if "key_order" in library.lacks else found) == sorted(library.books.values())

    def test_a_valid_limit_alone_answers_no_meta(self, library: Library) -> None:
        assert list(library.get("book", limit=2)) == ["resource"]

    def test_the_count_and_the_neighbouring_pages_are_told_when_asked(self, library: Library) -> None:
        """D32."""
        first = library.get("book", limit=2, include_count="true")["meta"]
        assert first == {"count": 5, "next": 2}
        assert library.get("book", limit=2, offset=2, include_count="1")["meta"] == {
            "count": 5,
            "next": 4,
            "previous": 0,
        }
        assert library.get("book", limit=2, offset=4, include_count="yes")["meta"] == {"count": 5, "previous": 2}
        assert library.get("book", limit=2, offset=9, include_count="on")["meta"] == {"count": 5, "previous": 7}
        assert library.get("book", include_count="true", filter="pages > 300")["meta"] == {"count": 3}

    @pytest.mark.parametrize("limit", ["0", "-1", "abc", "", "99999999999999999999"])
    def test_a_limit_that_is_none_means_the_maximum(self, library: Library, limit: str) -> None:
        assert len(library.rows("book", limit=limit)) == 5

    def test_count_only_is_a_bare_number(self, library: Library) -> None:
        assert library.get("book", count_only="true") == 5
        assert library.get("book", count_only="true", filter="in_print = true") == 3

    def test_the_schema_comes_along_when_asked(self, library: Library) -> None:
        meta = library.get("book", limit=1, include_schema="true")["meta"]
        assert meta["schema"]["name"] == "book"
        assert "alias" not in meta["schema"]["field"][0]

    def test_order_takes_several_columns_and_directions(self, library: Library) -> None:
        assert library.titles(order="in_print desc, title") == ["Beowulf", "Dune", "Emma", "Loose", "Ulysses"]
        assert library.titles(order="title DESC", limit=2) == ["Ulysses", "Loose"]

    @pytest.mark.parametrize("order", ["nope", "title sideways", "title; drop table book", "title desc nulls", "1"])
    def test_an_order_that_makes_no_sense_is_refused(self, library: Library, order: str) -> None:
        """D9."""
        error_of(library.client.get(library.path("book"), params={"order": order}), 400)

    @needs("nulls_order")
    def test_nulls_go_where_they_are_sent(self, library: Library) -> None:
        assert library.titles(order="pages asc nulls last", filter="title != Dune")[-1] == "Loose"
        assert library.titles(order="pages desc nulls first")[0] == "Loose"

    @needs("aggregates")
    def test_groups_are_aggregated(self, library: Library) -> None:
        """D29: numbers are numbers, and the keys are the recorded ones."""
        rows = library.rows("book", fields="shelf_id,COUNT(*),SUM(pages)", group="shelf_id", filter="shelf_id > 0")
        assert rows == [
            {"shelf_id": library.shelves["A1"], "count_all": 2, "sum_pages": 732},
            {"shelf_id": library.shelves["B2"], "count_all": 2, "sum_pages": 830},
        ]

    @needs("aggregates")
    def test_a_whole_table_is_aggregated_without_group(self, library: Library) -> None:
        """D29."""
        (row,) = library.rows("book", fields="count(id), MIN(pages), max(title), AVG(pages), sum(price)")
        assert row == {
            "count_id": 5,
            "min_pages": 100,
            "max_title": "Ulysses",
            "avg_pages": 390.5,
            "sum_price": 29.75,
        }

    @needs("aggregates")
    @pytest.mark.parametrize(
        "params",
        [
            {"group": "nope"},
            {"fields": "title,COUNT(*)", "group": "shelf_id"},
            {"fields": "SUM(title)"},
            {"fields": "SUM(nope)"},
            {"fields": "COUNT(id) as n", "group": "shelf_id"},
            {"fields": "shelf_id", "group": "shelf_id", "order": "title"},
        ],
    )
    def test_a_group_that_makes_no_sense_is_refused(self, library: Library, params: dict[str, str]) -> None:
        error_of(library.client.get(library.path("book"), params=params), 400)

    def test_as_list_answers_one_value_for_each_record(self, library: Library) -> None:
        assert library.rows("shelf", as_list="true", id_field="code", order="id") == ["A1", "B2", "C3"]
        assert library.rows("shelf", as_list="true") == []

    def test_unknown_parameters_change_nothing(self, library: Library) -> None:
        assert len(library.rows("book", distinct="true", frobnicate="1")) == 5
