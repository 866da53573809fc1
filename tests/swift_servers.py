"""OpenStack's storage and identity service of a test run, and a stand-in for Rackspace's identity service."""

from __future__ import annotations

import contextlib
import http.server
import json
import secrets
import socket
import sqlite3
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from processes import free_port
from servers import PATIENCE, Server, serving

REGION = "RegionOne"
_KINDS = ("account", "container", "object")
_RINGS = """
import sys
from swift.common.ring import RingBuilder
folder, ports = sys.argv[1], sys.argv[2:]
for kind, port in zip(("account", "container", "object"), map(int, ports)):
    builder = RingBuilder(4, 1, 1)
    builder.add_dev({"region": 1, "zone": 1, "ip": "127.0.0.1", "port": port, "device": "sdb1", "weight": 1, "meta": "",
                     "replication_ip": "127.0.0.1", "replication_port": port})
    builder.rebalance()
    builder.get_ring().save(f"{folder}/{kind}.ring.gz")
"""


class Swift(Server):
    """Swift behind Keystone; only the proxy is killed and started again."""

    name = "Swift"
    programs = (
        "swift-proxy-server", "swift-account-server", "swift-container-server", "swift-object-server", "memcached",
        "keystone-manage", "keystone-wsgi-public",
    )  # fmt: skip
    account = "swift"

    def __init__(self, folder: Path) -> None:
        """Choose ports for all that is behind the proxy."""
        super().__init__(folder)
        self._ports = {kind: free_port() for kind in (*_KINDS, "memcached", "keystone")}
        self._behind: list[subprocess.Popen[bytes]] = []
        self.project = "admin"

    @property
    def identity(self) -> str:
        """The address of the identity service."""
        return f"http://127.0.0.1:{self._ports['keystone']}/v3"

    def prepare(self) -> None:
        """Write all configurations, and start what is behind the proxy."""
        for name in ("etc", "devs", "devs/sdb1", "keys", "credentials", "cache"):
            self.run("mkdir", "-m", "700", str(self.folder / name))
        (self.folder / "etc").chmod(0o777)
        etc = self.folder / "etc"
        _write(etc / "swift.conf", {"swift-hash": {"swift_hash_path_prefix": "a", "swift_hash_path_suffix": "b"}})
        for kind in _KINDS:
            _write(etc / f"{kind}.conf", self._storage_of(kind))
        _write(etc / "proxy.conf", self._proxy())
        ports = [str(self._ports[kind]) for kind in _KINDS]
        self.run("/usr/bin/python3", "-c", _RINGS, str(etc), *ports)
        self._start_behind(self.program("memcached"), "-p", str(self._ports["memcached"]), "-U", "0", "-l", "127.0.0.1")
        for kind in _KINDS:
            self._start_behind(self.program(f"swift-{kind}-server"), str(etc / f"{kind}.conf"))
        self._prepare_identity(etc)
        for kind in (*_KINDS, "memcached"):
            self._wait(lambda kind=kind: _is_open(self._ports[kind]))

    def _storage_of(self, kind: str) -> dict[str, dict[str, Any]]:
        return {
            "DEFAULT": {
                **self._common(), "devices": self.folder / "devs", "mount_check": "false", "bind_ip": "127.0.0.1",
                "bind_port": self._ports[kind], "disable_fallocate": "true",
            },
            "pipeline:main": {"pipeline": f"{kind}-server"},
            f"app:{kind}-server": {"use": f"egg:swift#{kind}"},
        }  # fmt: skip

    def _common(self) -> dict[str, Any]:
        return {"swift_dir": self.folder / "etc", "user": self.account, "workers": 0, "log_level": "ERROR"}

    def _proxy(self) -> dict[str, dict[str, Any]]:
        names = "catch_errors gatekeeper healthcheck cache listing_formats bulk authtoken keystoneauth copy slo dlo"
        filters: dict[str, dict[str, Any]] = {
            f"filter:{name}": {"use": f"egg:swift#{name}"}
            for name in names.split()
            if name not in ("cache", "authtoken")
        }
        memcached = f"127.0.0.1:{self._ports['memcached']}"
        filters["filter:cache"] = {"use": "egg:swift#memcache", "memcache_servers": memcached}
        filters["filter:keystoneauth"]["operator_roles"] = "admin"
        filters["filter:authtoken"] = {
            "paste.filter_factory": "keystonemiddleware.auth_token:filter_factory",
            "www_authenticate_uri": self.identity, "auth_url": self.identity, "auth_type": "password",
            "project_domain_id": "default", "user_domain_id": "default", "project_name": "admin", "username": "admin",
            "password": self.password, "delay_auth_decision": "False", "region_name": REGION,
            "memcached_servers": memcached,
        }  # fmt: skip
        return {
            "DEFAULT": {**self._common(), "bind_ip": "127.0.0.1", "bind_port": self.port},
            "pipeline:main": {"pipeline": f"{names} proxy-server"},
            "app:proxy-server": {"use": "egg:swift#proxy", "account_autocreate": "true"},
            **filters,
        }

    def _prepare_identity(self, etc: Path) -> None:
        """Make the database with an administrator, start the service, and name the storage in its catalogue."""
        _write(etc / "keystone.conf", {
            "DEFAULT": {"use_stderr": "true"}, "database": {"connection": f"sqlite:///{self.folder / 'keystone.db'}"},
            "token": {"provider": "fernet"}, "fernet_tokens": {"key_repository": self.folder / "keys"},
            "credential": {"key_repository": self.folder / "credentials"},
            "fernet_receipts": {"key_repository": self.folder / "keys"}, "cache": {"enabled": "false"},
        })  # fmt: skip
        manage = (self.program("keystone-manage"), "--config-file", str(etc / "keystone.conf"))
        owner = ("--keystone-user", self.account, "--keystone-group", self.account)
        self.run(*manage, "db_sync")
        # Else its readers would block its own writer.
        with contextlib.closing(sqlite3.connect(self.folder / "keystone.db")) as database:
            database.execute("pragma journal_mode=wal")
        self.run(*manage, "fernet_setup", *owner)
        self.run(*manage, "credential_setup", *owner)
        known = ("--bootstrap-password", self.password, "--bootstrap-region-id", REGION)
        where = [part for one in ("public", "internal", "admin") for part in (f"--bootstrap-{one}-url", self.identity)]
        self.run(*manage, "bootstrap", *known, *where)
        port = str(self._ports["keystone"])
        self._start_behind(self.program("keystone-wsgi-public"), "--host", "127.0.0.1", "--port", port)
        self._wait(lambda: _is_open(self._ports["keystone"]))
        headers = {"X-Auth-Token": self.token()}
        service = {"service": {"type": "object-store", "name": "cloudFiles"}}
        made = (
            httpx2.post(f"{self.identity}/services", json=service, headers=headers, timeout=PATIENCE)
            .raise_for_status()
            .json()
        )
        endpoint = {
            "service_id": made["service"]["id"], "interface": "public", "region_id": REGION,
            "url": f"http://127.0.0.1:{self.port}/v1/AUTH_%(project_id)s",
        }  # fmt: skip
        httpx2.post(
            f"{self.identity}/endpoints", json={"endpoint": endpoint}, headers=headers, timeout=PATIENCE
        ).raise_for_status()

    def token(self) -> str:
        """Log in as the administrator and answer a token."""
        return self.log_in().headers["x-subject-token"]

    def log_in(self) -> httpx2.Response:
        """Log in as the administrator."""
        domain = {"id": "default"}
        user = {"name": "admin", "domain": domain, "password": self.password}
        identity = {"methods": ["password"], "password": {"user": user}}
        scope = {"project": {"name": self.project, "domain": domain}}
        body = {"auth": {"identity": identity, "scope": scope}}
        return httpx2.post(f"{self.identity}/auth/tokens", json=body, timeout=PATIENCE).raise_for_status()

    def command(self) -> list[str]:
        """Run the proxy in the foreground."""
        return [self.program("swift-proxy-server"), str(self.folder / "etc" / "proxy.conf")]

    def is_ready(self) -> bool:
        """Say whether the proxy takes requests."""
        with contextlib.suppress(httpx2.TransportError):
            return httpx2.get(f"http://127.0.0.1:{self.port}/healthcheck").status_code == 200
        return False

    def config(self, container: str) -> dict[str, Any]:
        """Answer the configuration of a service on a container."""
        return {
            "username": "admin", "password": self.password, "tenant_name": self.project, "url": self.identity,
            "region": REGION, "container": container,
        }  # fmt: skip

    def new_config(self) -> dict[str, Any]:
        """Answer the configuration of a service on a container that is made when first used."""
        return self.config(f"c{secrets.token_hex(6)}")

    def stop(self) -> None:
        """End the proxy and what is behind it."""
        super().stop()
        for one in reversed(self._behind):
            one.kill()
            one.wait(timeout=PATIENCE)

    def _as_account(self) -> dict[str, Any]:
        options = super()._as_account()
        config = {"OS_KEYSTONE_CONFIG_FILES": str(self.folder / "etc" / "keystone.conf"), "OS_KEYSTONE_CONFIG_DIR": "/"}
        return {**options, "env": {**options["env"], **config}}

    def _start_behind(self, *command: str) -> None:
        with self.log.open("ab") as log:
            options = {"stdin": subprocess.DEVNULL, "stdout": log, "stderr": subprocess.STDOUT}
            self._behind.append(subprocess.Popen(command, start_new_session=True, **options, **self._as_account()))

    def _wait(self, holds: Callable[[], bool]) -> None:
        deadline = time.monotonic() + PATIENCE
        while not holds():
            if any(one.poll() is not None for one in self._behind) or time.monotonic() > deadline:
                raise RuntimeError(f"Swift did not start:\n{self.log.read_text(errors='replace')[-3000:]}")
            time.sleep(0.1)


