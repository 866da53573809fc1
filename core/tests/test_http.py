"""The edge: paths, verbs, bodies, negotiation, errors."""

from __future__ import annotations

from typing import Any

import httpx2
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from toys import Thing, Toy

from trunkline import Call, Reply
from trunkline.bodies import uploads
from trunkline.testing import Gateway


def test_versions_are_optional(toy: Gateway) -> None:
    for path in (
        "/api/v2/toy/thing",
        "/api/v2.0/toy/thing",
        "/api/toy/thing",
        "/api/v2/TOY/thing",
        "/api/v2/toy/thing/",
    ):
        assert toy.admin.get(path).status_code == 200, path


def test_an_encoded_slash_stays_inside_its_segment(toy: Gateway) -> None:
    """Checklist 10: what is authorized and what the handler gets are the same segments."""
    assert toy.admin.get("/toy/thing/a%2Fb/c%20d").json()["rest"] == ["a/b", "c d"]
    only = toy.key_for([{"service": "toy", "component": "thing/a/*", "verb_mask": 1}])
    assert only.get("/toy/thing/a/x").status_code == 200
    assert only.get("/toy/thing/b/..%2Fa/x").status_code == 401
    assert only.get("/toy//thing///a//x").status_code == 200


@pytest.mark.parametrize("path", ["/toy/thing/%2e%2e/x", "/toy/%2E/thing", "/toy/thing/%00", "/toy/thing/%ff"])
def test_paths_that_lead_nowhere_are_refused(toy: Gateway, path: str) -> None:
    assert toy.admin.get(path).status_code == 400


@pytest.mark.parametrize(
    ("headers", "params", "expected"),
    [
        ({"X-HTTP-Method": "PATCH"}, {}, {"patched": {"a": 1}}),
        ({"X-HTTP-Method-Override": "merge"}, {}, {"patched": {"a": 1}}),
        ({"X-Method-Override": "GET"}, {}, {"rest": [], "params": {}, "body": {"a": 1}, "method": "GET"}),
        ({}, {"method": "PATCH"}, {"patched": {"a": 1}}),
        ({}, {"_method": "patch"}, {"patched": {"a": 1}}),
    ],
)
def test_a_post_becomes_another_verb(
    toy: Gateway, headers: dict[str, str], params: dict[str, str], expected: dict[str, Any]
) -> None:
    assert toy.admin.post("/toy/thing", json={"a": 1}, headers=headers, params=params).json() == expected


def test_only_a_post_does_and_rights_are_those_of_the_verb_in_effect(toy: Gateway) -> None:
    """Checklist 10."""
    assert toy.admin.get("/toy/thing", headers={"X-HTTP-Method": "DELETE"}).json()["method"] == "GET"
    poster = toy.key_for([{"service": "toy", "component": "*", "verb_mask": 2}])
    assert poster.post("/toy/thing", json={}).status_code == 201
    assert poster.post("/toy/thing", json={}, headers={"X-HTTP-Method": "PATCH"}).status_code == 401
    assert toy.admin.post("/toy/thing", headers={"X-HTTP-Method": "FOO"}).status_code == 405
    assert toy.admin.request("BREW", "/toy/thing").status_code == 405


def test_head_is_get_without_a_body_and_needs_its_right(toy: Gateway) -> None:
    """D4."""
    full = toy.admin.get("/toy/rows")
    head = toy.admin.request("HEAD", "/toy/rows")
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-length"] == full.headers["content-length"]
    poster = toy.key_for([{"service": "toy", "component": "*", "verb_mask": 2}])
    assert poster.request("HEAD", "/toy/rows").status_code == 401


def test_options_answers_without_credentials(toy: Gateway) -> None:
    """D4, D3: no rule grants anything to another origin yet."""
    reply = toy.anonymous.request("OPTIONS", "/toy/rows", headers={"Origin": "http://evil.example"})
    assert (reply.status_code, reply.content) == (204, b"")
    assert "PATCH" in reply.headers["allow"]
    assert not [name for name in reply.headers if name.startswith("access-control")]


