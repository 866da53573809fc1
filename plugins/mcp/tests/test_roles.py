"""What is listed is allowed and what is left out is refused, for random roles (checklist 35)."""

from __future__ import annotations

import random
from typing import Any

import pytest
from speaking import Speaker, new_files, new_shop

from trunkline.testing import Gateway

COMPONENTS = {
    "shop": [
        "", "*", "_table", "_table/*", "_table/book", "_table/book/*", "_table/shelf/", "_schema", "_schema/*",
        "_schema/book", "_schema/book/*", "_schema/shelf/_field", "_spec", "_proc/*", "_table/nothing",
    ],
    "files": ["", "*", "a/*", "a/b.txt", "c/"],
    None: ["*", ""],
}  # fmt: skip
NAMES = ("book", "shelf", "thick", "nothing")
PATHS = ("", "a", "a/b.txt", "a/n.txt", "c", "c/d.txt")
ROLES = 60


def random_rows(chance: random.Random) -> list[dict[str, Any]]:
    rows = []
    for service in chance.choices(list(COMPONENTS), weights=[6, 4, 1], k=chance.randint(1, 4)):
        mask = chance.choice([1, 2, 4, 8, 16, 31, chance.randint(1, 31)])
        rows.append({"service": service, "component": chance.choice(COMPONENTS[service]), "verb_mask": mask})
    return rows


def calls(name: str) -> list[dict[str, Any]]:
    """Answer arguments for a tool, with everything that a role may name, and nothing that does harm."""
    tables = [{"table_name": one} for one in NAMES]
    match name:
        case "get_table_schema" | "get_table_fields" | "get_table_relationships" | "get_table_data":
            return tables
        case "create_records" | "update_records":
            return [{**one, "records": [{"nothing": 1}]} for one in tables]
        case "delete_records":
            return [{**one, "ids": [4711]} for one in tables]
        case "aggregate_data":
            return [{**one, "aggregates": [{"function": "COUNT", "field": "*"}]} for one in tables]
        case "get_file" | "get_file_properties" | "delete_file" | "create_folder":
            return [{"path": one} for one in PATHS if one]
        case "create_file":
            return [{"path": one, "content": "x"} for one in PATHS if one]
        case "list_files":
            return [{"path": one} for one in PATHS]
        case _:
            return [{}]


@pytest.fixture(scope="class")
def open_shop(gateway: Gateway) -> Gateway:
    """A gateway with a shop, files, and a server that lets every role in."""
    new_shop(gateway)
    new_files(gateway)
    gateway.create_service("ai", "mcp", {"lazy_mode": "off", "require_role_access": False})
    return gateway


class TestRandomRoles:
    """The tools of a caller are exactly those that can be used."""

    @pytest.mark.parametrize("seed", range(ROLES))
    def test_the_list_and_the_gateway_agree(self, open_shop: Gateway, seed: int) -> None:
        gateway = open_shop
        folder = gateway.storage / "files" / "a"
        folder.mkdir(exist_ok=True)
        (folder / "b.txt").write_text("x")
        everything = Speaker(gateway.admin).names()
        rows = random_rows(random.Random(seed))
        user = gateway.create_user(f"user{seed}@example.com")
        key = gateway.create_app(gateway.create_role(rows))["api_key"]
        speaker = Speaker(gateway.as_user(user, key))
        listed = speaker.names()
        assert set(listed) <= set(everything)
        # What deletes comes last, so that the others find it.
        for name in sorted(everything, key=lambda one: "delete" in one):
            if name in listed:
                said = [speaker.call(name, **one)["content"][0]["text"] for one in calls(name)]
                assert not all(one.startswith("Permission Error:") for one in said), f"{name} is refused; {rows}"
            else:
                assert speaker.refusal(name, **calls(name)[0]).startswith("Resource Error: there is no tool"), rows
                self.refused_otherwise(gateway, speaker, name, rows)

    def refused_otherwise(self, gateway: Gateway, speaker: Speaker, name: str, rows: list[dict[str, Any]]) -> None:
        """What has no tool, the REST API refuses, too."""
        requests = {
            "get_tables": [("GET", "/shop/_schema")],
            "get_table_schema": [("GET", f"/shop/_schema/{one}") for one in NAMES],
            "get_table_data": [("GET", f"/shop/_table/{one}") for one in NAMES],
            "create_records": [("POST", f"/shop/_table/{one}") for one in NAMES],
            "update_records": [("PATCH", f"/shop/_table/{one}") for one in NAMES],
            "delete_records": [("DELETE", f"/shop/_table/{one}") for one in NAMES],
            "get_table_fields": [("GET", f"/shop/_schema/{one}/_field") for one in NAMES],
            "get_file": [("GET", f"/files/{one}") for one in PATHS if one],
            "create_file": [("POST", f"/files/{one}") for one in PATHS if one],
            "delete_file": [("DELETE", f"/files/{one}") for one in PATHS if one],
        }
        for method, path in requests.get(name, []):
            reply = speaker.client.request(method, path)
            assert reply.status_code in (401, 403), (method, path, reply.text, rows)
