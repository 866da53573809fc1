from __future__ import annotations

import re

import operating
import pytest
import sqlalchemy as sa

from trunkline.db import tables
from trunkline.errors import BadRequest
from trunkline.testing import Gateway
from trunkline_operators.secrets import Password


@pytest.fixture
def furnished(fresh_gateway: Gateway) -> Gateway:
    operating.furnish(fresh_gateway)
    return fresh_gateway


def rights(outcome) -> list[str]:
    """The lines about rights."""
    return [line.strip() for line in operating.told(outcome).partition("Rights:")[2].splitlines() if line.strip()]


def test_an_export_changes_nothing(furnished: Gateway) -> None:
    text = operating.exported(furnished)
    stamps = sa.select(tables.role.c.last_modified_date)
    before = furnished.app.database.read(lambda connection: connection.scalars(stamps).all())
    revision = furnished.app.database.revisions[0]
    assert operating.apply(furnished, text, prune=True).changes == []
    assert furnished.app.database.read(lambda connection: connection.scalars(stamps).all()) == before
    assert furnished.app.database.revisions[0] == revision


def test_a_plan_changes_nothing_and_an_apply_does_it_once(furnished: Gateway) -> None:
    text = operating.exported(furnished).replace("label: The shop", "label: The other shop")
    plan = operating.apply(furnished, text, planning=True)
    assert operating.told(plan) == "~ service shop\n    label: The shop -> The other shop"
    assert "The other shop" not in operating.exported(furnished)
    assert operating.told(operating.apply(furnished, text)) == operating.told(plan)
    assert operating.exported(furnished) == text
    assert operating.apply(furnished, text, planning=True).changes == []


def test_a_wider_role_is_named_with_whose_and_which(furnished: Gateway) -> None:
    text = operating.exported(furnished).replace(
        "component: _table/book/*\n    verbs: [GET]", "component: _table/book/*\n    verbs: [GET, POST]"
    )
    plan = operating.apply(furnished, text, planning=True)
    assert rights(plan) == [
        "role reader (app mobile; user ann@example.com with app mobile)",
        "gains POST of rows with owner = {user.email}; author_id masked (hash): shop _table/book, shop _table/book/*",
    ]
    assert "~ role reader" in operating.told(plan)


def test_a_row_filter_that_goes_is_a_gain_and_one_that_comes_is_a_loss(furnished: Gateway) -> None:
    text = operating.exported(furnished)
    start = text.index("    filters:\n")
    wide = text[:start] + text[text.index("    response_filters:") :]
    assert rights(operating.apply(furnished, wide)) == [
        "role reader (app mobile; user ann@example.com with app mobile)",
        "gains GET of all rows (before: rows with owner = {user.email}): shop _table/book, shop _table/book/*",
    ]
    assert rights(operating.apply(furnished, text, planning=True))[1:] == [
        "loses GET only of rows with owner = {user.email} (before: all rows): shop _table/book, shop _table/book/*",
    ]


def test_a_response_filter_that_goes_is_a_gain_and_one_that_comes_is_a_loss(furnished: Gateway) -> None:
    text = operating.exported(furnished)
    masked = "action: mask\n      value: hash"
    assert masked in text
    assert rights(operating.apply(furnished, text.replace(masked, "action: mask\n      value: last4")))[1:] == [
        "gains field author_id masked (last4) (before: masked (hash)): shop _table/book, shop _table/book/*",
    ]
    assert rights(operating.apply(furnished, text.replace(masked, "action: exclude")))[1:] == [
        "loses field author_id hidden (before: masked (last4)): shop _table/book, shop _table/book/*",
    ]
    assert rights(operating.apply(furnished, text.replace(masked, "action: allow")))[1:] == [
        "loses fields that are not named hidden (before: in full): shop _table/book, shop _table/book/*",
        "gains field author_id in full (before: hidden): shop _table/book, shop _table/book/*",
    ]


def test_a_filter_that_is_another_one_may_be_both(furnished: Gateway) -> None:
    text = operating.exported(furnished).replace("'{user.email}'", "'{user.name}'")
    facts = rights(operating.apply(furnished, text, planning=True))[1:]
    assert [one.split()[0] for one in facts] == ["gains", "loses"]


