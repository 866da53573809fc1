"""Judging tokens that a provider has signed (OpenID Connect Core 3.1.3.7, checklist 16)."""

from __future__ import annotations

import binascii
import hmac
import time
from base64 import urlsafe_b64decode
from typing import Any, TypeGuard

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from trunkline import json
from trunkline.errors import BadRequest, Unauthorized

# Signatures by keys that only the provider has; what is not listed is not taken, whatever a token says.
_ALGORITHMS = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "Ed25519", "EdDSA"]
# Seconds by which clocks may differ.
_SKEW = 60


class UnknownKey(Unauthorized):
    """No key that is known fits; the provider may have others by now."""


def failed(what: str) -> Unauthorized:
    """Say what of a token was not as it should be, in the original's words."""
    return Unauthorized(f"Failed to verify ID Token {what}.")


def peeked(token: str) -> dict[str, Any]:
    """Read the claims of a token without believing them; empty for what is none."""
    try:
        part = token.split(".")[1]
        found = json.loads(urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    except (IndexError, ValueError, binascii.Error, BadRequest):
        return {}
    return found if isinstance(found, dict) else {}


def signed(token: str, keys: KeySet) -> dict[str, Any]:
    """Check a signature and answer the claims; raises UnknownKey and Unauthorized."""
    try:
        header = json.loads(urlsafe_b64decode(token.partition(".")[0] + "=="))
        if not isinstance(header, dict) or header.get("alg") not in _ALGORITHMS:
            raise failed("signature")
        known = {key.kid for key in keys.keys}
        if header.get("kid") is not None and header["kid"] not in known:
            raise UnknownKey("Failed to verify ID Token signature.")
        return dict(jwt.decode(token, keys, algorithms=_ALGORITHMS).claims)
    except (JoseError, ValueError, TypeError, KeyError, binascii.Error, BadRequest) as error:
        # Without a name for it, a key may just be a new one.
        raise UnknownKey("Failed to verify ID Token signature.") from error


def check(claims: dict[str, Any], *, issuer: str | None, audience: str, nonce: str | None = None) -> None:
    """Check what a token is for: issuer, audience, time, and the login that it answers; raises Unauthorized."""
    now = time.time()
    if issuer is not None and claims.get("iss") != issuer:
        raise failed("issuer")
    intended = claims.get("aud")
    listed = intended if isinstance(intended, list) else [intended]
    if audience not in listed or (len(listed) > 1 and nonce is not None and claims.get("azp") != audience):
        raise failed("audience")
    expires, begins, issued = claims.get("exp"), claims.get("nbf"), claims.get("iat")
    if not _is_number(expires) or expires + _SKEW <= now:
        raise failed("expiration: it has expired")
    for one in (begins, issued):
        if one is not None and (not _is_number(one) or one - _SKEW > now):
            raise failed("time: it is not valid yet")
    if nonce is not None and not hmac.compare_digest(str(claims.get("nonce")).encode(), nonce.encode()):
        raise failed("nonce")


def _is_number(value: Any) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool)
