"""Private database servers for the tests marked ``live``: each starts when first asked for and ends with the run."""

from __future__ import annotations

import contextlib
import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from processes import free_port

# Seconds that a server may take to start; a busy machine is slow, a broken server ends at once.
PATIENCE = 60.0
USER = "trunk"


class Server(ABC):
    """One server on a port and in a folder of its own; it starts nothing of the system's and touches nothing of it."""

    #: How a skipped test names what is missing, and the programs that must be there.
    name: str
    programs: tuple[str, ...]
    #: Folders where packages keep programs that are not on the path.
    places: tuple[str, ...] = ("/usr/sbin",)
    #: Whose rights the server takes when the tests run as root.
    account: str

    def __init__(self, folder: Path) -> None:
        """Choose port and password; ``start`` starts."""
        self.folder = folder
        self.port = free_port()
        self.password = secrets.token_hex(8)
        self.process: subprocess.Popen[bytes] | None = None
        if os.getuid() == 0:
            owner = pwd.getpwnam(self.account)
            os.chown(folder, owner.pw_uid, owner.pw_gid)

    @classmethod
    def program(cls, name: str) -> str:
        """Find a program; skips the test when it is not installed, unless that is what CI is for."""
        path = os.pathsep.join([os.environ.get("PATH", ""), *cls.places])
        if found := shutil.which(name, path=path):
            return found
        told = f"{cls.name} is not installed ({name} was not found)"
        if os.environ.get("CI") == "true":
            pytest.fail(told)
        pytest.skip(told)

    @abstractmethod
    def prepare(self) -> None:
        """Make the data folder."""

    @abstractmethod
    def command(self) -> list[str]:
        """Answer what starts the server in the foreground."""

    @abstractmethod
    def is_ready(self) -> bool:
        """Say whether it takes connections."""

    @abstractmethod
    def new_database(self) -> dict[str, Any]:
        """Create an empty database and answer the settings that lead to it."""

    def new_config(self) -> dict[str, Any]:
        """Create an empty database and answer the configuration of a service on it."""
        found = self.new_database()
        return {name: found[f"db_{name}"] for name in ("host", "port", "database", "username", "password")}

    def start(self) -> None:
        """Start the server on the data that is there, and wait until it takes connections."""
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self.command(),
                start_new_session=True,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                **self._as_account(),
            )
        deadline = time.monotonic() + PATIENCE
        while not self.is_ready():
            if self.process.poll() is not None or time.monotonic() > deadline:
                self.kill()
                raise RuntimeError(f"{self.name} did not start:\n{self.log.read_text(errors='replace')[-2000:]}")
            time.sleep(0.05)

    def kill(self) -> None:
        """End the server and all its children at once, as a power cut does."""
        if self.process is not None:
            # PostgreSQL's children have process groups of their own, and still answer for a moment after its death.
            children = children_of(self.process.pid)
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            for child in children:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(child, signal.SIGKILL)
            self.process.wait(timeout=PATIENCE)
            self.process = None

    def stop(self) -> None:
        """Ask the server to end, and make sure."""
        if self.process is not None:
            self.process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(timeout=10)
            self.kill()

    @property
    def log(self) -> Path:
        """What the server said."""
        return self.folder / "log"

    def run(self, *command: str) -> None:
        """Run a helper of the server; raises with its words when it fails."""
        done = subprocess.run(command, capture_output=True, text=True, **self._as_account())
        if done.returncode:
            raise RuntimeError(f"{command[0]} failed:\n{done.stdout}{done.stderr}")

    def _as_account(self) -> dict[str, Any]:
        """Answer how to start a process: in the folder, and not as root."""
        options: dict[str, Any] = {"cwd": self.folder, "env": {**os.environ, "HOME": str(self.folder)}}
        if os.getuid() == 0:
            options |= {"user": self.account, "group": self.account, "extra_groups": []}
        return options


