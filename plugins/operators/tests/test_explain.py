from __future__ import annotations

from typing import Any

import operating
import pytest

from trunkline import Call, hookimpl
from trunkline.json import dumps
from trunkline.pipeline import describe
from trunkline.testing import Gateway

BOOKS = [{"id": 1, "title": "A", "owner": "ann@example.com"}, {"id": 2, "title": "B", "owner": "bob@example.com"}]


@pytest.fixture(scope="class")
def furnished(gateway: Gateway) -> Gateway:
    operating.furnish(gateway)
    reply = gateway.admin.post("/shop/_table/book", json={"resource": BOOKS})
    assert reply.status_code == 200, reply.text
    return gateway


def explain(gateway: Gateway, **asked: Any) -> dict[str, Any]:
    """Have a call explained to the administrator."""
    reply = gateway.admin.post("/system/explain", json=asked)
    assert reply.status_code == 200, reply.text
    found: dict[str, Any] = reply.json()
    return found


def key_of(gateway: Gateway) -> str:
    """The key of the app ``mobile``."""
    return next(one.api_key for one in gateway.app.directory.snapshot.apps.values() if one.name == "mobile")


def titles(gateway: Gateway) -> list[str]:
    """What is stored."""
    return [one["title"] for one in gateway.admin.get("/shop/_table/book?fields=title").json()["resource"]]


