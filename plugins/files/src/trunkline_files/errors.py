"""Errors that stores tell of, beside those of the kernel."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from typing import ClassVar

from trunkline.errors import BadRequest, Forbidden, InternalError, NotFound, TrunklineError, Unavailable


class FileMissing(NotFound):
    """A file that is not there; raised by stores while they read, and where something is to be copied or moved."""

    def __init__(self, path: str) -> None:
        """Name the path as the client knows it."""
        super().__init__(f"The specified file '{path}' was not found in storage.")


class FileExists(BadRequest):
    """A file that is there already and was not to be replaced."""

    def __init__(self, path: str) -> None:
        """Name the path as the client knows it."""
        super().__init__(f"File '{path}' already exists.")


class StorageFull(TrunklineError):
    """There is no room left for what is to be stored."""

    status: ClassVar[int] = 507


class WrongOffset(TrunklineError):
    """A piece of a resumable upload that does not continue what is there."""

    status: ClassVar[int] = 409


class Locked(TrunklineError):
    """A resumable upload that somebody else is continuing just now."""

    status: ClassVar[int] = 423


class WrongVersion(TrunklineError):
    """A version of the protocol for resumable uploads that is not spoken here."""

    status: ClassVar[int] = 412


_UNREACHABLE = (
    errno.ECONNREFUSED,
    errno.ECONNRESET,
    errno.EHOSTUNREACH,
    errno.ENETUNREACH,
    errno.ETIMEDOUT,
    errno.EPIPE,
)


def unavailable(message: str = "The storage is not available.") -> Unavailable:
    """Make the error for a store that may be there later."""
    return Unavailable(message, headers={"Retry-After": "30"})


@contextmanager
def translated(path: str) -> Iterator[None]:
    """Turn what the system or a library raises into typed errors, without its words, which name places (D10)."""
    try:
        yield
    except TrunklineError:
        raise
    except (FileNotFoundError, NotADirectoryError):
        raise FileMissing(path) from None
    except (ConnectionError, TimeoutError, EOFError) as error:
        raise unavailable() from error
    except OSError as error:
        raise of_system(error, path) from error


def of_system(error: OSError, path: str) -> TrunklineError:
    """Choose the typed error for an error of the system."""
    match error.errno:
        case errno.ENOENT | errno.ENOTDIR | errno.ELOOP:
            return FileMissing(path)  # links lead nowhere here
        case errno.EEXIST:
            return FileExists(path)
        case errno.ENOTEMPTY:
            return BadRequest("The folder is not empty.")
        case errno.EISDIR:
            return BadRequest("There is a folder of that name.")
        case errno.ENAMETOOLONG | errno.EILSEQ:
            return BadRequest("The path has a name that the storage does not take.")
        case errno.EACCES | errno.EPERM | errno.EROFS:
            return Forbidden("The storage does not permit this.")
        case errno.ENOSPC | errno.EDQUOT | errno.EFBIG:
            return StorageFull("The storage is full.")
        case code if code in _UNREACHABLE:
            return unavailable()
    return InternalError("The storage failed.")
