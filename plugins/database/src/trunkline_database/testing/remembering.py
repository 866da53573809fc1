"""The suite's part about what is remembered beside the database: aliases, labels, rules, functions (13.7, 14)."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import Any

import pytest

from trunkline.testing import Client, Gateway
from trunkline_database.testing.library import Library, LibrarySuite, error_of, needs, twin


class RememberingSuite(LibrarySuite):
    """A table ``part`` with all kinds of extras, made for each test."""

    def sql_name(self, name: str) -> str:
        """Write a column's name as SQL of this engine has it, for functions; override where plain names do not do."""
        return name

    def _schema(self, library: Library, *parts: str) -> str:
        return "/".join((f"/{library.service}/_schema", *parts))

    @pytest.fixture
    def part(self, library: Library) -> Iterator[str]:
        """Make the table; answers the path of its records."""
        fields: list[dict[str, Any]] = [
            {"name": "id", "type": "id"},
            {"name": "nm", "type": "string", "length": 40, "alias": "title", "label": "The Title"},
            {"name": "qty", "type": "integer", "allow_null": True},
        ]
        body = {"name": "part", "alias": "piece", "label": "Pieces", "plural": "Many Pieces", "field": fields}
        made = library.client.post(self._schema(library), json={"resource": [body]})
        assert made.status_code == 200, made.text
        try:
            records = [{"title": "One", "qty": 1}, {"title": "Two", "qty": 2}]
            reply = library.client.post(library.path("piece"), json={"resource": records})
            assert reply.status_code == 200, reply.text
            yield library.path("piece")
        finally:
            library.client.delete(self._schema(library, "part"))

    def _field(self, library: Library, name: str, **words: Any) -> None:
        """Make or change a field of the table."""
        verb = "PATCH" if name in ("nm", "qty") else "POST"
        reply = library.client.request(verb, self._schema(library, "part", "_field", name), json=words)
        assert reply.status_code == 200, reply.text

    # Names and labels.

    def test_records_go_by_alias_and_the_schema_by_real_name(self, library: Library, part: str) -> None:
        """Database-api 3."""
        client = library.client
        error_of(client.get(library.path("part")), 404)
        error_of(client.get(self._schema(library, "piece")), 404)
        names = client.get(f"/{library.service}/_table", params={"as_list": "true"}).json()["resource"]
        assert "piece" in names
        assert "part" not in names
        (listed,) = client.get(f"/{library.service}/_table", params={"ids": "piece", "fields": "*"}).json()["resource"]
        assert (listed["label"], listed["plural"]) == ("Pieces", "Many Pieces")
        rows = client.get(self._schema(library), params={"fields": "alias,name"}).json()["resource"]
        assert {"alias": "piece", "name": "part"} in rows
        described = client.get(self._schema(library, "part")).json()
        assert (described["name"], described["alias"], described["label"]) == ("part", "piece", "Pieces")
        access = client.get(f"/{library.service}", params={"as_access_list": "true"}).json()["resource"]
        assert {"_schema/part/*", "_table/piece/*"} <= set(access)
        assert "_table/part/*" not in access

    def test_roles_grant_records_by_alias(self, gateway: Gateway, library: Library, part: str) -> None:
        rows = [{"service": library.service, "component": "_table/piece/*", "verb_mask": 1}]
        assert len(gateway.key_for(rows).get(part).json()["resource"]) == 2
        rows = [{"service": library.service, "component": "_table/part/*", "verb_mask": 1}]
        error_of(gateway.key_for(rows).get(part), 401)

    def test_a_field_goes_by_its_alias_everywhere(self, library: Library, part: str) -> None:
        client = library.client
        first = client.get(part, params={"filter": "title=One"}).json()["resource"][0]
        assert {"id", "title", "qty"} == set(first)
        ordered = client.get(part, params={"fields": "title", "order": "title desc"}).json()["resource"]
        assert ordered == [{"title": "Two"}, {"title": "One"}]
        for params in ({"fields": "nm"}, {"filter": "nm=One"}, {"order": "nm"}, {"group": "nm"}):
            error_of(client.get(part, params=params), 400)
        changed = client.patch(f"{part}/One", json={"qty": 5}, params={"id_field": "title", "fields": "title,qty"})
        assert changed.json() == {"title": "One", "qty": 5}
        client.patch(f"{part}/{first['id']}", json={"nm": "unknown names are dropped", "title": "Three"})
        assert client.get(f"{part}/{first['id']}", params={"fields": "title"}).json() == {"title": "Three"}
        grouped = client.get(part, params={"fields": "title,COUNT(*)", "group": "title", "order": "title"}).json()
        assert grouped["resource"][0]["title"] == "Three"

    def test_a_row_filter_outlives_an_alias(self, gateway: Gateway, library: Library, part: str) -> None:
        filters = [{"name": "nm", "operator": "=", "value": "One"}]
        rows = [{"service": library.service, "component": "_table/piece/*", "verb_mask": 1, "filters": filters}]
        assert [one["title"] for one in gateway.key_for(rows).get(part).json()["resource"]] == ["One"]

    def test_aliases_that_collide_are_refused(self, library: Library, part: str) -> None:
        for path, alias in (
            (("part",), "book"),
            (("part", "_field", "qty"), "title"),
            (("part", "_field", "qty"), "nm"),
        ):
            error_of(library.client.patch(self._schema(library, *path), json={"alias": alias}), 409)
        body = {"field": [{"name": "id", "type": "id"}]}
        error_of(library.client.post(self._schema(library, "piece"), json=body), 409)
        for wrong in ("a,b", "a/b", "x\x00y", "x" * 200, 5):
            error_of(library.client.patch(self._schema(library, "part"), json={"alias": wrong}), 400)

    def test_default_labels_are_not_kept_and_null_forgets(self, library: Library, part: str) -> None:
        path = self._schema(library, "part")
        library.client.patch(path, json={"label": "Part", "plural": None, "alias": None, "name_field": "nm"})
        described = library.client.get(path).json()
        assert (described["label"], described["plural"], described["alias"]) == ("Part", "Parts", None)
        assert described["name_field"] == "nm"
        assert library.client.get(library.path("part")).status_code == 200
        error_of(library.client.patch(path, json={"name_field": "nope"}), 400)

    def test_a_description_sent_back_changes_nothing(self, library: Library, part: str) -> None:
        self._field(library, "qty", picklist=["1", "2"], description="How many", client_info={"position": 2})
        path = self._schema(library, "part")
        before = library.client.get(path).json()
        for verb in ("PATCH", "PUT"):
            assert library.client.request(verb, path, json=before).status_code == 200
            assert library.client.get(path).json() == before

    def test_extras_are_lost_with_their_table_and_field(self, library: Library, part: str) -> None:
        self._field(library, "extra", type="integer", allow_null=True, alias="more")
        library.client.delete(self._schema(library, "part", "_field", "extra"))
        self._field(library, "extra", type="integer", allow_null=True)
        assert library.client.get(self._schema(library, "part", "_field", "extra")).json()["alias"] is None
        library.client.delete(self._schema(library, "part"))
        library.client.post(self._schema(library, "part"), json={"field": [{"name": "id", "type": "id"}]})
        assert library.client.get(self._schema(library, "part")).json()["alias"] is None

    # Rules.

    @pytest.mark.parametrize(
        ("rule", "options", "good", "bad", "message"),
        [
            ("not_empty", {}, "x", "", "Field 'title' value can not be empty."),
            ("email", {}, "a@b.co", "a@b", "Field 'title' value must be a valid email address."),
            ("url", {"sections": ["path"]}, "http://a.b/c", "http://a.b", "Field 'title' value must be a valid URL."),
            ("boolean", {}, "0", "maybe", "Field 'title' value is not an acceptable boolean value."),
            ("float", {}, "0", "x", "Field 'title' value is not an acceptable float value."),
            ("match", {"regexp": base64.b64encode(b"/^a+$/i").decode()}, "aA", "b", "Field 'title' value is invalid."),
            ("not_empty", {"on_fail": "Say something!"}, "x", "", "Say something!"),
        ],
    )
    def test_values_are_judged(
        self, library: Library, part: str, rule: str, options: dict[str, Any], good: str, bad: str, message: str
    ) -> None:
        """Database-api 14.1."""
        self._field(library, "nm", validation={rule: options})
        assert library.client.post(part, json={"title": good}).status_code == 200
        assert error_of(library.client.post(part, json={"title": bad}), 400)["message"] == message
        batch = error_of(library.client.post(part, json={"resource": [{"title": bad}]}), 400)
        assert batch["context"]["resource"][0]["message"] == message

    def test_a_value_may_be_ignored_or_only_set_once(self, library: Library, part: str) -> None:
        client = library.client
        self._field(library, "qty", validation={"int": {"range": {"max": 9}, "on_fail": "ignore_field"}})
        made = client.post(part, json={"title": "x", "qty": 10}, params={"fields": "id,qty"}).json()
        assert made["qty"] is None
        self._field(library, "qty", validation={"create_only": None})
        error = error_of(client.patch(f"{part}/{made['id']}", json={"qty": 1}), 400)
        assert error["message"] == "Field 'qty' can only be set during record creation."
        self._field(library, "qty", validation={"api_read_only": None})
        client.patch(f"{part}/{made['id']}", json={"qty": 7})
        assert client.get(f"{part}/{made['id']}").json()["qty"] is None
        self._field(library, "qty", validation={"api_read_only": {"on_fail": "Hands off."}})
        assert error_of(client.patch(f"{part}/{made['id']}", json={"qty": 7}), 400)["message"] == "Hands off."
        error_of(client.patch(self._schema(library, "part", "_field", "qty"), json={"validation": {"nope": {}}}), 400)

    def test_the_server_fills_in_who_and_when(self, gateway: Gateway, library: Library, part: str) -> None:
        """Database-api 12.2: what is sent for such fields is ignored."""
        for name, kind in (("made", "timestamp_on_create"), ("by", "user_id_on_create"), ("last", "user_id_on_update")):
            self._field(library, name, type=kind, allow_null=True)
            assert library.client.get(self._schema(library, "part", "_field", name)).json()["type"] == kind
        sent = {"title": "x", "made": "1999-01-01 00:00:00", "by": 12345, "last": 12345}
        made = library.client.post(part, json=sent, params={"fields": "*"}).json()
        assert made["made"]
        assert "1999" not in str(made["made"])
        assert made["by"] == made["last"] != 12345
        other = gateway.as_user(gateway.create_user(email="second@example.com", is_sys_admin=True))
        changed = other.patch(f"{part}/{made['id']}", json={"qty": 3, "by": 1}, params={"fields": "*"}).json()
        assert (changed["by"], changed["made"]) == (made["by"], made["made"])
        assert changed["last"] not in (made["last"], None)

    # Functions.

    @needs("db_functions")
    def test_a_virtual_field_is_computed(self, library: Library, part: str) -> None:
        """Database-api 14.3."""
        client, text = library.client, f"upper({self.sql_name('nm')})"
        function = {"use": ["SELECT", "FILTER"], "function": text}
        self._field(library, "loud", is_virtual=True, type="string", db_function=[function])
        self._field(library, "blind", is_virtual=True, db_function=[{"use": ["SELECT"], "function": text}])
        self._field(library, "empty", is_virtual=True)
        rows = client.get(part, params={"order": "loud desc"}).json()["resource"]
        assert [(one["loud"], one["blind"]) for one in rows] == [("TWO", "TWO"), ("ONE", "ONE")]
        assert "empty" not in rows[0]
        found = client.get(part, params={"filter": "loud=TWO", "fields": "title,loud"}).json()["resource"]
        assert found == [{"title": "Two", "loud": "TWO"}]
        error_of(client.get(part, params={"filter": "blind=TWO"}), 400)
        for params in ({"fields": "empty"}, {"order": "empty"}, {"id_field": "loud", "ids": "ONE"}):
            error_of(client.get(part, params=params), 400)
        assert client.post(part, json={"title": "x", "loud": "dropped"}, params={"fields": "loud"}).json() == {
            "loud": "X"
        }

    @needs("db_functions")
    def test_an_aggregate_field_counts_groups(self, library: Library, part: str) -> None:
        client = library.client
        self._field(library, "cnt", is_aggregate=True, type="integer", db_function=[_select("count(*)")])
        assert "cnt" not in client.get(part).json()["resource"][0]
        assert client.get(part, params={"fields": "cnt"}).json()["resource"] == [{"cnt": 2}]
        rows = client.get(part, params={"fields": "title,cnt", "group": "title", "order": "title"}).json()["resource"]
        assert rows == [{"title": "One", "cnt": 1}, {"title": "Two", "cnt": 1}]
        for params in ({"fields": "title,cnt"}, {"filter": "cnt=2"}, {"group": "cnt"}):
            error_of(client.get(part, params=params), 400)

    @needs("db_functions")
    def test_functions_are_applied_to_what_is_written(self, library: Library, part: str) -> None:
        """Database-api 14.2: ``{value}`` is bound, whatever it holds."""
        function = {"use": ["INSERT", "UPDATE"], "function": "upper({value})", "function_type": "database"}
        self._field(library, "nm", db_function=[function])
        hostile = "a') --{value}%"
        made = library.client.post(part, json={"title": hostile}, params={"fields": "id,title"}).json()
        assert made["title"] == hostile.upper()
        library.client.patch(f"{part}/{made['id']}", json={"title": "soft"})
        assert library.client.get(f"{part}/{made['id']}", params={"fields": "title"}).json() == {"title": "SOFT"}
        for text in ("nope(", "no_such_column + 1", "1; drop table part"):
            path = self._schema(library, "part", "_field", "broken")
            words = {"is_virtual": True, "db_function": [_select(text)]}
            error_of(library.client.post(path, json=words), 400)
            error_of(library.client.get(path), 404)
        for wrong in ("upper(x)", [{"use": ["DROP"], "function": "x"}], [{"use": ["SELECT"]}], [5]):
            path = self._schema(library, "part", "_field", "nm")
            error_of(library.client.patch(path, json={"db_function": wrong}), 400)

    # Relations.

    def _relate(self, library: Library, service_id: int, **more: Any) -> str:
        body = {"type": "belongs_to", "field": "qty", "ref_service_id": service_id, "is_virtual": True, **more}
        reply = library.client.post(self._schema(library, "part", "_related"), json={"resource": [body]})
        assert reply.status_code == 200, reply.text
        return str(reply.json()["resource"][0]["name"])

    @needs("relations")
    def test_a_virtual_relation_is_read_like_any_other(self, gateway: Gateway, library: Library, part: str) -> None:
        """Database-api 11.4."""
        own = library.client.get(f"/system/service/{library.service}").json()["id"]
        name = self._relate(library, own, ref_table="shelf", ref_field="id", label="Shelf")
        assert name == "shelf_by_qty"
        shelf = library.shelves["A1"]
        library.client.patch(part, json={"resource": {"qty": shelf}}, params={"filter": "title=One"})
        options = {"related": name, f"{name}.fields": "code", "filter": "title=One", "fields": "title"}
        (row,) = library.client.get(part, params=options).json()["resource"]
        assert row == {"title": "One", "qty": shelf, "shelf_by_qty": {"code": "A1"}}
        path = self._schema(library, "part", "_related", name)
        assert library.client.patch(path, json={"alias": "place", "always_fetch": True}).json() == {"name": name}
        (row,) = library.client.get(part, params={"filter": "title=One", "fields": "title"}).json()["resource"]
        assert row["place"]["code"] == "A1"
        error_of(library.client.get(part, params={"related": name}), 400)
        assert library.client.delete(path).json() == {"success": True}
        assert library.client.get(self._schema(library, "part", "_related")).json() == {"resource": []}

    @needs("relations")
    def test_relations_that_make_no_sense_are_refused(self, library: Library, part: str) -> None:
        good = {"type": "belongs_to", "field": "qty", "ref_table": "shelf", "ref_field": "id", "is_virtual": True}
        path = self._schema(library, "part", "_related")
        for wrong in ({"type": "x"}, {"field": "nope"}, {"ref_table": None}, {"ref_service_id": 99999}):
            error_of(library.client.post(path, json={"resource": [{**good, **wrong}]}), 400)
        error_of(library.client.post(path, json={"resource": [{"label": "x"}]}), 400)
        assert library.client.post(path, json={"resource": [good]}).status_code == 200
        error_of(library.client.post(path, json={"resource": [good]}), 409)

    @needs("relations")
    def test_a_relation_to_another_service_asks_for_its_rights(
        self, gateway: Gateway, library: Library, part: str
    ) -> None:
        far = twin(gateway, library, "far")
        name = self._relate(library, far, type="has_many", field="id", ref_table="book", ref_field="pages")
        assert name == "far.book_by_pages"
        (first, _) = library.client.get(part, params={"order": "id", "related": name, "fields": "id"}).json()[
            "resource"
        ]
        assert first[name] == []
        library.client.patch(library.path("book", library.books["Dune"]), json={"pages": first["id"]})
        library.client.patch(library.path("book", library.books["Emma"]), json={"pages": first["id"]})
        params = {"related": name, f"{name}.fields": "title", f"{name}.order": "title"}
        path = f"{part}/{first['id']}"
        assert library.client.get(path, params=params).json()[name] == [{"title": "Dune"}, {"title": "Emma"}]
        own = {"service": library.service, "component": "_table/*", "verb_mask": 1}
        error_of(gateway.key_for([own]).get(path, params=params), 403)
        filters = [{"name": "title", "operator": "=", "value": "Emma"}]
        there = {"service": "far", "component": "_table/book/*", "verb_mask": 1, "filters": filters}
        assert gateway.key_for([own, there]).get(path, params=params).json()[name] == [{"title": "Emma"}]
        error_of(library.client.patch(path, json={name: [{"title": "x"}]}), 400)

    @needs("relations")
    def test_a_junction_may_be_in_another_service(self, gateway: Gateway, library: Library) -> None:
        far = twin(gateway, library, "far")
        body = {
            "type": "many_many", "field": "id", "ref_table": "genre", "ref_field": "id", "is_virtual": True,
            "junction_service_id": far, "junction_table": "book_genre", "junction_field": "book_id",
            "junction_ref_field": "genre_id", "alias": "kinds",
        }  # fmt: skip
        path = self._schema(library, "book", "_related")
        made = library.client.post(path, json={"resource": [{**body, "ref_service_id": far}, body]})
        error_of(made, 409)
        # The relation of the foreign keys has the name already that a virtual one in the same service would get.
        other = {**body, "ref_service_id": far, "junction_service_id": None}
        made = library.client.post(path, json={"resource": [other]}, params={"fields": "*"})
        assert made.status_code == 200, made.text
        name = made.json()["resource"][0]["name"]
        try:
            (row,) = _rows(library.client, library.path("book"), filter="title=Dune", related="kinds")
            assert [one["label"] for one in row["kinds"]] == ["novel", "epic"]
            narrow = {"kinds.limit": "1", "kinds.order": "label", "kinds.fields": "label"}
            (row,) = _rows(library.client, library.path("book"), filter="title=Dune", related="kinds", **narrow)
            assert row["kinds"] == [{"label": "epic"}]
        finally:
            library.client.delete(f"{path}/{name}")

    @needs("relations")
    def test_tables_that_always_fetch_each_other_come_to_an_end(self, library: Library) -> None:
        """Database-api 22.5."""
        ends = (("book", "shelf_by_shelf_id"), ("shelf", "book_by_shelf_id"))
        for table, name in ends:
            path = self._schema(library, table, "_related", name)
            assert library.client.patch(path, json={"always_fetch": True}).status_code == 200
        try:
            book = library.get("book", library.books["Dune"])
            assert book["shelf_by_shelf_id"]["code"] == "A1"
            assert [one["title"] for one in book["shelf_by_shelf_id"]["book_by_shelf_id"]] == ["Dune", "Emma"]
            assert "shelf_by_shelf_id" not in book["shelf_by_shelf_id"]["book_by_shelf_id"][0]
            assert library.rows("book", fields="COUNT(*)") == [{"count_all": 5}]
        finally:
            for table, name in ends:
                library.client.patch(self._schema(library, table, "_related", name), json={"always_fetch": False})


def _select(text: str) -> dict[str, Any]:
    return {"use": ["SELECT"], "function": text}


def _rows(client: Client, path: str, **params: str) -> list[Any]:
    reply = client.get(path, params=params)
    assert reply.status_code == 200, reply.text
    rows: list[Any] = reply.json()["resource"]
    return rows
