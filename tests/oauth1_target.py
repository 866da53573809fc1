"""An OAuth 1.0a provider made of oauthlib's server, with X's paths and profile; run with a port, it serves there.

Signatures, nonces and time stamps are checked by oauthlib, whose code is not that of the client. Its page lets in
whoever ``login`` names, at once.
"""

from __future__ import annotations

import hashlib
import json
import secrets
import sys
from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import parse_qs, urlencode
from wsgiref.simple_server import WSGIRequestHandler, make_server

from oauthlib.oauth1 import RequestValidator, WebApplicationServer

KEY, SECRET = "trunkline", "a secret of the tests"


class Store(RequestValidator):
    """What the provider knows, in memory."""

    enforce_ssl = False
    dummy_client, dummy_request_token, dummy_access_token = "dummy", "dummy", "dummy"

    def __init__(self) -> None:
        """Know nobody."""
        super().__init__()
        self.request_tokens: dict[str, dict[str, Any]] = {}
        self.access_tokens: dict[str, dict[str, Any]] = {}
        self.used: set[tuple[Any, ...]] = set()

    @property
    def client_key_length(self) -> tuple[int, int]:
        return 5, 50

    @property
    def request_token_length(self) -> tuple[int, int]:
        return 5, 80

    access_token_length = verifier_length = nonce_length = timestamp_lifetime_length = request_token_length

    def check_client_key(self, key: str) -> bool:
        return key.isalnum()

    def validate_client_key(self, key: str, _request: Any) -> bool:
        return key == KEY

    def get_client_secret(self, _key: str, _request: Any) -> str:
        return SECRET

    def validate_timestamp_and_nonce(
        self, key: str, timestamp: str, nonce: str, _request: Any, request_token: Any = None, access_token: Any = None
    ) -> bool:
        one = (key, timestamp, nonce, request_token, access_token)
        fresh = one not in self.used
        self.used.add(one)
        return fresh

    def validate_redirect_uri(self, _key: str, uri: str, _request: Any) -> bool:
        return uri.startswith(("https://app.example.com/", "http://testserver/"))

    def get_realms(self, _token: str, _request: Any) -> list[str]:
        return []

    get_default_realms = get_realms

    def validate_requested_realms(self, _key: str, _realms: Any, _request: Any) -> bool:
        return True

    def validate_realms(self, *_given: Any, **_more: Any) -> bool:
        return True

    def save_request_token(self, token: dict[str, Any], request: Any) -> None:
        self.request_tokens[token["oauth_token"]] = {
            "secret": token["oauth_token_secret"], "callback": request.redirect_uri, "verifier": None, "user": None,
        }  # fmt: skip

    def verify_request_token(self, token: str, _request: Any) -> bool:
        return token in self.request_tokens

    def validate_request_token(self, _key: str, token: str, _request: Any) -> bool:
        return token in self.request_tokens

    def get_request_token_secret(self, _key: str, token: str, _request: Any) -> str:
        return self.request_tokens.get(token, {"secret": "dummy"})["secret"]

    def get_redirect_uri(self, token: str, _request: Any) -> str:
        return self.request_tokens[token]["callback"]

    def save_verifier(self, token: str, verifier: dict[str, Any], request: Any) -> None:
        self.request_tokens[token].update(verifier=verifier["oauth_verifier"], user=request.user)

    def validate_verifier(self, _key: str, token: str, verifier: str, _request: Any) -> bool:
        known = self.request_tokens.get(token, {}).get("verifier")
        return known is not None and secrets.compare_digest(known, verifier)

    def invalidate_request_token(self, _key: str, token: str, _request: Any) -> None:
        del self.request_tokens[token]

    def save_access_token(self, token: dict[str, Any], request: Any) -> None:
        user = self.request_tokens[request.resource_owner_key]["user"]
        self.access_tokens[token["oauth_token"]] = {"secret": token["oauth_token_secret"], "user": user}

    def validate_access_token(self, _key: str, token: str, _request: Any) -> bool:
        return token in self.access_tokens

    def get_access_token_secret(self, _key: str, token: str, _request: Any) -> str:
        return self.access_tokens.get(token, {"secret": "dummy"})["secret"]


def profile(account: str) -> dict[str, Any]:
    """Tell as X does (account/verify_credentials); the address is null where it is not verified."""
    number = int(hashlib.sha256(account.encode()).hexdigest()[:12], 16)
    verified = not account.startswith("unverified")
    return {
        "id": number, "id_str": str(number), "name": f"{account} of the Tests", "screen_name": account,
        "protected": False, "verified": False, "email": f"{account}@example.org" if verified else None,
    }  # fmt: skip


class Quiet(WSGIRequestHandler):
    """Logs nothing."""

    def log_message(self, *_given: Any) -> None:
        """Say nothing."""


def application(environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
    """Answer a request."""
    path, query = environ["PATH_INFO"], environ.get("QUERY_STRING", "")
    uri = f"http://{environ['HTTP_HOST']}{path}" + (f"?{query}" if query else "")
    headers = {"Authorization": environ.get("HTTP_AUTHORIZATION", "")}
    if body := environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0)).decode():
        headers["Content-Type"] = environ.get("CONTENT_TYPE", "")
    method = environ["REQUEST_METHOD"]
    if path == "/oauth/request_token":
        told, text, status = SERVER.create_request_token_response(uri, method, body, headers)
    elif path == "/oauth/access_token":
        told, text, status = SERVER.create_access_token_response(uri, method, body, headers)
    elif path == "/oauth/authenticate":
        given = parse_qs(query)
        token, account = given["oauth_token"][0], given["login"][0]
        kept = STORE.request_tokens[token]
        verifier = secrets.token_hex(16)
        kept.update(verifier=verifier, user=account)
        join = "&" if "?" in kept["callback"] else "?"
        back = f"{kept['callback']}{join}{urlencode({'oauth_token': token, 'oauth_verifier': verifier})}"
        told, text, status = {"Location": back}, "", 302
    elif path == "/1.1/account/verify_credentials.json":
        good, request = SERVER.validate_protected_resource_request(uri, method, body, headers, realms=[])
        account = STORE.access_tokens[request.resource_owner_key]["user"] if good else ""
        told = {"Content-Type": "application/json"}
        text, status = json.dumps(profile(account) if good else {"errors": [{"code": 32}]}), 200 if good else 401
    else:
        told, text, status = {}, "", 404
    start(f"{status} x", [(name, str(value)) for name, value in (told or {}).items()])
    return [(text or "").encode()]


STORE = Store()
SERVER = WebApplicationServer(STORE)

if __name__ == "__main__":
    make_server("127.0.0.1", int(sys.argv[1]), application, handler_class=Quiet).serve_forever()
