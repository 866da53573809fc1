"""Mail through the machine's own mail program, or the SMTP server of the platform's settings."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import shlex
import socket
from collections.abc import AsyncIterator, Sequence

from trunkline import Config
from trunkline.errors import BadGateway, BadRequest, TrunklineError
from trunkline_email import EmailService, Mail
from trunkline_email.smtp import SmtpServer, deliver, unavailable

log = logging.getLogger(__name__)
# For a mail, and for the program to end afterwards.
_SECONDS = 60.0
_GRACE = 2.0
# Exit codes of mail programs (sysexits.h): a recipient is wrong, or it may work later.
_REFUSED = frozenset({os.EX_DATAERR, os.EX_NOUSER})
_LATER = frozenset({os.EX_NOHOST, os.EX_UNAVAILABLE, os.EX_OSERR, os.EX_TEMPFAIL})


class LocalEmailConfig(Config):
    """Nothing to configure here: the environment says it all (``MAIL_*``, ``SENDMAIL_DEFAULT_COMMAND``)."""


class LocalEmail(EmailService):
    """Hands mails to the machine."""

    label = "Local Email Service"
    description = "Sends mail by the machine's own program, or as the platform's settings say."
    config: LocalEmailConfig

    async def send(self, mail: Mail) -> None:
        """Deliver by SMTP, or by the mail program."""
        told = self.settings
        if told.driver == "smtp":
            login = (told.username, told.password.get_secret_value())
            await deliver(SmtpServer(told.host, told.port, told.encryption, *login), mail)
            return
        command = shlex.split(told.sendmail)
        if "-bs" in command:
            await _spoken_to(command, mail)
        else:
            await _fed(command, mail)


async def _spoken_to(command: Sequence[str], mail: Mail) -> None:
    """Speak SMTP with a program over its input and output."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.setblocking(False)
        async with _started(command, theirs.fileno(), theirs.fileno(), asyncio.subprocess.DEVNULL):
            theirs.close()
            await deliver(SmtpServer(sock=ours), mail)


async def _fed(command: Sequence[str], mail: Mail) -> None:
    """Give a program the mail to read; behind ``--`` no address can be taken for an option."""
    arguments = [one for one in command if one != "-t"]
    arguments += ["-i", "-f", mail.sender.address, "--", *mail.recipients]
    # Such programs read lines as the system ends them.
    text = mail.as_bytes().replace(b"\r\n", b"\n")
    pipe = asyncio.subprocess.PIPE
    async with _started(arguments, pipe, asyncio.subprocess.DEVNULL, pipe) as process:
        try:
            async with asyncio.timeout(_SECONDS):
                _out, said = await process.communicate(text)
        except TimeoutError as error:
            raise unavailable("The mail program did not answer in time.") from error
    if process.returncode:
        log.warning("the mail program ended with %s: %s", process.returncode, said.decode("utf-8", "replace")[:500])
        raise _told(process.returncode)


def _told(code: int) -> TrunklineError:
    if code in _REFUSED:
        return BadRequest("The mail program refused a recipient.")
    return unavailable("Mail can not be sent just now.") if code in _LATER else BadGateway("The mail program failed.")


@contextlib.asynccontextmanager
async def _started(
    command: Sequence[str], stdin: int, stdout: int, stderr: int
) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run a program, without a shell, until the block ends."""
    try:
        process = await asyncio.create_subprocess_exec(*command, stdin=stdin, stdout=stdout, stderr=stderr)
    except (OSError, IndexError, TypeError) as error:
        log.warning("the mail program does not start: %s", error)
        raise unavailable("The mail program does not start.") from error
    try:
        yield process
    finally:
        await _ended(process)


async def _ended(process: asyncio.subprocess.Process) -> None:
    """Let the program end by itself for a moment, then kill it."""
    try:
        async with asyncio.timeout(_GRACE):
            await process.wait()
    except TimeoutError:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()