class Postgresql(Server):
    """PostgreSQL."""

    name = "PostgreSQL"
    programs = ("initdb", "postgres")
    places = tuple(str(one) for one in sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True))
    account = "postgres"

    def prepare(self) -> None:
        """Make the data folder; passwords are asked for, as everywhere but in tests."""
        word = self.folder / "password"
        word.write_text(self.password)
        word.chmod(0o644)  # the folder itself is closed to others
        self.run(
            self.program("initdb"), "-D", str(self.folder / "data"), "-U", USER, "-A", "scram-sha-256",
            f"--pwfile={word}", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync",
        )  # fmt: skip

    def command(self) -> list[str]:
        """Data shall outlive the process, as tests kill it, but not the machine."""
        options = ["listen_addresses=127.0.0.1", "fsync=off", "full_page_writes=off"]
        return [
            self.program("postgres"), "-D", str(self.folder / "data"), "-p", str(self.port), "-k", str(self.folder),
            *(part for option in options for part in ("-c", option)),
        ]  # fmt: skip

    def is_ready(self) -> bool:
        """Say whether a login succeeds."""
        import psycopg

        try:
            self._connect().close()
        except psycopg.OperationalError:
            return False
        return True

    def new_database(self) -> dict[str, Any]:
        """Create an empty database and answer the settings that lead to it."""
        name = f"d{secrets.token_hex(4)}"
        with self._connect() as connection:
            connection.execute(f"create database {name}")
        return settings("pgsql", self, name)

    def _connect(self) -> Any:
        import psycopg

        return psycopg.connect(
            host="127.0.0.1", port=self.port, user=USER, password=self.password, dbname="postgres", autocommit=True
        )


class Mariadb(Server):
    """MariaDB, which also stands for MySQL."""

    name = "MariaDB"
    programs = ("mariadb-install-db", "mariadbd", "mariadb-admin")
    account = "mysql"

    def prepare(self) -> None:
        """Make the data folder, with a root account that needs no password on the socket."""
        self.run(
            self.program("mariadb-install-db"), "--no-defaults", f"--datadir={self.folder / 'data'}",
            "--auth-root-authentication-method=normal", "--skip-test-db",
        )  # fmt: skip

    def command(self) -> list[str]:
        """Data shall outlive the process, as tests kill it, but not the machine."""
        return [
            self.program("mariadbd"), "--no-defaults", f"--datadir={self.folder / 'data'}", f"--port={self.port}",
            "--bind-address=127.0.0.1", f"--socket={self._socket}", f"--pid-file={self.folder / 'pid'}",
            "--innodb-buffer-pool-size=32M", "--innodb-flush-log-at-trx-commit=2", "--skip-name-resolve",
        ]  # fmt: skip

    def is_ready(self) -> bool:
        """Say whether a login succeeds."""
        ping = [self.program("mariadb-admin"), "--no-defaults", "-uroot", "-S", str(self._socket), "ping"]
        return subprocess.run(ping, capture_output=True).returncode == 0

    def new_database(self) -> dict[str, Any]:
        """Create an empty database with a user of its own and answer the settings that lead to it."""
        name = f"d{secrets.token_hex(4)}"
        self._run(
            f"create user if not exists {USER}@'127.0.0.1' identified by '{self.password}'",
            f"create database {name} character set utf8mb4",
            f"grant all on {name}.* to {USER}@'127.0.0.1'",
        )
        return settings("mysql", self, name)

    @property
    def _socket(self) -> Path:
        return self.folder / "socket"

    def _run(self, *statements: str) -> None:
        import pymysql

        connection = pymysql.connect(unix_socket=str(self._socket), user="root")
        with contextlib.closing(connection), connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)


