"""HerokuAddonSso, by links that are made as Heroku's documentation for partners says."""

import hashlib
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from trunkline.testing import Gateway, ServiceSuite
from trunkline_oauth.testing import message, returned

SALT = "the salt of the add-on"


def link(salt: str = SALT, **more: Any) -> dict[str, str]:
    """Make what the dashboard sends."""
    given = {
        "resource_id": "r-1",
        "timestamp": str(int(time.time())),
        "user_id": "7",
        "email": "ann@example.org",
        **more,
    }
    text = f"{given['resource_id']}:{salt}:{given['timestamp']}"
    return {"resource_token": hashlib.sha1(text.encode()).hexdigest(), "app": "shop", "context_app": "shop", **given}


class TestHeroku(ServiceSuite):
    """The whole of it."""

    service_type = "heroku_addon_sso"

    @pytest.fixture
    def config(self) -> dict[str, Any]:
        return {"secret": SALT}

    @pytest.fixture
    def post(self, gateway: Gateway, service: str) -> Callable[[dict[str, Any]], Any]:
        return lambda form: gateway.anonymous.post(f"/{service}/sso", data=form)

    def _session(self, gateway: Gateway, reply: Any) -> dict[str, Any]:
        assert reply.status_code == 302, reply.text
        token = {"X-DreamFactory-Session-Token": returned(reply.headers["location"])["jwt"]}
        return gateway.anonymous.get("/system/admin/session", headers=token).json()

    def test_who_comes_from_the_dashboard_is_an_administrator(self, gateway: Gateway, service: str, post: Any) -> None:
        first = self._session(gateway, post(link(timestamp=int(time.time()) - 10)))
        assert first["is_sys_admin"] is True
        by_query = gateway.anonymous.get(f"/{service}/sso", params=link(timestamp=int(time.time()) - 9))
        assert self._session(gateway, by_query)["id"] == first["id"]
        other = self._session(gateway, post(link(user_id="8", email="ann@example.org")))
        assert other["id"] != first["id"]

    def test_a_link_is_good_once(self, post: Any) -> None:
        """Checklist 19."""
        form = link(resource_id="r-2")
        assert post(form).status_code == 302
        assert message(post(form), 403) == "The link was used already."

    @pytest.mark.parametrize("age", [301, 3600, -3600])
    def test_old_links_are_refused(self, post: Any, age: int) -> None:
        assert message(post(link(timestamp=str(int(time.time()) - age))), 403) == "The link is too old."

    @pytest.mark.parametrize(
        "wrong",
        [
            {"resource_token": ""}, {"resource_token": "x" * 40}, {"resource_token": "é"}, {"resource_id": "r-9"},
            {"timestamp": "now"}, {"timestamp": "-1"}, {"timestamp": "9" * 30}, {"timestamp": "1e9"}, {"user_id": ""},
        ],
        ids=str,
    )  # fmt: skip
    def test_links_that_heroku_did_not_make_are_refused(self, post: Any, wrong: dict[str, str]) -> None:
        """Checklist 17 and 19."""
        assert message(post({**link(), **wrong}), 403) == "The link is not good."
        assert message(post(link(salt="another")), 403) == "The link is not good."

    def test_nothing_but_text_is_taken(self, gateway: Gateway, service: str) -> None:
        for bad in ([], {}, True):
            reply = gateway.anonymous.post(f"/{service}/sso", json={**link(), "resource_token": bad})
            assert message(reply, 400) == "The resource_token must be text."

    def test_the_secret_may_be_elsewhere(
        self, fresh_gateway: Gateway, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        place = tmp_path / "salt"
        post = lambda name: fresh_gateway.anonymous.post(f"/{name}/sso", data=link())  # noqa: E731
        fresh_gateway.create_service("file", self.service_type, {"secret": str(place), "secret_type": "file"})
        fresh_gateway.create_service("variable", self.service_type, {"secret": "SALT", "secret_type": "environment"})
        assert post("file").status_code == 500
        assert str(tmp_path) not in post("file").text
        assert message(post("variable"), 500) == "The secret of this service is empty."
        place.write_text(f"{SALT}\n")
        monkeypatch.setenv("SALT", SALT)
        assert post("file").status_code == 302
        assert post("variable").status_code == 302

    def test_a_name_may_not_open_an_account_that_is_there(self, gateway: Gateway, post: Any) -> None:
        """Checklist 19: the address in a link is nobody's word."""
        there = gateway.create_user("boss@example.org", is_sys_admin=True)
        session = self._session(gateway, post(link(user_id="9", email="boss@example.org", resource_id="r-3")))
        assert session["id"] != there.id
