"""The errors that publishing has, in words that name neither hosts nor credentials (D10)."""

from __future__ import annotations

from trunkline.errors import BadGateway, GatewayTimeout, Unavailable

_RETRY_AFTER = "5"


def unavailable(message: str = "The broker is not available.") -> Unavailable:
    """Make the error for a broker that may be there later."""
    return Unavailable(message, headers={"Retry-After": _RETRY_AFTER})


def lost() -> Unavailable:
    """Make the error for a connection that ended first: nobody knows whether the broker has the message."""
    return unavailable("The connection to the broker was lost before it confirmed the message.")


def too_slow() -> GatewayTimeout:
    """Make the error for a broker that does not answer in time: nobody knows whether it has the message."""
    return GatewayTimeout("The broker did not confirm in time.", headers={"Retry-After": _RETRY_AFTER})


def busy() -> Unavailable:
    """Make the error for too much that waits for the broker already."""
    return unavailable("Too many messages wait for the broker.")


def refused_login() -> BadGateway:
    """Make the error for credentials that the broker does not take."""
    return BadGateway("The broker refused the login.")
