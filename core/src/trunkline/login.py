"""Logging in with name and password: built in, throttled on every node (D2), extended by the ``login`` hook."""

from __future__ import annotations

import asyncio
import hashlib
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from cachetools import TTLCache

from trunkline import passwords
from trunkline.db import tables
from trunkline.directory import read_user
from trunkline.errors import TooManyRequests, Unauthorized
from trunkline.plugins import first
from trunkline.revisions import CONFIG
from trunkline.threads import in_thread

if TYPE_CHECKING:
    from trunkline.app import App
    from trunkline.db.records import User

_FREE_FAILURES = 3
_LONGEST_PAUSE = 2.0
_INVALID = "Invalid credentials supplied."


class Logins:
    """Judges credentials; failures are counted in the shared cache."""

    def __init__(self, app: App) -> None:
        """Remember nothing yet."""
        self._app = app
        # Basic credentials come with every request and hashing is slow by design: good ones are remembered briefly.
        self._basic: TTLCache[tuple[str, int], int] = TTLCache(1000, 60)

    async def login(self, attribute: str, name: str, password: str, client: str | None = None, **more: Any) -> User:
        """Answer the user whose ``attribute`` (email or username) and password these are.

        Raises Unauthorized for an unknown, inactive or wrong one alike, TooManyRequests after too many failures.
        """
        keys = self._throttle_keys(name, client)
        await self._admit(keys)
        credentials = {attribute: name, "password": password, **more}
        user: User | None = await first(self._app.plugins, "login", app=self._app, credentials=credentials)
        if user is None:
            user = await in_thread(self._check, attribute, name, password)
        if user is None or not user.is_active:
            await self._failed(keys)
            raise Unauthorized(_INVALID)
        await in_thread(self._app.cache.delete, keys[0])
        return user

    async def basic(self, name: str, password: str, client: str | None) -> User:
        """Do as login does by e-mail, remembering good credentials for a minute or until anything changes."""
        secret = f"{name}\0{password}".encode("utf-8", "surrogatepass")
        key = (hashlib.sha256(secret).hexdigest(), self._app.database.revisions[CONFIG])
        known = self._basic.get(key)
        user = await self._app.directory.user(known) if known is not None else None
        if user is None:
            user = await self.login("email", name, password, client)
            self._basic[key] = user.id
        return user

    async def succeeded(self, user: User) -> None:
        """Write the login date of a user who opens a session."""
        now = datetime.now(UTC).replace(tzinfo=None, microsecond=0)
        change = (
            sa.update(tables.user).where(tables.user.c.id == user.id).values(last_login_date=now, confirm_code=None)
        )
        # Nobody caches the date, so no revision is raised for it.
        await in_thread(lambda: self._app.database.change(lambda connection: connection.execute(change), which=None))

    def _check(self, attribute: str, name: str, password: str) -> User | None:
        """Compare with the stored hash; an unknown name takes as long as a known one (checklist 17)."""
        column = sa.func.lower(tables.user.c[attribute])
        database = self._app.database

        def read(connection: sa.Connection) -> tuple[User | None, str | None]:
            user = read_user(connection, column == sa.func.lower(name))
            if user is None:
                return None, None
            stored = connection.scalar(sa.select(tables.user.c.password).where(tables.user.c.id == user.id))
            return user, stored

        user, stored = database.read(read)
        if not passwords.matches(password, stored) or user is None:
            return None
        if stored and passwords.needs_rehash(stored):
            fresh = passwords.hashed(password)
            change = sa.update(tables.user).where(tables.user.c.id == user.id).values(password=fresh)
            database.change(lambda connection: connection.execute(change), which=None)
        return user

    async def attempt(self, name: str, client: str | None, purpose: str = "login") -> None:
        """Count an attempt beforehand, slow it down after some, refuse it after many; raises TooManyRequests.

        For what is judged elsewhere, such as codes: so no number of attempts at the same time gets past. Attempts of
        the purpose ``login`` and failed logins are counted as one.
        """
        keys, window = self._throttle_keys(name, client, purpose), float(self._app.settings.login_window)
        mine, everyone = [await in_thread(self._app.cache.increment, key, window) - 1 for key in keys]
        await self._admit_after(mine, everyone)

    async def forgive(self, name: str, client: str | None) -> None:
        """Forget the attempts of somebody who has proved to be who they say."""
        await in_thread(self._app.cache.delete, self._throttle_keys(name, client)[0])

    @staticmethod
    def _throttle_keys(name: str, client: str | None, purpose: str = "login") -> tuple[str, str]:
        digest = hashlib.sha256(name.lower().encode("utf-8", "surrogatepass")).hexdigest()[:32]
        return f"{purpose}:{digest}:{client or ''}", f"{purpose}:{digest}"

    async def _admit(self, keys: tuple[str, str]) -> None:
        """Slow a login down after some failures, refuse it after many.

        One address is refused first; only ten times as many failures from everywhere close a name for all, so that
        nobody is locked out by a single stranger.
        """
        mine, everyone = [await in_thread(self._app.cache.get, key) or 0 for key in keys]
        await self._admit_after(mine, everyone)

    async def _admit_after(self, mine: int, everyone: int) -> None:
        limit = self._app.settings.login_attempts
        if mine >= limit or everyone >= limit * 10:
            raise TooManyRequests(
                "Too many failed logins. Please try again later.", retry_after=self._app.settings.login_window
            )
        if mine >= _FREE_FAILURES:
            await asyncio.sleep(min(0.1 * 2 ** (mine - _FREE_FAILURES), _LONGEST_PAUSE))

    async def _failed(self, keys: tuple[str, str]) -> None:
        for key in keys:
            await in_thread(self._app.cache.increment, key, float(self._app.settings.login_window))


def utc_text(epoch: float | None = None) -> str:
    """Format a moment (now unless given) as session replies do: ``YYYY-MM-DD HH:MM:SS``, UTC."""
    return time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(epoch))
