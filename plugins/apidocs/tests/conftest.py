"""A shop with shelves and books, on SQLite, and ways to look at documents."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from trunkline.testing import Client, Gateway

TABLES = """
drop table if exists book; drop table if exists shelf; drop view if exists thick;
create table shelf(id integer primary key, code varchar(10) not null unique, room text);
create table book(
    id integer primary key autoincrement, shelf_id integer references shelf(id), title varchar(60) not null,
    pages integer, price decimal(8,2), in_print boolean,
    heavy integer generated always as (pages > 400) stored
);
create view thick as select * from book where pages > 300;
insert into shelf values (1, 'A1', 'hall'), (2, 'B2', null);
insert into book(shelf_id, title, pages, price, in_print)
    values (1, 'Dune', 412, 9.5, 1), (1, 'Emma', 320, 7.25, 0), (2, 'Ulysses', 730, null, 1);
"""


@pytest.fixture(scope="class")
def file(gateway: Gateway) -> Path:
    """The file of the database."""
    return gateway.storage / "shop.db"


@pytest.fixture(scope="class")
def reset(file: Path) -> Callable[[], None]:
    """Put the tables back as they were."""

    def reset() -> None:
        database = sqlite3.connect(file)
        database.executescript(TABLES)
        database.close()

    return reset


@pytest.fixture(scope="class")
def shop(gateway: Gateway, file: Path, reset: Callable[[], None]) -> Gateway:
    """A gateway with the shop."""
    reset()
    gateway.create_service("shop", "sqlite", {"database": str(file)})
    return gateway


@pytest.fixture(scope="session")
def document() -> Callable[..., dict[str, Any]]:
    """Ask for a document by its path below the API."""

    def document(client: Client, path: str, **params: Any) -> dict[str, Any]:
        reply = client.get(f"/api/v2/{path}", params=params)
        assert reply.status_code == 200, reply.text
        assert reply.headers["content-type"] == "application/json"
        found: dict[str, Any] = reply.json()
        return found

    return document
