"""The tables that the suite works on, made through ``_schema`` and filled anew for every test."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, ClassVar, TypeVar

import pytest

from trunkline import json
from trunkline.testing import Client, Gateway, ServiceSuite

F = TypeVar("F", bound=Callable[..., Any])

SCHEMA: list[dict[str, Any]] = [
    {
        "name": "shelf",
        "field": [
            {"name": "id", "type": "id"},
            {"name": "code", "type": "string", "length": 10, "is_unique": True},
            {"name": "room", "type": "string", "length": 40, "allow_null": True},
        ],
    },
    {
        "name": "book",
        "field": [
            {"name": "id", "type": "id"},
            {"name": "shelf_id", "type": "reference", "ref_table": "shelf", "ref_field": "id", "allow_null": True},
            {"name": "title", "type": "string", "length": 40},
            {"name": "pages", "type": "integer", "allow_null": True},
            {"name": "price", "type": "decimal", "precision": 8, "scale": 2, "allow_null": True},
            {"name": "in_print", "type": "boolean", "default": True},
            {"name": "published", "type": "date", "allow_null": True},
        ],
    },
    {"name": "genre", "field": [{"name": "id", "type": "id"}, {"name": "label", "type": "string"}]},
    {
        "name": "book_genre",
        "field": [
            {"name": "book_id", "type": "reference", "ref_table": "book", "ref_field": "id", "is_primary_key": True},
            {"name": "genre_id", "type": "reference", "ref_table": "genre", "ref_field": "id", "is_primary_key": True},
            {"name": "note", "type": "string", "allow_null": True},
        ],
    },
    {
        "name": "chapter",
        "field": [
            {"name": "id", "type": "id"},
            {"name": "book_id", "type": "reference", "ref_table": "book", "ref_field": "id"},
            {"name": "heading", "type": "string"},
        ],
    },
    {
        "name": "visit",
        "field": [{"name": "day", "type": "date"}, {"name": "people", "type": "integer", "allow_null": True}],
    },
    {
        "name": "sample",
        "field": [
            {"name": "id", "type": "id"},
            {"name": "big", "type": "bigint", "allow_null": True},
            {"name": "ratio", "type": "double", "allow_null": True},
            {"name": "amount", "type": "decimal", "precision": 12, "scale": 2, "allow_null": True},
            {"name": "flag", "type": "boolean", "allow_null": True},
            {"name": "day", "type": "date", "allow_null": True},
            {"name": "hour", "type": "time", "allow_null": True},
            {"name": "moment", "type": "datetime", "allow_null": True},
            {"name": "words", "type": "text", "allow_null": True},
            {"name": "data", "type": "binary", "allow_null": True},
        ],
    },
]
SHELVES: list[dict[str, Any]] = [
    {"code": "A1", "room": "north"},
    {"code": "B2", "room": "south"},
    {"code": "C3", "room": None},
]
BOOKS = [
    ("Dune", "A1", 412, "9.50", True, "1965-08-01"),
    ("Emma", "A1", 320, "7.25", True, "1815-12-23"),
    ("Ulysses", "B2", 730, "12.00", False, "1922-02-02"),
    ("Beowulf", "B2", 100, None, True, None),
    ("Loose", None, None, "1.00", False, None),
]
GENRES = ["novel", "epic", "satire"]
GENRES_OF = {"Dune": ["novel", "epic"], "Emma": ["novel"], "Beowulf": ["epic"]}


def needs(*abilities: str) -> Callable[[F], F]:
    """Mark a test that types which lack one of these abilities cannot pass."""

    def marked(function: F) -> F:
        function.needs = abilities  # type: ignore[attr-defined]  # read by the fixture below
        return function

    return marked


@dataclass
class Library:
    """The rows of the suite: a client with all rights, the service's name, and ids by code, title and label."""

    client: Client
    service: str
    shelves: dict[str, int] = field(default_factory=dict)
    books: dict[str, int] = field(default_factory=dict)
    genres: dict[str, int] = field(default_factory=dict)
    lacks: frozenset[str] = frozenset()

    def path(self, *parts: object) -> str:
        """Build a path below the service's tables."""
        return "/".join((f"/{self.service}/_table", *(str(part) for part in parts)))

    def get(self, *parts: object, **params: Any) -> Any:
        """Read with status 200 and answer the JSON."""
        reply = self.client.get(self.path(*parts), params=params)
        assert reply.status_code == 200, reply.text
        return reply.json()

    def rows(self, table: str, **params: Any) -> list[Any]:
        """Read records."""
        found: list[Any] = self.get(table, **params)["resource"]
        return found

    def titles(self, **params: Any) -> list[str]:
        """Read the titles of books, in the order of their ids unless asked otherwise."""
        return [row["title"] for row in self.rows("book", **{"fields": "id,title", "order": "id", **params})]

    def make_tables(self) -> None:
        """Create the tables that are missing."""
        known = set(self.client.get(f"/{self.service}/_table", params={"as_list": "true"}).json()["resource"])
        for table in self._possible():
            if table["name"] not in known:
                reply = self.client.post(f"/{self.service}/_schema", json={"resource": [table]})
                assert reply.status_code == 200, reply.text

    def _possible(self) -> list[dict[str, Any]]:
        """Answer the tables without what the type cannot have."""
        tables = [one for one in SCHEMA if one["name"] != "visit" or "keyless_tables" not in self.lacks]
        if "unique" in self.lacks:
            tables = [{**table, "field": [one | {"is_unique": False} for one in table["field"]]} for table in tables]
        return tables

    def refill(self) -> None:
        """Delete every row and create the known ones."""
        names = {one["name"] for one in self._possible()}
        for table in ("chapter", "book_genre", "book", "shelf", "genre", "visit", "sample"):
            if table not in names:
                continue
            reply = self.client.delete(self.path(table), params={"force": "true"})
            assert reply.status_code == 200, reply.text
        self.shelves = self._make("shelf", "code", SHELVES)
        members = ("pages", "price", "in_print", "published")
        books: list[dict[str, Any]] = [
            {"title": title, "shelf_id": self.shelves.get(str(code)), **dict(zip(members, rest, strict=True))}
            for title, code, *rest in BOOKS
        ]
        self.books = self._make("book", "title", books)
        self.genres = self._make("genre", "label", [{"label": label} for label in GENRES])
        links = [
            {"book_id": self.books[title], "genre_id": self.genres[label], "note": None}
            for title, labels in GENRES_OF.items()
            for label in labels
        ]
        self.client.post(self.path("book_genre"), json={"resource": links})

    def _make(self, table: str, name: str, records: list[dict[str, Any]]) -> dict[str, int]:
        reply = self.client.post(self.path(table), json={"resource": records}, params={"fields": f"id,{name}"})
        assert reply.status_code == 200, reply.text
        return {row[name]: row["id"] for row in reply.json()["resource"]}


