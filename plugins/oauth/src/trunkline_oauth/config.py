"""Configuration of OAuth services (connectors 13.1); the last fields are ours, for providers that are elsewhere."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

from pydantic import field_validator

from trunkline import Field, Secret
from trunkline.config import MULTILINE
from trunkline.outgoing import BadAddress, parsed_url
from trunkline_user.external import ExternalConfig


def address(text: str | None) -> str | None:
    """Check that a field is an address on the web or blank; raises ValueError."""
    text = (text or "").strip()
    if not text:
        return None
    try:
        parsed_url(text)
    except BadAddress:
        raise ValueError("it must begin with http:// or https:// and name a host") from None
    return text


class ClientConfig(ExternalConfig):
    """What every service has that is a client of a provider."""

    client_id: str = Field(title="Client ID", description="Id of this application at the provider.", min_length=1)
    client_secret: Annotated[Secret, MULTILINE] = Field(
        title="Client Secret", description="Secret of this application at the provider."
    )
    redirect_url: str = Field(
        title="Redirect URL",
        description="Where the provider sends browsers back to, as it is registered there: a page of the client, or "
        "/api/v2/{name of this service}/sso.",
        min_length=1,
    )
    icon_class: str | None = Field(default=None, title="Icon Class", description="CSS class for the login button.")
    allow_new_users: bool = Field(
        default=True,
        title="Allow New User Creation",
        description="Make an account for who comes for the first time; otherwise only those who have one get in.",
    )
    # The order of the form; fields that are not named stand at its end.
    form: ClassVar[tuple[str, ...]] = ()

    @field_validator("redirect_url")
    @classmethod
    def _leads_back(cls, text: str) -> str | None:
        return address(text)

    @classmethod
    def schema_entries(cls) -> list[dict[str, Any]]:
        """Render the fields in the order that forms have always had."""
        order = {name: at for at, name in enumerate(cls.form)}
        return sorted(super().schema_entries(), key=lambda entry: order.get(entry["name"], len(order)))


class OAuthConfig(ClientConfig):
    """Who we are to the provider, and what its users are here."""

    custom_provider: bool = Field(
        default=False,
        title="Use custom OAuth 2.0 provider for this type",
        description="Kept, without effect: the fields at the end say where another provider is.",
    )
    authorize_url: str | None = Field(
        default=None, title="Authorization URL", description="Page for browsers, instead of the provider's usual one."
    )
    token_url: str | None = Field(
        default=None, title="Token URL", description="Endpoint for tokens, instead of the usual one."
    )
    user_url: str | None = Field(
        default=None, title="User URL", description="Endpoint that says who somebody is, instead of the usual one."
    )
    scopes: str | None = Field(
        default=None, title="Scopes", description="What to ask for, separated by blanks, instead of the usual."
    )
    form: ClassVar[tuple[str, ...]] = (
        *("default_role", "client_id", "client_secret", "redirect_url", "icon_class", "custom_provider"),
        *("allow_new_users", "app_role_map"),
    )

    @field_validator("authorize_url", "token_url", "user_url")
    @classmethod
    def _is_an_address(cls, text: str | None) -> str | None:
        return address(text)
