"""Delivery by SMTP: to all recipients or none, over TLS where that is asked for or offered."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import platform
import socket
import ssl
from dataclasses import dataclass
from typing import TYPE_CHECKING

from trunkline.errors import BadGateway, BadRequest, TrunklineError, Unavailable

if TYPE_CHECKING:
    import aiosmtplib

    from trunkline_email.message import Mail

log = logging.getLogger(__name__)
# Seconds for one command, for the whole delivery, and for the last word.
_STEP = 20.0
_ALL = 60.0
_FAREWELL = 2.0
_RETRY_AFTER = "30"
_IMPLICIT_PORT = 465


@dataclass(frozen=True, slots=True)
class SmtpServer:
    """Where to deliver; ``sock`` instead of a host is a connection that is there already, such as a program's input."""

    host: str = ""
    port: int = 587
    encryption: str = ""
    username: str = ""
    password: str = ""
    sock: socket.socket | None = None

    @property
    def implicit_tls(self) -> bool:
        """Whether TLS begins with the first byte (connectors 5.6)."""
        word = self.encryption.strip().lower()
        return word == "ssl" or (bool(word) and self.port == _IMPLICIT_PORT)

    @property
    def starttls(self) -> bool | None:
        """Whether STARTTLS must be there; None takes it if it is."""
        if self.implicit_tls or self.sock is not None:
            return False
        return True if self.encryption.strip() else None


async def deliver(server: SmtpServer, mail: Mail) -> None:
    """Deliver a mail; raises the errors of ``EmailService.send``. What the server said is only for the log."""
    import aiosmtplib

    content = mail.as_bytes()
    by_login = bool(server.username and server.password)
    client = aiosmtplib.SMTP(
        hostname=server.host or None,
        port=server.port if server.sock is None else None,
        username=server.username if by_login else None,
        password=server.password if by_login else None,
        # The machine's name as it calls itself: a look-up of the full one would block.
        local_hostname=platform.node() or "localhost",
        timeout=_STEP,
        use_tls=server.implicit_tls,
        start_tls=server.starttls,
        sock=server.sock,
    )
    try:
        async with asyncio.timeout(_ALL):
            await client.connect()
            try:
                await _transmit(client, mail, content)
            finally:
                # Whether the farewell succeeds changes nothing: the mail is taken or refused by now.
                with contextlib.suppress(aiosmtplib.SMTPException):
                    await client.quit(timeout=_FAREWELL)
                client.close()
    except (aiosmtplib.SMTPException, OSError) as error:
        log.warning("a mail was not delivered: %s", error)
        raise _told(error) from error


async def _transmit(client: aiosmtplib.SMTP, mail: Mail, content: bytes) -> None:
    """Name sender and recipients, and send only when the server takes all: who repeats a request gets nothing twice."""
    import aiosmtplib

    if client.is_ehlo_or_helo_needed:
        await client.ehlo()
    options, encoding = [], "ascii"
    if mail.needs_utf8:
        if not client.supports_extension("smtputf8"):
            raise BadRequest("The mail server only takes addresses in ASCII.")
        options, encoding = ["SMTPUTF8", "BODY=8BITMIME"], "utf-8"
    await client.mail(mail.sender.address, options=options, encoding=encoding)
    refused: dict[str, int] = {}
    for address in mail.recipients:
        try:
            await client.rcpt(address, encoding=encoding)
        except aiosmtplib.SMTPRecipientRefused as error:
            log.warning("a mail server refused a recipient: %s", error)
            refused[address] = error.code
    if refused:
        raise refusal(refused)
    await client.data(content)


def refusal(recipients: dict[str, int]) -> TrunklineError:
    """Make the error for refused recipients, by address and reply code; nothing was sent to anybody."""
    told = ", ".join(f"{address} ({code})" for address, code in recipients.items())
    if all(code < 500 for code in recipients.values()):
        return unavailable(f"The mail server does not take mail for {told} just now.")
    return BadRequest(f"The mail server refused recipients: {told}.", context={"refused": recipients})


def unavailable(message: str) -> Unavailable:
    """Make the error for a server that may be there later."""
    return Unavailable(message, headers={"Retry-After": _RETRY_AFTER})


def _told(error: Exception) -> TrunklineError:
    """Say what went wrong without repeating the server's words, which name hosts and programs (D10)."""
    import aiosmtplib

    if _is_certificate(error):
        return BadGateway("The mail server's certificate is not trusted.")
    code = error.code if isinstance(error, aiosmtplib.SMTPResponseException) else 0
    if isinstance(error, aiosmtplib.SMTPNotSupported) or type(error) is aiosmtplib.SMTPException:
        return BadGateway("The mail server lacks what the configuration asks for, such as TLS or a login.")
    if not 500 <= code < 600:
        return unavailable("The mail server is not available.")
    if isinstance(error, aiosmtplib.SMTPAuthenticationError):
        return BadGateway("The mail server refused the login.")
    if isinstance(error, aiosmtplib.SMTPSenderRefused):
        return BadRequest(f"The mail server refused the sender ({code}).")
    return BadGateway(f"The mail server refused the mail ({code}).")


def _is_certificate(error: BaseException | None) -> bool:
    while error is not None:
        if isinstance(error, ssl.SSLError):
            return True
        error = error.__cause__ or error.__context__
    return False