def test_who_gets_another_role_is_named(furnished: Gateway) -> None:
    text = operating.exported(furnished).replace(
        "role:\n- name: reader", "role:\n- name: writer\n  is_active: true\n  role_service_access:\n"
        "  - component: '*'\n    verbs: [GET, POST, PUT, PATCH, DELETE]\n- name: reader",
    ).replace("- user: ann@example.com\n    role: reader", "- user: ann@example.com\n    role: writer")  # fmt: skip
    found = rights(operating.apply(furnished, text, planning=True))
    assert found[0] == "user ann@example.com with app mobile: role reader -> role writer"
    assert any(one.startswith("gains") and "every other service *" in one for one in found[1:])
    assert not any("app mobile:" in one.replace("with app mobile:", "") for one in found)


def test_an_administrator_gains_all_rights(furnished: Gateway) -> None:
    text = operating.exported(furnished).replace("admin:\n", "admin:\n- email: eve@example.com\n")
    plan = operating.apply(furnished, text, planning=True)
    assert rights(plan) == ["administrator eve@example.com: no role -> all rights", "gains all rights"]


def test_a_deactivated_role_loses_everything(furnished: Gateway) -> None:
    text = operating.exported(furnished).replace("- name: reader\n  is_active: true", "- name: reader")
    found = rights(operating.apply(furnished, text, planning=True))
    assert found[0].startswith("role reader (app mobile;")
    assert {one.split()[0] for one in found[1:]} == {"loses"}


def test_what_the_file_does_not_name_goes_only_when_pruned(furnished: Gateway) -> None:
    text = operating.exported(furnished)
    start, end = text.index("cors:\n"), text.index("email_template:")
    text = text[:start] + "cors: []\n\n" + text[end:]
    assert operating.apply(furnished, text, planning=True).changes == []
    assert operating.told(operating.apply(furnished, text, prune=True)) == "- cors api/*"
    assert operating.exported(furnished) == text


def test_kinds_that_the_file_does_not_have_stay(furnished: Gateway) -> None:
    assert operating.apply(furnished, "trunkline: 1\ncors: []\n", planning=True, prune=True).changes[0].kind == "cors"
    assert operating.apply(furnished, "trunkline: 1\n", planning=True, prune=True).changes == []


def test_what_is_named_is_not_pruned(furnished: Gateway) -> None:
    text = operating.exported(furnished)
    start, end = text.index("- name: shop\n"), text.index("- name: system\n")
    with pytest.raises(BadRequest, match=r"service shop is not in the file, but role reader/role_service_access"):
        operating.apply(furnished, text[:start] + text[end:], prune=True)


