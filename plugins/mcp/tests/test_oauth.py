"""OAuth 2.1: how a client of strangers gets a token for one server, and how it does not (connectors 12.4).

Checklist 17 to 20: exact redirects, PKCE, single use, revocation, tokens that are good for one thing.
"""

from __future__ import annotations

import base64
import hashlib
import html
import re
import time
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx2
import pytest
from speaking import Speaker, new_shop

from trunkline.testing import Client, Gateway
from trunkline.testing.fixtures import settings_for

HOST = {"Host": "localhost:8000"}
CALLBACK = "http://localhost:3000/callback"
VERIFIER = "v" * 50
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).decode().rstrip("=")
EMAIL, PASSWORD = "reader@example.com", "a password of hers"


class Browser:
    """A client program and the user's browser, in one."""

    def __init__(self, gateway: Gateway, server: str = "ai") -> None:
        self.gateway = gateway
        self.base = f"/mcp/{server}"
        self.server = server

    def send(self, method: str, path: str, **more: Any) -> httpx2.Response:
        headers = {**HOST, **more.pop("headers", {})}
        return self.gateway.anonymous._http.request(method, path, headers=headers, follow_redirects=False, **more)

    def register(self, **more: Any) -> dict[str, Any]:
        client = {"redirect_uris": [CALLBACK], "client_name": "Desk", "token_endpoint_auth_method": "none", **more}
        reply = self.send("POST", f"{self.base}/register", json=client)
        assert reply.status_code == 201, reply.text
        found: dict[str, Any] = reply.json()
        return found

    def authorize(self, client_id: str, **more: Any) -> httpx2.Response:
        params = {
            "response_type": "code", "client_id": client_id, "redirect_uri": CALLBACK, "code_challenge": CHALLENGE,
            "code_challenge_method": "S256", "state": "of the client", **more,
        }  # fmt: skip
        return self.send("GET", f"{self.base}/authorize", params={k: v for k, v in params.items() if v is not None})

    def page(self, client_id: str, **more: Any) -> httpx2.Response:
        reply = self.authorize(client_id, **more)
        assert reply.status_code == 302, reply.text
        found = urlsplit(reply.headers["location"])
        return self.send("GET", f"{found.path}?{found.query}")

    def answer(self, page: httpx2.Response, answer: str = "allow", **fields: str) -> httpx2.Response:
        found = re.search(r'name="request" value="([^"]*)"', page.text)
        assert found is not None
        form = {"request": html.unescape(found[1]), "email": EMAIL, "password": PASSWORD, "answer": answer, **fields}
        return self.send("POST", f"{self.base}/login", data=form)

    def code(self, client_id: str) -> str:
        reply = self.answer(self.page(client_id))
        assert reply.status_code == 303, reply.text
        told = parse_qs(urlsplit(reply.headers["location"]).query)
        assert told["state"] == ["of the client"]
        assert told["iss"] == [f"http://localhost:8000{self.base}"]
        return told["code"][0]

    def token(self, client_id: str, code: str | None = None, /, **more: Any) -> httpx2.Response:
        form = {
            "grant_type": "authorization_code", "client_id": client_id, "redirect_uri": CALLBACK,
            "code_verifier": VERIFIER, "code": code if code is not None else self.code(client_id), **more,
        }  # fmt: skip
        return self.send("POST", f"{self.base}/token", data=form)

    def refresh(self, client_id: str, token: str, **more: str) -> httpx2.Response:
        form = {"grant_type": "refresh_token", "client_id": client_id, "refresh_token": token, **more}
        return self.send("POST", f"{self.base}/token", data=form)

    def speaker(self, token: str) -> Speaker:
        return Speaker(Client(self.gateway.anonymous._http, {"Authorization": f"Bearer {token}"}), self.server)


@pytest.fixture(scope="class")
def browser(gateway: Gateway) -> Browser:
    """A user who may read books by assistants, and her browser."""
    new_shop(gateway)
    gateway.create_service("ai", "mcp", {"lazy_mode": "off"})
    rows = [{"service": one, "component": "*", "verb_mask": 1} for one in ("shop", "ai")]
    app = gateway.create_app(gateway.create_role(rows))
    gateway.create_user(EMAIL, PASSWORD)
    reply = gateway.admin.patch("/system/service?filter=name%3Dai", json={"config": {"app_id": app["id"]}})
    assert reply.status_code == 200, reply.text
    return Browser(gateway)


