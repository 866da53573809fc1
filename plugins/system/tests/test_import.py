"""Importing files into new tables (system-api 7.15)."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from asking import read, refused, upload

from trunkline.testing import Client, Gateway
from trunkline.testing.fixtures import settings_for

PATH = "/system/import"
CSV = """id,name,price,code,big,mixed,empty
1,Ann,1.50,007,4294967296,1,
2,"O'Hara, ""Bo""\",2,12,1,x,
3,ü,,,,,
""".encode()


@pytest.fixture
def admin(gateway: Gateway) -> Client:
    """An administrator of a gateway with a database named ``db``."""
    if gateway.admin.get("/db").status_code != 200:
        gateway.create_service("db", "sqlite", {"database": "imported.db"})
    return gateway.admin


def types(client: Client, table: str) -> dict[str, str]:
    return {one["name"]: one["type"] for one in read(client, f"/db/_schema/{table}")["field"]}


class TestFiles:
    def test_a_table_is_made_of_the_header_and_filled(self, admin: Client) -> None:
        reply = upload(admin, PATH, "people.csv", CSV, resource="people")
        assert reply.status_code == 201, reply.text
        assert reply.json() == {"resource": "http://testserver/api/v2/db/_table/people"}
        assert read(admin, "/db/_table/people", order="id") == [
            {"id": 1, "name": "Ann", "price": 1.5, "code": "007", "big": 4294967296, "mixed": "1", "empty": ""},
            {"id": 2, "name": 'O\'Hara, "Bo"', "price": 2, "code": "12", "big": 1, "mixed": "x", "empty": ""},
            {"id": 3, "name": "ü", "price": None, "code": "", "big": None, "mixed": "", "empty": ""},
        ]
        assert types(admin, "people") == {
            "id": "integer", "name": "string", "price": "decimal", "code": "string", "big": "bigint", "mixed": "string",
            "empty": "string",
        }  # fmt: skip

    def test_without_a_name_the_time_is_the_name(self, admin: Client) -> None:
        address = upload(admin, PATH, "a.csv", b"a\n1\n").json()["resource"]
        path, _, table = address.partition("/_table/")
        assert (path, table[:7]) == ("http://testserver/api/v2/db", "import_")
        assert table[7:].isdigit()
        assert read(admin, f"/db/_table/{table}") == [{"a": 1}]

    def test_many_records_long_texts_and_a_header_alone(self, admin: Client) -> None:
        text = "x" * 300
        lines = "\n".join(f"{number},{text}" for number in range(1234))
        assert upload(admin, PATH, "MANY.CSV", f"n,t\n{lines}\n".encode(), resource="many").status_code == 201
        counted = admin.get("/db/_table/many", params={"include_count": "true", "limit": "1", "order": "n desc"}).json()
        assert (counted["meta"]["count"], counted["resource"]) == (1234, [{"n": 1233, "t": text}])
        assert upload(admin, PATH, "none.csv", b"a,b\n", resource="none").status_code == 201
        assert read(admin, "/db/_table/none") == []
        assert types(admin, "none") == {"a": "string", "b": "string"}

    def test_a_table_that_is_there_is_not_touched(self, admin: Client) -> None:
        assert upload(admin, PATH, "a.csv", b"a\n1\n", resource="once").status_code == 201
        refused(upload(admin, PATH, "a.csv", b"a\n2\n", resource="once"), 409, "already exist")
        assert read(admin, "/db/_table/once") == [{"a": 1}]

    def test_a_file_that_fails_half_way_leaves_no_table(self, gateway: Gateway, admin: Client) -> None:
        """The role of this caller may not create records that the filter of its rows does not cover."""
        client = gateway.key_for(
            [
                {"service": "system", "component": "import", "verb_mask": 2},
                {"service": "db", "component": "_schema", "verb_mask": 2},
                {"service": "db", "component": "_table/*", "verb_mask": 3,
                 "filters": [{"name": "n", "operator": "<", "value": 600}]},
            ]
        )  # fmt: skip
        lines = "\n".join(map(str, range(700)))
        reply = upload(client, PATH, "half.csv", f"n\n{lines}\n".encode(), resource="half")
        assert reply.status_code in (400, 403), reply.text
        assert "half" not in read(admin, "/db/_table", as_list="true")

    @pytest.mark.parametrize(
        ("name", "content", "part"),
        [
            ("a.xls", b"a\n1\n", "[xls] is not supported"), ("a.json", b"[]", "Only supports csv"),
            ("a.csv", b"", "empty"), ("a.csv", b"a,a\n1,2\n", "twice"), ("a.csv", b"a,\n1,2\n", "no name"),
            ("a.csv", b"a\n1,2\n", "line 2"), ("a.csv", b"a\n\xff\n", "UTF-8"), ("a.csv", b'a\n"x\n', "Invalid CSV"),
            ("csv", b"a\n1\n", "not supported"),
        ],
    )  # fmt: skip
    def test_what_is_no_csv_is_refused(self, admin: Client, name: str, content: bytes, part: str) -> None:
        refused(upload(admin, PATH, name, content, resource="wrong"), 400, part)
        assert "wrong" not in read(admin, "/db/_table", as_list="true")

    def test_what_is_asked_for_must_make_sense(self, admin: Client) -> None:
        refused(admin.post(PATH, json={}), 400, "No import file supplied.")
        refused(admin.post(PATH, json={"import_url": 7}), 400, "Invalid import URL")
        refused(admin.post(f"{PATH}/db", json={}), 404)
        refused(admin.get(PATH), 400, "not currently supported")
        refused(upload(admin, PATH, "a.csv", b"a\n1\n", service="nothing"), 404, "Could not find a service for nothing")
        refused(upload(admin, PATH, "a.csv", b"a\n1\n", service="user"), 400, "not a database service")
        refused(upload(admin, PATH, "a.csv", b"a\n1\n", resource="a/b"), 400, "must be names")
        refused(upload(admin, PATH, "a.csv", b"a\n1\n", import_url="http://x"), 400, "Only one file")
        refused(upload(admin, PATH, "a.csv", b"a\n1\n", resource="x" * 200), 400, "too long")

    def test_the_caller_needs_the_rights_on_the_database(self, gateway: Gateway, admin: Client) -> None:
        may_import = {"service": "system", "component": "import", "verb_mask": 2}
        reader = {"service": "db", "component": "_table/*", "verb_mask": 1}
        refused(upload(gateway.key_for([may_import]), PATH, "a.csv", b"a\n1\n"), 404, "Could not find a service for db")
        refused(upload(gateway.key_for([may_import, reader]), PATH, "a.csv", b"a\n1\n", resource="no"), 401)
        refused(upload(gateway.key_for([reader]), PATH, "a.csv", b"a\n1\n", resource="no"), 401)
        makes_tables = {"service": "db", "component": "_schema", "verb_mask": 2}
        client = gateway.key_for([may_import, reader, makes_tables])
        refused(upload(client, PATH, "a.csv", b"a\n1\n", resource="no"), 401)
        assert "no" not in read(admin, "/db/_table", as_list="true")


class Files(http.server.BaseHTTPRequestHandler):
    """Serves one CSV file under any name."""

    def do_GET(self) -> None:
        """Answer one request."""
        self.send_response(200)
        self.send_header("Content-Type", "text/csv" if self.path.endswith("/csv") else "text/plain")
        self.end_headers()
        self.wfile.write(b"a,b\n1,x\n")

    def log_message(self, *_arguments: Any) -> None:
        """Stay silent."""


class TestUrls:
    @pytest.fixture
    def server(self) -> Iterator[str]:
        with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Files) as started:
            threading.Thread(target=started.serve_forever, args=(0.05,), daemon=True).start()
            yield f"http://127.0.0.1:{started.server_address[1]}"
            started.shutdown()

    def test_what_is_not_public_is_not_fetched(self, admin: Client, server: str) -> None:
        for url in (server, "http://localhost/x.csv", "http://[::1]/x.csv", "http://169.254.169.254/a.csv",
                    "file:///etc/passwd", "ftp://example.com/a.csv", "http:///a.csv", "nonsense"):  # fmt: skip
            refused(admin.post(PATH, json={"import_url": url, "resource": "no"}), 400, "Invalid import URL: ")
        assert "no" not in read(admin, "/db/_table", as_list="true")

    def test_a_url_of_an_allowed_network_is_imported(self, tmp_path: Path, server: str) -> None:
        with Gateway(settings_for(tmp_path, outgoing_networks="127.0.0.0/8")) as started:
            started.create_service("db", "sqlite", {"database": "x.db"})
            for number, end in enumerate(("/a.csv?x=1", "/csv")):
                sent = {"import_url": server + end, "resource": f"t{number}"}
                assert started.admin.post(PATH, json=sent).status_code == 201
                assert read(started.admin, f"/db/_table/t{number}") == [{"a": 1, "b": "x"}]
            refused(started.admin.post(PATH, json={"import_url": server + "/a.txt"}), 400, "[txt] is not supported")
