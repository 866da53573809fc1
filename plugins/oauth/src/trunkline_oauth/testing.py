"""LoginSuite: what every service promises by which users log in at a provider and come back.

Subclass it with ``service_type``, a ``config`` fixture (without ``redirect_url``) and a ``log_in`` fixture, a function
of a ``Browser``, an address and an account, which logs that account in at the provider and answers the address to
which it sends the browser back. The provider knows the accounts ``ann``, ``bob``, ``unverified`` and others, whose
addresses are ``NAME@example.org``, verified but for that one's, and lets browsers go back to ``CALLBACKS``.
"""

from __future__ import annotations

import itertools
import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import parse_qsl, urlsplit

import httpx2
import pytest
import sqlalchemy as sa

from trunkline.db import tables
from trunkline.testing import Gateway, ServiceSuite
from trunkline.testing.fixtures import _copied, settings_for
from trunkline_oauth.service import OAuthService
from trunkline_oauth.tokens import kept, oauth_token

PAGE = "https://app.example.com/back"
DIRECT = "http://testserver/api/v2/direct/sso"
CALLBACKS = [PAGE, DIRECT]
XHR = {"X-Requested-With": "XMLHttpRequest"}
HTML = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}
_accounts = itertools.count(1)


class Browser:
    """Keeps cookies and follows redirects as far as they stay at one server."""

    def __init__(self) -> None:
        """Begin without cookies."""
        # Without connections that are kept there is nothing to close.
        self._client = httpx2.Client(timeout=30, limits=httpx2.Limits(max_keepalive_connections=0))

    def get(self, url: str) -> httpx2.Response:
        """Open an address."""
        return self._followed(self._client.get(url), url)

    def post(self, url: str, form: dict[str, str]) -> httpx2.Response:
        """Send a form."""
        return self._followed(self._client.post(url, data=form), url)

    def _followed(self, reply: httpx2.Response, url: str) -> httpx2.Response:
        while reply.is_redirect:
            following = str(httpx2.URL(str(reply.url)).join(reply.headers["location"]))
            if urlsplit(following).netloc != urlsplit(url).netloc:
                reply.headers["location"] = following
                return reply
            reply = self._client.get(following)
        return reply


LogIn = Callable[[Browser, str, str], str]


def returned(address: str) -> dict[str, str]:
    """Read what a provider sent a browser back with."""
    return dict(parse_qsl(urlsplit(address).query, keep_blank_values=True))


def message(reply: Any, status: int) -> str:
    """Answer the words of an error, whose status must be this one."""
    assert reply.status_code == status, reply.text
    return str(reply.json()["error"]["message"])


