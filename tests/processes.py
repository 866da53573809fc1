"""Start a gateway as its users do, in a process of its own, and stop it with Ctrl-C."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2

TRUNKLINE = Path(sys.executable).with_name("trunkline")
# Seconds that a program may live at most, so that nothing hangs.
PATIENCE = 300.0


def free_port() -> int:
    """Find a port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


def clean_environment(**more: str) -> dict[str, str]:
    """Take over what programs need, but no setting of a gateway and no import path of this test run."""
    kept = ("PATH", "HOME", "LANG", "TMPDIR", "SYSTEMROOT")
    return {name: os.environ[name] for name in kept if name in os.environ} | more


@contextmanager
def started(*command: str | Path, cwd: Path, env: Mapping[str, str] | None = None) -> Iterator[subprocess.Popen[str]]:
    """Run a program until the block ends, then interrupt it as Ctrl-C does; kill it when it overstays."""
    with subprocess.Popen(
        list(map(str, command)), cwd=cwd, env=env or clean_environment(), stdout=subprocess.PIPE, text=True
    ) as process:
        guard = threading.Timer(PATIENCE, process.kill)
        guard.start()
        try:
            yield process
            interrupt(process)
        finally:
            guard.cancel()
            process.kill()


@contextmanager
def demo(folder: Path) -> Iterator[dict[str, Any]]:
    """Serve a demo of one's own, to whose data anything may be done; yields what ``--json`` prints."""
    command = (TRUNKLINE, "demo", "--json", "--port", str(free_port()), "--dir", "d")
    with started(*command, cwd=folder) as process:
        assert process.stdout is not None
        yield json.loads(process.stdout.readline())
        interrupt(process)


@contextmanager
def served(folder: Path, **settings: str) -> Iterator[int]:
    """Set a gateway up in a folder and serve it with these environment variables; yields its port."""
    port = free_port()
    environment = clean_environment(TRUNKLINE_STORAGE=str(folder), **settings)
    login = ("--admin-email", "admin@example.com", "--admin-password", "a long enough password")
    subprocess.run([TRUNKLINE, "setup", *login], env=environment, check=True, capture_output=True, cwd=folder)
    with started(TRUNKLINE, "serve", "--port", str(port), cwd=folder, env=environment):
        answering(f"http://127.0.0.1:{port}").close()
        yield port


def interrupt(process: subprocess.Popen[str]) -> None:
    """Press Ctrl-C, unless the program has ended already, and wait for its end."""
    process.send_signal(signal.SIGINT)
    process.wait(timeout=30)


def answering(url: str) -> httpx2.Client:
    """Wait until a gateway answers and give a client for it."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        try:
            if httpx2.get(f"{url}/status").status_code == 200:
                return httpx2.Client(base_url=url, timeout=30)
        except httpx2.TransportError:
            time.sleep(0.05)
    raise TimeoutError(url)


def log_in(client: httpx2.Client, email: str, password: str) -> None:
    """Log in as an admin; later calls of the client carry the session."""
    reply = client.post("/api/v2/system/admin/session", json={"email": email, "password": password})
    assert reply.status_code == 200, reply.text
    client.headers["X-DreamFactory-Session-Token"] = reply.json()["session_token"]
