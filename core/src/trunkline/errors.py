"""Typed errors, and the one place that turns them into the error envelope of the REST dialect."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar


class TrunklineError(Exception):
    """A refusal or failure with an HTTP status; ``message`` and ``context`` are meant for the client.

    Never put SQL, paths, secrets or stacks into either: the cause belongs into ``__cause__`` and so into the log (D10).
    """

    status: ClassVar[int] = 500

    def __init__(
        self,
        message: str,
        *,
        context: Any = None,
        code: int | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """Remember what to tell the client; ``code`` is the application code, the HTTP status unless given."""
        super().__init__(message)
        self.message = message
        self.context = context
        self.code = self.status if code is None else code
        self.headers = dict(headers or {})

    def entry(self) -> dict[str, Any]:
        """Render the inner error object, as it also stands inside batch results."""
        return {"code": self.code, "context": self.context, "message": self.message, "status_code": self.status}


class BadRequest(TrunklineError):
    """The request cannot be understood or names something that is not there to be used."""

    status = 400


class BatchError(BadRequest):
    """Some records of a list failed; ``context`` has ``error`` (indexes) and ``resource`` (results in order)."""

    def __init__(self, message: str, *, errors: list[int], results: list[Any]) -> None:
        """Build the batch envelope of spec system-api 4.4; ``code`` is always 1000."""
        super().__init__(message, context={"error": errors, "resource": results}, code=1000)

    def first(self) -> tuple[int, str]:
        """Answer place and message of the first record that failed."""
        place: int = self.context["error"][0]
        return place, self.context["resource"][place]["message"]


class Unauthorized(TrunklineError):
    """The caller is not known, or no longer."""

    status = 401


class Forbidden(TrunklineError):
    """The caller is known and may not."""

    status = 403


class NotFound(TrunklineError):
    """There is no such service, resource or record."""

    status = 404


class MethodNotAllowed(TrunklineError):
    """The verb is not one of the dialect."""

    status = 405


class NotAcceptable(BadRequest):
    """No media type that the client accepts can be produced; a 400 in this dialect (system-api 3.2)."""


class Conflict(TrunklineError):
    """The write collides with what is stored."""

    status = 409


class TooSlow(TrunklineError):
    """The request body takes too long to come."""

    status = 408


class TooLarge(TrunklineError):
    """The request body exceeds the configured size."""

    status = 413


class TooManyRequests(TrunklineError):
    """The caller must slow down; carries ``Retry-After``."""

    status = 429

    def __init__(self, message: str, *, retry_after: int, context: Any = None) -> None:
        """Refuse for ``retry_after`` seconds."""
        super().__init__(message, context=context, headers={"Retry-After": str(max(1, retry_after))})


class InternalError(TrunklineError):
    """Something failed that is not the client's doing; the log has the cause."""


class NotSupported(TrunklineError):
    """The service type lacks this ability."""

    status = 501


class BadGateway(TrunklineError):
    """The target answered nonsense or refused the connection."""

    status = 502


class Unavailable(TrunklineError):
    """The target (or the package that serves it) is not there now."""

    status = 503


class GatewayTimeout(TrunklineError):
    """The target did not answer in time."""

    status = 504


def envelope(error: TrunklineError) -> dict[str, Any]:
    """Render the whole error body, ``{"error": {"code", "context", "message", "status_code"}}``."""
    return {"error": error.entry()}
