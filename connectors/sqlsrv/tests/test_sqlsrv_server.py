"""What a server of SQL Server's protocol can show: login, TLS, parameters beside the text, reads, lists of tables.

It is no SQL Server. Of its statements it wants the numbers of a page in the text, so they are put there for it alone.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from processes import free_port
from servers import Server

from trunkline.testing import Client, Gateway
from trunkline_database.model import Column
from trunkline_database.routine import Parameter, Routine, RoutineName
from trunkline_sqlsrv import connection, routines
from trunkline_sqlsrv.connection import Cursor, Settings
from trunkline_sqlsrv.dialect import SqlsrvDialect
from trunkline_sqlsrv.driver import SqlsrvDriver

pytestmark = pytest.mark.live
_PAGE = re.compile(r"(OFFSET|FETCH FIRST) %s")


@pytest.fixture(scope="module", autouse=True)
def _pages() -> Iterator[None]:
    whole = Cursor.execute

    def execute(self: Cursor, sql: str, values: Sequence[Any] = ()) -> None:
        left = list(values)
        # The numbers of a page stand at the end of every statement that has them.
        for found in reversed(list(_PAGE.finditer(sql))):
            sql = f"{sql[: found.start()]}{found[1]} {int(left.pop())}{sql[found.end() :]}"
        whole(self, sql, left)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Cursor, "execute", execute)
        yield


@pytest.fixture(scope="module")
def config(sqlbridge_server: Server) -> dict[str, Any]:
    return sqlbridge_server.new_config()


def rows(client: Client, table: str, **params: Any) -> list[Any]:
    reply = client.get(f"/shop/_table/{table}", params=params)
    assert reply.status_code == 200, reply.text
    found: list[Any] = reply.json()["resource"]
    return found


def titles(client: Client, **params: Any) -> list[str]:
    return [one["title"] for one in rows(client, "book", **{"fields": "title", "order": "id", **params})]


def settings(config: dict[str, Any], encrypt: bool = False) -> Settings:
    return Settings(
        config["host"], config["port"], config["database"], config["username"], config["password"], encrypt=encrypt
    )


FILTERS = {
    "pages > 400": ["Dune", "Ulysses"],
    "(pages > 300) and (price < 9)": ["Emma"],
    "(title = 'Dune') or (title = 'Emma')": ["Dune", "Emma"],
    "title like 'U%'": ["Ulysses"],
    "title contains '[s'": ["100% [sic]"],
    "title starts with 'Be'": ["Beowulf"],
    "title in ('Emma','Ulysses')": ["Emma", "Ulysses"],
    "pages is null": ["Beowulf"],
    "pages between 300 and 420": ["Dune", "Emma"],
    "not (shelf_id = 1)": ["Ulysses", "Beowulf"],
    "title = 'x'' or 1=1 --'": [],
}


class TestSqlsrv:
    @pytest.fixture(scope="class")
    @classmethod
    def client(cls, gateway: Gateway, config: dict[str, Any]) -> Client:
        service = gateway.create_service("shop", "sqlsrv", config)
        gateway.create_service("sealed", "sqlsrv", {**config, "encrypt": True})
        relation = {
            "is_virtual": True, "type": "belongs_to", "field": "shelf_id",
            "ref_service_id": service["id"], "ref_table": "shelf", "ref_field": "id",
        }  # fmt: skip
        reply = gateway.admin.post("/shop/_schema/book/_related", json={"resource": [relation]})
        assert reply.status_code == 200, reply.text
        return gateway.admin

    def test_tables_and_columns_are_found(self, client: Client) -> None:
        assert client.get("/shop/_table", params={"as_list": "true"}).json()["resource"] == ["book", "shelf"]
        fields = {one["name"]: one for one in client.get("/shop/_schema/book").json()["field"]}
        assert list(fields) == ["id", "shelf_id", "title", "pages", "price"]
        assert [fields[name]["type"] for name in ("id", "title", "pages", "price")] == [
            "integer", "string", "integer", "double",
        ]  # fmt: skip
        assert fields["title"]["supports_multibyte"]

    def test_a_record_comes_with_its_values(self, client: Client) -> None:
        reply = client.get("/shop/_table/book/1", params={"id_field": "id"})
        assert reply.json() == {"id": 1, "shelf_id": 1, "title": "Dune", "pages": 412, "price": 9.5}
        assert client.get("/shop/_table/book/77", params={"id_field": "id"}).status_code == 404
        assert [one["id"] for one in rows(client, "book", ids="3,1", id_field="id", fields="id")] == [3, 1]

    @pytest.mark.parametrize(("text", "found"), FILTERS.items())
    def test_filters(self, client: Client, text: str, found: list[str]) -> None:
        assert titles(client, filter=text) == found

    def test_order_and_pages(self, client: Client) -> None:
        assert titles(client, order="pages desc nulls last") == ["Ulysses", "Dune", "Emma", "100% [sic]", "Beowulf"]
        assert titles(client, order="pages asc nulls first", limit=2) == ["Beowulf", "100% [sic]"]
        assert titles(client, order="title", limit=2, offset=1) == ["Beowulf", "Dune"]
        reply = client.get("/shop/_table/book", params={"limit": 2, "include_count": "true"}).json()
        assert (len(reply["resource"]), reply["meta"]["count"]) == (2, 5)
        assert client.get("/shop/_table/book", params={"filter": "pages > 300", "count_only": "true"}).json() == 3

    def test_groups_and_sums(self, client: Client) -> None:
        found = rows(client, "book", fields="shelf_id,COUNT(*),SUM(pages)", group="shelf_id", order="shelf_id desc")
        assert found[0] == {"shelf_id": 2, "count_all": 2, "sum_pages": 730}
        assert rows(client, "book", fields="AVG(pages),MAX(price)") == [{"avg_pages": 390.5, "max_price": 12.75}]

    def test_related_records(self, client: Client) -> None:
        found = rows(client, "book", fields="title", related="shelf_by_shelf_id", order="id", limit=1)
        assert found[0]["shelf_by_shelf_id"] == {"id": 1, "code": "A1", "room": "north"}

    def test_all_is_encrypted_when_asked(self, client: Client, config: dict[str, Any]) -> None:
        reply = client.get("/sealed/_table/shelf", params={"fields": "code", "order": "id"})
        assert reply.json() == {"resource": [{"code": "A1"}, {"code": "B2"}, {"code": "C3"}]}
        made = connection.connect(settings(config, encrypt=True))
        try:
            assert made.rows("SELECT COUNT(*) FROM book") == [(5,)]
            assert type(made.raw._tds_socket.sock).__name__ == "EncryptedSocket"
        finally:
            made.close()

    def test_a_certificate_that_nobody_signed_is_refused_unless_trusted(
        self, gateway: Gateway, config: dict[str, Any]
    ) -> None:
        gateway.create_service("strict", "sqlsrv", {**config, "encrypt": True, "trust_server_certificate": False})
        assert gateway.admin.get("/strict/_table").status_code == 503

    def test_a_wrong_password_and_a_closed_port_are_told_alike(self, gateway: Gateway, config: dict[str, Any]) -> None:
        gateway.create_service("wrong", "sqlsrv", {**config, "password": "no such"})
        gateway.create_service("closed", "sqlsrv", {**config, "port": free_port()})
        replies = [gateway.admin.get(f"/{name}/_table") for name in ("wrong", "closed")]
        assert [one.status_code for one in replies] == [503, 503]
        assert replies[0].json() == replies[1].json()

    def test_values_go_beside_the_text(self, config: dict[str, Any]) -> None:
        made = connection.connect(settings(config))
        try:
            sql = "SELECT title FROM book WHERE title = %s"
            assert made.rows(sql, ("Dune",)) == [("Dune",)]
            for hostile in ("x' OR '1'='1", "'; DROP TABLE book; --", "Dune\x00", "%s", "@P1", "\u02bc OR 1=1"):
                assert made.rows(sql, (hostile,)) == []
        finally:
            made.close()

    def test_writes_are_refused_in_the_words_of_the_server(self, client: Client) -> None:
        reply = client.post("/shop/_table/shelf", json={"id": 9, "code": "x"})
        assert reply.status_code == 400
        assert "INSERT is not supported" in reply.json()["error"]["message"]

    def test_a_procedure_answers_its_rows(self, config: dict[str, Any]) -> None:
        """The server has a few of the system's own; they are called by name, with values beside it."""
        made = connection.connect(settings(config))
        asked = Parameter(Column("table_name", "string", "nvarchar(128)"), 1, optional=True)
        routine = Routine(RoutineName("sp_columns", "sys"), "procedure", [asked])
        try:
            found = routines.call(made, SqlsrvDialect(), routine, {1: "shelf"})
            nothing = routines.call(made, SqlsrvDialect(), routine, {1: "no'; such"})
        finally:
            made.close()
        assert found.out == {}
        assert [[one["COLUMN_NAME"] for one in rows] for rows in found.sets] == [["id", "code", "room"]]
        assert nothing.sets == [[]]

    def test_a_read_whose_time_is_up_is_cut_off(self, config: dict[str, Any]) -> None:
        driver = SqlsrvDriver(settings(config), size=1, patience=20)
        product = "SELECT COUNT(*) FROM book a" + "".join(f" CROSS JOIN book {name}" for name in "bcdefghijk")

        async def tried() -> float:
            await driver.fetch("SELECT id FROM book", ())
            driver.read_timeout = 0.5
            begun = time.monotonic()
            with pytest.raises(TimeoutError):
                await driver.fetch(product, ())
            spent = time.monotonic() - begun
            driver.read_timeout = 30
            # The only connection was thrown away, and another takes its place.
            assert len(await driver.fetch("SELECT id FROM book", ())) == 5
            await driver.close()
            return spent

        assert asyncio.run(tried()) < 5

    def test_a_long_result_comes_in_parts(self, config: dict[str, Any]) -> None:
        driver = SqlsrvDriver(settings(config), size=1, patience=5)

        async def sizes() -> list[int]:
            text = "SELECT a.id FROM book a CROSS JOIN book b WHERE a.id > %s"
            found = [len(part) async for part in driver.stream(text, (1,), 8)]
            await driver.close()
            return found

        assert asyncio.run(sizes()) == [8, 8, 4]

    def test_a_connection_that_was_cut_meanwhile_is_replaced(self, config: dict[str, Any]) -> None:
        driver = SqlsrvDriver(settings(config), size=1, patience=5)

        async def read() -> int:
            return len(await driver.fetch("SELECT id FROM shelf", ()))

        async def tried() -> list[int]:
            before = await read()
            await driver.on_connection(lambda kept: kept.stop())
            found = [before, await read()]
            await driver.close()
            return found

        assert asyncio.run(tried()) == [3, 3]
