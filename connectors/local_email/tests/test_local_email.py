"""Local mail passes the suite of its family, by each of its ways to send."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path
from typing import Any, ClassVar

import pytest

from trunkline.testing import Gateway
from trunkline_email.testing import EmailSuite, Inbox, message, refused_port

MAIL = {"to": "a@example.com", "subject": "x", "body_text": "y"}
# What ``sendmail -bs`` does, for a mail server elsewhere: its input and output are the connection.
BRIDGE = """
import os, socket, sys, threading
with socket.create_connection(("127.0.0.1", int(sys.argv[1]))) as server:
    def answers():
        while data := server.recv(65536):
            os.write(1, data)
        os._exit(0)
    threading.Thread(target=answers, daemon=True).start()
    while data := os.read(0, 65536):
        server.sendall(data)
"""


class Local(EmailSuite):
    service_type = "local_email"
    driver: ClassVar[str] = "sendmail"

    @pytest.fixture
    def config(self, environment: None) -> dict[str, Any]:
        return {}

    @pytest.fixture
    def environment(self, inbox: Inbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Have mails go to the inbox; the service reads this when it is made."""
        monkeypatch.setenv("MAIL_DRIVER", self.driver)
        monkeypatch.setenv("MAIL_PORT", str(inbox.port))
        monkeypatch.setenv("SENDMAIL_DEFAULT_COMMAND", self.command(inbox, tmp_path))

    def command(self, _inbox: Inbox, _folder: Path) -> str:
        return "true"


class TestBySmtp(Local):
    driver = "smtp"


class TestBySpokenProgram(Local):
    def command(self, inbox: Inbox, folder: Path) -> str:
        (folder / "bridge.py").write_text(BRIDGE)
        return f"{sys.executable} {folder / 'bridge.py'} {inbox.port} -bs"


@pytest.mark.live
class TestByProgram(Local):
    """msmtp (Debian's package ``msmtp``) takes the place of sendmail."""

    def command(self, inbox: Inbox, folder: Path) -> str:
        # The service is made once, with the folder of the first test.
        rc = folder.parent / f"msmtprc{inbox.port}"
        rc.write_text(f"account default\nhost 127.0.0.1\nport {inbox.port}\nfrom x@example.com\n")
        rc.chmod(0o600)
        if not shutil.which("msmtp"):
            (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)("msmtp is not installed")
        return f"msmtp -C {rc} -t"


@pytest.mark.parametrize("command", ["no-such-program", "no-such-program -bs", "", "sh -c 'exit 75'"])
def test_a_program_that_does_not_work_just_now_is_a_503(
    fresh_gateway: Gateway, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    monkeypatch.setenv("SENDMAIL_DEFAULT_COMMAND", command)
    fresh_gateway.create_service("mail", "local_email")
    reply = fresh_gateway.admin.post("/mail", json=MAIL)
    message(reply, 503)
    assert int(reply.headers["Retry-After"]) > 0


@pytest.mark.parametrize("command", ["sh -c 'exec sleep 100'", "sh -c 'exec sleep 100' -bs"])
def test_a_program_that_hangs_is_ended(fresh_gateway: Gateway, monkeypatch: pytest.MonkeyPatch, command: str) -> None:
    for name in ("trunkline_local_email._SECONDS", "trunkline_local_email._GRACE", "trunkline_email.smtp._STEP"):
        monkeypatch.setattr(name, 0.2)
    monkeypatch.setenv("SENDMAIL_DEFAULT_COMMAND", command)
    fresh_gateway.create_service("mail", "local_email")
    message(fresh_gateway.admin.post("/mail", json=MAIL), 503)


def test_a_program_that_fails_is_a_502(fresh_gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SENDMAIL_DEFAULT_COMMAND", "sh -c 'echo /etc/secret >&2; exit 78'")
    fresh_gateway.create_service("mail", "local_email")
    assert message(fresh_gateway.admin.post("/mail", json=MAIL), 502) == "The mail program failed."


def test_a_server_that_is_not_there_is_a_503(fresh_gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAIL_DRIVER", "smtp")
    monkeypatch.setenv("MAIL_PORT", str(refused_port()))
    fresh_gateway.create_service("mail", "local_email")
    assert "Retry-After" in fresh_gateway.admin.post("/mail", json=MAIL).headers


def test_the_schema_is_an_empty_list(fresh_gateway: Gateway) -> None:
    """connectors 5.6."""
    found = fresh_gateway.admin.get("/system/service_type/local_email").json()
    assert (found["config_schema"], found["group"]) == ([], "Email")
