"""What all services share by which users log in with accounts that they have elsewhere."""

from trunkline_oauth.config import ClientConfig, OAuthConfig
from trunkline_oauth.oauth1 import OAuth1Service
from trunkline_oauth.oauth2 import CodeFlow, OAuth2Service
from trunkline_oauth.provider import Endpoints, Tokens
from trunkline_user.external import Identity

__all__ = [
    "ClientConfig",
    "CodeFlow",
    "Endpoints",
    "Identity",
    "OAuth1Service",
    "OAuth2Service",
    "OAuthConfig",
    "Tokens",
]