def test_somebody_must_be_left_to_put_things_right(furnished: Gateway) -> None:
    with pytest.raises(BadRequest, match="no active administrator"):
        operating.apply(furnished, "trunkline: 1\nadmin: []\n", prune=True)


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("is_active: true\n  type: sqlite", "is_active: maybe\n  type: sqlite", r"^Line \d+: service shop: .*active"),
        ("service: shop\n    component: _schema", "service: shopp\n    component: _schema",
         r"^Line \d+: role reader: role_service_access shopp, _schema/\*, API \(line \d+\): .*no service 'shopp'"),
        ("requestors: [API]", "requestors: [APE]", r"role reader: .*'APE' is no requestor"),
        ("operator: '='", "operator: '~~'", r"role reader: role_service_access .*filters field is invalid"),
        ("default_app: mobile", "default_ap: mobile", r"^Line \d+: user ann@.*: There is no field 'default_ap'"),
        ("max_records: 50", "max_record: 50", r"service shop: config has no field 'max_record'"),
        ("cors:\n", "course:\n", r"no records of the kind 'course'"),
        ("- name: city", "- name: city\n  value: A\n- name: city", r"lookup city: The record is there twice"),
        ("city\n", "city\n  name: b\n", r"^Line \d+: 'name' is there twice"),
        ("trunkline: 1", "trunkline: 2", r"^Line 1: the file must begin"),
        ("- name: city", "- name: [", r"^Line \d+: the file is not valid YAML"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told_with_line_and_record_and_nothing_is_done(
    furnished: Gateway, old: str, new: str, told: str
) -> None:
    text = operating.exported(furnished)
    assert old in text
    broken = text.replace(old, new, 1).replace("label: The shop", "label: Another")
    with pytest.raises(BadRequest) as raised:
        operating.apply(furnished, broken)
    assert re.search(told, raised.value.message), raised.value.message
    assert operating.exported(furnished) == text


def test_a_placeholder_needs_a_secret_that_it_stands_for(furnished: Gateway) -> None:
    text = operating.exported(furnished).replace("- name: mobile", "- name: desktop")
    with pytest.raises(BadRequest, match=r"app desktop: api_key: there is no stored secret"):
        operating.apply(furnished, text)


def test_secrets_change_only_when_the_file_tells_others(furnished: Gateway) -> None:
    key = "a" * 64
    text = operating.exported(furnished).replace("api_key: 'secret:'", f"api_key: {key}")
    outcome = operating.apply(furnished, text)
    assert operating.told(outcome) == "~ app mobile\n    api_key: secret: -> secret: (another value)"
    assert operating.apply(furnished, text, planning=True).changes == []
    assert [one.api_key for one in _snapshot(furnished).apps.values()] == [key]


def _snapshot(gateway: Gateway):
    return gateway.app.database.read(gateway.app.directory.read)


def test_sealed_secrets_open_only_under_their_password_and_in_their_place(furnished: Gateway) -> None:
    text = operating.exported(furnished, password="right")
    salt = furnished.app.vault.export_salt()
    with pytest.raises(BadRequest, match="it takes their password"):
        operating.apply(furnished, text)
    with pytest.raises(BadRequest, match="cannot be opened"):
        operating.apply(furnished, text, password=Password("wrong", salt))
    moved = text.replace("- name: pin\n    value: encrypted:", "- name: pen\n    value: encrypted:")
    assert moved != text
    with pytest.raises(BadRequest, match="cannot be opened"):
        operating.apply(furnished, moved, password=Password("right", salt))
    assert operating.apply(furnished, text, password=Password("right", salt)).changes == []


def test_what_a_record_leaves_out_has_its_default(furnished: Gateway) -> None:
    text = operating.exported(furnished).replace("  label: The shop\n", "").replace("    max_records: 50\n", "")
    assert operating.told(operating.apply(furnished, text)) == (
        "~ service shop\n    label: The shop -> (nothing)\n    config.max_records: 50 -> (nothing)"
    )
    found = furnished.admin.get("/system/service/shop").json()
    assert (found["label"], found["config"]["max_records"]) == ("shop", 1000)


def test_records_may_name_those_that_come_later(fresh_gateway: Gateway) -> None:
    text = """
trunkline: 1
service:
- {name: system, label: System Management, is_active: true, type: system, config: {default_app: first},
   description: Service for managing system resources.}
app:
- {name: first, role: r, is_active: true}
user:
- {email: bob@example.com, default_app: first}
role:
- {name: r, is_active: true}
"""
    assert len(operating.apply(fresh_gateway, text).changes) == 4
    assert operating.apply(fresh_gateway, text, planning=True).changes == []
    with pytest.raises(BadRequest, match=r"user bob@example.com: default_app: there is no app 'second'"):
        operating.apply(fresh_gateway, text.replace("default_app: first}\nrole", "default_app: second}\nrole"))


def test_running_workers_learn_of_it(furnished: Gateway) -> None:
    assert furnished.admin.get("/system/lookup?filter=name=town&count_only=true").json() == 0
    operating.apply(furnished, "trunkline: 1\nlookup:\n- {name: town, value: Emden}\n")
    assert furnished.admin.get("/system/lookup?filter=name=town&count_only=true").json() == 1


def test_the_command_says_by_its_status_what_it_found(furnished: Gateway, tmp_path) -> None:
    file = tmp_path / "gateway.yaml"
    file.write_text(operating.exported(furnished))
    found = operating.command(furnished.storage, "apply", str(file), "--plan")
    assert (found.exit_code, found.stdout) == (0, "Nothing to change.\n")
    file.write_text(file.read_text().replace("label: The shop", "label: Other"))
    assert operating.command(furnished.storage, "apply", str(file), "--plan").exit_code == 2
    assert operating.command(furnished.storage, "apply", str(file)).exit_code == 0
    assert operating.command(furnished.storage, "apply", str(file), "--plan").exit_code == 0
    assert operating.command(furnished.storage, "apply", str(file) + "x", "--plan").exit_code == 1
    file.write_text("trunkline: 1\nrole:\n- nam: x\n")
    found = operating.command(furnished.storage, "apply", str(file))
    assert found.exit_code == 1
    assert "Line 3: role" in found.output
