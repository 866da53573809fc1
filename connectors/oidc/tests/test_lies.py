"""Oidc on a provider that lies, stops, changes its keys or sends too much: no real one does so when asked."""

import base64
import hashlib
import hmac
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlsplit

import pytest
from joserfc import jwk, jwt

from trunkline.testing import Gateway
from trunkline.testing.fixtures import _copied, settings_for
from trunkline_oauth import provider as asking
from trunkline_oauth.testing import PAGE, XHR, message

CONFIG = {"client_id": "us", "client_secret": "hush hush", "redirect_url": PAGE}
FAILED = "Failed to verify ID Token "


class Provider(ThreadingHTTPServer):
    """An OpenID provider that does as it is told."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.issuer = f"http://127.0.0.1:{self.server_address[1]}"
        self.reset()
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def reset(self) -> None:
        """Be honest."""
        self.key = jwk.RSAKey.generate_key(2048, {"kid": "1", "use": "sig"})
        self.published = [self.key]
        self.algorithm = "RS256"
        self.header: dict[str, Any] = {}
        self.claims: dict[str, Any] = {}
        self.discovery: dict[str, Any] = {}
        self.told: dict[str, bytes] = {}
        self.userinfo: dict[str, Any] = {"sub": "ann"}
        self.nonce = ""
        self.asked: list[str] = []
        self.forms: list[dict[str, str]] = []

    def token(self, **claims: Any) -> str:
        """Sign a token."""
        now = int(time.time())
        usual = {
            "iss": self.issuer, "aud": "us", "sub": "ann", "iat": now, "exp": now + 300, "nonce": self.nonce,
            "email": "ann@example.org", "email_verified": True, "name": "Ann",
        }  # fmt: skip
        given = {name: value for name, value in {**usual, **self.claims, **claims}.items() if value is not None}
        header = {"alg": self.algorithm, "kid": self.key.kid, **self.header}
        return jwt.encode(
            {k: v for k, v in header.items() if v is not None}, given, self.key, algorithms=[self.algorithm]
        )

    def answer(self, path: str) -> bytes:
        """Answer a document."""
        if path in self.told:
            return self.told[path]
        if path == "/.well-known/openid-configuration":
            at = self.issuer
            found: Any = {
                "issuer": at, "authorization_endpoint": f"{at}/auth", "token_endpoint": f"{at}/token",
                "userinfo_endpoint": f"{at}/me", "jwks_uri": f"{at}/jwks", **self.discovery,
            }  # fmt: skip
        elif path == "/jwks":
            found = {"keys": [one.as_dict(private=False) for one in self.published]}
        elif path == "/token":
            found = {"access_token": "of the provider", "token_type": "Bearer", "id_token": self.token()}
        else:
            found = self.userinfo
        return json.dumps(found).encode()


class Handler(BaseHTTPRequestHandler):
    server: Provider

    def do_GET(self) -> None:
        path = urlsplit(self.path).path
        self.server.asked.append(path)
        if self.command == "POST":
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            self.server.forms.append(dict(parse_qsl(body)))
        content = self.server.answer(path)
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_POST = do_GET

    def log_message(self, *_given: Any) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def server() -> Iterator[Provider]:
    made = Provider()
    yield made
    made.shutdown()
    made.server_close()


@pytest.fixture
def provider(server: Provider) -> Provider:
    server.reset()
    return server


@pytest.fixture
def gateway(_template: Any, tmp_path: Any) -> Iterator[Gateway]:
    settings = settings_for(_copied(_template, tmp_path / "storage"), outgoing_networks="127.0.0.0/8, ::1/128")
    with Gateway(settings) as started:
        yield started


@pytest.fixture
def log_in(gateway: Gateway, provider: Provider) -> Callable[..., Any]:
    """Log in with whatever the provider says; answers the reply."""
    place = f"{provider.issuer}/.well-known/openid-configuration"

    def done(config: dict[str, Any] | None = None, *, discover: bool = True, **back: str) -> Any:
        given = {**CONFIG, **({"discovery_document": place} if discover else {}), **(config or {})}
        name = f"s{hashlib.sha256(json.dumps(given).encode()).hexdigest()[:10]}"
        if name not in gateway.app.directory.snapshot.services:
            gateway.create_service(name, "oidc", given)
        begun = gateway.anonymous.post("/user/session", params={"service": name}, headers=XHR)
        if begun.status_code != 200:
            return begun
        query = {key: value[0] for key, value in parse_qs(urlsplit(begun.json()["response"]["url"]).query).items()}
        provider.nonce = query["nonce"]
        return gateway.anonymous.post(f"/{name}/sso", json={"code": "c", "state": query["state"], **back})

    return done


def test_an_honest_provider_is_believed(log_in: Any, provider: Provider) -> None:
    session = log_in()
    assert session.status_code == 200, session.text
    assert session.json()["email"].startswith("ann+")
    assert "/me" not in provider.asked
    (form,) = provider.forms
    challenge = base64.urlsafe_b64encode(hashlib.sha256(form["code_verifier"].encode()).digest())
    assert challenge.rstrip(b"=")
    assert form["redirect_uri"] == PAGE


@pytest.mark.parametrize(
    ("claims", "words"),
    [
        ({"iss": "https://other.example"}, "issuer."), ({"iss": None}, "issuer."), ({"aud": "them"}, "audience."),
        ({"aud": None}, "audience."), ({"aud": ["us", "them"]}, "audience."),
        ({"aud": ["us", "them"], "azp": "them"}, "audience."),
        ({"exp": int(time.time()) - 120}, "expiration: it has expired."),
        ({"exp": None}, "expiration: it has expired."),
        ({"exp": "soon"}, "expiration: it has expired."), ({"exp": True}, "expiration: it has expired."),
        ({"iat": int(time.time()) + 10**6}, "time: it is not valid yet."),
        ({"nbf": int(time.time()) + 10**6}, "time: it is not valid yet."),
        ({"nonce": "another"}, "nonce."), ({"nonce": None}, "nonce."), ({"nonce": 5}, "nonce."),
    ],
)  # fmt: skip
def test_claims_that_do_not_fit_are_refused(log_in: Any, provider: Provider, claims: Any, words: str) -> None:
    """Checklist 16 and 19: issuer, audience, time, replay in another login."""
    provider.claims = claims
    assert message(log_in(), 401) == FAILED + words


@pytest.mark.parametrize("seconds", [-30, 30])
def test_clocks_may_differ_a_little(log_in: Any, provider: Provider, seconds: int) -> None:
    """Checklist 19."""
    now = int(time.time())
    provider.claims = {"iat": now + seconds, "nbf": now + seconds, "exp": now + min(seconds, 0)}
    assert log_in().status_code == 200


@pytest.mark.parametrize(
    "lie", ["other key", "none", "HS256", "tampered", "no kid", "embedded", "garbage", "public as secret"]
)
def test_signatures_that_are_not_the_providers_are_refused(log_in: Any, provider: Provider, lie: str) -> None:
    """Checklist 16: other keys, no signature, confusion of kinds, keys that a token brings itself."""
    honest, stranger = provider.key, jwk.RSAKey.generate_key(2048, {"kid": "1"})
    good = provider.token()
    head, body, signature = good.split(".")
    if lie in ("other key", "embedded", "no kid"):
        provider.key = stranger
    if lie == "no kid":
        provider.header = {"kid": None}
    if lie == "embedded":
        provider.header = {"jwk": stranger.as_dict(private=False), "jku": "http://127.0.0.1:1/"}
    told = None
    if lie == "none":
        told = ".".join([base64.urlsafe_b64encode(b'{"alg":"none"}').decode().rstrip("="), body, ""])
    if lie == "tampered":
        changed = base64.urlsafe_b64encode(json.dumps({"sub": "admin", "aud": "us"}).encode()).decode().rstrip("=")
        told = ".".join([head, changed, signature])
    if lie == "garbage":
        told = "a.b"
    if lie in ("HS256", "public as secret"):
        secret = "hush hush" if lie == "HS256" else honest.as_pem(private=False).decode()
        begin = base64.urlsafe_b64encode(b'{"alg":"HS256","kid":"1"}').decode().rstrip("=") + "." + body
        digest = hmac.new(secret.encode(), begin.encode(), hashlib.sha256).digest()
        told = f"{begin}.{base64.urlsafe_b64encode(digest).decode().rstrip('=')}"
    if told is not None:
        provider.told["/token"] = json.dumps({"access_token": "x", "id_token": told}).encode()
    assert message(log_in({"client_secret": "hush hush"}), 401) == FAILED + "signature."


def test_new_keys_are_found(log_in: Any, provider: Provider, monkeypatch: pytest.MonkeyPatch) -> None:
    """The provider changes its keys: the next login works, but nobody can make us ask all the time."""
    assert log_in().status_code == 200
    provider.key = jwk.RSAKey.generate_key(2048, {"kid": "2", "use": "sig"})
    provider.published = [provider.key]
    assert message(log_in(), 401) == FAILED + "signature."
    monkeypatch.setattr("trunkline_oidc.metadata._PAUSE", 0.0)
    assert log_in().status_code == 200
    monkeypatch.undo()
    before = provider.asked.count("/jwks")
    provider.key = jwk.RSAKey.generate_key(2048, {"kid": "3"})
    for _ in range(5):
        assert log_in().status_code == 401
    assert provider.asked.count("/jwks") == before


def test_another_issuer_at_the_address_is_refused(log_in: Any, provider: Provider) -> None:
    """Checklist 19, mix-up: a document speaks for the place where it was found."""
    provider.discovery = {"issuer": "https://other.example"}
    assert message(log_in(), 502).startswith("The discovery document names another issuer")


def test_an_answer_of_another_issuer_is_refused(log_in: Any, provider: Provider) -> None:
    """Checklist 19, mix-up (RFC 9207)."""
    told = message(log_in(iss="https://other.example"), 401)
    assert told == "Authentication failed. Another identity provider answered than was asked."
    assert log_in(iss=provider.issuer).status_code == 200


@pytest.mark.parametrize("path", ["/.well-known/openid-configuration", "/jwks", "/token", "/me"])
@pytest.mark.parametrize("content", [b"", b"<html>", b"[]", b"null", b'"x"', b"{" * 100_000, b"\xff\xfe"])
def test_nonsense_is_told_as_such(log_in: Any, provider: Provider, path: str, content: bytes) -> None:
    provider.claims = {"name": None}
    provider.told[path] = content
    reply = log_in()
    assert reply.status_code == 502, reply.text
    assert provider.issuer not in reply.text


@pytest.mark.parametrize("path", ["/.well-known/openid-configuration", "/jwks", "/token", "/me"])
def test_huge_documents_are_not_read(log_in: Any, provider: Provider, path: str) -> None:
    provider.claims = {"name": None}
    provider.told[path] = b'{"a": "' + b"x" * (2 * 2**20) + b'"}'
    began = time.monotonic()
    assert 400 <= log_in().status_code < 600
    assert time.monotonic() - began < 5


def test_somebody_elses_profile_is_refused(log_in: Any, provider: Provider) -> None:
    provider.claims, provider.userinfo = {"email": None}, {"sub": "bob", "email": "bob@example.org"}
    assert message(log_in(), 401).startswith(FAILED + "subject")


def test_a_provider_without_id_token_is_refused(log_in: Any, provider: Provider) -> None:
    provider.told["/token"] = b'{"access_token": "x"}'
    assert message(log_in(), 401) == "Authentication failed. The identity provider gave no ID token."


def test_without_known_keys_the_claims_are_checked_still(log_in: Any, provider: Provider) -> None:
    """The original believes whatever stands in a token then."""
    at = provider.issuer
    config = {"auth_endpoint": f"{at}/auth", "token_endpoint": f"{at}/token", "user_endpoint": f"{at}/me"}
    assert log_in(config, discover=False).status_code == 200
    for claims in ({"aud": "them"}, {"nonce": "x"}, {"exp": 1}):
        provider.claims = claims
        assert message(log_in(config, discover=False), 401).startswith(FAILED)


def test_refusals_of_the_provider_do_not_speak_for_it(log_in: Any, provider: Provider) -> None:
    provider.told["/token"] = b'{"error": "invalid_grant", "error_description": "<script>hush hush</script>"}'
    assert message(log_in(), 401) == "Authentication failed. The identity provider refused the login."
    provider.told["/token"] = b'{"error": "invalid_client", "error_description": "hush hush"}'
    assert message(log_in(), 502) == "The identity provider refused this application (invalid_client)."


def test_a_provider_that_is_down_is_told_within_the_time(
    gateway: Gateway, log_in: Any, provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Down, and accepting without an answer; others are served meanwhile, and it works again when it is back."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        monkeypatch.setattr(asking, "_WAIT", 0.5)
        slow = {"discovery_document": f"http://127.0.0.1:{port}/.well-known/openid-configuration"}
        began = time.monotonic()
        assert message(log_in(slow), 504) == "The remote server did not answer in time."
        assert time.monotonic() - began < 3
        assert gateway.admin.get("/system/environment").status_code == 200
    down = log_in(slow)
    assert down.status_code == 503
    assert down.headers["retry-after"]
    assert log_in().status_code == 200


def test_a_known_document_outlives_the_provider(log_in: Any, provider: Provider) -> None:
    assert log_in().status_code == 200
    provider.told["/.well-known/openid-configuration"] = provider.told["/jwks"] = b"down"
    assert log_in().status_code == 200


class TestBearer:
    """Tokens of the provider as credentials of requests."""

    @pytest.fixture
    def ask(self, gateway: Gateway, provider: Provider) -> Callable[..., Any]:
        place = f"{provider.issuer}/.well-known/openid-configuration"
        gateway.create_service("company", "oidc", {**CONFIG, "accept_tokens": True, "discovery_document": place})
        return lambda token, **headers: gateway.anonymous.get(
            "/user/session", headers={"Authorization": f"Bearer {token}", **headers}
        )

    def test_a_good_token_is_its_users_credential(self, ask: Any, provider: Provider) -> None:
        token = provider.token()
        first, second = ask(token), ask(token)
        assert first.status_code == 200, first.text
        assert first.json()["email"] == "ann+company@example.org"
        assert first.json()["id"] == second.json()["id"]
        assert provider.asked.count("/jwks") == 1

    def test_its_roles_are_those_of_the_account(self, gateway: Gateway, ask: Any, provider: Provider) -> None:
        opened = gateway.create_role([{"service": "system", "component": "environment", "verb_mask": 1}])
        app = gateway.create_app(opened)
        token = provider.token()
        key = {"X-DreamFactory-Api-Key": app["api_key"], "Authorization": f"Bearer {token}"}
        assert gateway.anonymous.get("/system/role", headers=key).status_code == 403
        assert ask(token).json()["is_sys_admin"] is False

    @pytest.mark.parametrize(
        "claims", [{"aud": "them"}, {"exp": 1}, {"nbf": 4_000_000_000}, {"sub": None}, {"sub": ""}, {"exp": None}]
    )
    def test_a_bad_token_is_refused(self, ask: Any, provider: Provider, claims: Any) -> None:
        """Checklist 16."""
        assert ask(provider.token(**claims)).status_code == 401

    def test_a_forged_token_is_refused(self, ask: Any, provider: Provider) -> None:
        """Checklist 16: also one that was good but for its end."""
        good = provider.token()
        assert ask(good).status_code == 200
        provider.key = jwk.RSAKey.generate_key(2048, {"kid": "1"})
        assert ask(provider.token()).status_code == 401
        assert ask(good[:-4] + "AAAA").status_code == 401
        assert ask(good).status_code == 200

    def test_tokens_of_others_are_not_ours(self, ask: Any, provider: Provider) -> None:
        assert ask(provider.token(iss="https://other.example")).status_code == 401

    def test_who_is_switched_off_is_out_at_once(self, gateway: Gateway, ask: Any, provider: Provider) -> None:
        """Checklist 15: however good the token still is."""
        token = provider.token()
        user_id = ask(token).json()["id"]
        assert gateway.admin.patch(f"/system/user/{user_id}", json={"is_active": False}).status_code == 200
        assert ask(token).status_code == 403

    def test_it_is_for_services_that_say_so(self, gateway: Gateway, provider: Provider) -> None:
        place = f"{provider.issuer}/.well-known/openid-configuration"
        gateway.create_service("closed", "oidc", {**CONFIG, "discovery_document": place})
        reply = gateway.anonymous.get("/user/session", headers={"Authorization": f"Bearer {provider.token()}"})
        assert reply.status_code == 401
        assert provider.asked == []

    def test_the_provider_down_is_no_word_about_the_token(self, ask: Any, provider: Provider) -> None:
        provider.told["/jwks"] = b"down"
        assert ask(provider.token()).status_code == 502


def test_old_tokens_are_renewed(gateway: Gateway, log_in: Any, provider: Provider) -> None:
    """Access tokens with which services act for users there."""
    given = {"access_token": "first", "refresh_token": "again", "expires_in": 30}
    provider.nonce = ""
    place = f"{provider.issuer}/.well-known/openid-configuration"
    gateway.create_service("kept", "oidc", {**CONFIG, "discovery_document": place})
    begun = gateway.anonymous.post("/user/session", params={"service": "kept"}, headers=XHR).json()["response"]["url"]
    query = parse_qs(urlsplit(begun).query)
    provider.nonce = query["nonce"][0]
    provider.told["/token"] = json.dumps({**given, "id_token": provider.token()}).encode()
    session = gateway.anonymous.post("/kept/sso", json={"code": "c", "state": query["state"][0]}).json()
    assert session["oauth_token"] == "first"
    service = gateway.app.services.of(gateway.app.directory.snapshot.services["kept"])
    run = gateway._http.portal.call
    provider.told["/token"] = json.dumps({"access_token": "second", "expires_in": 3600}).encode()
    assert run(service.access_token, session["id"]) == "second"
    assert provider.forms[-1]["refresh_token"] == "again"
    before = len(provider.forms)
    assert run(service.access_token, session["id"]) == "second"
    assert len(provider.forms) == before
    assert run(service.access_token, 10**6) is None
