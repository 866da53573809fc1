"""What a cache that does not do its part is told as; never in its own words, which name hosts (D10)."""

from __future__ import annotations

from trunkline.errors import BadGateway, GatewayTimeout, TooLarge, Unavailable

_RETRY_AFTER = "5"


def unavailable() -> Unavailable:
    """Make the error for a cache that is not there just now."""
    return Unavailable("The cache is not available.", headers={"Retry-After": _RETRY_AFTER})


def too_slow() -> GatewayTimeout:
    """Make the error for a cache that does not answer."""
    return GatewayTimeout("The cache did not answer in time.")


def refused() -> BadGateway:
    """Make the error for a cache that refuses the login, or what it is asked."""
    return BadGateway("The cache refuses what this service asks of it.")


def too_large() -> TooLarge:
    """Make the error for a value that a cache has no room for."""
    return TooLarge("The value is larger than the cache takes.")
