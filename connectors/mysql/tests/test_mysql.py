"""MySQL's connector passes the suite of its family, on MariaDB."""

from __future__ import annotations

import contextlib
from typing import Any

import pymysql
import pytest

from trunkline_database.testing import DatabaseSuite
from trunkline_database.testing.library import Library

pytestmark = pytest.mark.live

ROUTINES = """
create procedure proc_out(IN a integer, IN b integer, OUT total integer, OUT word varchar(20))
begin set total = a + b; set word = concat('w', a); end;;
create procedure proc_note(IN t varchar(40)) insert into sample (words) values (t);;
create procedure proc_fail(IN t varchar(40))
begin
  insert into sample (words) values (t);
  signal sqlstate '45000' set message_text = 'No such luck.';
end;;
create procedure proc_twin(IN t varchar(40))
begin insert into genre (id, label) values (1, t); insert into genre (id, label) values (1, t); end;;
create procedure proc_rows(IN lowest integer) select title, pages from book where pages >= lowest order by pages;;
create procedure proc_both(IN lowest integer, OUT total integer)
begin
  select title, pages from book where pages >= lowest order by pages;
  select count(*) into total from book where pages >= lowest;
end;;
create procedure proc_sets() begin select title from book order by title; select code from shelf order by code; end;;
create procedure proc_inout(INOUT n integer) set n = n * 2;;
create function func_add(a integer, b integer) returns integer deterministic return a + b;;
create function func_echo(t varchar(40)) returns varchar(40) deterministic return t
"""


@pytest.fixture(scope="module")
def database(mariadb_server: Any) -> dict[str, Any]:
    """An empty database on a private server."""
    found: dict[str, Any] = mariadb_server.new_config()
    return found


class TestMysql(DatabaseSuite):
    service_type = "mysql"

    @pytest.fixture
    def config(self, database: dict[str, Any]) -> dict[str, Any]:
        return database

    def make_routines(self, config: dict[str, Any], library: Library) -> None:
        """Make the routines of the suite, one statement each."""
        connection = pymysql.connect(
            user=config["username"], host=config["host"], port=config["port"], database=config["database"],
            password=config["password"],
        )  # fmt: skip
        with contextlib.closing(connection), connection.cursor() as cursor:
            for statement in ROUTINES.split(";;"):
                cursor.execute(statement)
