"""The service type ``mcp``: its configuration, and where its endpoint is (connectors 12.1 and 12.2)."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

from pydantic import AliasChoices, BaseModel, ConfigDict

from trunkline import Config, Field, Secret, Service
from trunkline.call import Call
from trunkline.describe import Operation
from trunkline.vault import Vault

if TYPE_CHECKING:
    from trunkline.app import App

# Fields that forms do not show, and what existing consoles call them.
_HIDDEN = ("disabled_tools", "custom_tools")
_OTHER_NAMES = {"disabledTools": "disabled_tools", "customTools": "custom_tools"}
_ENDPOINT = {
    "type": "object",
    "required": ["service_id", "api_name", "mcp_endpoint"],
    "properties": {
        "service_id": {"type": "integer"},
        "api_name": {"type": "string"},
        "mcp_endpoint": {"type": "string"},
    },
}
_CHECKED = {
    "type": "object",
    "required": ["ok", "message", "server"],
    "properties": {"ok": {"type": "boolean"}, "message": {"type": "string"}, "server": {"type": "object"}},
}


def _named(snake: str, camel: str, default: Any) -> Any:
    return Field(default=default, validation_alias=AliasChoices(snake, camel))


class CustomParameter(BaseModel):
    """A parameter of a tool of one's own; ``where`` is ``in`` of what is stored."""

    name: str
    type: Literal["string", "number", "integer", "boolean", "array", "object"] = "string"
    where: Literal["path", "query", "header", "body"] = Field(default="query", alias="in")
    required: bool = False
    description: str = ""


class CustomTool(BaseModel):
    """A tool of one's own: a call of this gateway, under a name and with words that a model understands (12.8)."""

    model_config = ConfigDict(populate_by_name=True)

    name: str = Field(pattern=r"^[A-Za-z0-9_.-]{1,64}$")
    description: str = ""
    tool_type: Literal["api", "function"] = _named("tool_type", "toolType", "api")
    http_method: Literal["GET", "POST", "PUT", "PATCH", "DELETE"] = _named("http_method", "httpMethod", "GET")
    url: str = ""
    parameters: list[CustomParameter] = []
    headers: dict[str, str] = {}
    enabled: bool = True


class McpConfig(Config):
    """What a server offers, to whom, and how."""

    exposed_services: list[str] | None = Field(
        default=None,
        title="Exposed Services",
        description="Names of the services that tools may use; all that the caller may use unless given.",
    )
    tool_style: Literal["merged", "prefixed"] | None = Field(
        default="merged",
        title="Tool Style",
        description="One tool for all services with a parameter 'service', or one for each, named '{service}_{tool}'.",
    )
    lazy_mode: Literal["auto", "on", "off"] = Field(
        default="auto",
        title="Lazy Mode",
        description="Offer a few tools with which to find and call the others: always, never, or when there are many.",
    )
    allow_writes: bool = Field(
        default=True,
        title="Allow Writes",
        description="Offer tools that change something. Without them nothing is written, whatever the caller's role.",
    )
    allow_api_key_auth: bool = Field(
        default=False,
        title="Allow API Keys Alone",
        description="Accept an API key without a session; the role of its application then counts.",
    )
    require_role_access: bool = Field(
        default=True,
        title="Require Role Access",
        description="Only let in whose role grants something on this service itself.",
    )
    app_id: int | None = Field(
        default=None,
        title="Application",
        description="Id of the application whose roles count for sessions that send no API key; any role of the user's "
        "unless given.",
    )
    oauth_client_id: str | None = Field(
        default=None,
        title="Client Id",
        description="Of the OAuth client that is configured here; made when the server is. Others register themselves.",
    )
    oauth_client_secret: Secret | None = Field(
        default=None,
        title="Client Secret",
        description="What that client has to send; none for clients that can not keep a secret.",
    )
    redirect_uris: list[str] = Field(
        default=[],
        title="Allowed Redirect URIs",
        description="Where that client may be told codes; others may name these too, beside https and this machine.",
    )
    max_output: int = Field(
        default=50_000,
        ge=1000,
        title="Most Characters of a Result",
        description="Longer results are cut, and say so.",
    )
    disabled_tools: list[str] = Field(
        default=[], title="Disabled Tools", description="Names of tools that are not offered."
    )
    custom_tools: list[CustomTool] = Field(
        default=[], title="Custom Tools", description="Tools of your own, which are calls of this gateway."
    )

    @classmethod
    def merged(cls, stored: dict[str, Any], given: dict[str, Any], vault: Vault) -> dict[str, Any]:
        """Answer what to store; names of consoles and of the first release are taken too (12.1)."""
        given = {_OTHER_NAMES.get(name, name): value for name, value in given.items()}
        if given.get("api_name") and not given.get("exposed_services"):
            given["exposed_services"] = [given["api_name"]]
        if not given.get("oauth_client_id"):
            given["oauth_client_id"] = stored.get("oauth_client_id") or secrets.token_hex(16)
        return super().merged(stored, given, vault)

    @classmethod
    def schema_entries(cls) -> list[dict[str, Any]]:
        """Render the fields that forms show."""
        return [one for one in super().schema_entries() if one["name"] not in _HIDDEN]

    @classmethod
    def check(cls, values: dict[str, Any]) -> Self:
        """Validate plain values; lists that are null are empty."""
        return super().check({name: one for name, one in values.items() if one is not None or name not in _HIDDEN})


class Mcp(Service):
    """A Model Context Protocol server; the protocol itself is spoken at ``/mcp/{service}``."""

    label = "MCP Server Service"
    description = "Lets assistants use services as tools, with the rights of whoever they work for."
    group = "MCP"
    config: McpConfig
    operations: ClassVar[dict[str, Operation]] = {
        "GET": Operation("Tell where the server is.", "Endpoint", reply=_ENDPOINT),
        "POST": Operation("Tell that the server can be used, and where it is.", "Check", reply=_CHECKED),
    }

    @property
    def audience(self) -> str:
        """What tokens are issued for that are good here alone; the same under whatever name the server is reached."""
        return f"mcp:{self.record.id}:{self.name}"

    @property
    def endpoint(self) -> str:
        """The address that clients are given; by APP_URL, never by the Host of a request."""
        return f"{self.app.settings.app_url.rstrip('/')}/mcp/{self.name}"

    async def get(self, _call: Call, _rest: tuple[str, ...]) -> dict[str, Any]:
        """Tell where the server is."""
        return {"service_id": self.record.id, "api_name": self.name, "mcp_endpoint": self.endpoint}

    async def post(self, _call: Call, _rest: tuple[str, ...]) -> dict[str, Any]:
        """Tell that the server can be used, and where it is."""
        told = {"api_name": self.name, "mcp_endpoint": self.endpoint}
        return {"ok": True, "message": "The server is ready.", "server": told}


def server_of(app: App, name: str) -> Mcp | None:
    """Find an active server by its name."""
    record = app.directory.snapshot.services.get(name.lower())
    kind: type[Service] | None = app.registry.find(record.type) if record is not None else None
    if record is None or not record.is_active or kind is None or not issubclass(kind, Mcp):
        return None
    server = app.services.of(record)
    assert isinstance(server, Mcp)  # noqa: S101 - as its type is
    return server
