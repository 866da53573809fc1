from __future__ import annotations

from typing import Any

import operating
import pytest
import sqlalchemy as sa

from trunkline import hookimpl
from trunkline.db import tables
from trunkline.testing import Gateway
from trunkline.testing.fixtures import settings_for
from trunkline_operators import document
from trunkline_operators.kinds import kinds_of
from trunkline_operators.secrets import Password
from trunkline_system.model import Model, Row, Work
from trunkline_system.stored import StoredResource

TRICKY = [
    "yes",
    "2024-01-01",
    "null",
    "1e3",
    " led",
    "a\r\nb",
    "a\n  b \n",
    "é\u2028",
    "{x}",
    "- a: b",
    "#",
    "",
    "0x1f",
]


@pytest.fixture
def furnished(fresh_gateway: Gateway) -> Gateway:
    operating.furnish(fresh_gateway)
    return fresh_gateway


def test_names_stand_for_ids_and_defaults_are_left_out(furnished: Gateway) -> None:
    found = document.parse(operating.exported(furnished))
    (role,) = found["role"]
    assert role["role_service_access"] == [
        {"service": "shop", "component": "_schema/*", "requestors": ["API"], "verbs": ["GET"]},
        {
            "service": "shop", "component": "_table/book/*", "verbs": ["GET"], "filters": operating.OWN_ROWS,
            "response_filters": [{"name": "author_id", "action": "mask", "value": "hash"}],
        },
    ]  # fmt: skip
    (app,) = found["app"]
    assert app["role"] == "reader"
    assert app["user_to_app_to_role"] == [{"user": "ann@example.com", "role": "reader"}]
    assert found["user"] == [
        {"email": "ann@example.com", "first_name": "Ann", "default_app": "mobile",
         "lookup": [{"name": "colour", "value": "red"}]}
    ]  # fmt: skip
    assert found["limit"] == [{"type": "instance.role", "role": "reader", "period": "hour", "rate": 9, "name": "nine"}]
    assert found["scheduler"] == [
        {"name": "nightly", "service": "shop", "user": "ann@example.com", "component": "_table/book",
         "schedule": "0 3 * * *"}
    ]  # fmt: skip
    (script,) = found["event_script"]
    assert script["content"] == "x = 1\nreturn x\n"
    shop = next(one for one in found["service"] if one["name"] == "shop")
    assert shop["config"] == {"database": "shop.sqlite", "max_records": 50}
    assert {(one["kind"], one["name"]) for one in shop["extras"]} == {
        ("field", "title"), ("relation", "book_by_author_id")
    }  # fmt: skip
    assert shop["extras"][1]["data"]["ref_service_id"] == "shop"


def test_the_same_state_gives_the_same_bytes(furnished: Gateway) -> None:
    assert operating.exported(furnished) == operating.exported(furnished)
    sealed = operating.exported(furnished, password="of the file")
    assert sealed == operating.exported(furnished, password="of the file")


def test_no_secret_is_in_a_file(furnished: Gateway) -> None:
    key = next(iter(furnished.app.directory.snapshot.apps.values())).api_key
    for text in (operating.exported(furnished), operating.exported(furnished, password="of the file")):
        for secret in (key, "1234", "correct horse"):
            assert secret not in text
        assert "tl1:" not in text


def _service(text: str, name: str) -> Any:
    return next(one for one in document.parse(text)["service"] if one["name"] == name)


