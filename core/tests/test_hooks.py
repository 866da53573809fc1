"""Every hook is asked at its moment; ``docs/hooks.md`` has a heading for each."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from toys import Toy

from trunkline import Reply, hookimpl, hooks
from trunkline.call import SYSTEM, Call
from trunkline.describe import Description, described
from trunkline.describe import Path as CallPath
from trunkline.errors import Forbidden
from trunkline.plugins import every
from trunkline.testing import Gateway
from trunkline.testing.fixtures import settings_for

NAMES = [name for name, value in vars(hooks).items() if hasattr(value, "trunkline_spec")]


class Spy:
    """A plugin that implements every hook that takes part in a call."""

    def __init__(self) -> None:
        self.seen: list[str] = []

    @hookimpl
    async def authenticate(self, call: Any) -> Any:
        self.seen.append("authenticate")
        return SYSTEM if call.headers.get("x-magic") == "yes" else None

    @hookimpl
    async def login(self, credentials: dict[str, Any]) -> None:
        self.seen.append("login")

    @hookimpl
    def check_call(self, call: Any, service: Any) -> None:
        self.seen.append("check_call")
        if call.params.get("over_limit"):
            raise Forbidden("Over the limit.")

    @hookimpl
    async def before_call(self, call: Any) -> Reply | None:
        self.seen.append("before_call")
        return Reply({"instead": True}) if call.params.get("instead") else None

    @hookimpl
    async def after_call(self, reply: Reply) -> Reply | None:
        self.seen.append("after_call")
        reply.headers["x-after"] = str(reply.status)
        return reply

    @hookimpl
    async def on_event(self, event: object) -> None:
        self.seen.append(type(event).__name__)
        raise RuntimeError("a subscriber's failure is nobody else's")


@pytest.fixture
def spy(toy: Gateway) -> Spy:
    found = Spy()
    toy.app.plugins.register(found)
    toy.app.plugins._callers.clear()
    return found


def test_hook_authenticate(toy: Gateway, spy: Spy) -> None:
    assert toy.anonymous.get("/toy/thing", headers={"X-Magic": "yes"}).status_code == 200
    assert toy.anonymous.get("/toy/thing").status_code == 400


def test_hook_check_call(toy: Gateway, spy: Spy) -> None:
    """It may refuse and can never grant."""
    assert toy.admin.get("/toy/thing?over_limit=1").status_code == 403
    assert toy.anonymous.get("/toy/thing").status_code == 400
    assert spy.seen.count("check_call") == 1


def test_hook_before_call(toy: Gateway, spy: Spy) -> None:
    assert toy.admin.get("/toy/thing?instead=1").json() == {"instead": True}


def test_hook_after_call(toy: Gateway, spy: Spy) -> None:
    assert toy.admin.get("/toy/thing").headers["x-after"] == "200"
    assert toy.admin.get("/toy/nope").headers["x-after"] == "404"


def test_hook_on_event(toy: Gateway, spy: Spy) -> None:
    assert toy.admin.get("/toy/thing").status_code == 200
    assert toy.admin.get("/toy/thing").status_code == 200
    assert "CallAnswered" in spy.seen


def test_hook_login(toy: Gateway, spy: Spy) -> None:
    toy.create_user("a@example.com", "a long enough password")
    user = toy._http.portal.call(toy.app.logins.login, "email", "a@example.com", "a long enough password")  # type: ignore[union-attr]
    assert user.email == "a@example.com"
    assert "login" in spy.seen


def test_the_order_of_a_call(toy: Gateway, spy: Spy) -> None:
    toy.admin.get("/toy/thing")
    assert spy.seen[:4] == ["authenticate", "check_call", "before_call", "after_call"]


class Starter:
    """A plugin that implements every hook that is asked once."""

    def __init__(self) -> None:
        self.seen: list[str] = []

    @hookimpl
    def add_hooks(self, manager: Any) -> None:
        self.seen.append("add_hooks")

    @hookimpl
    def register_tables(self, metadata: Any) -> None:
        self.seen.append("register_tables")

    @hookimpl
    def register_commands(self, cli: Any) -> None:
        self.seen.append("register_commands")

    @hookimpl
    def register_resources(self, service_type: str, register: Any) -> None:
        self.seen.append(f"register_resources {service_type}")

    @hookimpl
    def register_formats(self, register: Any) -> None:
        self.seen.append("register_formats")

    @hookimpl
    def register_routes(self, app: Any) -> list[Any]:
        self.seen.append("register_routes")
        return []

    @hookimpl
    def wrap_asgi(self, app: Any, inner: Any) -> Any:
        self.seen.append("wrap_asgi")
        return inner

    @hookimpl
    def seed(self, app: Any) -> None:
        self.seen.append("seed")

    @hookimpl
    def lifespan(self, app: Any) -> Any:
        @asynccontextmanager
        async def alive() -> AsyncIterator[None]:
            self.seen.append("entered")
            yield
            self.seen.append("left")

        return alive()


@pytest.fixture
def started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    from trunkline.plugins import Manager

    starter = Starter()
    real = Manager.load

    def load(self: Manager, only: set[str] | None = None) -> None:
        self.register(starter)
        real(self, only)

    monkeypatch.setattr(Manager, "load", load)
    gateway = Gateway(settings_for(tmp_path))
    gateway.app.registry.add("toy", Toy)
    with gateway:
        gateway.create_service("toy", "toy", {"host": "h"})
        gateway.admin.get("/toy/thing")
    return starter.seen


def test_hook_add_hooks(started: list[str]) -> None:
    assert started[0] == "add_hooks"


def test_hook_register_tables(started: list[str]) -> None:
    assert started.index("register_tables") < started.index("seed")


def test_hook_register_formats(started: list[str]) -> None:
    assert started.count("register_formats") == 1


def test_hook_register_routes(started: list[str]) -> None:
    assert started.count("register_routes") == 1


def test_hook_wrap_asgi(started: list[str]) -> None:
    assert started.count("wrap_asgi") == 1


def test_hook_register_resources(started: list[str]) -> None:
    assert started.count("register_resources toy") == 1


def test_hook_seed(started: list[str]) -> None:
    assert started.index("seed") < started.index("entered")


def test_hook_lifespan(started: list[str]) -> None:
    assert started[-1] == "left"


def test_hook_register_commands() -> None:
    from trunkline.plugins import Manager

    starter, manager = Starter(), Manager()
    manager.register(starter)
    manager.hook.register_commands(cli=None)
    assert starter.seen == ["register_commands"]


async def _explained(toy: Gateway) -> list[Any]:
    service = await toy.app.services.named("toy")
    return await every(toy.app.plugins, "explain_call", app=toy.app, call=Call("GET", "toy"), service=service)


def test_hook_explain_call(toy: Gateway) -> None:
    class Teller:
        @hookimpl
        def explain_call(self, call: Call, service: Any) -> dict[str, Any]:
            return {"told": [call.method, service.name]}

    toy.app.plugins.register(Teller())
    toy.app.plugins._callers.clear()
    assert {"told": ["GET", "toy"]} in asyncio.run(_explained(toy))


def test_hook_describe_service(toy: Gateway) -> None:
    toy.admin.get("/toy")
    record = toy.app.directory.snapshot.services["toy"]
    said = asyncio.run(described(toy.app, SYSTEM, record))
    told = Description([CallPath("elsewhere", {})])

    class Teller:
        @hookimpl
        async def describe_service(self, record: Any) -> Description | None:
            return told if record.name == "toy" else None

    toy.app.plugins.register(Teller())
    toy.app.plugins._callers.clear()
    assert asyncio.run(described(toy.app, SYSTEM, record)) is told
    assert [one.path for one in said.paths] != ["elsewhere"]


@pytest.mark.parametrize("name", NAMES)
def test_every_hook_has_a_test_and_a_heading(name: str) -> None:
    assert f"test_hook_{name}" in globals()
    docs = (Path(__file__).parents[2] / "docs" / "hooks.md").read_text()
    assert f"## `{name}" in docs


def test_a_refusal_is_told_and_one_subscriber_does_not_silence_another(toy: Gateway, spy: Spy) -> None:
    class Other(Spy):
        """Hears what the failing one has heard."""

    other = Other()
    toy.app.plugins.register(other)
    toy.app.plugins._callers.clear()
    assert toy.anonymous.get("/toy/thing").status_code == 400
    assert toy.admin.get("/toy/thing").status_code == 200
    assert [name for name in spy.seen if name.startswith("Call")] == ["CallRefused", "CallAnswered"]
    assert [name for name in other.seen if name.startswith("Call")] == ["CallRefused", "CallAnswered"]


def test_middleware_finds_the_call_in_the_scope(toy: Gateway) -> None:
    seen: list[Any] = []
    inner = toy.app.asgi

    async def middleware(scope: Any, receive: Any, send: Any) -> None:
        await inner(scope, receive, send)
        seen.append(scope["trunkline.call"])

    toy.app.asgi = middleware
    toy.admin.get("/toy/thing")
    assert [(call.service, call.method, call.caller.is_admin) for call in seen] == [("toy", "GET", True)]
