"""Firebird's connector passes the suite of its family."""

from __future__ import annotations

from typing import Any

import pytest
from databases import firebird

from trunkline_database.testing import DatabaseSuite
from trunkline_database.testing.library import Library

pytestmark = pytest.mark.live

ROUTINES = """
create procedure proc_out(a integer, b integer) returns (total integer, word varchar(20))
as begin total = a + b; word = 'w' || a; end;;
create procedure proc_note(t varchar(40)) as begin insert into "sample" ("words") values (:t); end;;
create exception unlucky 'No such luck.';;
create procedure proc_fail(t varchar(40))
as begin insert into "sample" ("words") values (:t); exception unlucky; end;;
create procedure proc_twin(t varchar(40)) as
begin
  insert into "genre" ("id", "label") values (1, :t);
  insert into "genre" ("id", "label") values (1, :t);
end;;
create procedure proc_rows(lowest integer) returns ("title" varchar(40), "pages" integer) as
begin
  for select "title", "pages" from "book" where "pages" >= :lowest order by "pages" into :"title", :"pages" do suspend;
end;;
create function func_add(a integer, b integer) returns integer as begin return a + b; end;;
create function func_echo(t varchar(40)) returns varchar(40) as begin return t; end;;
create function func_default(a integer, b integer default 5) returns integer as begin return a + b; end
"""


@pytest.fixture(scope="module")
def database(firebird_server: Any) -> dict[str, Any]:
    """An empty database on a private server."""
    found: dict[str, Any] = firebird_server.new_config()
    return found


class TestFirebird(DatabaseSuite):
    service_type = "firebird"

    @pytest.fixture
    def config(self, database: dict[str, Any]) -> dict[str, Any]:
        return database

    def sql_name(self, name: str) -> str:
        """Quote: what is not quoted means another name, in upper case."""
        return f'"{name}"'

    def make_routines(self, config: dict[str, Any], library: Library) -> None:
        """Make the routines of the suite, one statement each."""
        firebird(config, *ROUTINES.split(";;"))
