"""The data set becomes a database that is complete, or is not there."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from trunkline_demo import flights


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("flights") / "flights.sqlite"
    assert flights.load(target)
    return target


def ask(database: Path, statement: str) -> list[tuple]:
    with closing(sqlite3.connect(database)) as connection:
        return connection.execute(statement).fetchall()


@pytest.mark.parametrize(("table", "rows"), flights.ROWS.items())
def test_every_row_is_there(database, table, rows):
    assert ask(database, f"select count(*) from {table}") == [(rows,)]


def test_a_row_has_typed_values_and_nulls(database):
    row = ask(database, "select dep_time, carrier, tailnum, air_time, time_hour from flights where id = 1")
    assert row == [(517, "UA", "N14228", 227, "2013-01-01 10:00:00")]
    assert ask(database, "select count(*) from flights where dep_time is null") == [(8255,)]
    assert ask(database, "select temp, wind_gust from weather where id = 1") == [(39.02, None)]


def test_foreign_keys_lead_to_the_registers(database):
    keys = {(row[2], row[3], row[4]) for row in ask(database, "pragma foreign_key_list(flights)")}
    assert keys == {
        ("airlines", "carrier", "carrier"),
        ("planes", "tailnum", "tailnum"),
        ("airports", "origin", "faa"),
        ("airports", "dest", "faa"),
    }


def test_every_foreign_key_has_an_index(database):
    indexed = {row[0] for row in ask(database, "select name from sqlite_master where type = 'index'")}
    assert {f"flights_{column}" for column in ("carrier", "tailnum", "origin", "dest", "time_hour")} <= indexed


def test_an_interrupted_load_leaves_nothing_and_the_next_completes(tmp_path, monkeypatch):
    target = tmp_path / "new" / "flights.sqlite"

    def interrupt(rows):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        flights.load(target, interrupt)
    assert list(target.parent.iterdir()) == []

    monkeypatch.setattr(flights, "ROWS", {"airlines": 16})
    assert flights.load(target)
    assert ask(target, "select count(*) from airlines") == [(16,)]


def test_what_a_killed_load_left_behind_is_swept_away(tmp_path, monkeypatch):
    target = tmp_path / "flights.sqlite"
    target.with_name("flights.sqlite.part").write_bytes(b"half a database")
    monkeypatch.setattr(flights, "ROWS", {"airlines": 16})
    assert flights.load(target)
    assert list(tmp_path.iterdir()) == [target]


def test_a_complete_database_is_not_loaded_again(database):
    before = database.stat().st_mtime_ns
    heard = []
    assert not flights.load(database, heard.append)
    assert (heard, database.stat().st_mtime_ns) == ([], before)


def test_progress_adds_up(tmp_path):
    heard = []
    flights.load(tmp_path / "flights.sqlite", heard.append)
    assert sum(heard) == sum(flights.ROWS.values())