class Firebird(Server):
    """Firebird, all connections in one process."""

    name = "Firebird"
    programs = ("firebird", "isql-fb")
    account = "firebird"

    def prepare(self) -> None:
        """Make a folder that looks like an installation, with users of its own.

        The port is in the configuration: given with ``-p``, the address would be forgotten. Without the line about the
        security database the user would be made in that of the system.
        """
        (installed,) = Path("/usr/lib").glob("*/firebird/3.0")
        for name in ("plugins", "intl", "firebird.msg", "lib", "UDF"):
            (self.folder / name).symlink_to(installed / name)
        shutil.copy(installed / "plugins.conf", self.folder)
        self.run("mkdir", str(self.folder / "lock"))
        users = self.folder / "security3.fdb"
        lines = {
            "RemoteBindAddress": "127.0.0.1", "RemoteServicePort": self.port, "AuthServer": "Srp256, Srp",
            "UserManager": "Srp", "WireCrypt": "Enabled", "SecurityDatabase": users,
            "DatabaseAccess": f"Restrict {self.folder}",
        }  # fmt: skip
        text = "".join(f"{name} = {value}\n" for name, value in lines.items())
        (self.folder / "firebird.conf").write_text(text)
        (self.folder / "databases.conf").write_text(f"security.db = {users}\n{{\n  RemoteAccess = false\n}}\n")
        (self.folder / "users.sql").write_text(
            f"create database '{users}'; commit;create user SYSDBA password '{self.password}' using plugin Srp; commit;"
        )
        self.run(self.program("isql-fb"), "-user", "SYSDBA", "-q", "-i", str(self.folder / "users.sql"))

    def command(self) -> list[str]:
        """Run in the foreground; the folder says the rest."""
        return [self.program("firebird"), "-e", str(self.folder), "-el", str(self.folder / "lock")]

    def is_ready(self) -> bool:
        """Say whether the port is open: logins work from then on."""
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), timeout=1):
            return True
        return False

    def new_database(self) -> dict[str, Any]:
        """Create an empty database and answer the settings that lead to it."""
        from firebird.driver import create_database, driver_config

        path = self.folder / f"d{secrets.token_hex(4)}.fdb"
        # The driver takes this from its defaults alone.
        driver_config.db_defaults.db_charset.value = "UTF8"
        dsn = f"127.0.0.1/{self.port}:{path}"
        create_database(dsn, user="SYSDBA", password=self.password, charset="UTF8").close()
        return {**settings("firebird", self, str(path)), "db_username": "SYSDBA"}

    def _as_account(self) -> dict[str, Any]:
        """Answer how to start a process; it looks for everything in the folder."""
        options = super()._as_account()
        folder, lock = str(self.folder), str(self.folder / "lock")
        return {**options, "env": {**options["env"], "FIREBIRD": folder, "FIREBIRD_LOCK": lock, "FIREBIRD_TMP": lock}}


def children_of(process: int) -> list[int]:
    """List the processes that a process started, where the kernel tells."""
    with contextlib.suppress(OSError):
        return [int(one) for one in Path(f"/proc/{process}/task/{process}/children").read_text().split()]
    return []


def settings(kind: str, server: Server, database: str) -> dict[str, Any]:
    """Answer the gateway's settings for a database on a server."""
    return {
        "db_connection": kind,
        "db_host": "127.0.0.1",
        "db_port": server.port,
        "db_database": database,
        "db_username": USER,
        "db_password": server.password,
    }


def execute(config: dict[str, Any], *statements: Any) -> list[Any]:
    """Run statements on the PostgreSQL database of a service and answer the rows of the last one."""
    import psycopg

    with psycopg.connect(
        host=config["host"], port=config["port"], user=config["username"], password=config["password"],
        dbname=config["database"], autocommit=True,
    ) as connection:  # fmt: skip
        for statement in statements:
            done = connection.execute(statement)
        return done.fetchall() if done.description else []


def firebird(config: dict[str, Any], *statements: str) -> list[Any]:
    """Run statements on the Firebird database of a service, each committed, and answer the rows of the last one."""
    from firebird.driver import connect

    dsn = f"{config['host']}/{config['port']}:{config['database']}"
    rows: list[Any] = []
    with connect(dsn, user=config["username"], password=config["password"], charset="UTF8") as connection:
        for statement in statements:
            with connection.cursor() as cursor:
                rows = cursor.execute(statement).fetchall()
            connection.commit()
    return rows


@contextlib.contextmanager
def serving(kind: type[Server]) -> Iterator[Server]:
    """Keep a server for the length of the block; skips or fails when it is not installed."""
    for name in kind.programs:
        kind.program(name)
    # Not pytest's folder: that one is closed to the account the server runs under.
    with tempfile.TemporaryDirectory(prefix="trunkline-", ignore_cleanup_errors=True) as folder:
        server = kind(Path(folder))
        try:
            server.prepare()
            server.start()
            yield server
        finally:
            server.stop()


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[Server]:
    """A PostgreSQL of this test run's own."""
    with serving(Postgresql) as server:
        yield server


@pytest.fixture(scope="module")
def postgresql_config(postgresql_server: Server) -> dict[str, Any]:
    """The configuration of a service on an empty PostgreSQL database."""
    return postgresql_server.new_config()


@pytest.fixture(scope="session")
def mariadb_server() -> Iterator[Server]:
    """A MariaDB of this test run's own."""
    with serving(Mariadb) as server:
        yield server


@pytest.fixture(scope="session")
def firebird_server() -> Iterator[Server]:
    """A Firebird of this test run's own."""
    with serving(Firebird) as server:
        yield server


@pytest.fixture(scope="session")
def sqlbridge_server() -> Iterator[Server]:
    """A pysqlbridge of this test run's own."""
    from sqlbridge import Sqlbridge

    with serving(Sqlbridge) as server:
        yield server
