"""The database servers of a test run, and what tests do on them past the gateway."""

from __future__ import annotations

import contextlib
import secrets
import shutil
import socket
import subprocess
from abc import abstractmethod
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from servers import Server, serving

USER = "trunk"


class DatabaseServer(Server):
    """A server that has databases."""

    @abstractmethod
    def new_database(self) -> dict[str, Any]:
        """Create an empty database and answer the settings that lead to it."""

    def new_config(self) -> dict[str, Any]:
        """Create an empty database and answer the configuration of a service on it."""
        found = self.new_database()
        return {name: found[f"db_{name}"] for name in ("host", "port", "database", "username", "password")}


class Postgresql(DatabaseServer):
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


class Mariadb(DatabaseServer):
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


class Firebird(DatabaseServer):
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