class OldIdentity(http.server.ThreadingHTTPServer):
    """A stand-in for identity services of version 2.0, with Rackspace's own extension, in front of the real one.

    Nobody runs such a service any more except for Rackspace; it follows their published form. Tokens are Keystone's.
    """

    def __init__(self, swift: Swift) -> None:
        """Listen on a free port; the API key is the password."""
        super().__init__(("127.0.0.1", 0), _Answers)
        self.swift = swift
        self.url = f"http://127.0.0.1:{self.server_address[1]}/v2.0"

    def config(self, container: str) -> dict[str, Any]:
        """Answer the configuration of a Rackspace service on a container."""
        return {
            "username": "admin", "api_key": self.swift.password, "tenant_name": self.swift.project, "url": self.url,
            "region": REGION, "container": container,
        }  # fmt: skip


class _Answers(http.server.BaseHTTPRequestHandler):
    server: OldIdentity

    def do_POST(self) -> None:
        """Log in."""
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        given, swift = body.get("auth", {}), self.server.swift
        key = given.get("RAX-KSKEY:apiKeyCredentials") or {}
        word = given.get("passwordCredentials") or {}
        good = ({"username": "admin", "apiKey": swift.password}, {"username": "admin", "password": swift.password})
        if self.path != "/v2.0/tokens":
            self._answer(404, {})
        elif key != good[0] and word != good[1]:
            self._answer(401, {"unauthorized": {"code": 401, "message": "Unable to authenticate."}})
        else:
            self._answer(200, self._access())

    def _access(self) -> dict[str, Any]:
        reply = self.server.swift.log_in()
        found = reply.json()["token"]
        (storage,) = [one for one in found["catalog"] if one["type"] == "object-store"]
        endpoints = [{"region": one["region"], "publicURL": one["url"]} for one in storage["endpoints"]]
        token = {"id": reply.headers["x-subject-token"], "expires": found["expires_at"]}
        catalogue = [{"name": "cloudFiles", "type": "object-store", "endpoints": endpoints}]
        return {"access": {"token": token, "serviceCatalog": catalogue, "user": {"name": "admin"}}}

    def _answer(self, status: int, content: dict[str, Any]) -> None:
        data = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_arguments: Any) -> None:
        """Say nothing."""


def _write(path: Path, sections: dict[str, dict[str, Any]]) -> None:
    lines = [
        f"[{name}]\n" + "".join(f"{key} = {value}\n" for key, value in one.items()) for name, one in sections.items()
    ]
    path.write_text("\n".join(lines))


def _is_open(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False


@pytest.fixture(scope="session")
def swift_server() -> Iterator[Swift]:
    """A Swift with Keystone of this test run's own."""
    with serving(Swift) as server:
        assert isinstance(server, Swift)
        yield server


@pytest.fixture(scope="session")
def old_identity(swift_server: Swift) -> Iterator[OldIdentity]:
    """The stand-in for identity services of version 2.0."""
    with OldIdentity(swift_server) as identity:
        threading.Thread(target=identity.serve_forever, daemon=True).start()
        yield identity
        identity.shutdown()