def test_references_stay_what_they_are(fresh_gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOP_PASSWORD", "of the shop")
    operating.made(
        fresh_gateway.admin, "/system/service",
        {"name": "pg", "type": "pgsql", "config": {"host": "127.0.0.1", "database": "x", "username": "y",
                                                    "password": "env:SHOP_PASSWORD"}},
    )  # fmt: skip
    text = operating.exported(fresh_gateway)
    assert _service(text, "pg")["config"]["password"] == "env:SHOP_PASSWORD"
    assert "of the shop" not in operating.exported(fresh_gateway, password="x")


def test_texts_come_back_as_they_went(fresh_gateway: Gateway) -> None:
    operating.made_custom(fresh_gateway.admin, "tricky", TRICKY)
    operating.made_custom(fresh_gateway.admin, "long", {"words": ["x" * 100, "two\nlines\n"], "number": 1.5})
    found = document.parse(operating.exported(fresh_gateway))
    assert {one["name"]: one["value"] for one in found["custom"]} == {
        "tricky": TRICKY, "long": {"words": ["x" * 100, "two\nlines\n"], "number": 1.5}
    }  # fmt: skip


def test_an_export_applied_to_an_empty_instance_gives_the_same_export(furnished: Gateway, tmp_path_factory) -> None:
    salt = furnished.app.vault.export_salt()
    text = operating.exported(furnished, password="of the file")
    with Gateway(settings_for(tmp_path_factory.mktemp("empty") / "storage")) as empty:
        password = Password("of the file", salt)
        operating.apply(empty, text, password=password)
        assert operating.exported(empty, password="of the file", salt=salt) == text
        assert operating.exported(empty) == operating.exported(furnished)
        assert operating.apply(empty, text, planning=True, prune=True, password=password).changes == []


message = sa.Table(
    "message",
    sa.MetaData(),
    tables.id_column(),
    sa.Column("text", sa.String(255), nullable=False),
    sa.Column("token", sa.String(255)),
    tables.parent("role_id", "role"),
    *tables.stamps(),
)


class MessageModel(Model):
    """A third party's record, with a secret."""

    table, resource = message, "message"

    @classmethod
    def values(cls, work: Work, given: dict[str, Any], row: Row | None) -> dict[str, Any]:
        values = super().values(work, given, row)
        if values.get("token") is not None:
            values["token"] = work.app.vault.encrypt(values["token"])
        return values


class Messages(StoredResource):
    """A third party's resource."""

    name, model = "message", MessageModel


class ThirdParty:
    """A third party's plugin."""

    @hookimpl
    def register_resources(self, service_type: str, register: Any) -> None:
        if service_type == "system":
            register(Messages)


def test_a_third_partys_resource_is_exported_and_applied_too(fresh_gateway: Gateway) -> None:
    app = fresh_gateway.app
    app.plugins.register(ThirdParty())
    copied = sa.MetaData()
    tables.role.to_metadata(copied)
    message.to_metadata(copied)
    copied.create_all(app.database.engine)
    fresh_gateway.create_role([], name="speaker")
    text = "message:\n- text: hello\n  token: geheim\n  role: speaker\n"
    operating.apply(fresh_gateway, f"trunkline: 1\n{text}")
    exported = operating.exported(fresh_gateway)
    assert text.replace("geheim", "'secret:'") in exported
    assert operating.apply(fresh_gateway, exported, planning=True, prune=True).changes == []
    names = [one.name for one in kinds_of(app)]
    assert names.index("service") < names.index("role") < names.index("app") < names.index("message")


def test_the_command_writes_a_file_that_only_its_owner_reads(furnished: Gateway, tmp_path) -> None:
    file = tmp_path / "gateway.yaml"
    found = operating.command(furnished.storage, "export", str(file))
    assert found.exit_code == 0, found.output
    assert file.read_text() == operating.exported(furnished)
    assert file.stat().st_mode & 0o777 == 0o600
    assert operating.command(furnished.storage, "export").stdout == file.read_text()


def test_the_command_seals_alike_again_in_the_same_file(furnished: Gateway, tmp_path) -> None:
    file = tmp_path / "gateway.yaml"
    file.write_text(operating.exported(furnished, password="of the file", salt=b"another salt"))
    before = file.read_text()
    found = operating.command(
        furnished.storage, "export", "--secrets", "encrypted", str(file), TRUNKLINE_EXPORT_PASSWORD="of the file"
    )
    assert found.exit_code == 0, found.output
    assert file.read_text() == before
