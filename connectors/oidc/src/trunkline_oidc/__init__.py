"""Logging in with any OpenID Connect provider, and with the tokens that it issues."""

from trunkline_oidc.service import Oidc, OidcConfig

__all__ = ["Oidc", "OidcConfig"]
