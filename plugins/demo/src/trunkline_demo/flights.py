"""The data set, and how it becomes an SQLite file that is either complete or not there."""

import csv
import lzma
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from importlib import resources
from io import TextIOWrapper
from itertools import islice
from pathlib import Path

ROWS = {"airlines": 16, "airports": 1458, "planes": 3322, "weather": 26115, "flights": 336776}
BATCH = 2000

SCHEMA = """
create table airlines (
    carrier varchar(2) primary key not null,
    name varchar(64) not null
);
create table airports (
    faa varchar(3) primary key not null,
    name varchar(64) not null,
    lat double not null,
    lon double not null,
    alt integer not null,
    tz integer not null,
    dst varchar(1) not null,
    tzone varchar(32)
);
create table planes (
    tailnum varchar(6) primary key not null,
    year integer,
    type varchar(32) not null,
    manufacturer varchar(32) not null,
    model varchar(32) not null,
    engines integer not null,
    seats integer not null,
    speed integer,
    engine varchar(16) not null
);
create table weather (
    id integer primary key autoincrement not null,
    origin varchar(3) not null references airports (faa),
    year integer not null,
    month integer not null,
    day integer not null,
    hour integer not null,
    temp double,
    dewp double,
    humid double,
    wind_dir integer,
    wind_speed double,
    wind_gust double,
    precip double not null,
    pressure double,
    visib double not null,
    time_hour datetime not null
);
create table flights (
    id integer primary key autoincrement not null,
    year integer not null,
    month integer not null,
    day integer not null,
    dep_time integer,
    sched_dep_time integer not null,
    dep_delay integer,
    arr_time integer,
    sched_arr_time integer not null,
    arr_delay integer,
    carrier varchar(2) not null references airlines (carrier),
    flight integer not null,
    tailnum varchar(6) references planes (tailnum),
    origin varchar(3) not null references airports (faa),
    dest varchar(3) not null references airports (faa),
    air_time integer,
    distance integer not null,
    hour integer not null,
    minute integer not null,
    time_hour datetime not null
);
"""
# After the rows, because that is faster.
INDEXES = """
create index weather_origin on weather (origin);
create index weather_time_hour on weather (time_hour);
create index flights_carrier on flights (carrier);
create index flights_tailnum on flights (tailnum);
create index flights_origin on flights (origin);
create index flights_dest on flights (dest);
create index flights_time_hour on flights (time_hour);
"""


def load(target: Path, advance: Callable[[int], None] = lambda rows: None) -> bool:
    """Make the database file unless it is there, and answer whether it was made; `advance` hears of every batch.

    The rows go into a file beside the target that takes its name when it is complete: an interrupt at any
    point leaves no half-loaded database behind.
    """
    if target.exists():
        return False
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f"{target.name}.part")
    part.unlink(missing_ok=True)
    try:
        with closing(sqlite3.connect(part)) as database:
            fill(database, advance)
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)
    return True


def fill(database: sqlite3.Connection, advance: Callable[[int], None]) -> None:
    """Create the tables, their rows and their indexes in an empty database."""
    # Foreign keys are declared but not enforced while loading: some flights name planes and airports that the
    # registers lack (721 tail numbers; BQN, PSE, SJU, STT), and those flights are as real as the others.
    # Nothing needs to survive a crash here either, the file is thrown away then.
    database.executescript("pragma foreign_keys = off; pragma journal_mode = off; pragma synchronous = off;" + SCHEMA)
    for table in ROWS:
        lines = read(table)
        names = next(lines)
        statement = f"insert into {table} ({', '.join(names)}) values ({', '.join('?' * len(names))})"  # noqa: S608 - our own
        while batch := [list(map(value, line)) for line in islice(lines, BATCH)]:
            database.executemany(statement, batch)
            advance(len(batch))
    database.commit()
    database.executescript(INDEXES)


def read(table: str) -> Iterator[list[str]]:
    """Yield the lines of a table's CSV file, its column names first."""
    source = resources.files(__package__).joinpath("data", f"{table}.csv.xz")
    with source.open("rb") as packed, TextIOWrapper(lzma.open(packed), "utf-8", newline="") as text:
        yield from csv.reader(text)


def value(text: str) -> str | None:
    """Turn one CSV field into what SQLite stores; the declared type of the column makes numbers of digits."""
    if text == "NA":
        return None
    if text.endswith("Z") and text[10:11] == "T":  # 2013-01-01T10:00:00Z, the only form of time in these files
        return f"{text[:10]} {text[11:19]}"
    return text
