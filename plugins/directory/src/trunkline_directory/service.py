"""DirectoryService: whoever a directory lets in gets a session here (system-api 21.4, connectors 13.4)."""

from __future__ import annotations

import asyncio
import math
import secrets
import time
import unicodedata
from abc import abstractmethod
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from trunkline.call import Call
from trunkline.errors import Unauthorized
from trunkline.threads import in_thread
from trunkline_directory.config import ConnectionConfig
from trunkline_directory.connection import Directory
from trunkline_directory.entries import Entry
from trunkline_directory.errors import invalid, refused, too_slow
from trunkline_directory.names import normal
from trunkline_directory.roles import role_of
from trunkline_user.external import ExternalService, Identity

if TYPE_CHECKING:
    from trunkline.app import App
    from trunkline.db.records import ServiceRecord

T = TypeVar("T")
_THREADS = 8
_LONGEST_NAME, _LONGEST_PASSWORD = 256, 1024
# Refusals are told at full quarters of a second, so that how long a directory took says nothing of an account.
_GRID = 0.25
_MOST_GROUPS = 1000


class DirectoryService(ExternalService):
    """Logs users in with what a directory knows of them; subclasses say how it is asked.

    All of a login is one conversation in a thread of the service's own, as a directory that hangs must not hold those
    of all services.
    """

    group = "LDAP"
    # What is read of an entry, beside what all entries have.
    attributes: ClassVar[tuple[str, ...]]
    # Selects what are groups.
    group_filter: ClassVar[str]
    config: ConnectionConfig

    def __init__(self, app: App, record: ServiceRecord, config: ConnectionConfig) -> None:
        """Connect to nothing yet."""
        super().__init__(app, record, config)
        self._threads: ThreadPoolExecutor | None = None
        # Whoever is not there is checked against this name, so that as much is done as for somebody who is.
        self._decoy = f"cn={secrets.token_hex(12)},{config.base_dn}"

    @abstractmethod
    def wanted(self, name: str) -> Sequence[str]:
        """Answer filters that find who logs in by a name, each to be asked; the first that finds one entry counts."""

    @abstractmethod
    def identity(self, entry: Entry) -> Identity | None:
        """Say who an entry is; None for one that may not log in: disabled, expired, or no person."""

    @abstractmethod
    def groups(self, directory: Directory, entry: Entry) -> list[str]:
        """List the names of the groups of somebody, the most important ones first; at most ``most_groups``."""

    def own_name(self, name: str) -> str | None:
        """Answer how somebody logs in who has to search for themselves; None where everybody may search."""
        return None

    @property
    def account(self) -> tuple[str, str] | None:
        """Name and password with which the directory is searched, if there are any."""
        secret = self.config.password
        return (self.config.username, secret.get_secret_value()) if self.config.username and secret else None

    @property
    def most_groups(self) -> int:
        """How many groups of somebody are looked at."""
        return _MOST_GROUPS

    async def login(self, call: Call) -> Any:
        """Open a session for who logs in by name or e-mail address."""
        started = time.monotonic()
        try:
            identity = await self.authenticate(call)
        except Unauthorized:
            taken = time.monotonic() - started
            await asyncio.sleep(math.ceil(taken / _GRID) * _GRID - taken)
            raise
        return await self.session(call, identity)

    async def authenticate(self, call: Call) -> Identity:
        """Answer who it is; raises Unauthorized, always in the same words, TooManyRequests after many attempts."""
        name, password = call.option("username") or call.option("email"), call.option("password")
        if not isinstance(name, str) or not isinstance(password, str) or not _are_usable(name, password):
            raise invalid()
        name = name.strip()
        throttled = f"{self.name}/{' '.join(unicodedata.normalize('NFKC', name).casefold().split())}"
        await self.app.logins.attempt(throttled, call.client)
        found = await self.talk(lambda directory: self._checked(directory, name, password))
        if found is None:
            raise invalid()
        await self.app.logins.forgive(throttled, call.client)
        identity, groups = found
        if self.maps_groups:
            read = self.app.database.read
            identity = replace(identity, role_id=await in_thread(read, lambda connection: role_of(connection, groups)))
        return replace(identity, more={"groupMembership": groups})

    async def talk(self, work: Callable[[Directory], T]) -> T:
        """Do something with an open connection, in a thread, within the time-out; waiting in line counts."""
        if self._threads is None:
            self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="directory")
        ends = time.monotonic() + self.config.timeout

        def talk() -> T:
            with Directory(self.config.address, self.config.ca_certificate, ends) as directory:
                return work(directory)

        try:
            # The thread ends by itself in time, and knows more of why; this is for names that nobody resolves.
            async with asyncio.timeout(self.config.timeout + 1):
                return await asyncio.get_running_loop().run_in_executor(self._threads, talk)
        except TimeoutError as error:
            raise too_slow() from error

    async def close(self) -> None:
        """End the threads, once they are done."""
        if self._threads is not None:
            threads, self._threads = self._threads, None
            await asyncio.to_thread(threads.shutdown)

    def log_in(self, directory: Directory) -> None:
        """Log in with the account that searches, if there is one; raises BadGateway where it is not let in."""
        if self.account is not None and not directory.bind(*self.account):
            raise refused("the account that searches it")

    def _checked(self, directory: Directory, name: str, password: str) -> tuple[Identity, list[str]] | None:
        """Find who it is, prove it, and read the groups; None where it is not proved."""
        self.log_in(directory)
        own = self.own_name(name) if self.account is None else None
        if own is not None and not directory.bind(own, password):
            return None
        entry = self._entry(directory, name)
        is_proved = directory.bind(entry.name if entry is not None else self._decoy, password)
        identity = self.identity(entry) if entry is not None else None
        if entry is None or identity is None or not is_proved:
            return None
        self.log_in(directory)
        return identity, distinct(self.groups(directory, entry))[: self.most_groups]

    def _entry(self, directory: Directory, name: str) -> Entry | None:
        """Answer the only entry that a name stands for; all filters are asked, whether one has found it or not."""
        found = [directory.search(self.config.base_dn, one, self.attributes, 2).entries for one in self.wanted(name)]
        first = next((entries for entries in found if entries), ())
        return first[0] if len(first) == 1 and first[0].name else None


def distinct(names: Sequence[str]) -> list[str]:
    """Leave out names that stand there already, however they are written."""
    kept: dict[Any, str] = {}
    for one in names:
        kept.setdefault(normal(one) or one, one)
    return list(kept.values())


def _are_usable(name: str, password: str) -> bool:
    """Say whether these can be a name and a password: with something in them, and no sign that nobody sees."""
    return (
        bool(name.strip())
        and len(name) <= _LONGEST_NAME
        and not any(unicodedata.category(one).startswith("C") for one in name)
        and 0 < len(password) <= _LONGEST_PASSWORD
        and "\0" not in password
    )
