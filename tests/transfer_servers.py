"""The FTP and SFTP servers of a test run."""

from __future__ import annotations

import contextlib
import os
import secrets
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import pytest
from servers import Server, children_of, serving

ROOT = Path(__file__).parent.parent
USER = "trunk"
NOBODY = 65534


class TransferServer(Server):
    """A server of folders and files, which lie in ``data`` below its own folder. It begins as root and takes a login's
    rights for each session.
    """

    account = "root"
    #: What the paths of the protocol begin with.
    above = ""
    #: Whose the files are.
    owner: ClassVar[int] = NOBODY

    def __init__(self, folder: Path) -> None:
        """Make the folder of all files."""
        if os.getuid() != 0:
            pytest.skip(f"{self.name} is only started by root")
        super().__init__(folder)
        folder.chmod(0o755)
        (folder / "data").mkdir()

    def is_ready(self) -> bool:
        """Say whether the port is open."""
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), timeout=1):
            return True
        return False

    def kill(self) -> None:
        """End the server and all sessions at once; those may be children of children."""
        waiting = [self.process.pid] if self.process is not None else []
        sessions: list[int] = []
        while waiting:
            found = children_of(waiting.pop())
            sessions += found
            waiting += found
        super().kill()
        for one in sessions:
            with contextlib.suppress(ProcessLookupError):
                os.kill(one, signal.SIGKILL)

    def new_config(self) -> dict[str, Any]:
        """Make an empty folder and answer the configuration of a service on it."""
        name = f"d{secrets.token_hex(4)}"
        place = self.folder / "data" / name
        place.mkdir()
        os.chown(place, self.owner, self.owner)
        container = f"{self.above}/data/{name}"
        return {"host": "127.0.0.1", "port": self.port, "timeout": 20, "container": container}

    def place(self, config: dict[str, Any]) -> Path:
        """Answer where on this machine the folder of a service is."""
        return self.folder / "data" / Path(config["container"]).name


class Proftpd(TransferServer):
    """ProFTPD with a user of its own, in the clear and encrypted."""

    name = "ProFTPD"
    programs = ("proftpd", "openssl")
    #: Further lines of the configuration.
    more: ClassVar[tuple[str, ...]] = ("AllowOverwrite on",)

    def prepare(self) -> None:
        """Write the configuration, with a login and a certificate."""
        command = ["openssl", "passwd", "-6", "-stdin"]
        done = subprocess.run(command, input=self.password, capture_output=True, text=True)
        users = self.folder / "passwd"
        users.write_text(f"{USER}:{done.stdout.strip()}:{NOBODY}:{NOBODY}::{self.folder}:/bin/false\n")
        users.chmod(0o600)
        lines = [
            'ServerName "test"', "ServerType standalone", "DefaultAddress 127.0.0.1", "SocketBindTight on",
            f"Port {self.port}", "UseIPv6 off", f"PidFile {self.folder}/pid", f"ScoreboardFile {self.folder}/scores",
            f"SystemLog {self.folder}/system.log", "DelayTable none", "WtmpLog off", "AuthOrder mod_auth_file.c",
            f"AuthUserFile {users}", "RequireValidShell off", "DefaultRoot ~", "User nobody", "Group nogroup",
            "MaxInstances 60", *self.protocol(), *self.more,
        ]  # fmt: skip
        (self.folder / "conf").write_text("\n".join(lines) + "\n")

    def protocol(self) -> list[str]:
        """Encrypt where the client wants it, data only in the session of the login."""
        key, certificate = self.folder / "key.pem", self.folder / "cert.pem"
        self.run(
            "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days",
            "2", "-subj", "/CN=localhost", "-keyout", str(key), "-out", str(certificate),
        )  # fmt: skip
        key.chmod(0o600)
        return [
            "LoadModule mod_tls.c", "TLSEngine on", "TLSRequired off", f"TLSRSACertificateFile {certificate}",
            f"TLSRSACertificateKeyFile {key}", f"TLSLog {self.folder}/tls.log", "TLSVerifyClient off",
        ]  # fmt: skip

    def command(self) -> list[str]:
        """Run in the foreground."""
        return [self.program("proftpd"), "-n", "-q", "-c", str(self.folder / "conf")]

    def new_config(self) -> dict[str, Any]:
        """Make an empty folder and answer the configuration of a service on it."""
        return {**super().new_config(), "username": USER, "password": self.password}


class ProftpdWithoutReplacing(Proftpd):
    """ProFTPD that renames nothing to a name that is taken, and requires encryption."""

    more = ("AllowOverwrite off", "TLSRequired on")