@pytest.mark.parametrize("body", ["{bad", "[1,", '"\\ud800"', "[" * 5000])
def test_malformed_json_is_a_400(toy: Gateway, body: str) -> None:
    reply = toy.admin.post("/toy/thing", content=body, headers={"Content-Type": "application/json"})
    assert reply.status_code == 400
    assert set(reply.json()["error"]) == {"code", "context", "message", "status_code"}


def test_forms_are_read_like_queries(toy: Gateway) -> None:
    reply = toy.admin.post("/toy/thing", data={"a": "1", "r[x]": "2"})
    assert reply.json()["body"] == {"a": "1", "r": {"x": "2"}}


def test_a_body_that_is_too_large_is_a_413(toy: Gateway) -> None:
    size = toy.app.settings.max_body + 1
    assert toy.admin.post("/toy/thing", content=b" " * size).status_code == 413


def test_a_url_that_is_too_long_is_a_400(toy: Gateway) -> None:
    assert toy.admin.get(f"/toy/thing/{'z' * 40_000}", params={"x": "y" * 40_000}).status_code == 400


def test_what_a_service_throws_is_told_without_detail(toy: Gateway, caplog: pytest.LogCaptureFixture) -> None:
    """D10, checklist 28: the log has the cause under the request's id, the reply has none of it."""
    reply = toy.admin.delete("/toy/thing/x")
    assert reply.status_code == 500
    assert "select" not in reply.text
    assert "RuntimeError" not in reply.text
    record = next(one for one in caplog.records if one.message == "call failed")
    assert record.request_id == reply.headers["x-request-id"]  # type: ignore[attr-defined]
    assert "select * from passwords" in str(record.exc_info)


def test_typed_errors_keep_status_and_context(toy: Gateway) -> None:
    reply = toy.admin.delete("/toy/thing/conflict")
    assert reply.json() == {
        "error": {"code": 409, "context": {"by": "tests"}, "message": "It is in use.", "status_code": 409}
    }


def test_a_verb_or_resource_that_is_not_there(toy: Gateway) -> None:
    reply = toy.admin.post("/toy/rows", json={})
    assert (reply.status_code, reply.json()["error"]["message"]) == (
        400, "POST requests for resource 'rows' are not currently supported by the 'toy' service.",
    )  # fmt: skip
    reply = toy.admin.delete("/toy")
    assert reply.json()["error"]["message"] == (
        "DELETE requests without a resource are not currently supported by the 'toy' service."
    )
    reply = toy.admin.get("/toy/nope")
    assert (reply.status_code, reply.json()["error"]["message"]) == (
        404,
        "Resource 'nope' not found for service 'toy'.",
    )


def test_lists_can_be_unwrapped(toy: Gateway) -> None:
    rows = [{"id": 1, "name": "a"}, {"id": 2, "name": "b"}]
    assert toy.admin.get("/toy/rows", params={"wrap": "false"}).json() == {
        "0": rows[0], "1": rows[1], "meta": {"count": 2},
    }  # fmt: skip
    assert toy.admin.get("/toy/rows", headers={"wrap": "true"}).json()["resource"] == rows


def test_downloads_have_a_safe_name(toy: Gateway) -> None:
    """Checklist 23."""
    reply = toy.admin.get("/toy/rows", params={"file": 'a"\r\nX-Evil: 1/../b.json'})
    assert "x-evil" not in reply.headers
    assert reply.headers["content-disposition"].startswith('attachment; filename="a_X-Evil_ 1_.._b.json"')
    reply = toy.admin.get("/toy/rows", params={"file": "true"})
    assert reply.headers["content-disposition"] == 'attachment; filename="toy_rows.json"'


def test_what_cannot_be_accepted_is_not_begun(toy: Gateway) -> None:
    for method in ("GET", "DELETE"):
        reply = toy.admin.request(method, "/toy/thing/conflict", headers={"Accept": "text/html"})
        assert reply.status_code == 400, method
    assert toy.admin.get("/toy/nope", headers={"Accept": "text/html"}).status_code == 404


