"""The suite's part about writing: every form, batches, upsert, deletes (database-api 9 and 10)."""

from __future__ import annotations

from typing import Any

import pytest

from trunkline_database.testing.library import Library, LibrarySuite, error_of, needs


class WritingSuite(LibrarySuite):
    """Creates, changes, deletes."""

    # Creating.

    def test_created_records_answer_their_keys(self, library: Library) -> None:
        reply = library.client.post(library.path("shelf"), json={"resource": [{"code": "X1"}, {"code": "X2"}]})
        assert reply.status_code == 200
        keys = reply.json()["resource"]
        assert [set(key) for key in keys] == [{"id"}, {"id"}]
        assert [library.get("shelf", key["id"])["code"] for key in keys] == ["X1", "X2"]

    def test_created_records_answer_the_fields_asked_for(self, library: Library) -> None:
        reply = library.client.post(library.path("book"), json=[{"title": "New"}], params={"fields": "title,in_print"})
        assert reply.json() == {"resource": [{"title": "New", "in_print": True}]}

    def test_bad_fields_are_refused_before_anything_is_written(self, library: Library) -> None:
        reply = library.client.post(library.path("shelf"), json=[{"code": "X1"}], params={"fields": "nope"})
        error_of(reply, 400)
        assert len(library.rows("shelf")) == 3

    def test_a_bare_record_is_answered_bare(self, library: Library) -> None:
        """D8."""
        reply = library.client.post(library.path("shelf"), json={"code": "X1"})
        assert set(reply.json()) == {"id"}

    def test_keys_match_in_any_case_and_unknown_ones_are_dropped(self, library: Library) -> None:
        reply = library.client.post(
            library.path("shelf"), json={"CODE": "X1", "nonsense": 1}, params={"fields": "code"}
        )
        assert reply.json() == {"code": "X1"}

    @pytest.mark.parametrize("body", [{"resource": []}, {}, [], "", "text", 5, None, {"resource": "x"}])
    def test_a_body_without_records_is_refused(self, library: Library, body: Any) -> None:
        error = error_of(library.client.post(library.path("shelf"), json=body), 400)
        assert "No record(s) detected in request." in error["message"]

    def test_creating_under_an_id_is_refused(self, library: Library) -> None:
        error = error_of(library.client.post(library.path("shelf", 7), json={"code": "x"}), 400)
        assert error["message"] == "Create record by identifier not currently supported."

    @pytest.mark.parametrize(
        ("record", "message"),
        [
            ({"room": "x"}, "Required field 'code' can not be NULL."),
            ({"code": None}, "Field 'code' can not be NULL."),
            ({"code": "much too long for it"}, "Field 'code' can not be longer than 10 characters."),
            ({"code": ["x"]}, "Field 'code' must be a single value."),
            ({"nonsense": 1}, "Required field 'code' can not be NULL."),
        ],
    )
    def test_a_bad_record_says_which_field(self, library: Library, record: dict[str, Any], message: str) -> None:
        assert error_of(library.client.post(library.path("shelf"), json=record), 400)["message"] == message
        error = error_of(library.client.post(library.path("shelf"), json=[record]), 400)
        assert error["message"] == "Batch Error: Not all requested records could be created."
        assert error["context"]["resource"][0]["message"] == message

    def test_texts_are_stored_as_sent(self, library: Library) -> None:
        """D24: no trimming, and an empty text is a text."""
        for text in ("", "  blanks  ", "O'Hara", 'say "x"', "{unknown.lookup}", "日本語 🙂", "<b>&amp;"):
            reply = library.client.post(library.path("sample"), json={"words": text}, params={"fields": "words"})
            assert reply.json() == {"words": text}

    @needs("unique")
    def test_a_duplicate_is_a_conflict(self, library: Library) -> None:
        """D27."""
        error = error_of(library.client.post(library.path("shelf"), json={"code": "A1"}), 409)
        assert error["context"]["sqlstate"] == "23505"
        batch = error_of(library.client.post(library.path("shelf"), json=[{"code": "A1"}]), 400)
        assert batch["context"]["resource"][0]["status_code"] == 409
        patched = library.client.patch(library.path("shelf", library.shelves["B2"]), json={"code": "A1"})
        error_of(patched, 409)

    @needs("relations", "foreign_keys")
    def test_a_reference_to_nothing_is_refused(self, library: Library) -> None:
        error = error_of(library.client.post(library.path("book"), json={"title": "x", "shelf_id": 999999}), 400)
        assert error["context"]["sqlstate"] == "23503"

    @needs("relations", "foreign_keys")
    def test_a_record_that_others_need_is_kept(self, library: Library) -> None:
        error = error_of(library.client.delete(library.path("shelf", library.shelves["A1"])), 409)
        assert error["context"]["sqlstate"] == "23503"

    @needs("keyless_tables")
    def test_a_table_without_key_can_be_written(self, library: Library) -> None:
        """D12."""
        reply = library.client.post(
            library.path("visit"), json=[{"day": "2024-01-01", "people": 1}, {"day": "2024-01-02"}]
        )
        assert reply.status_code == 200, reply.text
        assert [row["people"] for row in reply.json()["resource"]] == [1, None]
        changed = library.client.patch(
            library.path("visit"), params={"filter": "people = 1"}, json={"resource": {"people": 2}}
        )
        assert [row["people"] for row in changed.json()["resource"]] == [2]
        gone = library.client.delete(library.path("visit"), params={"filter": "people = 2"})
        assert len(gone.json()["resource"]) == 1
        assert library.get("visit", count_only="true") == 1

    # Batches.

    @needs("unique")
    def test_by_default_what_stands_before_a_failure_stays(self, library: Library) -> None:
        records = [{"code": "X1"}, {"code": "A1"}, {"code": "X2"}]
        error = error_of(library.client.post(library.path("shelf"), json={"resource": records}), 400)
        assert (error["code"], error["context"]["error"], len(error["context"]["resource"])) == (1000, [1], 2)
        assert self._codes(library) == ["A1", "B2", "C3", "X1"]

    @needs("unique")
    def test_continue_carries_on(self, library: Library) -> None:
        records = [{"code": "X1"}, {"code": "A1"}, {"code": None}, {"code": "X2"}]
        reply = library.client.post(library.path("shelf"), json={"resource": records, "continue": True})
        error = error_of(reply, 400)
        assert error["context"]["error"] == [1, 2]
        assert self._codes(library) == ["A1", "B2", "C3", "X1", "X2"]

    @needs("unique", "transactions")
    def test_rollback_undoes_everything(self, library: Library) -> None:
        records = [{"code": "X1"}, {"code": "A1"}, {"code": "X2"}]
        reply = library.client.post(library.path("shelf"), json={"resource": records}, params={"rollback": "true"})
        error = error_of(reply, 400)
        assert error["message"].endswith("All changes rolled back.")
        assert self._codes(library) == ["A1", "B2", "C3"]

    def test_continue_and_rollback_exclude_each_other(self, library: Library) -> None:
        params = {"rollback": "true", "continue": "true"}
        for verb in ("POST", "PATCH", "DELETE"):
            reply = library.client.request(verb, library.path("shelf"), json=[{"id": 1, "code": "x"}], params=params)
            error = error_of(reply, 400)
            assert "can not be requested at the same time" in error["message"]

    def test_many_records_are_created_in_order(self, library: Library) -> None:
        records = [{"words": f"w{number}"} for number in range(500)]
        reply = library.client.post(library.path("sample"), json={"resource": records}, params={"fields": "words"})
        assert [row["words"] for row in reply.json()["resource"]] == [record["words"] for record in records]

    # Changing.

    def test_a_record_is_changed_by_its_id(self, library: Library) -> None:
        book = library.books["Dune"]
        for verb in ("PATCH", "PUT"):
            reply = library.client.request(verb, library.path("book", book), json={"pages": 1})
            assert reply.json() == {"id": book}
        row = library.get("book", book)
        assert (row["pages"], row["title"]) == (1, "Dune")  # PUT keeps what is not sent

    def test_a_change_answers_the_fields_asked_for(self, library: Library) -> None:
        book = library.books["Dune"]
        reply = library.client.patch(library.path("book", book), json={"pages": 1}, params={"fields": "title,pages"})
        assert reply.json() == {"title": "Dune", "pages": 1}

    def test_changing_a_missing_record_is_a_404(self, library: Library) -> None:
        error_of(library.client.patch(library.path("book", 999999), json={"pages": 1}), 404)
        error_of(library.client.put(library.path("book", 999999), json={"pages": 1}), 404)

    def test_a_change_of_nothing_answers_the_record(self, library: Library) -> None:
        """D13."""
        book = library.books["Dune"]
        assert library.client.patch(library.path("book", book), json={"id": 77}).json() == {"id": book}
        error = error_of(library.client.patch(library.path("book", book), json={}), 400)
        assert error["message"] == "The request contains no valid record fields."

    def test_records_are_changed_by_their_own_keys(self, library: Library) -> None:
        dune, emma = library.books["Dune"], library.books["Emma"]
        reply = library.client.patch(library.path("book"), json=[{"id": emma, "pages": 1}, {"id": dune, "pages": 2}])
        assert reply.json() == {"resource": [{"id": emma}, {"id": dune}]}
        error = error_of(library.client.patch(library.path("book"), json=[{"pages": 1}]), 400)
        assert error["context"]["resource"][0]["message"].startswith("Required id field(s) not found in record 0")

    def test_records_are_changed_by_ids(self, library: Library) -> None:
        dune, emma = library.books["Dune"], library.books["Emma"]
        body = {"ids": [dune, emma], "resource": {"pages": 5}}
        assert library.client.patch(library.path("book"), json=body).json() == {
            "resource": [{"id": dune}, {"id": emma}]
        }
        assert library.titles(filter="pages = 5") == ["Dune", "Emma"]

    def test_what_a_filter_matched_is_changed_and_told(self, library: Library) -> None:
        """D28: also when it does not match any more afterwards."""
        reply = library.client.patch(
            library.path("book"),
            params={"filter": "pages > 300", "fields": "title,pages"},
            json={"resource": {"pages": 1}},
        )
        rows = [{"title": title, "pages": 1} for title in ("Dune", "Emma", "Ulysses")]
        assert reply.json() == {"resource": rows}

    def test_a_key_in_the_body_does_not_change_the_key(self, library: Library) -> None:
        dune = library.books["Dune"]
        library.client.patch(library.path("book", dune), json={"id": 5555, "pages": 3})
        assert library.get("book", dune)["pages"] == 3

    def test_a_missing_record_is_created_only_on_demand(self, library: Library) -> None:
        path = library.path("shelf", 7777)
        error_of(library.client.put(path, json={"code": "U1"}), 404)
        assert library.client.put(path, json={"code": "U1"}, params={"upsert": "true"}).json() == {"id": 7777}
        assert library.client.put(path, json={"code": "U2"}, params={"upsert": "true"}).json() == {"id": 7777}
        assert library.get("shelf", 7777)["code"] == "U2"

    @needs("expressions")
    def test_expressions_are_a_short_list(self, library: Library) -> None:
        """D28: functions and plain arithmetic, never SQL."""
        book = library.books["Dune"]
        path = library.path("book", book)
        library.client.patch(path, json={"pages": {"expression": "pages + 10"}, "published": {"expression": "NOW()"}})
        row = library.get("book", book)
        assert row["pages"] == 422
        assert row["published"] > "2024"
        for text in ("(select 1)", "pages; drop table book", "upper(title)", "pages + (1)"):
            error_of(library.client.patch(path, json={"pages": {"expression": text}}), 400)

    # Deleting.

    def test_a_record_is_deleted_by_its_id(self, library: Library) -> None:
        loose = library.books["Loose"]
        assert library.client.delete(library.path("book", loose)).json() == {"id": loose}
        error_of(library.client.delete(library.path("book", loose)), 404)

    def test_deleted_records_are_told_as_they_were(self, library: Library) -> None:
        params = {"filter": "title = Loose", "fields": "title,in_print"}
        reply = library.client.delete(library.path("book"), params=params)
        assert reply.json() == {"resource": [{"title": "Loose", "in_print": False}]}

    def test_records_are_deleted_by_ids_and_by_records(self, library: Library) -> None:
        loose, ulysses = library.books["Loose"], library.books["Ulysses"]
        error = error_of(library.client.delete(library.path("book"), params={"ids": f"{loose},999999"}), 400)
        assert error["context"]["error"] == [1]
        reply = library.client.request("DELETE", library.path("book"), json={"resource": [{"id": ulysses}]})
        assert reply.json() == {"resource": [{"id": ulysses}]}
        assert library.titles() == ["Dune", "Emma", "Beowulf"]

    @pytest.mark.parametrize(
        ("params", "body"),
        [
            ({}, None),
            ({"filter": ""}, None),
            ({"filter": "   "}, None),
            ({"ids": ""}, None),
            ({"fliter": "id=1"}, None),
            ({}, {"filter": None}),
            ({}, {"filter": []}),
            ({}, {"filter": True}),
            ({}, {"ids": []}),
            ({}, {"ids": None}),
            ({}, {"resource": []}),
            ({}, {"resource": {}}),
            ({}, []),
            ({}, {}),
            ({"force": "false"}, None),
            ({"force": "true", "filter": ""}, None),
            ({"force": "true", "ids": ""}, None),
        ],
    )
    def test_nothing_widens_to_every_row(self, library: Library, params: dict[str, str], body: Any) -> None:
        """D26, checklist 6."""
        change = {"resource": {"title": "gone"}, **body} if isinstance(body, dict) and "resource" not in body else None
        error_of(library.client.request("DELETE", library.path("book"), params=params, json=body), 400)
        if change is not None or body is None:
            reply = library.client.patch(library.path("book"), params=params, json=change or [{"title": "gone"}])
            error_of(reply, 400)
        assert library.get("book", count_only="true", filter="title != gone") == 5

    @needs("text_filters")
    def test_a_filter_that_is_no_text_deletes_nothing(self, library: Library) -> None:
        """D26: where objects are no filters."""
        for params in ({}, {"force": "true"}):
            for verb, body in (("DELETE", {}), ("PATCH", {"resource": {"title": "gone"}})):
                content = {"filter": {"id": 1}, **body}
                error_of(library.client.request(verb, library.path("book"), params=params, json=content), 400)
        assert library.get("book", count_only="true", filter="title != gone") == 5

    def test_force_takes_the_whole_table(self, library: Library) -> None:
        params = {"force": "true"}
        reply = library.client.patch(library.path("sample"), params=params, json={"resource": {"words": "x"}})
        assert reply.json() == {"success": True}
        assert library.client.delete(library.path("sample"), params=params).json() == {"success": True}
        assert library.rows("sample") == []

    def _codes(self, library: Library) -> list[str]:
        return [row["code"] for row in library.rows("shelf", order="code")]