class TestFlow:
    """The way in, and what it is good for."""

    def test_what_there_is_can_be_found(self, browser: Browser) -> None:
        base = "http://localhost:8000/mcp/ai"
        for path in ("/.well-known/oauth-protected-resource/mcp/ai", "/mcp/ai/.well-known/oauth-protected-resource"):
            told = browser.send("GET", path, headers={"Origin": "https://any.example"})
            assert told.headers["access-control-allow-origin"] == "*"
            assert (told.json()["resource"], told.json()["authorization_servers"]) == (base, [base])
        for path in (
            "/.well-known/oauth-authorization-server/mcp/ai",
            "/mcp/ai/.well-known/oauth-authorization-server",
        ):
            told = browser.send("GET", path)
            assert told.json()["issuer"] == base
            assert told.json()["code_challenge_methods_supported"] == ["S256"]
            assert {told.json()[f"{one}_endpoint"] for one in ("authorization", "token", "registration")} == {
                f"{base}/{one}" for one in ("authorize", "token", "register")
            }
        for path in ("/.well-known/oauth-protected-resource/mcp/shop", "/mcp/ai/nothing", "/mcp/ai/token/x"):
            assert browser.send("GET", path).status_code == 404

    def test_a_token_is_got_and_works_as_its_user(self, browser: Browser) -> None:
        client = browser.register()
        reply = browser.token(client["client_id"])
        assert reply.status_code == 200, reply.text
        assert reply.headers["cache-control"] == "no-store"
        told = reply.json()
        assert (told["token_type"], told["expires_in"], told["scope"]) == ("Bearer", 3600, "mcp:tools")
        speaker = browser.speaker(told["access_token"])
        assert "Dune" in speaker.text("get_table_data", table_name="book")
        assert "create_records" not in speaker.names()

    def test_a_token_is_good_for_its_server_alone(self, browser: Browser) -> None:
        token = browser.token(browser.register()["client_id"]).json()["access_token"]
        browser.gateway.create_service("other", "mcp", {"require_role_access": False})
        speaker = browser.speaker(token)
        assert speaker.client.get("/shop/_table/book").status_code == 401
        assert speaker.client.get("/user/session").status_code == 401
        speaker.server = "other"
        assert speaker.reply("tools/list").status_code == 401

    def test_a_session_of_the_api_works_too(self, browser: Browser) -> None:
        told = browser.gateway.anonymous.post("/user/session", json={"email": EMAIL, "password": PASSWORD}).json()
        assert "get_tables" in browser.speaker(told["session_token"]).names()

    def test_refreshing(self, browser: Browser) -> None:
        client = browser.register()["client_id"]
        first = browser.token(client).json()
        second = browser.refresh(client, first["refresh_token"]).json()
        assert "get_tables" in browser.speaker(second["access_token"]).names()
        assert browser.speaker(first["refresh_token"]).reply("tools/list").status_code == 401
        # Whoever uses one again has stolen it, or was stolen from: all that came of it ends.
        again = browser.refresh(client, first["refresh_token"])
        assert (again.status_code, again.json()["error"]) == (400, "invalid_grant")
        assert browser.refresh(client, second["refresh_token"]).json()["error"] == "invalid_grant"
        for token in (first, second):
            assert browser.speaker(token["access_token"]).reply("tools/list").status_code == 401

    def test_revoking(self, browser: Browser) -> None:
        client = browser.register()["client_id"]
        for name in ("access_token", "refresh_token"):
            told = browser.token(client).json()
            form = {"token": told[name], "client_id": client}
            assert browser.send("POST", "/mcp/ai/revoke", data=form).status_code == 200
            assert browser.speaker(told["access_token"]).reply("tools/list").status_code == 401
            assert browser.refresh(client, told["refresh_token"]).status_code == 400

    def test_a_new_password_ends_all(self, browser: Browser) -> None:
        client = browser.register()["client_id"]
        told = browser.token(client).json()
        headers = browser.gateway.anonymous.post("/user/session", json={"email": EMAIL, "password": PASSWORD}).json()
        sent = {"X-DreamFactory-Session-Token": headers["session_token"]}
        for old, new in ((PASSWORD, "another one of hers"), ("another one of hers", PASSWORD)):
            body = {"old_password": old, "new_password": new, "login": True}
            reply = browser.gateway.anonymous.post("/user/password", json=body, headers=sent)
            assert reply.status_code == 200, reply.text
            sent = {"X-DreamFactory-Session-Token": reply.json()["session_token"]}
        assert browser.speaker(told["access_token"]).reply("tools/list").status_code in (401, 403)
        assert browser.refresh(client, told["refresh_token"]).status_code == 400

    def test_clients_with_secrets(self, browser: Browser) -> None:
        for method in ("client_secret_post", "client_secret_basic"):
            client = browser.register(token_endpoint_auth_method=method)
            assert len(client["client_secret"]) == 64
            for secret in ("", "wrong"):
                assert browser.token(client["client_id"], client_secret=secret).status_code == 401
        secret = client["client_secret"]
        basic = httpx2.BasicAuth(client["client_id"].replace(":", "%3A"), secret)
        form = {
            "grant_type": "authorization_code", "client_id": client["client_id"], "redirect_uri": CALLBACK,
            "code_verifier": VERIFIER, "code": browser.code(client["client_id"]),
        }  # fmt: skip
        assert browser.send("POST", "/mcp/ai/token", data=form, auth=basic).status_code == 200

    def test_the_client_of_the_configuration(self, browser: Browser) -> None:
        admin = browser.gateway.admin
        config = {"redirect_uris": ["desk://callback"], "oauth_client_secret": "very secret"}
        admin.patch("/system/service?filter=name%3Dai", json={"config": config})
        shown = admin.get("/system/service?filter=name%3Dai").json()["resource"][0]["config"]
        assert shown["oauth_client_secret"] == "**********"
        client = shown["oauth_client_id"]
        assert re.fullmatch("[0-9a-f]{32}", client)
        assert browser.authorize(client).status_code == 400
        page = browser.page(client, redirect_uri="desk://callback")
        assert "form-action 'self' desk:;" in page.headers["content-security-policy"]
        code = parse_qs(urlsplit(browser.answer(page).headers["location"]).query)["code"][0]
        more = {"redirect_uri": "desk://callback"}
        assert browser.token(client, code, **more).status_code == 401
        assert browser.token(client, code, **more, client_secret="very secret").status_code == 200
        assert browser.register(redirect_uris=["desk://callback"])["redirect_uris"] == ["desk://callback"]


