"""What a document says may be done can be done, and what it leaves out can not: for random roles, by calling."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable
from typing import Any

import pytest

from trunkline.testing import Client, Gateway

VERBS = ("get", "post", "put", "patch", "delete")
COMPONENTS = {
    "shop": [
        "", "*", "_table", "_table/*", "_table/book", "_table/book/*", "_table/book/2", "_table/shelf/", "_table/th*",
        "_schema", "_schema/*", "_schema/shelf", "_schema/book/*", "_schema/book/_field/title", "_spec",
        "_table/nothing",
    ],
    "system": ["", "*", "role", "role/*", "role/999999", "user/*", "admin", "admin/session", "cache/*", "environment"],
    "user": ["", "*", "custom", "custom/*", "session", "profile"],
    "api_docs": ["", "*"],
    None: ["*", ""],
}  # fmt: skip
# Values that placeholders may have; what is made or changed there is not there.
VALUES = {"shop": ["2", "77"], None: ["999999", "nobody"]}
ACCOUNTS = ("/system/admin/session", "/system/admin/profile", "/user/session", "/user/profile", "/user/custom")
ROLES = 40


def operations(document: dict[str, Any]) -> set[tuple[str, str]]:
    """List verb and path of each operation, with the names that placeholders can stand for."""
    found = set()
    for path, item in document["paths"].items():
        for verb in VERBS:
            if verb in item:
                found |= {(verb, one) for one in named(document, path, item[verb])}
    return found


def named(document: dict[str, Any], path: str, operation: dict[str, Any]) -> list[str]:
    """Put known names in the place of placeholders."""
    paths = [path]
    for parameter in operation.get("parameters", []):
        reference = parameter.get("schema", {}).get("$ref", "")
        if parameter.get("in") == "path" and reference:
            names = document["components"]["schemas"][reference.rpartition("/")[2]]["enum"]
            token = f"{{{parameter['name']}}}"
            paths = [one.replace(token, name) for one in paths for name in names]
    return paths


def filled(path: str, roles: list[str]) -> list[str]:
    """Put values in the place of the placeholders that are left, those that the role names among them."""
    service, _, below = path.strip("/").partition("/")
    pieces = below.split("/")
    holes = [place for place, one in enumerate(pieces) if one.startswith("{")]
    values = VALUES.get(service, VALUES[None]) + [piece for one in roles for piece in one.strip("/*").split("/")]
    values = [one for one in dict.fromkeys(values) if one and not one.startswith("_")]
    found = []
    for chosen in itertools.product(values, repeat=len(holes)):
        for place, value in zip(holes, chosen, strict=True):
            pieces[place] = value
        found.append(f"/{service}/{'/'.join(pieces)}".rstrip("/"))
    return found


def is_refused(client: Client, verb: str, path: str, *, is_told: bool) -> bool:
    """Call, with nothing that could be done, and say whether the answer is that the caller may not."""
    reply = client.request(verb.upper(), f"/api/v2{path}")
    # A service may be there, and nothing in it for this caller.
    assert reply.status_code < 500 or (path.startswith("/api_docs/") and reply.status_code == 503), (verb, path)
    if not is_told and path.startswith(ACCOUNTS) and "X-DreamFactory-Session-Token" not in client.headers:
        # What is about who is logged in says in other words that nobody is.
        return reply.status_code >= 400
    return reply.status_code in (401, 403)


def random_rows(chance: random.Random) -> list[dict[str, Any]]:
    services = chance.choices(list(COMPONENTS), weights=[6, 2, 1, 1, 1], k=chance.randint(1, 5))
    rows = []
    for service in services:
        mask = chance.choice([1, 2, 4, 8, 16, 31, chance.randint(1, 31)])
        rows.append({"service": service, "component": chance.choice(COMPONENTS[service]), "verb_mask": mask})
    return rows


class TestRandomRoles:
    """Bad news first: what differs is shown with the rows of the role."""

    @pytest.mark.slow
    @pytest.mark.parametrize("seed", range(ROLES))
    def test_the_document_and_the_gateway_agree(
        self, shop: Gateway, reset: Callable[[], None], document: Callable[..., dict[str, Any]], seed: int
    ) -> None:
        reset()
        chance = random.Random(seed)
        rows = random_rows(chance)
        role = shop.create_role(rows)
        key = shop.create_app(role)["api_key"]
        user = shop.create_user(f"reader{seed}@example.com")
        logs_in = chance.random() < 0.5

        def client_of() -> Client:
            return shop.as_user(user, key) if logs_in else shop.with_key(key)

        client = client_of()
        whole = document(shop.admin, "api_docs")
        everything = operations(whole)
        told = operations(document(client, "api_docs"))
        assert told <= everything
        assert told == operations(document(client, "api_docs", expand_schema="true", openapi="3.1")) | {
            one for one in told if "{table_name}" in one[1]
        }
        # What drops tables comes last, so that the others find them.
        for verb, path in sorted(everything, key=lambda one: (one[0] == "delete" and "_schema" in one[1], one)):
            calls = [
                one
                for one in filled(path, [one["component"] for one in rows])
                if path == one or one not in whole["paths"]
            ]
            # Some calls log out.
            refused = [is_refused(client_of(), verb, one, is_told=(verb, path) in told) for one in calls]
            if (verb, path) in told:
                assert not all(refused), f"{verb} {path} is in the document and refused; {rows}"
            else:
                allowed = [one for one, no in zip(calls, refused, strict=True) if not no]
                assert not allowed, f"{verb} {allowed} is not in the document and allowed; {rows}"
