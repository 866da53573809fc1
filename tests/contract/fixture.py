"""The database behind the recordings, as SQLite: the same rows, types in PostgreSQL's words."""

from __future__ import annotations

import datetime as dt
import math
import sqlite3
from pathlib import Path

FIRST_NAMES = ("Ann", "Bob", "Cy", "Dee", "Eve")
COUNTRIES = {"DE": "Germany", "FR": "France", "US": "United States", "BR": "Brazil", "JP": "Japan"}
CODES = tuple(COUNTRIES)
CONTACTS, INVOICES, TAGGED, TODOS = 10_000, 3_000, 300, 3

TABLES = """
create table country (code character(2) primary key, name character varying(60) not null);
create table contact (
  id integer primary key autoincrement,
  first_name character varying(40) not null,
  last_name character varying(40) not null,
  email character varying(80) unique,
  age integer,
  balance numeric(12,2) default 0,
  score double precision,
  is_active boolean not null default true,
  country_code character(2) references country(code),
  born date,
  created_at timestamp without time zone not null default current_timestamp,
  notes text
);
create table invoice (
  id integer primary key autoincrement,
  contact_id integer not null references contact(id),
  total numeric(10,2) not null check (total >= 0),
  paid boolean default false
);
create table tag (id integer primary key autoincrement, label character varying(30) not null unique);
create table contact_tag (
  contact_id integer references contact(id),
  tag_id integer references tag(id),
  primary key (contact_id, tag_id)
);
create table todo (
  id integer primary key autoincrement,
  name character varying(20) not null unique,
  complete boolean not null default false
);
create view active_contact as select id, first_name, last_name from contact where is_active;
create table nokey (a integer, b text);
"""


def create(path: Path) -> None:
    """Create the database file."""
    connection = sqlite3.connect(path)
    with connection:
        connection.executescript(TABLES)
        connection.executemany("insert into country values (?, ?)", COUNTRIES.items())
        connection.executemany(
            "insert into contact (first_name, last_name, email, age, balance, score, is_active, country_code, born,"
            " created_at, notes) values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            map(_contact, range(1, CONTACTS + 1)),
        )
        connection.executemany(
            "insert into invoice (contact_id, total, paid) values (?, ?, ?)",
            ((1 + i * 17 % 10000, i % 500, i % 2 == 0) for i in range(1, INVOICES + 1)),
        )
        connection.executemany("insert into tag (label) values (?)", [("vip",), ("new",), ("late",)])
        connection.executemany("insert into contact_tag values (?, ?)", ((i, 1 + i % 3) for i in range(1, TAGGED + 1)))
        connection.executemany("insert into todo (name) values (?)", [("one",), ("two",), ("three",)])
        connection.executemany("insert into nokey values (?, ?)", [(1, "x"), (2, "y")])
    connection.close()


def _contact(i: int) -> tuple[object, ...]:
    return (
        FIRST_NAMES[i % 5],
        f"Last{i:05}",
        f"u{i}@example.com",
        18 + i % 60,
        i * 7919 % 1_000_000 / 100,
        math.sqrt(i),
        i % 3 != 0,
        CODES[i % 5],
        (dt.date(1950, 1, 1) + dt.timedelta(days=i % 20000)).isoformat(),
        (dt.datetime(2024, 1, 1) + dt.timedelta(minutes=i)).isoformat(" "),
        None if i % 10 == 0 else f"note {i}",
    )