class TestExplain:
    def test_allowed_and_filtered(self, furnished: Gateway) -> None:
        found = explain(furnished, path="shop/_table/book?filter=title%3DA", user="ann@example.com", app="mobile")
        assert found["call"] == {"method": "GET", "service": "shop", "component": "_table/book"}
        assert found["caller"]["found_by"] == ["user", "app"]
        assert found["caller"]["user"]["email"] == "ann@example.com"
        assert found["caller"]["role"]["name"] == "reader"
        assert found["caller"]["role"]["from"] == "the user's assignment for this app"
        rows = {row["component"]: row for row in found["access"]["rows"]}
        assert (rows["_table/book/*"]["level"], rows["_table/book/*"]["counts"]) == ("WILDCARD", True)
        assert rows["_table/book/*"]["why"] == "It grants GET."
        assert (rows["_schema/*"]["level"], rows["_schema/*"]["why"]) == (None, "Its component is another one.")
        assert found["access"]["mask"] == ["GET"]
        assert found["verdict"] == {"allowed": True}
        assert found["row_filter"] == "owner = 'ann@example.com'"
        assert found["response_filter"] == {"excluded": [], "masked": {"author_id": "hash"}, "allowed": None}
        assert [(one["name"], one["used"]) for one in found["limits"]] == [("nine", 0)]
        statement = found["plan"]["statement"]
        assert statement.lower().startswith("select")
        assert "ann@example.com" not in statement
        assert found["plan"]["binds"][:2] == ["str", "str"]
        assert "result" not in found
        assert {"identify", "authorize", "filters", "plugins", "plan"} <= found["timings_ms"].keys()

    def test_denied(self, furnished: Gateway) -> None:
        found = explain(furnished, method="delete", path="/api/v2/shop/_table/book/1", api_key=key_of(furnished))
        assert found["caller"]["found_by"] == ["API key"]
        assert found["caller"]["role"]["from"] == "the default of the app"
        assert found["verdict"]["allowed"] is False
        assert found["verdict"]["status"] == 401
        reply = furnished.with_key(key_of(furnished)).delete("/shop/_table/book/1")
        assert (reply.status_code, reply.json()["error"]["message"]) == (401, found["verdict"]["message"])
        assert "plan" not in found
        assert "It fits, but does not grant DELETE." in [row["why"] for row in found["access"]["rows"]]

    def test_scripts_and_services_of_others(self, furnished: Gateway) -> None:
        found = explain(furnished, path="system/role", user="ann@example.com", app="mobile")
        assert {row["why"] for row in found["access"]["rows"]} == {"It is for another service."}
        assert found["verdict"]["allowed"] is False

    def test_unknown_services_tables_and_fields(self, furnished: Gateway) -> None:
        token = furnished.admin.headers["X-DreamFactory-Session-Token"]
        found = explain(furnished, path="nothing/here", session_token=token)
        assert found["caller"]["is_admin"]
        assert found["verdict"] == {
            "allowed": False, "status": 404, "message": "Could not find a service for nothing"
        }  # fmt: skip
        assert explain(furnished, path="nothing/here")["verdict"]["status"] == 400
        found = explain(furnished, path="shop/_table/nothing", session_token=token)
        assert found["verdict"]["allowed"]
        assert found["plan"]["refused"]["status_code"] == 404
        found = explain(furnished, path="shop/_table/book", params={"filter": "nothing = 1"}, session_token=token)
        assert found["plan"]["refused"]["status_code"] == 400

    def test_bad_credentials(self, furnished: Gateway) -> None:
        found = explain(furnished, path="shop/_table/book", session_token="not.a.token")
        assert found["caller"]["problem"]["status"] == 401
        assert found["verdict"]["status"] == 401

    def test_credentials_in_the_body_are_those_of_the_explained_call(self, furnished: Gateway) -> None:
        app = furnished.create_app(None, is_active=False)
        found = explain(furnished, path="shop", api_key=app["api_key"])
        assert found["caller"]["problem"] == {"status": 403, "message": "App is not active."}
        token = furnished.admin.headers["X-DreamFactory-Session-Token"]
        asked = {"path": "shop", "session_token": token}
        assert furnished.anonymous.post("/system/explain", json=asked).status_code == 400

    def test_no_credential_is_told(self, furnished: Gateway) -> None:
        key, token = key_of(furnished), furnished.admin.headers["X-DreamFactory-Session-Token"]
        role = operating.made(furnished.admin, "/system/role", {
            "name": "curious", "is_active": True, "role_service_access_by_role_id": [
                {"service_id": operating.id_of(furnished, "shop"), "component": "*", "verb_mask": 31, "filters": [
                    {"name": "title", "operator": "=", "value": "{session.token}"},
                    {"name": "title", "operator": "=", "value": "{base64_encode(app.api_key)}"},
                    {"name": "title", "operator": "=", "value": "{pin}"},
                    {"name": "title", "operator": "=", "value": "{nothing}"},
                ]}],
            "lookup_by_role_id": [{"name": "pin", "value": "9876", "private": True}],
        })  # fmt: skip
        app = furnished.create_app(role)
        user = furnished.create_user("eve@example.com")
        session = furnished.app.sessions.issue(user)
        found = explain(furnished, path="shop/_table/book", api_key=app["api_key"], session_token=session)
        masked = "title = '**********'"
        assert found["row_filter"] == " and ".join([f"({masked})"] * 3 + ["(title = '{nothing}')"])
        assert found["plan"]["refused"]["status_code"] == 403
        text = dumps(found).decode()
        for secret in (key, token, app["api_key"], session, "9876"):
            assert secret not in text

    @pytest.mark.parametrize(
        ("method", "path", "body", "begins"),
        [
            ("POST", "shop/_table/book", {"resource": [{"title": "C", "owner": "x"}]}, "insert"),
            ("PATCH", "shop/_table/book/1", {"title": "C"}, ""),
            ("DELETE", "shop/_table/book?filter=id>0", None, ""),
            ("DELETE", "shop/_table/book?force=true", None, "delete"),
        ],
    )
    def test_nothing_is_written(
        self, furnished: Gateway, method: str, path: str, body: dict[str, Any] | None, begins: str
    ) -> None:
        admin = furnished.app.directory.snapshot
        assert admin.revision >= 0
        token = furnished.admin.headers["X-DreamFactory-Session-Token"]
        found = explain(furnished, method=method, path=path, body=body, session_token=token, run=True)
        assert found["plan"]["statement"], found["plan"]
        assert found["plan"]["statement"].lower().startswith(begins)
        assert not found["plan"]["is_read"]
        assert "result" not in found
        assert titles(furnished) == ["A", "B"]

    def test_reads_are_run_when_asked_for(self, furnished: Gateway) -> None:
        found = explain(furnished, path="shop/_table/book", user="ann@example.com", app="mobile", run=True)
        assert found["result"]["status"] == 200
        assert [one["title"] for one in found["result"]["content"]["resource"]] == ["A"]
        assert "run" in found["timings_ms"]

    def test_administrators_only(self, furnished: Gateway) -> None:
        client = furnished.key_for([{"service": "system", "component": "*", "verb_mask": 31}])
        assert client.post("/system/explain", json={"path": "shop"}).status_code == 403
        assert furnished.anonymous.post("/system/explain", json={"path": "shop"}).status_code == 400

    @pytest.mark.parametrize(
        "body",
        [None, {}, {"path": 1}, {"path": ""}, {"path": "shop", "method": "LOOK"}, {"path": "shop", "surprise": 1},
         {"path": "shop", "headers": 1}],
    )  # fmt: skip
    def test_what_cannot_be_explained_is_refused(self, furnished: Gateway, body: Any) -> None:
        assert furnished.admin.post("/system/explain", json=body).status_code == 400

    def test_unknown_users_and_apps(self, furnished: Gateway) -> None:
        for named in ({"user": "nobody"}, {"app": "nothing"}, {"user": 99999}):
            assert furnished.admin.post("/system/explain", json={"path": "shop", **named}).status_code == 404

    def test_a_call_explains_itself_to_an_administrator(self, furnished: Gateway) -> None:
        found = furnished.admin.get("/shop/_table/book?filter=id=1&explain=true").json()
        assert found["caller"]["found_by"] == ["session token"]
        assert found["access"]["why"] == "Administrators have all rights."
        assert found["plan"]["is_read"]
        assert found["row_filter"] is None
        reply = furnished.admin.delete("/shop/_table/book?force=true&explain=true")
        assert reply.status_code == 200
        assert reply.json()["plan"]["statement"].lower().startswith("delete")
        assert titles(furnished) == ["A", "B"]
        reply = furnished.admin.delete("/system/role?force=true&explain=true")
        assert reply.json()["verdict"] == {"allowed": True}
        assert "reader" in operating.exported(furnished)

    def test_who_listens_does_not_take_it_for_the_call(self, furnished: Gateway) -> None:
        class Listener:
            seen: list[str] = []  # noqa: RUF012 - one listener, one list

            @hookimpl
            def after_call(self, call: Call) -> None:
                self.seen.append(describe(call))

        listener = Listener()
        furnished.app.plugins.register(listener)
        furnished.app.plugins._callers.clear()
        furnished.admin.delete("/shop/_table/book?force=true&explain=true")
        assert listener.seen == ["POST system/explain"]
        furnished.app.plugins.unregister(listener)
        furnished.app.plugins._callers.clear()

    def test_nobody_else_can_ask_for_it(self, furnished: Gateway) -> None:
        reply = furnished.with_key(key_of(furnished)).get("/shop/_table/book?explain=true")
        assert "verdict" not in reply.json()

    def test_an_explained_call_counts_in_no_limit(self, furnished: Gateway) -> None:
        for _ in range(12):
            found = explain(furnished, path="shop/_table/book", user="ann@example.com", app="mobile")
        used = found["limits"][0]["used"]
        assert (
            explain(furnished, path="shop/_table/book", user="ann@example.com", app="mobile")["limits"][0]["used"]
            == used
        )
