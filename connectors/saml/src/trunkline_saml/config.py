"""Configuration of SAML services, by the names that records have always had (connectors 13.3); the last are ours."""

from __future__ import annotations

import re
from typing import Annotated, Any, Self

from pydantic import field_validator, model_validator

from trunkline import Field, Secret
from trunkline.config import MULTILINE
from trunkline_oauth.config import address
from trunkline_user.external import ExternalConfig

_PEM = re.compile(r"-----BEGIN CERTIFICATE-----(.*?)-----END CERTIFICATE-----", re.DOTALL)
_BASE64 = re.compile(r"[A-Za-z0-9+/=\s]+")


def certificates(text: str | None) -> list[str]:
    """Answer the certificates in a text, in PEM or bare, as base64; raises ValueError for anything else."""
    found = _PEM.findall(text or "") or ([text] if text and text.strip() else [])
    if not all(_BASE64.fullmatch(one) for one in found):
        raise ValueError("it must be a certificate in PEM")
    return ["".join(one.split()) for one in found]


class SamlConfig(ExternalConfig):
    """Who the identity provider is, who we are to it, and where browsers go after a login."""

    sp_nameIDFormat: Annotated[str, MULTILINE] = Field(  # noqa: N815
        default="urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress",
        title="SP NameIDFormat",
        description="The kind of name that the provider is asked for.",
    )
    sp_x509cert: Annotated[str | None, MULTILINE] = Field(
        default=None, title="SP x509cert", description="Our certificate, for what is encrypted for us."
    )
    sp_privateKey: Annotated[Secret | None, MULTILINE] = Field(  # noqa: N815
        default=None, title="SP Private Key", description="Our key; with it our requests are signed."
    )
    relay_state: Annotated[str | None, MULTILINE] = Field(
        default=None,
        title="Relay State",
        description="Page to which browsers go, with _token_ where the session token is to stand; blank answers JSON.",
    )
    idp_entityId: Annotated[str, MULTILINE] = Field(  # noqa: N815
        title="IdP EntityId", description="The provider's name for itself.", min_length=1
    )
    idp_singleSignOnService_url: Annotated[str, MULTILINE] = Field(  # noqa: N815
        title="IdP SSO service URL", description="The provider's page for logins."
    )
    idp_x509cert: Annotated[str | None, MULTILINE] = Field(
        default=None,
        title="IdP x509cert",
        description="The provider's certificate for signatures; several while it changes.",
        validate_default=True,
    )
    icon_class: str | None = Field(default=None, title="Icon Class", description="CSS class for the login button.")
    idp_singleLogoutService_url: str | None = Field(  # noqa: N815
        default=None, title="IdP SLO service URL", description="The provider's page for logging out everywhere."
    )
    allow_idp_initiated: bool = Field(
        default=False,
        title="Allow IdP Initiated",
        description="Take logins that begin at the provider; whoever has one could bring somebody else into it.",
    )
    want_encrypted: bool = Field(
        default=False, title="Demand Encryption", description="Refuse assertions that are not encrypted for us."
    )

    @field_validator("idp_singleSignOnService_url", "idp_singleLogoutService_url")
    @classmethod
    def _is_an_address(cls, text: str | None) -> str | None:
        return address(text)

    @field_validator("idp_singleSignOnService_url")
    @classmethod
    def _is_given(cls, text: str | None) -> str:
        if not text:
            raise ValueError("it must be given")
        return text

    @field_validator("sp_x509cert")
    @classmethod
    def _is_a_certificate(cls, text: str | None) -> str | None:
        certificates(text)
        return text

    @field_validator("idp_x509cert")
    @classmethod
    def _signs(cls, text: str | None) -> str | None:
        if not certificates(text):
            raise ValueError("a certificate must be given, since only signatures say who speaks")
        return text

    @model_validator(mode="after")
    def _can_decrypt(self) -> Self:
        if self.want_encrypted and not (self.sp_privateKey and self.sp_x509cert):
            raise ValueError("With want_encrypted sp_x509cert and sp_privateKey are required")
        return self

    @classmethod
    def schema_entries(cls) -> list[dict[str, Any]]:
        """Render the fields in the order that forms have always had."""
        last = ("app_role_map", "idp_singleLogoutService_url", "allow_idp_initiated", "want_encrypted")
        order = {name: at for at, name in enumerate(last)}
        return sorted(super().schema_entries(), key=lambda entry: order.get(entry["name"], -1))
