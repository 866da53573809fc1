"""Logging in by SAML 2.0."""

from trunkline_saml.config import SamlConfig
from trunkline_saml.service import Saml

__all__ = ["Saml", "SamlConfig"]