def twin(gateway: Gateway, library: Library, name: str, **more: Any) -> int:
    """Configure another service on the same database, once, and answer its id."""
    services = gateway.app.directory.snapshot.services
    if name not in services:
        record = services[library.service]
        kind = gateway.app.registry.load(record.type)
        opened = kind.config_class().opened(json.loads(record.config), gateway.app.vault)
        return int(gateway.create_service(name, record.type, {**opened, **more})["id"])
    return services[name].id


class LibrarySuite(ServiceSuite):
    """What the parts of the suite stand on."""

    # What the server of this suite lacks although others of its type have it.
    server_lacks: ClassVar[frozenset[str]] = frozenset()

    @pytest.fixture(autouse=True)
    def _able(self, request: pytest.FixtureRequest, gateway: Gateway) -> None:
        lacks = gateway.app.registry.load(self.service_type).lacks | self.server_lacks
        if missing := sorted(lacks & set(getattr(request.function, "needs", ()))):
            pytest.skip(f"{self.service_type} lacks {', '.join(missing)}")

    @pytest.fixture
    def library(self, gateway: Gateway, service: str) -> Library:
        """The tables with the known rows in them."""
        library = Library(gateway.admin, service, lacks=frozenset(gateway.app.registry.load(self.service_type).lacks))
        library.make_tables()
        library.refill()
        return library


def error_of(reply: Any, status: int) -> dict[str, Any]:
    """Check an error reply's status and shape (D10), and answer the inner object."""
    assert reply.status_code == status, reply.text
    error: dict[str, Any] = reply.json()["error"]
    assert set(error) == {"code", "context", "message", "status_code"}
    assert isinstance(error["code"], int)
    assert error["status_code"] == status
    assert "SQL" not in error["message"].replace("SQL expression", "")
    return error
