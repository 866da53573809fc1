"""Connections to an SSH server: logging in, knowing the server, and being replaced when they break."""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trunkline.errors import BadGateway, BadRequest, Forbidden, InternalError, TrunklineError, Unavailable
from trunkline.threads import in_thread
from trunkline_files.errors import FileMissing, StorageFull, unavailable

if TYPE_CHECKING:
    from asyncssh import SFTPClient, SSHClientConnection, SSHKey

# Connections of one worker; each carries many requests side by side.
SIZE = 4
_HEXADECIMAL = re.compile(r"[0-9a-f]{32}")
_BASE64 = re.compile(r"[A-Za-z0-9+/]{43}")
# Seconds without a word after which a server is asked whether it is still there.
_KEEP_ALIVE = 15
# Seconds in which a server that was idle has to answer.
_NOTICE = 5.0


@dataclass(frozen=True, slots=True)
class Settings:
    """Where to log in and by what, which key the server must have, seconds for each step, and the served folder."""

    host: str
    port: int
    username: str
    password: str = field(repr=False)
    private_key: str = field(repr=False)
    fingerprint: str
    timeout: float
    container: str


def fingerprint(text: str) -> str:
    """Read a fingerprint in one of its usual forms; raises ValueError."""
    plain = text.strip()
    hexadecimal = plain.lower().removeprefix("md5:").replace(":", "").replace(" ", "")
    if _HEXADECIMAL.fullmatch(hexadecimal):
        return "MD5:" + ":".join(hexadecimal[start : start + 2] for start in range(0, 32, 2))
    base64 = re.sub(r"^sha256:", "", plain, flags=re.IGNORECASE).rstrip("=")
    if _BASE64.fullmatch(base64):
        return f"SHA256:{base64}"
    raise ValueError("a fingerprint is 16 bytes in hexadecimal (MD5) or SHA256: and 43 letters")


@contextmanager
def translated(path: str) -> Iterator[None]:
    """Turn what the server or the library says into typed errors, without their words, which name places (D10)."""
    import asyncssh

    try:
        yield
    except TrunklineError:
        raise
    except (asyncssh.SFTPNoSuchFile, asyncssh.SFTPNoSuchPath, asyncssh.SFTPNotADirectory, asyncssh.SFTPLinkLoop):
        raise FileMissing(path) from None
    except (asyncssh.SFTPPermissionDenied, asyncssh.SFTPWriteProtect, asyncssh.SFTPCannotDelete) as error:
        raise Forbidden("The storage does not permit this.") from error
    except (asyncssh.SFTPNoSpaceOnFilesystem, asyncssh.SFTPQuotaExceeded) as error:
        raise StorageFull("The storage is full.") from error
    except asyncssh.SFTPInvalidFilename as error:
        raise BadRequest("The path has a name that the storage does not take.") from error
    except (asyncssh.SFTPConnectionLost, asyncssh.SFTPNoConnection, asyncssh.SFTPBadMessage) as error:
        raise unavailable() from error
    except asyncssh.SFTPError as error:
        raise InternalError("The storage failed.") from error
    except (asyncssh.Error, OSError, EOFError) as error:
        raise unavailable() from error


class Connection:
    """One login with one SFTP session, on which requests may overlap."""

    def __init__(self, ssh: SSHClientConnection, sftp: SFTPClient) -> None:
        """Wrap what is connected."""
        self.ssh = ssh
        self.sftp = sftp
        self.users = 0
        self.is_closed = False

    @property
    def is_open(self) -> bool:
        """Whether it can still be used, as far as is known."""
        return not self.is_closed and not self.ssh.is_closed()

    async def answers(self) -> bool:
        """Say whether the server is still there; when nobody has asked for long, only asking tells."""
        import asyncssh

        try:
            async with asyncio.timeout(_NOTICE):
                await self.sftp.realpath(b".")
        except (asyncssh.Error, OSError, EOFError):
            self.close()
        return self.is_open

    def close(self) -> None:
        """Let go at once; who still waits for an answer is told that there will be none."""
        self.is_closed = True
        self.ssh.abort()


