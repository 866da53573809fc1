"""The suite's part about long results: pages behind a cursor, and streams."""

from __future__ import annotations

from typing import Any

import pytest

from trunkline import json
from trunkline.testing import Gateway
from trunkline_database.testing.library import Library, LibrarySuite, error_of, needs, twin

MANY = 2500


class PagingSuite(LibrarySuite):
    """Every record is met once, however it is asked for."""

    @pytest.fixture
    def many(self, library: Library) -> Library:
        """Samples with values that repeat, and some without any."""
        rows = [
            {
                "big": index % 7 or None,
                "ratio": index / 3,
                "amount": f"{index % 11}.50" if index % 5 else None,
                "flag": index % 2 == 0,
                "day": f"2024-01-{1 + index % 28:02}",
                "words": f"word {index % 4}",
            }
            for index in range(60)
        ]
        reply = library.client.post(library.path("sample"), json={"resource": rows})
        assert reply.status_code == 200, reply.text
        return library

    @pytest.mark.parametrize(
        "order",
        ["", "id desc", "big", "big desc", "big desc,amount", "amount desc,flag,day desc", "ratio", "words,big", "day"],
    )
    def test_pages_behind_a_cursor_meet_every_record_once(self, many: Library, order: str) -> None:
        found, pages = walked(many, order=order, limit=7)
        assert pages == 9
        assert sorted(row["id"] for row in found) == [row["id"] for row in many.rows("sample", order="id", fields="id")]

    @needs("nulls_order")
    @pytest.mark.parametrize("order", ["big nulls first", "big desc nulls first", "amount asc nulls last,id desc"])
    def test_pages_behind_a_cursor_put_nulls_where_they_are_asked_for(self, many: Library, order: str) -> None:
        found, _ = walked(many, order=order, limit=7)
        order = f"{order},id".replace("big nulls", "big asc nulls") if "id" not in order else order
        assert [row["id"] for row in found] == [row["id"] for row in many.rows("sample", order=order)]

    def test_a_page_behind_a_cursor_has_the_fields_asked_for(self, many: Library) -> None:
        page = many.get("sample", paging="keyset", order="big", fields="words", limit=3, include_count="true")
        assert [set(row) for row in page["resource"]] == [{"words"}] * 3
        assert page["meta"]["count"] == 60
        assert "next" not in page["meta"]
        rest = many.get("sample", paging="keyset", order="big", fields="words", page=page["meta"]["next_page"])
        assert len(rest["resource"]) == 57
        assert "meta" not in rest

    def test_records_put_in_between_move_no_page(self, many: Library) -> None:
        first = many.get("sample", paging="keyset", order="big", limit=20)
        many.client.post(many.path("sample"), json={"resource": [{"big": 0}, {"big": 0}, {"big": 6}]})
        rest, _ = walked(many, order="big", limit=20, page=first["meta"]["next_page"])
        seen = [row["id"] for row in (*first["resource"], *rest)]
        assert len(seen) == len(set(seen)) == 61

    def test_cursors_page_through_what_a_filter_leaves(self, many: Library) -> None:
        found, _ = walked(many, filter="flag = true and big > 2", limit=4, order="amount")
        assert sorted(row["id"] for row in found) == [
            row["id"] for row in many.rows("sample", filter="flag = true and big > 2", order="id")
        ]

    @needs("relations")
    def test_pages_behind_a_cursor_have_related_records(self, library: Library) -> None:
        asked = {"order": "id", "related": "shelf_by_shelf_id", "fields": "title"}
        page = library.get("book", paging="keyset", limit=2, **asked)
        assert page["resource"][0]["shelf_by_shelf_id"]["code"] == "A1"

    def test_what_is_no_cursor_of_the_request_is_refused(self, many: Library) -> None:
        """Checklist 3."""
        cursor = many.get("sample", paging="keyset", order="big", limit=5)["meta"]["next_page"]
        for page, order in ((cursor, "amount"), (cursor[:-4], "big"), ("x", "big"), ("%%", "big"), ("a" * 99_999, "")):
            params = {"paging": "keyset", "order": order, "page": page}
            reply = many.client.post(many.path("sample"), json=params, headers={"X-HTTP-Method": "GET"})
            assert "'page'" in error_of(reply, 400)["message"]

    def test_values_in_a_forged_cursor_are_only_values(self, many: Library) -> None:
        """Checklist 3."""
        import base64

        cursor = many.get("sample", paging="keyset", order="words", limit=5)["meta"]["next_page"]
        signature, _ = json.loads(base64.urlsafe_b64decode(cursor + "=="))
        for values in (["' or 1=1 --", 1], [None, None], [{"a": 1}, 1], [1, "x"], [], [1, 2, 3], "x", ["\ud800", 1]):
            forged = base64.urlsafe_b64encode(json.dumps([signature, values])).decode()
            params = {"paging": "keyset", "order": "words", "page": forged}
            reply = many.client.get(many.path("sample"), params=params)
            assert reply.status_code in (200, 400), reply.text

    @pytest.mark.parametrize(
        "params",
        [
            {"paging": "pages"},
            {"paging": "keyset", "offset": "5"},
            {"paging": "keyset", "group": "flag", "fields": "flag,COUNT(*)"},
            {"paging": "keyset", "order": "data"},
        ],
    )
    def test_what_cannot_be_paged_by_a_cursor_is_a_400(self, many: Library, params: dict[str, str]) -> None:
        assert "paging" in error_of(many.client.get(many.path("sample"), params=params), 400)["message"]

    @needs("keyless_tables")
    def test_records_without_a_place_of_their_own_cannot_be_paged_by_a_cursor(self, library: Library) -> None:
        reply = library.client.get(library.path("visit"), params={"paging": "keyset", "order": "day"})
        assert "unique" in error_of(reply, 400)["message"]

    def test_a_long_list_is_streamed_whole_and_in_order(self, gateway: Gateway, library: Library) -> None:
        name = f"{library.service}_long"
        twin(gateway, library, name, max_records=MANY * 2)
        rows = [{"label": f"label {index}"} for index in range(MANY)]
        assert library.client.post(library.path("genre"), json={"resource": rows}).status_code == 200
        count = MANY + 3
        for limit, more in ((count, {}), (None, {}), (count - 1, {"include_count": "true"}), (count * 9, {})):
            params = {"order": "id desc", **more} | ({"limit": limit} if limit else {})
            reply = library.client.get(f"/{name}/_table/genre", params=params)
            assert reply.status_code == 200, reply.text
            found = reply.json()
            ids = [row["id"] for row in found["resource"]]
            assert len(ids) == min(limit or count, count)
            assert ids == sorted(ids, reverse=True)
            if more:
                assert found["meta"] == {"count": count, "next": count - 1}
        few = library.client.get(f"/{name}/_table/genre", params={"filter": "label = 'novel'"}).json()
        assert len(few["resource"]) == 1
        none = library.client.get(f"/{name}/_table/genre", params={"filter": "label = 'nope'"})
        assert none.json() == {"resource": []}

    @needs("relations")
    def test_a_streamed_list_has_related_records(self, gateway: Gateway, library: Library) -> None:
        name = f"{library.service}_long"
        twin(gateway, library, name, max_records=MANY * 2)
        asked = {"related": "book_by_shelf_id", "limit": MANY, "fields": "code", "order": "id"}
        found = library.client.get(f"/{name}/_table/shelf", params=asked).json()["resource"]
        assert [len(row["book_by_shelf_id"]) for row in found] == [2, 2, 0]


def walked(library: Library, **params: Any) -> tuple[list[dict[str, Any]], int]:
    """Follow the cursors to the end; answer all records and the number of pages."""
    found: list[dict[str, Any]] = []
    for number in range(1, 100):
        content = library.get("sample", paging="keyset", **params)
        found += content["resource"]
        page = content.get("meta", {}).get("next_page")
        if page is None:
            return found, number
        params["page"] = page
    raise AssertionError("the pages do not end")