class Vsftpd(TransferServer):
    """vsftpd, which knows no machine-readable lists, for anybody.

    Debian does not install it beside ProFTPD, so it may be unpacked in a folder of the project.
    """

    name = "vsftpd"
    programs = ("vsftpd",)
    places = ("/usr/sbin", str(ROOT / ".nox" / "servers" / "usr" / "sbin"))
    # A user whose home is there.
    owner = 34

    def prepare(self) -> None:
        """Write the configuration. The folder that the session is locked into must not be writable."""
        (self.folder / "empty").mkdir()
        settings = {
            "listen": "YES", "listen_address": "127.0.0.1", "listen_port": self.port, "anonymous_enable": "YES",
            "local_enable": "NO", "write_enable": "YES", "anon_upload_enable": "YES", "anon_mkdir_write_enable": "YES",
            "anon_other_write_enable": "YES", "anon_world_readable_only": "NO", "anon_umask": "022",
            "anon_root": self.folder, "ftp_username": "backup", "secure_chroot_dir": self.folder / "empty",
            "seccomp_sandbox": "NO", "background": "NO", "xferlog_enable": "NO", "utf8_filesystem": "YES",
        }  # fmt: skip
        (self.folder / "conf").write_text("".join(f"{name}={value}\n" for name, value in settings.items()))

    def command(self) -> list[str]:
        """Run in the foreground."""
        return [self.program("vsftpd"), str(self.folder / "conf")]


class SftpServer(TransferServer):
    """A server of SFTP, with a host key of its own."""

    def host_key(self) -> Path:
        """Make the key by which clients know the server."""
        path = self.folder / "host_key"
        self.run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(path))
        return path

    def fingerprint(self, kind: str) -> str:
        """Answer the fingerprint of the host key, as ssh-keygen writes it."""
        command = ["ssh-keygen", "-l", "-E", kind, "-f", str(self.folder / "host_key.pub")]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()[1]


class Sshd(SftpServer):
    """The server of OpenSSH, with a key to log in."""

    name = "OpenSSH"
    programs = ("sshd", "ssh-keygen")
    owner = 0

    def prepare(self) -> None:
        """Write the configuration and the key of the login."""
        self.above = str(self.folder)
        key = self.folder / "login_key"
        self.run("ssh-keygen", "-q", "-t", "ed25519", "-N", self.password, "-f", str(key))
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
        lines = [
            f"ListenAddress 127.0.0.1:{self.port}", f"HostKey {self.host_key()}", f"PidFile {self.folder}/pid",
            f"AuthorizedKeysFile {key}.pub", "StrictModes no", "UsePAM no", "PasswordAuthentication no",
            "KbdInteractiveAuthentication no", "PermitRootLogin prohibit-password", "Subsystem sftp internal-sftp",
        ]  # fmt: skip
        (self.folder / "conf").write_text("\n".join(lines) + "\n")

    def command(self) -> list[str]:
        """Run in the foreground; it wants to be called by its whole path."""
        return [self.program("sshd"), "-D", "-e", "-f", str(self.folder / "conf")]

    def new_config(self) -> dict[str, Any]:
        """Make an empty folder and answer the configuration of a service on it."""
        key = (self.folder / "login_key").read_text()
        return {**super().new_config(), "username": "root", "private_key": key, "password": self.password}


class ProftpdSftp(Proftpd, SftpServer):
    """ProFTPD that speaks SFTP, with passwords."""

    name = "ProFTPD with mod_sftp"
    programs = ("proftpd", "openssl", "ssh-keygen")

    def protocol(self) -> list[str]:
        """Speak SFTP."""
        return [
            "LoadModule mod_sftp.c", "SFTPEngine on", f"SFTPLog {self.folder}/sftp.log",
            f"SFTPHostKey {self.host_key()}", "SFTPAuthMethods password",
        ]  # fmt: skip


class ProftpdSftpWithoutReplacing(ProftpdSftp):
    """ProFTPD that knows no renaming to a name that is taken."""

    more = ("AllowOverwrite off", "SFTPExtensions -posixRename")


@pytest.fixture(scope="session")
def proftpd_server() -> Iterator[Server]:
    """A ProFTPD of this test run's own."""
    with serving(Proftpd) as server:
        yield server


@pytest.fixture(scope="session")
def vsftpd_server() -> Iterator[Server]:
    """A vsftpd of this test run's own."""
    with serving(Vsftpd) as server:
        yield server


@pytest.fixture(scope="session")
def sshd_server() -> Iterator[Server]:
    """An OpenSSH of this test run's own."""
    with serving(Sshd) as server:
        yield server


@pytest.fixture(scope="session")
def proftpd_sftp_server() -> Iterator[Server]:
    """A ProFTPD of this test run's own that speaks SFTP."""
    with serving(ProftpdSftp) as server:
        yield server