class LoginSuite(ServiceSuite):
    """Checks logins by a page of the client, and by browsers that come back to the service itself."""

    #: Whether the provider tells of addresses that it has verified them.
    tells_verified: ClassVar[bool] = True
    #: The first fields of the form, as forms have always had them.
    fields: ClassVar[tuple[str, ...]] = (
        *("default_role", "client_id", "client_secret", "redirect_url", "icon_class", "custom_provider"),
        *("allow_new_users", "app_role_map"),
    )
    #: Whether it has addresses that are not verified.
    has_unverified: ClassVar[bool] = True

    @pytest.fixture(scope="class")
    @classmethod
    def gateway(cls, _template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
        """A gateway that may reach this machine."""
        storage = _copied(_template, tmp_path_factory.mktemp("gateway") / "storage")
        settings = settings_for(storage, outgoing_networks="127.0.0.0/8, ::1/128", app_url="http://testserver")
        with Gateway(settings) as started:
            yield started

    @pytest.fixture
    def service(self, gateway: Gateway, config: dict[str, Any]) -> str:
        """The name of a service whose callback is a page of the client."""
        return self._made(gateway, f"suite_{self.service_type.replace('-', '_')}", config, PAGE)

    @pytest.fixture
    def direct(self, gateway: Gateway, config: dict[str, Any]) -> str:
        """The name of a service to which the provider sends browsers right back."""
        return self._made(gateway, "direct", config, DIRECT)

    @pytest.fixture
    def log_in(self) -> LogIn:
        """How an account is logged in at the provider; override it."""
        raise NotImplementedError

    @pytest.fixture
    def page(self, gateway: Gateway, service: str, log_in: LogIn) -> Callable[..., Any]:
        """Log an account in as a page of the client does, and answer the reply."""

        def logged_in(account: str, name: str = service, **more: Any) -> Any:
            back = returned(log_in(Browser(), self._begun(gateway, name), account))
            return gateway.anonymous.post("/user/session", params={"oauth_callback": "true", **more}, json=back)

        return logged_in

    def _made(self, gateway: Gateway, name: str, config: dict[str, Any], back: str) -> str:
        if name not in gateway.app.directory.snapshot.services:
            gateway.create_service(name, self.service_type, {**config, "redirect_url": back})
        return name

    def _begun(self, gateway: Gateway, name: str, **more: str) -> str:
        reply = gateway.anonymous.post("/user/session", params={"service": name, **more}, headers=XHR)
        assert reply.status_code == 200, reply.text
        answer = reply.json()["response"]
        assert answer["redirect"] is True
        return str(answer["url"])

    def _kind(self, gateway: Gateway, name: str) -> OAuthService:
        found = gateway.app.services.of(gateway.app.directory.snapshot.services[name])
        assert isinstance(found, OAuthService)
        return found

    def _change(self, gateway: Gateway, statement: sa.Update) -> None:
        gateway.app.database.change(lambda connection: connection.execute(statement))

    def _user(self, gateway: Gateway, user_id: int) -> Any:
        query = sa.select(tables.user).where(tables.user.c.id == user_id)
        return gateway.app.database.read(lambda connection: connection.execute(query).mappings().one())

    def test_a_page_of_the_client_gets_a_session(self, gateway: Gateway, service: str, page: Any) -> None:
        session = page("ann").json()
        assert session["is_sys_admin"] is False
        assert session["oauth_token"]
        assert session["session_id"] == session["session_token"]
        mine = gateway.anonymous.get(
            "/user/session", headers={"X-DreamFactory-Session-Token": session["session_token"]}
        )
        assert mine.json()["id"] == session["id"]
        user = self._user(gateway, session["id"])
        kind = type(self._kind(gateway, service))
        assert (user[kind.origin[0]], user["password"]) == (kind.origin[1], None)
        if self.tells_verified:
            assert session["email"] == f"ann+{service}@example.org"
        else:
            assert session["email"].endswith(f"+{service}@{service}.com")
        assert "ann" in session["name"]

    def test_an_account_there_is_one_account_here(self, gateway: Gateway, page: Any) -> None:
        first, second, other = page("ann").json(), page("ann").json(), page("bob").json()
        assert first["id"] == second["id"] != other["id"]

    def test_a_browser_comes_back_with_a_session(self, gateway: Gateway, direct: str, log_in: LogIn) -> None:
        begun = gateway.anonymous.get("/user/session", params={"service": direct, "redirect": "/docs?x=1"})
        assert begun.status_code == 302, begun.text
        cookie = begun.headers["set-cookie"]
        assert "HttpOnly" in cookie
        assert "SameSite=Lax" in cookie
        back = log_in(Browser(), begun.headers["location"], "ann")
        done = gateway.anonymous.get(
            f"/{direct}/sso", params=returned(back), headers={**HTML, "Cookie": cookie.partition(";")[0]}
        )
        assert done.status_code == 302, done.text
        assert done.headers["location"].startswith("/docs?x=1&session_token=")
        assert (done.headers["cache-control"], done.headers["referrer-policy"]) == ("no-store", "no-referrer")
        token = returned(done.headers["location"])["session_token"]
        mine = gateway.anonymous.get("/user/session", headers={"X-DreamFactory-Session-Token": token})
        assert "ann" in mine.json()["name"]

    def test_a_login_is_completed_once(self, gateway: Gateway, service: str, log_in: LogIn) -> None:
        """Checklist 19: what came back is worth nothing a second time."""
        back = returned(log_in(Browser(), self._begun(gateway, service), "ann"))
        replies = [gateway.anonymous.post(f"/{service}/sso", json=back) for _ in range(2)]
        assert replies[0].status_code == 200
        assert message(replies[1], 401).startswith("Authentication failed.")

    def test_a_login_ends_where_it_began(self, gateway: Gateway, service: str, direct: str, log_in: LogIn) -> None:
        """Checklist 19, mix-up: what one service began no other completes, nor does the failure use it up."""
        back = returned(log_in(Browser(), self._begun(gateway, service), "ann"))
        for where in ("/direct/sso", "/user/session?service=direct&oauth_callback=true"):
            assert gateway.anonymous.post(where, json=back).status_code == 401
        assert gateway.anonymous.post(f"/{service}/sso", json=back).status_code == 200

    def test_what_nobody_began_is_refused(self, gateway: Gateway, service: str) -> None:
        """Checklist 19: no state, or one that is made up."""
        for body in ({}, {"code": "x"}, {"code": "x", "state": "y"}, {"oauth_token": "x", "oauth_verifier": "y"}):
            assert message(gateway.anonymous.post(f"/{service}/sso", json=body), 401).startswith(
                "Authentication failed."
            )
        states: list[Any] = [None, 1, [], {"a": 1}, "x" * 10_000, "\0"]
        for state in states:
            assert gateway.anonymous.post(f"/{service}/sso", json={"code": "x", "state": state}).status_code == 401

    def test_another_browser_does_not_complete_a_login(self, gateway: Gateway, direct: str, log_in: LogIn) -> None:
        """Checklist 20: nobody is brought into the account of somebody else, who began the login."""
        begun = gateway.anonymous.get("/user/session", params={"service": direct})
        back = returned(log_in(Browser(), begun.headers["location"], "ann"))
        reply = gateway.anonymous.get(f"/{direct}/sso", params=back, headers={"Cookie": f"trunkline_login={'x' * 43}"})
        assert message(reply, 401).endswith("The login was begun in another browser.")

    def test_a_forged_answer_gives_no_session(self, gateway: Gateway, service: str, log_in: LogIn) -> None:
        """Checklist 19: a code or verifier that the provider did not give."""
        back = returned(log_in(Browser(), self._begun(gateway, service), "ann"))
        forged = {name: "forged" if name in ("code", "oauth_verifier") else value for name, value in back.items()}
        assert message(gateway.anonymous.post(f"/{service}/sso", json=forged), 401).startswith("Authentication failed.")

    def test_a_code_is_for_the_login_that_asked_for_it(self, gateway: Gateway, service: str, log_in: LogIn) -> None:
        """Checklist 19, PKCE: somebody else's code does not fit into one's own login."""
        theirs = returned(log_in(Browser(), self._begun(gateway, service), "bob"))
        mine = returned(log_in(Browser(), self._begun(gateway, service), "ann"))
        for name in ("code", "oauth_verifier"):
            if name in mine:
                mixed = {**mine, name: theirs[name]}
        reply = gateway.anonymous.post(f"/{service}/sso", json=mixed)
        at = getattr(type(self._kind(gateway, service)), "usual", None)
        if at is None or at.pkce:
            assert reply.status_code == 401, reply.text

    @pytest.mark.parametrize(
        "target",
        [
            "https://evil.example.com/", "//evil.example.com", "/\\evil.example.com", "\\\\evil", "javascript:alert(1)",
            "https://testserver@evil.example.com/", "http://testserver.evil.example.com/", "https:evil.example.com",
            "/a\r\nSet-Cookie: a=b", "http://[bad", "data:text/html,x", " https://evil.example.com", "http:///evil",
        ],
    )  # fmt: skip
    def test_browsers_are_sent_to_pages_of_ours_only(
        self, gateway: Gateway, direct: str, log_in: LogIn, target: str
    ) -> None:
        """Checklist 19: an address that is not allowed counts as none."""
        begun = gateway.anonymous.get("/user/session", params={"service": direct, "redirect": target})
        cookie = begun.headers["set-cookie"].partition(";")[0]
        state = returned(begun.headers["location"])
        back = {**state, "error": "access_denied"}
        done = gateway.anonymous.get(f"/{direct}/sso", params=back, headers={**HTML, "Cookie": cookie})
        assert done.headers["location"].startswith("/?error=Authentication+failed.")

    def test_a_cancelled_login_is_told(self, gateway: Gateway, service: str) -> None:
        begun = returned(self._begun(gateway, service))
        back = {**begun, "error": "access_denied", "error_description": "<script>"}
        told = message(gateway.anonymous.post(f"/{service}/sso", json=back), 401)
        assert told == "Authentication failed. The login was cancelled or refused at the provider."

    def test_an_address_that_is_not_verified_is_not_taken_over(self, gateway: Gateway, service: str, page: Any) -> None:
        session = page("unverified").json()
        own = f"unverified+{service}@example.org"
        assert session["email"].endswith(f"+{service}@{service}.com" if self.has_unverified else own)
        assert page("unverified").json()["id"] == session["id"]

    def test_an_older_account_is_found_by_its_address_if_that_is_verified(
        self, gateway: Gateway, service: str, page: Any
    ) -> None:
        column, value = type(self._kind(gateway, service)).origin
        older = gateway.create_user(f"older+{service}@example.org", **{column: value})
        unrelated = gateway.create_user(f"unrelated+{service}@example.org")
        same = page("older").json()["id"] == older.id
        assert same is self.tells_verified
        assert page("unrelated").json()["id"] != unrelated.id

    def test_new_users_may_be_refused(self, gateway: Gateway, config: dict[str, Any], page: Any) -> None:
        name = self._made(gateway, "closed", {**config, "allow_new_users": False}, PAGE)
        told = message(page("stranger", name), 401)
        assert told.startswith("New user registration is not allowed for this OAuth service.")

    def test_roles_are_due_at_each_login(self, gateway: Gateway, config: dict[str, Any], page: Any) -> None:
        """The default role fills gaps, the map of apps replaces (system-api 21)."""
        usual, special = gateway.create_role([]), gateway.create_role([])
        one, two = gateway.create_app(), gateway.create_app()
        rows = [{"app_id": two["id"], "role_id": special}, {"app_id": 10**6, "role_id": special}]
        name = self._made(gateway, "mapped", {**config, "default_role": usual, "app_role_map": rows}, PAGE)
        account = f"mapped{next(_accounts)}"
        user_id = page(account, name).json()["id"]
        assert (found := self._roles(gateway, user_id))[one["id"]] == usual
        assert found[two["id"]] == special
        link = tables.user_to_app_to_role
        self._change(gateway, sa.update(link).where(link.c.user_id == user_id).values(role_id=special))
        later = gateway.create_app()
        page(account, name)
        found = self._roles(gateway, user_id)
        assert (found[one["id"]], found[two["id"]], found[later["id"]]) == (special, special, usual)

    def _roles(self, gateway: Gateway, user_id: int) -> dict[int, int]:
        link = tables.user_to_app_to_role
        query = sa.select(link.c.app_id, link.c.role_id).where(link.c.user_id == user_id)
        rows = gateway.app.database.read(lambda connection: connection.execute(query).all())
        return {row.app_id: row.role_id for row in rows}

    def test_who_is_switched_off_stays_out(self, gateway: Gateway, page: Any) -> None:
        """Checklist 15."""
        account = f"off{next(_accounts)}"
        user_id = page(account).json()["id"]
        for change, status in (({"is_active": False}, 403), ({"is_active": True, "is_sys_admin": True}, 401)):
            self._change(gateway, sa.update(tables.user).where(tables.user.c.id == user_id).values(**change))
            message(page(account), status)

    def test_tokens_of_the_provider_are_kept_encrypted_until_logout(
        self, gateway: Gateway, service: str, page: Any
    ) -> None:
        """Checklist 27."""
        session = page("ann").json()
        record = gateway.app.directory.snapshot.services[service]
        held = kept(gateway.app, session["id"], record.id)
        assert held is not None
        assert held.access == session["oauth_token"]
        rows = gateway.app.database.read(lambda connection: connection.execute(sa.select(oauth_token)).all())
        assert session["oauth_token"] not in str(rows)
        headers = {"X-DreamFactory-Session-Token": session["session_token"]}
        assert gateway.anonymous.delete("/user/session", headers=headers).json() == {"success": True}
        assert kept(gateway.app, session["id"], record.id) is None

    def test_nothing_secret_is_logged(
        self, gateway: Gateway, service: str, log_in: LogIn, caplog: pytest.LogCaptureFixture
    ) -> None:
        """Checklist 20 and 27."""
        with caplog.at_level(logging.DEBUG):
            back = returned(log_in(Browser(), self._begun(gateway, service), "ann"))
            session = gateway.anonymous.post(f"/{service}/sso", json=back).json()
            gateway.anonymous.post(f"/{service}/sso", json=back)
        ours = "\n".join(one.getMessage() for one in caplog.records if one.name.startswith("trunkline"))
        names = ("code", "oauth_verifier", "state")
        for secret in (session["oauth_token"], session["session_token"], *(back[one] for one in names if one in back)):
            assert secret not in ours

    def test_pages_find_out_how_to_log_in(self, gateway: Gateway, service: str) -> None:
        listed = gateway.anonymous.get("/system/environment").json()["authentication"]["oauth"]
        (mine,) = [one for one in listed if one["name"] == service]
        assert mine["path"] == f"user/session?service={service}"
        assert mine["type"] == self.service_type

    def test_the_form_has_the_known_fields_first(self, gateway: Gateway) -> None:
        """Connectors 13.1."""
        entries = gateway.app.registry.load(self.service_type).config_class().schema_entries()
        assert tuple(one["name"] for one in entries)[: len(self.fields)] == self.fields

    @pytest.mark.parametrize("address", ["", "ftp://x/", "javascript:alert(1)", "/path", "https://"])
    def test_addresses_in_the_configuration_are_checked(
        self, gateway: Gateway, config: dict[str, Any], address: str
    ) -> None:
        record = {"name": "bad", "type": self.service_type, "config": {**config, "redirect_url": address}}
        told = gateway.admin.post("/system/service", json={"resource": [record]})
        assert told.status_code == 400
        assert "redirect_url" in told.text

    def test_the_root_lists_its_resource(self, gateway: Gateway, service: str) -> None:
        assert gateway.admin.get(f"/{service}").json() == {"resource": [{"name": "sso"}]}
