"""Where browsers may be sent (checklist 19)."""

from __future__ import annotations

from pathlib import Path

import pytest

from trunkline.call import Call
from trunkline.testing import Gateway
from trunkline.testing.fixtures import settings_for
from trunkline_oauth import redirects


@pytest.fixture
def secure(tmp_path: Path) -> Gateway:
    return Gateway(settings_for(tmp_path, app_url="https://api.example.com:8443"))


@pytest.mark.parametrize("target", ["/docs", "/", "/a?b=c#d", "https://api.example.com:8443/x"])
def test_pages_of_this_server_are_allowed(secure: Gateway, target: str) -> None:
    assert redirects.allowed(secure.app, target) == target


@pytest.mark.parametrize(
    "target",
    [
        "https://api.example.com/x", "http://api.example.com:8443/x", "https://api.example.com:8443@evil.example/",
        "https://api.example.com.evil.example:8443/", "//evil.example", "/\\evil.example", "https:/\\evil.example",
        "docs",
        "javascript:alert(1)", "https://evil.example\\@api.example.com:8443/", "", None, 5, ["/docs"],
        "https://[::1", "\t/x",
        "https://API.example.com:99999/", "/a b", "/\u0001", "file:///etc/passwd", "https://",
    ],
)  # fmt: skip
def test_all_others_are_not(secure: Gateway, target: object) -> None:
    assert redirects.allowed(secure.app, target) is None


def test_hosts_may_be_listed(secure: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OAUTH_ALLOWED_REDIRECT_DOMAINS", "app.example.com, *.shop.example,localhost:3000")
    allowed = [
        "https://app.example.com/",
        "https://a.shop.example/x",
        "https://a.b.shop.example/",
        "https://localhost:3000/",
    ]
    assert [redirects.allowed(secure.app, one) for one in allowed] == allowed
    for one in ("https://shop.example/", "https://evilshop.example/", "https://localhost/", "http://app.example.com/"):
        assert redirects.allowed(secure.app, one) is None
    assert redirects.allowed(secure.app, "https://api.example.com:8443/x") is None
    assert redirects.allowed(secure.app, "/docs") == "/docs"


def test_values_are_added_to_an_address() -> None:
    reply = redirects.to("https://app.example.com/a?b=c&d=#e", error="a&b=c \u00e9")
    assert reply.headers["Location"] == "https://app.example.com/a?b=c&d=&error=a%26b%3Dc+%C3%A9#e"


@pytest.mark.parametrize(
    ("headers", "browser"),
    [
        ({"accept": "text/html,*/*;q=0.8"}, True), ({"accept": "application/json"}, False), ({}, False),
        ({"sec-fetch-mode": "navigate"}, True), ({"sec-fetch-mode": "cors", "accept": "text/html"}, False),
        ({"accept": "text/html", "x-requested-with": "XMLHttpRequest"}, False),
    ],
)  # fmt: skip
def test_browsers_are_told_from_programs(headers: dict[str, str], browser: bool) -> None:
    assert redirects.is_browser(Call("GET", "x", headers=headers)) is browser
