"""Where the demo listens: a port that is free, the address to print, and waiting until it answers."""

import errno
import socket
import time
from http.client import HTTPConnection, HTTPException

FIRST, LAST = 8080, 8179


def free_port(host: str, port: int = 0) -> int:
    """Answer the port if it is free, or without one the first free port from 8080 on; raises OSError."""
    for candidate in [port] if port else range(FIRST, LAST + 1):
        try:
            with socket.create_server((host, candidate), family=family(host)):
                return candidate
        except OSError as error:
            if port or error.errno != errno.EADDRINUSE:
                raise
    raise OSError(errno.EADDRINUSE, f"no port from {FIRST} to {LAST} is free")


def family(host: str) -> socket.AddressFamily:
    """Tell IPv6 addresses from everything else."""
    return socket.AF_INET6 if ":" in host else socket.AF_INET


def reachable(host: str) -> str:
    """Name a host under which this machine reaches what listens on `host`."""
    return {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - compared, not bound


def url(host: str, port: int) -> str:
    """Write the address as a browser wants it."""
    name = reachable(host)
    return f"http://[{name}]:{port}" if ":" in name else f"http://{name}:{port}"


def wait(host: str, port: int, seconds: float = 60.0) -> bool:
    """Wait until the gateway answers, and say whether it did."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        connection = HTTPConnection(reachable(host), port, timeout=5)
        try:
            connection.request("GET", "/status")
            with connection.getresponse() as response:
                if response.status == 200:
                    return True
        except (OSError, HTTPException):
            pass  # not there yet
        finally:
            connection.close()
        time.sleep(0.05)
    return False
