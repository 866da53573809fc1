"""What a directory that does not do its part is told as; never in its own words, which name hosts and people (D10)."""

from __future__ import annotations

from trunkline.errors import BadGateway, GatewayTimeout, Unauthorized, Unavailable

_RETRY_AFTER = "5"


def unavailable() -> Unavailable:
    """Make the error for a directory that is not there just now."""
    return Unavailable("The directory server is not available.", headers={"Retry-After": _RETRY_AFTER})


def too_slow() -> GatewayTimeout:
    """Make the error for a directory that does not answer."""
    return GatewayTimeout("The directory server did not answer in time.")


def distrusted() -> BadGateway:
    """Make the error for a certificate that nobody vouches for, or that is another server's."""
    return BadGateway("The directory server's certificate is not trusted.")


def refused(what: str = "what this service asks of it") -> BadGateway:
    """Make the error for a directory that refuses the service itself."""
    return BadGateway(f"The directory server refuses {what}.")


def nonsense() -> BadGateway:
    """Make the error for answers that are none."""
    return BadGateway("The directory server gave an answer that can not be understood.")


def invalid() -> Unauthorized:
    """Make the one error for everybody who is not let in, whatever the reason (checklist 17)."""
    return Unauthorized("Invalid username and password provided.")
