"""What every service type promises; subclass the suite with ``service_type`` and a ``config`` fixture."""

from __future__ import annotations

import subprocess
import sys
from typing import Any, ClassVar

import pytest

from trunkline.testing.gateway import Gateway
from trunkline.vault import MASK


class ServiceSuite:
    """Checks the declaration of a type and the manners of its services."""

    service_type: ClassVar[str]

    @pytest.fixture
    def config(self) -> dict[str, Any]:
        """A configuration that works; override it."""
        raise NotImplementedError

    @pytest.fixture
    def service(self, gateway: Gateway, config: dict[str, Any]) -> str:
        """The name of a configured service, made once per class."""
        name = f"suite_{self.service_type.replace('-', '_')}"
        if name not in gateway.app.directory.snapshot.services:
            gateway.create_service(name, self.service_type, config)
        return name

    def test_the_type_describes_itself_in_words(self, gateway: Gateway) -> None:
        kind = gateway.app.registry.load(self.service_type)
        assert kind.label
        assert kind.description
        assert kind.group
        for entry in kind.config_class().schema_entries():
            assert entry["label"], entry["name"]
            assert entry["description"], f"the field {entry['name']} has no description"

    def test_describing_the_type_needs_no_driver(self) -> None:
        """A type is described on machines where its driver is broken or missing, so describing must not import one."""
        code = (
            "import sys\n"
            "from trunkline.registry import Registry\n"
            f"kind = Registry().load({self.service_type!r})\n"
            "kind.config_class().schema_entries()\n"
            "drivers = {'psycopg', 'asyncpg', 'aiomysql', 'pymysql', 'pymongo', 'cassandra', 'boto3', 'oracledb',"
            " 'aiobotocore', 'botocore', 'azure', 'aiohttp', 'aioftp', 'asyncssh', 'defusedxml', 'aiomqtt',"
            " 'paho', 'aio_pika', 'aiormq', 'redis', 'pymemcache', 'ldap3'}\n"
            "print(sorted(drivers & set(sys.modules)))\n"
        )
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        assert done.stdout.strip() == "[]"

    def test_secrets_are_masked_and_encrypted(self, gateway: Gateway, config: dict[str, Any]) -> None:
        """Checklist 27: a stored secret reads as ten asterisks, is not stored in clear, and survives its mask."""
        model = gateway.app.registry.load(self.service_type).config_class()
        secrets = {name: f"secret of {name}" for name in model.secrets()}
        stored = model.merged({}, {**config, **secrets}, gateway.app.vault)
        shown = model.shown(stored)
        assert all(shown[name] == MASK for name in secrets)
        assert all(secrets[name] not in str(stored) for name in secrets)
        again = model.merged(stored, shown, gateway.app.vault)
        assert {name: model.opened(again, gateway.app.vault)[name] for name in secrets} == secrets

    def test_an_administrator_sees_the_root(self, gateway: Gateway, service: str) -> None:
        assert gateway.admin.get(f"/{service}").status_code in (200, 400)

    def test_nobody_gets_in_without_credentials(self, gateway: Gateway, service: str) -> None:
        reply = gateway.anonymous.get(f"/{service}")
        assert reply.status_code == 400
        assert "No session token (JWT) or API Key detected" in reply.json()["error"]["message"]

    def test_an_unknown_resource_is_a_404_with_the_envelope(self, gateway: Gateway, service: str) -> None:
        reply = gateway.admin.get(f"/{service}/_no_such_resource/x")
        assert reply.status_code in (404, 400)
        assert set(reply.json()["error"]) == {"code", "context", "message", "status_code"}

    def test_a_role_without_rows_opens_nothing(self, gateway: Gateway, service: str) -> None:
        """Checklist 9: denied before anything is said about existence."""
        stranger = gateway.key_for([])
        for path in (f"/{service}", f"/{service}/x", "/no_such_service"):
            assert stranger.get(path).status_code == 401, path