def test_a_write_may_answer_in_a_type_of_its_own(toy: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    accept = {"Accept": "application/zip"}
    assert toy.admin.post("/toy/thing", json=[1], headers=accept).status_code == 400
    monkeypatch.setattr(Toy, "own_media_types", {"thing": ("application/zip",)})
    monkeypatch.setattr(Thing, "post", lambda _self, _call, _rest: Reply(b"PK", 200, {}, "application/zip"))
    reply = toy.admin.post("/toy/thing", json=[1], headers=accept)
    assert (reply.status_code, reply.content) == (200, b"PK")
    assert toy.admin.patch("/toy/thing/deeper", json={}, headers=accept).status_code == 400


def test_files_of_a_form_are_read_and_its_fields_are_the_body(toy: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    async def post(_self: Thing, call: Call, _rest: tuple[str, ...]) -> Any:
        found = await uploads(call)
        return {
            "files": [[one.field, one.name, one.media_type, one.content.decode()] for one in found],
            "is": call.body,
        }

    monkeypatch.setattr(Thing, "post", post)
    files = [("file", ("a.csv", b"x,y", "text/csv")), ("more", ("b", b"", "text/plain"))]
    sent = httpx2.Request("POST", "http://x", data={"word": "w"}, files=files)
    headers = {"Content-Type": sent.headers["content-type"]}
    reply = toy.admin.post("/toy/thing", content=sent.read(), headers=headers)
    assert reply.json() == {
        "files": [["file", "a.csv", "text/csv", "x,y"], ["more", "b", "text/plain", ""]],
        "is": {"word": "w"},
    }
    assert toy.admin.post("/toy/thing", json={"a": 1}).json() == {"files": [], "is": {"a": 1}}
    headers = {"Content-Type": "multipart/form-data"}
    assert toy.admin.post("/toy/thing", content=b"no boundary", headers=headers).status_code == 400


def test_the_service_root_and_its_forms(toy: Gateway) -> None:
    assert toy.admin.get("/toy").json() == {"resource": [{"name": "thing"}, {"name": "rows"}, {"name": "open"}]}
    assert toy.admin.get("/toy?as_list=true").json() == {"resource": ["thing", "rows", "open"]}
    assert toy.admin.get("/toy?as_access_list=true").json()["resource"][:4] == ["", "*", "thing/", "thing/*"]
    assert set(toy.admin.get("/toy?fields=*").json()["resource"][0]) == {"name", "label", "description", "read_only"}
    some = toy.key_for(
        [{"service": "toy", "component": "", "verb_mask": 1}, {"service": "toy", "component": "rows", "verb_mask": 1}]
    )
    assert some.get("/toy?as_list=true").json() == {"resource": ["rows"]}


def test_the_directory_shows_what_the_caller_may_use(toy: Gateway) -> None:
    """D1."""
    assert toy.anonymous.get("").json() == {"services": [], "service_types": []}
    names = [
        one["name"]
        for one in toy.key_for([{"service": "toy", "component": "rows", "verb_mask": 1}]).get("").json()["services"]
    ]
    assert names == ["toy"]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.binary(max_size=40),
    st.sampled_from(
        ["application/json", "text/plain", "", "multipart/form-data; boundary=x", "text/csv", "application/xml"]
    ),
)
def test_no_body_makes_a_500(toy: Gateway, body: bytes, media_type: str) -> None:
    """Checklist 8."""
    reply = toy.admin.post("/toy/thing", content=body, headers={"Content-Type": media_type})
    assert reply.status_code in (201, 400), (body, media_type, reply.text)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(alphabet=st.characters(codec="utf-8"), max_size=30))
def test_no_path_makes_a_500(toy: Gateway, text: str) -> None:
    from urllib.parse import quote

    reply = toy.admin.get(f"/toy/thing/{quote(text, safe='/')}")
    assert reply.status_code in (200, 400), (text, reply.text)