class TestPage:
    """What the user sees."""

    def test_who_asks_is_told_and_can_write_nothing_into_the_page(self, browser: Browser) -> None:
        client = browser.register(client_name="<script>alert(1)</script>" + "x" * 200)
        page = browser.page(client["client_id"])
        assert page.status_code == 200
        assert "<script" not in page.text
        assert "&lt;script&gt;" in page.text
        assert "x" * 80 not in page.text
        assert "http://localhost:3000" in page.text
        policy = page.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        assert page.headers["x-frame-options"] == "DENY"
        assert "set-cookie" not in page.headers

    def test_a_wrong_password_gives_nothing(self, browser: Browser) -> None:
        page = browser.page(browser.register()["client_id"])
        reply = browser.answer(page, password="wrong")
        assert (reply.status_code, "location" in reply.headers) == (401, False)
        assert "Invalid credentials" in reply.text
        assert browser.answer(page).status_code == 303

    def test_a_name_that_is_tried_too_often_is_closed(self, browser: Browser) -> None:
        page = browser.page(browser.register()["client_id"])
        limit = browser.gateway.app.settings.login_attempts
        tries = [browser.answer(page, email="guessed@example.com", password=f"{n}") for n in range(limit + 1)]
        assert [one.status_code for one in tries] == [401] * limit + [429]

    def test_refusing(self, browser: Browser) -> None:
        reply = browser.answer(browser.page(browser.register()["client_id"]), "deny")
        told = parse_qs(urlsplit(reply.headers["location"]).query)
        assert (told["error"], told["state"], "code" in told) == (["access_denied"], ["of the client"], False)

    @pytest.mark.parametrize("request_", ["", "x", "a:b", "tl1:a:b", "é"])
    def test_a_request_that_nobody_made(self, browser: Browser, request_: str) -> None:
        for method in ("GET", "POST"):
            place = {"params": {"request": request_}} if method == "GET" else {"data": {"request": request_}}
            reply = browser.send(method, "/mcp/ai/login", **place)
            assert (reply.status_code, "has ended" in reply.text) == (400, True)

    def test_a_request_ends(self, browser: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
        page = browser.page(browser.register()["client_id"])
        now = time.time()
        monkeypatch.setattr("trunkline_mcp.oauth.seals.time.time", lambda: now + 601)
        assert browser.answer(page).status_code == 400


class TestAttacks:
    """What is refused."""

    @pytest.mark.parametrize(
        "uri",
        [
            "http://evil.example/cb", "javascript:alert(1)", "data:text/html,x", "http://localhost.evil.example/",
            "https://user@evil.example/", "https://evil.example/#x", "cursor://callback", "http://127.0.0.1.nip.io/",
            "https://x.example/" + "x" * 500,
        ],
    )  # fmt: skip
    def test_codes_are_sent_to_no_unsafe_place(self, browser: Browser, uri: str) -> None:
        client = {"redirect_uris": [uri], "token_endpoint_auth_method": "none"}
        reply = browser.send("POST", "/mcp/ai/register", json=client)
        assert reply.status_code == 400
        assert reply.json()["error"] in ("invalid_redirect_uri", "invalid_client_metadata")

    @pytest.mark.parametrize("body", [{}, {"redirect_uris": []}, {"redirect_uris": [CALLBACK] * 9}, [], "x"])
    def test_bad_registrations(self, browser: Browser, body: Any) -> None:
        assert browser.send("POST", "/mcp/ai/register", json=body).status_code == 400

    @pytest.mark.parametrize(
        "uri",
        [
            "http://localhost:3000/callback/", "http://localhost:3000/callback?x=1", "http://localhost:3001/callback",
            "https://evil.example/", "http://localhost:3000/CALLBACK", "http://localhost:3000/callback/../x",
        ],
    )  # fmt: skip
    def test_redirects_match_exactly(self, browser: Browser, uri: str) -> None:
        """Nothing is redirected to where the client is not."""
        reply = browser.authorize(browser.register()["client_id"], redirect_uri=uri)
        assert (reply.status_code, "location" in reply.headers) == (400, False)

    @pytest.mark.parametrize(
        ("change", "error"),
        [
            ({"code_challenge": None}, "invalid_request"),
            ({"code_challenge_method": "plain"}, "invalid_request"),
            ({"response_type": "token"}, "unsupported_response_type"),
            ({"scope": "everything"}, "invalid_scope"),
            ({"resource": "https://evil.example/mcp"}, "invalid_target"),
        ],
    )
    def test_bad_requests_go_back(self, browser: Browser, change: dict[str, Any], error: str) -> None:
        reply = browser.authorize(browser.register()["client_id"], **change)
        assert reply.status_code == 302
        assert reply.headers["location"].startswith(CALLBACK)
        assert parse_qs(urlsplit(reply.headers["location"]).query)["error"] == [error]

    def test_unknown_clients(self, browser: Browser) -> None:
        browser.gateway.create_service("else", "mcp")
        stranger = Browser(browser.gateway, "else").register()["client_id"]
        for client in ("nobody", "", stranger, stranger[:-4] + "AAAA"):
            assert browser.authorize(client).status_code == 400
            assert browser.token(client, "x").status_code == 401

    def test_a_code_is_good_once(self, browser: Browser) -> None:
        client = browser.register()["client_id"]
        code = browser.code(client)
        told = browser.token(client, code).json()
        assert browser.token(client, code).json()["error"] == "invalid_grant"
        assert browser.speaker(told["access_token"]).reply("tools/list").status_code in (401, 403)

    def test_a_code_is_good_for_its_client_its_verifier_and_its_place(self, browser: Browser) -> None:
        client, other = browser.register()["client_id"], browser.register(client_name="Other")["client_id"]
        code = browser.code(client)
        for change in ({"client_id": other}, {"code_verifier": "w" * 50}, {"redirect_uri": "http://localhost:3001/"}):
            reply = browser.token(client, code, **change)
            assert (reply.status_code, "access_token" in reply.text) == (400, False)
        # A thief without the verifier does not use it up.
        assert browser.token(client, code).status_code == 200

    def test_a_code_ends(self, browser: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
        client = browser.register()["client_id"]
        code = browser.code(client)
        now = time.time()
        monkeypatch.setattr("trunkline_mcp.oauth.seals.time.time", lambda: now + 61)
        assert browser.token(client, code).json()["error"] == "invalid_grant"

    def test_refresh_tokens_are_their_clients_own(self, browser: Browser) -> None:
        client, other = browser.register()["client_id"], browser.register(client_name="Other")["client_id"]
        told = browser.token(client).json()
        assert browser.refresh(other, told["refresh_token"]).status_code == 400
        for token in (told["access_token"], "x", ""):
            assert browser.refresh(client, token).status_code == 400
        session = browser.gateway.app.sessions.issue(browser.gateway.create_user(EMAIL))
        assert browser.refresh(client, session).status_code == 400
        assert browser.refresh(client, told["refresh_token"]).status_code == 200

    def test_users_who_are_closed_get_nothing(self, browser: Browser) -> None:
        client = browser.register()["client_id"]
        told, code = browser.token(client).json(), browser.code(client)
        path = f"/system/user?filter=email%3D{EMAIL}"
        assert browser.gateway.admin.patch(path, json={"is_active": False}).status_code == 200
        try:
            assert browser.token(client, code).status_code == 400
            assert browser.refresh(client, told["refresh_token"]).status_code == 400
            assert browser.speaker(told["access_token"]).reply("tools/list").status_code in (401, 403)
        finally:
            browser.gateway.admin.patch(path, json={"is_active": True})

    def test_only_names_of_ours(self, browser: Browser) -> None:
        for path in ("/mcp/ai/.well-known/oauth-authorization-server", "/mcp/ai/authorize", "/mcp/ai/login"):
            assert browser.send("GET", path, headers={"Host": "evil.example"}).status_code == 421

    def test_large_bodies(self, browser: Browser) -> None:
        body = b"{" + b" " * 5_000_000
        assert browser.send("POST", "/mcp/ai/register", content=body).status_code == 413

    def test_no_secret_is_logged(self, browser: Browser, caplog: pytest.LogCaptureFixture) -> None:
        caplog.set_level(0)
        client = browser.register()["client_id"]
        code = browser.code(client)
        told = browser.token(client, code).json()
        browser.token(client, code)
        logged = "\n".join(str(vars(one)) for one in caplog.records)
        for secret in (PASSWORD, told["access_token"], told["refresh_token"], VERIFIER):
            assert secret not in logged


class TestPlainHttp:
    """Tokens are not sent where others can read them."""

    def test_no_oauth_without_tls(self, tmp_path: Path) -> None:
        host = {"Host": "gateway.example"}
        with Gateway(settings_for(tmp_path, app_url="http://gateway.example")) as gateway:
            gateway.create_service("ai", "mcp")
            browser = Browser(gateway)
            assert browser.send("GET", "/mcp/ai/.well-known/oauth-protected-resource", headers=host).status_code == 404
            reply = browser.send("POST", "/mcp/ai", json={}, headers=host)
            assert reply.headers["www-authenticate"] == 'Bearer realm="MCP"'

    def test_behind_a_proxy_the_external_address_is_told(self, tmp_path: Path) -> None:
        with Gateway(settings_for(tmp_path, app_url="https://gateway.example/")) as gateway:
            gateway.create_service("ai", "mcp")
            for host in ("gateway.example", "127.0.0.1:8000"):
                path = "/mcp/ai/.well-known/oauth-protected-resource"
                told = Browser(gateway).send("GET", path, headers={"Host": host}).json()
                assert told["resource"] == "https://gateway.example/mcp/ai"
