"""Session: one login on an FTP server, and what can be asked there without following links."""

from __future__ import annotations

import asyncio
import contextlib
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from trunkline.errors import BadGateway, Forbidden, TrunklineError
from trunkline_files.errors import StorageFull, unavailable
from trunkline_files.paths import name_of, parent_of
from trunkline_files.store import CHUNK
from trunkline_ftp_file.rows import Row, listed, moment, of_facts

if TYPE_CHECKING:
    from aioftp import Client
    from aioftp.client import DataConnectionThrottleStreamIO as Stream

_ANY = ("2xx", "3xx", "4xx", "5xx")
# Seconds in which a server notices that nobody wants the rest of a file.
_NOTICE = 5.0


@dataclass(frozen=True, slots=True)
class Settings:
    """Where to log in, with which time-out in seconds for each step, and which folder is served."""

    host: str
    port: int
    username: str
    password: str = field(repr=False)
    is_encrypted: bool
    timeout: float
    container: str


class Refused(Exception):
    """What a server says no to, by its code; the connection is as good as before."""

    def __init__(self, code: str) -> None:
        """Keep the code only: the words may name places."""
        super().__init__(code)
        self.code = code

    def told(self) -> TrunklineError:
        """Choose the error that a client is told."""
        if self.code in ("452", "552"):
            return StorageFull("The storage is full.")
        return Forbidden("The storage does not permit this.") if self.code[:1] == "5" else unavailable()


@contextmanager
def translated() -> Iterator[None]:
    """Turn what goes wrong between the two machines into typed errors, without words that name places (D10)."""
    from aioftp.errors import AIOFTPException

    try:
        yield
    except TrunklineError:
        raise
    except Refused as error:
        raise error.told() from error
    except (AIOFTPException, OSError, EOFError, ValueError, LookupError, asyncio.LimitOverrunError) as error:
        # The others are what parsing nonsense raises.
        raise unavailable() from error


