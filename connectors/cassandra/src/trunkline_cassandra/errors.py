"""From the driver's errors to typed ones that tell nothing of CQL, values or addresses (D10)."""

from __future__ import annotations

import contextlib
import logging
import re
from collections.abc import Iterator
from typing import Any

from trunkline.errors import (
    BadGateway,
    BadRequest,
    Conflict,
    Forbidden,
    GatewayTimeout,
    TrunklineError,
    Unavailable,
)
from trunkline_database.store import StaleSchema

log = logging.getLogger(__name__)
_AGAIN = {"Retry-After": "1"}
_STALE = re.compile(
    r"undefined (column )?name|unconfigured table|unknown identifier|table .* does not exist", re.IGNORECASE
)


def duplicate() -> Conflict:
    """Build the refusal of a record whose key is there already."""
    return Conflict("A record with this value exists already.", context={"sqlstate": "23505"})


@contextlib.contextmanager
def translated(verb: str = "read") -> Iterator[None]:
    """Turn what the driver raises into typed errors; ``verb`` is ``define`` where structure is changed."""
    import cassandra
    from cassandra.cluster import NoHostAvailable
    from cassandra.connection import ConnectionException

    try:
        yield
    except TrunklineError:
        raise
    except NoHostAvailable as error:
        raise _unreachable(error) from error
    except (ConnectionException, cassandra.UnresolvableContactPoints, OSError) as error:
        raise _gone(error) from error
    except cassandra.AuthenticationFailed as error:
        raise _login(error) from error
    except (cassandra.Timeout, cassandra.OperationTimedOut) as error:
        raise GatewayTimeout("The database took too long.", headers=_AGAIN) from error
    except (cassandra.Unavailable, cassandra.CoordinationFailure) as error:
        log.warning("not enough nodes answered: %s", error)
        raise Unavailable("The database is busy. Try again.", headers=_AGAIN) from error
    except cassandra.AlreadyExists as error:
        raise Conflict("Something of this name exists already.") from error
    except cassandra.Unauthorized as error:
        raise Forbidden("The database does not permit this.") from error
    except cassandra.RequestValidationException as error:
        if verb != "define" and _STALE.search(str(error)):
            raise StaleSchema("The table is no longer as it was described. Try again.", headers=_AGAIN) from error
        log.info("the database refused a statement", exc_info=error)
        what = "this definition" if verb == "define" else "this request"
        raise BadRequest(f"The database refuses {what}: CQL has no such operation on these fields.") from error
    except (cassandra.DriverException, cassandra.RequestExecutionException) as error:
        log.warning("the database failed", exc_info=error)
        raise _gone(error) from error
    except (TypeError, ValueError, OverflowError) as error:
        log.warning("a value could not be sent", exc_info=error)
        raise BadRequest("A value has not the type of its field.", context={"sqlstate": "22000"}) from error


def _unreachable(error: Any) -> TrunklineError:
    """Tell why no node could be asked: the reasons stand beside their addresses."""
    import cassandra

    reasons = list(error.errors.values()) if isinstance(error.errors, dict) else []
    if any(isinstance(one, cassandra.AuthenticationFailed) for one in reasons):
        return _login(error)
    if reasons and all(isinstance(one, cassandra.OperationTimedOut | TimeoutError) for one in reasons):
        return GatewayTimeout("The database took too long.", headers=_AGAIN)
    return _gone(error)


def _login(error: Exception) -> BadGateway:
    log.warning("the database refuses the login: %s", error)
    return BadGateway("The database refuses the login of this service.")


def _gone(error: Exception) -> Unavailable:
    log.warning("the database can not be reached: %s", error)
    return Unavailable("The database can not be reached.", headers=_AGAIN)
