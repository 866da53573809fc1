"""Mails that the platform writes about accounts: by which service, by which template, with which link."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Coroutine, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import urlencode

from trunkline import hookimpl
from trunkline.call import SYSTEM, Call

if TYPE_CHECKING:
    from trunkline.app import App
    from trunkline.config import Config
    from trunkline.service import Service

log = logging.getLogger(__name__)
_SHUTDOWN_SECONDS = 10.0
_OUTBOX = "system.outbox"
_SHOWN = ("id", "name", "username", "first_name", "last_name", "email", "phone")


@dataclass(frozen=True, slots=True)
class Letter:
    """One kind of mail: the fields of the configuration that say how it is sent, and what is used without them."""

    page: Literal["reset", "invite", "register"]
    prefix: str
    default_template: str

    async def service(self, app: App, config: Config) -> Service | None:
        """Answer the service that sends it, or None where none is configured, or it is not there."""
        chosen = getattr(config, f"{self.prefix}_email_service_id", None)
        return await app.services.get(chosen) if chosen is not None else None

    async def send(self, app: App, config: Config, service: Service, user: Mapping[Any, Any], code: str) -> None:
        """Mail a code to a user; raises what the service raises."""
        query = {"code": code, "email": user["email"], "username": user["username"] or ""}
        if self.page == "invite":
            query["admin"] = "1" if user["is_sys_admin"] else "0"
        page = app.settings.page(self.page)
        template = getattr(config, f"{self.prefix}_email_template_id", None)
        body = {
            **{name: _in_one_line(user[name]) for name in _SHOWN},
            "to": user["email"],
            "link": f"{page}{'&' if '?' in page else '?'}{urlencode(query)}",
            "confirm_code": code,
            "app_name": app.settings.app_name,
            **({"template": self.default_template} if template is None else {"template_id": template}),
        }
        await service.handle(Call("POST", service.name, body=body, caller=SYSTEM, base_url=app.settings.app_url))


RESET = Letter("reset", "password", "Password Reset Default")
INVITE = Letter("invite", "invite", "User Invite Default")
REGISTER = Letter("register", "open_reg", "User Registration Default")


def _in_one_line(value: Any) -> Any:
    """Keep names that strangers choose from breaking lines."""
    if not isinstance(value, str):
        return value
    return " ".join("".join(one if one.isprintable() else " " for one in value).split())


class Outbox:
    """What is sent after the reply, so that its time tells nothing; the application ends when all is sent."""

    def __init__(self) -> None:
        """Begin with nothing to send."""
        self._tasks: set[asyncio.Task[None]] = set()

    @classmethod
    def of(cls, app: App) -> Outbox:
        """Find that of an application."""
        found = app.plugins.get_plugin(_OUTBOX)
        assert isinstance(found, Outbox)  # noqa: S101 - our own hook registers it
        return found

    @classmethod
    def add_to(cls, manager: Any) -> None:
        """Register one, at start."""
        manager.register(cls(), _OUTBOX)

    def later(self, work: Coroutine[Any, Any, None]) -> None:
        """Do this after the reply; a failure is only logged."""
        task = asyncio.ensure_future(_logged(work))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    @hookimpl
    def lifespan(self) -> AbstractAsyncContextManager[None]:
        """At the end, wait for what is on its way."""
        return self._finished()

    @contextlib.asynccontextmanager
    async def _finished(self) -> AsyncIterator[None]:
        try:
            yield
        finally:
            if self._tasks:
                await asyncio.wait(self._tasks, timeout=_SHUTDOWN_SECONDS)


async def _logged(work: Coroutine[Any, Any, None]) -> None:
    try:
        await work
    except Exception:
        log.exception("a mail about an account was not sent")