class Session:
    """A login on a server."""

    def __init__(self, client: Client, settings: Settings) -> None:
        """Wrap a client that is not connected yet."""
        self._client = client
        self._settings = settings
        self._stream: Stream | None = None
        self._knows_facts = False
        self._waits = True
        self.root = ""

    @property
    def is_busy(self) -> bool:
        """Whether an answer or a file is still on its way, so that nobody else may use the connection."""
        return self._waits or self._stream is not None

    @classmethod
    async def opened(cls, settings: Settings) -> Session:
        """Log in and find the served folder; raises Unavailable, BadGateway."""
        import aioftp

        # The limit is that of the stream's buffer: pieces of a useful size.
        client = aioftp.Client(
            socket_timeout=settings.timeout,
            connection_timeout=settings.timeout,
            limit=CHUNK,
        )
        made = cls(client, settings)
        try:
            with translated():
                await made._begin()
        except BaseException:
            made.close()
            raise
        return made

    async def _begin(self) -> None:
        settings = self._settings
        async with asyncio.timeout(settings.timeout):
            await self._client.connect(settings.host, settings.port)
            if settings.is_encrypted:
                await self._client.upgrade_to_tls(_context())
            try:
                await self._log_in()
            except Refused as error:
                if error.code[:1] == "4":
                    raise unavailable() from error
                raise BadGateway("The storage did not accept the login of this service.") from error
            await self.ask("TYPE I")
            _, features = await self.ask("FEAT", _ANY)
            names = {line.split()[0].upper() for line in features if line.split()}
            self._knows_facts = "MLST" in names
            if "UTF8" in names:
                await self.ask("OPTS UTF8 ON", _ANY)
            code, _ = await self.ask(f"CWD {settings.container}", _ANY)
            if code[:1] != "2":
                raise BadGateway("The root folder of this service is not there.")
            self.root = (await self._where()).rstrip("/")

    async def _log_in(self) -> None:
        code, _ = await self.ask(f"USER {self._settings.username}", ("230", "331"))
        if code == "331":
            await self.ask(f"PASS {self._settings.password}", "2xx", censor_after=5)

    def full(self, path: str) -> str:
        """Answer a path as the server knows it."""
        return f"{self.root}/{path}" if path else self.root or "/"

    async def ask(
        self, command: str | None, expected: str | tuple[str, ...] = "2xx", censor_after: int | None = None
    ) -> tuple[str, list[str]]:
        """Send a command and wait for the answer; raises Refused, which leaves the session usable."""
        self._waits = True
        code, lines = await self._client.command(command, _ANY, "1xx", censor_after)
        if code == "421":
            raise ConnectionResetError("The server ends the session.")
        self._waits = False
        if not any(code.matches(one) for one in ((expected,) if isinstance(expected, str) else expected)):
            raise Refused(code)
        return code, lines

    async def answers(self) -> bool:
        """Say whether a session that was idle is still there, and in step."""
        from aioftp.errors import AIOFTPException

        try:
            async with asyncio.timeout(_NOTICE):
                await self.ask("NOOP", "200")
        except (AIOFTPException, OSError, EOFError, ValueError, Refused):
            return False
        return True

    async def enter(self, folder: str) -> bool:
        """Go to a folder; say False where there is none, or a link on the way, since that leads elsewhere."""
        code, _ = await self.ask(f"CWD {self.full(folder)}", _ANY)
        if code[:1] != "2":
            return False
        return _plain(await self._where()) == _plain(self.full(folder))

    async def _where(self) -> str:
        _, lines = await self.ask("PWD", "257")
        return str(self._client.parse_directory_response(lines[-1]))

    async def known(self, path: str) -> Row | None:
        """Answer what is known of something; links are not there."""
        if not await self.enter(parent_of(path)):
            return None
        if self._knows_facts:
            code, lines = await self.ask(f"MLST {self.full(path)}", _ANY)
            if code[:1] != "2":
                return None
            found = of_facts(self._client, lines[1].lstrip(), name_of(path))
            # Some describe a link by what it leads to, with the mode that only links have.
            if found is None or not found.may_be_link:
                return found
        return await self._looked_up(path)

    async def _looked_up(self, path: str) -> Row | None:
        """Find something in the list of the folder that was entered."""
        name = name_of(path)
        row = next((one for one in await self._rows(name) if one.name == name), None)
        if row is None or row.kind != "file" or self._knows_facts:
            return row
        code, lines = await self.ask(f"MDTM {self.full(path)}", _ANY)
        return row if code != "213" else row.at(moment(lines[-1].strip()))

    async def rows(self, folder: str) -> list[Row] | None:
        """List all that is in a folder, None where it is not there. The protocol knows no pages."""
        return await self._rows() if await self.enter(folder) else None

    async def _rows(self, wanted: str = "") -> list[Row]:
        if self._knows_facts:
            lines = await self._lines("MLSD")
            return [row for line in lines if (row := of_facts(self._client, line)) is not None]
        # Without the option names that begin with a dot may be left out; who knows no options shows nothing.
        lines = await self._lines("LIST -a") or await self._lines("LIST")
        return [row for line in lines if wanted in line and (row := listed(self._client, line)) is not None]

    async def _lines(self, command: str) -> list[str]:
        try:
            stream = await self.stream(command)
        except Refused as error:
            if command == "LIST -a" or error.code == "450":  # That there are no files is an error to some.
                return []
            raise
        content = bytearray()
        while piece := await stream.read(CHUNK):
            content += piece
        await self.finish()
        # Names that are no text cannot be told or asked for.
        found = [line.rstrip(b"\r") for line in bytes(content).split(b"\n")]
        return [line.decode() for line in found if _is_text(line)]

    async def stream(self, command: str, offset: int = 0) -> Stream:
        """Open a data connection for a command; it is to be ended by ``finish`` or ``leave``. Raises Refused."""
        from aioftp.client import DataConnectionThrottleStreamIO

        timeout = self._settings.timeout
        async with asyncio.timeout(timeout):
            # To the address that the login is at: any other one would be the server's word for where to connect.
            reader, writer = await asyncio.open_connection(self._settings.host, await self._port(), limit=CHUNK)
        self._stream = DataConnectionThrottleStreamIO(self._client, reader, writer, throttles={}, timeout=timeout)
        if offset:
            await self.ask(f"REST {offset}", "350")
        self._waits = True
        code, _ = await self._client.command(command, ("1xx", "4xx", "5xx"))
        self._waits = code == "421"
        if code[:1] != "1":
            writer.transport.abort()
            self._stream = None
            raise Refused(code)
        if self._settings.is_encrypted:
            # Not before: servers begin with it when they have been told what for (RFC 4217, 7).
            await self._stream.start_tls(self._same_session(), self._settings.host)
        return self._stream

    async def _port(self) -> int:
        """Have the server wait for a data connection."""
        code, lines = await self.ask("EPSV", ("229", "50x"))
        if code == "229":
            return self._client.parse_epsv_response(lines[-1])[1]
        _, lines = await self.ask("PASV", "227")
        return self._client.parse_pasv_response(lines[-1])[1]

    def _same_session(self) -> Any:
        """Answer what proves to the server that data and control come from the same client."""
        import ssl

        from aioftp.common import SSLSessionBoundContext

        control = self._client.stream.writer.transport.get_extra_info("ssl_object")
        return SSLSessionBoundContext(ssl.PROTOCOL_TLS_CLIENT, context=control.context, session=control.session)

    async def finish(self) -> None:
        """End a data connection and hear whether all went well; raises Refused."""
        stream, self._stream = self._stream, None
        if stream is not None:
            self._waits = True
            stream.close()
            await self.ask(None)

    async def leave(self) -> None:
        """End a data connection before its end; the session stays busy unless the server is back in step in time."""
        from aioftp.errors import AIOFTPException

        stream, self._stream = self._stream, None
        if stream is not None:
            self._waits = True
            stream.writer.transport.abort()
            # What was asked for is there already, so that nothing here is an error to anybody.
            with contextlib.suppress(AIOFTPException, OSError, EOFError, ValueError, Refused):
                async with asyncio.timeout(_NOTICE):
                    await self.ask(None)
            if not self._waits:
                self._waits = not await self.answers()

    async def receive(self, count: int) -> bytes:
        """Read from the data connection, at most so many bytes; none at its end."""
        return await self._stream.read(count) if self._stream is not None else b""

    async def send(self, piece: bytes) -> None:
        """Write to the data connection, as fast as the server takes it."""
        if self._stream is not None:
            await self._stream.write(piece)

    async def time_of_folder(self, path: str) -> float | None:
        """Answer when a folder changed, in epoch seconds, where the server tells."""
        if not self._knows_facts:
            return None
        code, lines = await self.ask(f"MLST {self.full(path)}", _ANY)
        found = of_facts(self._client, lines[1].lstrip(), name_of(path)) if code[:1] == "2" else None
        return found.modified if found is not None else None

    async def size(self, path: str) -> int | None:
        """Answer how many bytes a file has, None where the server does not tell."""
        code, lines = await self.ask(f"SIZE {self.full(path)}", _ANY)
        text = lines[-1].strip()
        return int(text) if code == "213" and text.isdecimal() else None

    async def rename(self, source: str, target: str) -> None:
        """Rename; raises Refused."""
        await self.ask(f"RNFR {self.full(source)}", "350")
        await self.ask(f"RNTO {self.full(target)}")

    def close(self) -> None:
        """Let go of the connection at once."""
        if self._stream is not None:
            self._stream.writer.transport.abort()
            self._stream = None
        if self._client._stream is not None:
            self._client.stream.writer.transport.abort()

    async def quit(self) -> None:
        """Say goodbye and let go."""
        with contextlib.suppress(Exception):
            async with asyncio.timeout(_NOTICE):
                await self.ask("QUIT", _ANY)
        self.close()


def _is_text(line: bytes) -> bool:
    try:
        return bool(line.decode())
    except UnicodeDecodeError:
        return False


def _plain(path: str) -> str:
    """Answer a path in a form in which equal ones are equal."""
    return unicodedata.normalize("NFC", "/" + path.strip("/"))


def _context() -> Any:
    """Encrypt without asking who the other is: there is no setting that says whom to trust."""
    import ssl

    made = ssl.create_default_context()
    made.check_hostname = False
    made.verify_mode = ssl.CERT_NONE
    return made