async def connected(settings: Settings) -> Connection:
    """Log in; raises Unavailable, BadGateway."""
    import asyncssh

    class Guard(asyncssh.SSHClient):
        """Says whether the server is the one that is meant, before it is told any secret."""

        def validate_host_public_key(self, host: str, addr: str, port: int, key: SSHKey) -> bool:
            """Compare fingerprints."""
            kind = "md5" if settings.fingerprint.startswith("MD5:") else "sha256"
            return not settings.fingerprint or key.get_fingerprint(kind) == settings.fingerprint

    keys = [await in_thread(_key, settings)] if settings.private_key else None
    try:
        with translated(""):
            ssh = await asyncssh.connect(
                settings.host,
                settings.port,
                username=settings.username,
                password=settings.password or None,
                client_keys=keys,
                client_factory=Guard,
                known_hosts=([], [], []),
                # Nothing of the account that the gateway runs under.
                config=None,
                agent_path=None,
                gss_host=None,
                connect_timeout=settings.timeout,
                login_timeout=settings.timeout,
                keepalive_interval=_KEEP_ALIVE,
            )
    except TrunklineError as error:
        raise _refusal(error) from error.__cause__
    try:
        with translated(""):
            async with asyncio.timeout(settings.timeout):
                sftp = await ssh.start_sftp_client()
                if not await sftp.isdir(settings.container):
                    raise BadGateway("The root folder of this service is not there.")
                return Connection(ssh, sftp)
    except BaseException:
        ssh.abort()
        raise


def _refusal(error: TrunklineError) -> TrunklineError:
    """Tell what the administrator has to mend from what passes."""
    import asyncssh

    match error.__cause__:
        case asyncssh.HostKeyNotVerifiable():
            return BadGateway("The storage is not the server that this service expects: its fingerprint differs.")
        case asyncssh.PermissionDenied():
            return BadGateway("The storage did not accept the login of this service.")
    return error


def _key(settings: Settings) -> Any:
    """Read the private key, by the password where it has one; raises BadGateway, without a word of it."""
    import asyncssh

    text = settings.private_key
    try:
        content = text.encode() if "\n" in text.strip() else Path(text.strip()).read_bytes()
        try:
            return asyncssh.import_private_key(content)
        except asyncssh.KeyEncryptionError:
            return asyncssh.import_private_key(content, settings.password)
        except asyncssh.KeyImportError as error:
            if "passphrase" not in str(error).lower():
                raise
            return asyncssh.import_private_key(content, settings.password)
    except (OSError, ValueError) as error:
        raise BadGateway("The private key of this service cannot be read.") from error


class Connections:
    """A few connections, each used by many calls at once; a broken one is replaced when next asked for."""

    def __init__(self, settings: Settings, size: int = SIZE) -> None:
        """Connect when first asked."""
        self._settings = settings
        self._size = size
        self._all: list[Connection] = []
        self._connecting = asyncio.Lock()
        self._is_closed = False

    @asynccontextmanager
    async def used(self) -> AsyncIterator[SFTPClient]:
        """Use the connection that is used least."""
        connection = await self._least_used()
        connection.users += 1
        try:
            yield connection.sftp
        except Unavailable:
            # It was lost, or does not answer in time; either way nobody should wait for it again.
            connection.close()
            raise
        finally:
            connection.users -= 1
            if self._is_closed and not connection.users:
                connection.close()

    async def _least_used(self) -> Connection:
        while True:
            self._all = [one for one in self._all if one.is_open]
            best = min(self._all, key=lambda one: one.users, default=None)
            if best is not None and not best.users:
                best.users += 1
                try:
                    if await best.answers():
                        return best
                finally:
                    best.users -= 1
                continue
            if best is not None and (len(self._all) >= self._size or self._connecting.locked()):
                return best
            async with self._connecting:
                there = [one for one in self._all if one.is_open]
                if len(there) >= self._size or not all(one.users for one in there):
                    continue
                made = await connected(self._settings)
                self._all.append(made)
                return made

    async def close(self) -> None:
        """Log out."""
        self._is_closed = True
        for one in self._all:
            one.ssh.close()
        with contextlib.suppress(Exception):
            async with asyncio.timeout(_NOTICE):
                await asyncio.gather(*(one.ssh.wait_closed() for one in self._all))
        for one in self._all:
            one.close()
        self._all = []
        await asyncio.sleep(0)  # Sockets are closed by the loop.
