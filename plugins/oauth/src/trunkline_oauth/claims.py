"""Who somebody is by the standard claims of OpenID Connect (Core 5.1)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from trunkline_user.external import Identity


def text(told: Mapping[str, Any], name: str) -> str | None:
    """Answer a text of a reply; a number counts as one, anything else as missing."""
    value = told.get(name)
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return value if isinstance(value, str) and value else None


def identity_of(claims: Mapping[str, Any]) -> Identity:
    """Make an identity of claims; the address is verified only where the provider says that it is."""
    return Identity(
        subject=text(claims, "sub") or "",
        email=text(claims, "email"),
        # Some providers send the word.
        email_is_verified=claims.get("email_verified") in (True, "true"),
        name=text(claims, "name") or text(claims, "preferred_username"),
        first_name=text(claims, "given_name"),
        last_name=text(claims, "family_name"),
    )
