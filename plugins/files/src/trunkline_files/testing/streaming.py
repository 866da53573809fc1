"""StreamingSuite: large files through a served gateway, in constant memory, and what happens when somebody dies.

Subclass it with ``service_type`` and a ``config`` fixture, as the other suite. It starts gateways in processes of their
own. ``TRUNKLINE_TEST_BYTES`` is the size of its file, 256 MiB unless set.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import random
import signal
import socket
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, ClassVar

import httpx2
import pytest

from trunkline.testing import Gateway
from trunkline.testing.fixtures import settings_for

SIZE = int(os.environ.get("TRUNKLINE_TEST_BYTES", 256 * 2**20))
MOST_GROWTH = 30 * 1024  # KiB
_BLOCK = 1 << 20
_PATIENCE = 60.0
_CHANCE = random.Random(7).randbytes(_BLOCK - 8)


def blocks(size: int) -> Iterator[bytes]:
    """Yield bytes that cannot be compressed, no block like another."""
    for number in range(0, size, _BLOCK):
        yield (number.to_bytes(8, "big") + _CHANCE)[: size - number]


def digest(pieces: Iterable[bytes]) -> str:
    """Answer the SHA-256 of what is streamed."""
    found = hashlib.sha256()
    for piece in pieces:
        found.update(piece)
    return found.hexdigest()


class Served:
    """A gateway in a process of its own, with a service ``store``; it can be killed and started again."""

    def __init__(self, storage: Path, service_type: str, config: dict[str, Any]) -> None:
        """Configure it; ``start`` starts."""
        self._storage = storage
        with Gateway(settings_for(storage)) as gateway:
            gateway.create_service("store", service_type, config)
            role = gateway.create_role([{"service": "store", "component": "*", "verb_mask": 31}])
            role_key = gateway.create_app(role)["api_key"]
            secret = gateway.app.settings.app_key
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port: int = free.getsockname()[1]
        self._environment = {
            "PATH": os.environ.get("PATH", ""), "HOME": str(storage), "TRUNKLINE_STORAGE": str(storage),
            "LOG_CHANNEL": str(storage / "log"), "APP_KEY": secret.get_secret_value() if secret else "",
            "TRUNKLINE_OUTGOING_NETWORKS": "127.0.0.0/8",
        }  # fmt: skip
        self.headers = {"X-DreamFactory-Api-Key": role_key}
        self.client = httpx2.Client(
            base_url=f"http://127.0.0.1:{self.port}/api/v2/store/", headers=self.headers, timeout=300
        )
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it and wait until it answers."""
        program = Path(sys.executable).with_name("trunkline")
        command = [str(program), "serve", "--port", str(self.port)]
        self._process = subprocess.Popen(command, env=self._environment, cwd=self._storage)
        deadline = time.monotonic() + _PATIENCE
        while time.monotonic() < deadline:
            with contextlib.suppress(httpx2.TransportError):
                if httpx2.get(f"http://127.0.0.1:{self.port}/status").status_code:
                    return
            time.sleep(0.05)
        raise TimeoutError("the gateway did not start")

    def end(self, how: signal.Signals = signal.SIGTERM) -> None:
        """End it."""
        if self._process is not None:
            self._process.send_signal(how)
            self._process.wait(timeout=_PATIENCE)
            self._process = None

    def memory(self, figure: str) -> int:
        """Read VmRSS, or its highest value VmHWM, in KiB."""
        assert self._process is not None
        lines = Path(f"/proc/{self._process.pid}/status").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith(figure))

    @contextlib.contextmanager
    def constant_memory(self) -> Iterator[None]:
        """Fail when the process grows by more than is allowed beyond what it was at the start."""
        assert self._process is not None
        # From now on the highest value is that since now.
        Path(f"/proc/{self._process.pid}/clear_refs").write_text("5")
        before = self.memory("VmRSS")
        yield
        grown = self.memory("VmHWM") - before
        print(f"grown by {grown / 1024:.1f} MB")  # noqa: T201 - a figure for whoever asks with -s
        assert grown <= MOST_GROWTH

    def stored(self, path: str) -> tuple[int, str] | None:
        """Answer length and digest of a file, None where there is none."""
        found, length = hashlib.sha256(), 0
        with self.client.stream("GET", path) as reply:
            if reply.status_code == 404:
                return None
            assert reply.status_code == 200, reply.read()
            for piece in reply.iter_bytes(_BLOCK):
                found.update(piece)
                length += len(piece)
        return length, found.hexdigest()

    def broken(self, path: str, sent: int, announced: int) -> socket.socket:
        """Begin an upload that announces more than it sends; the connection stays open."""
        one = socket.create_connection(("127.0.0.1", self.port))
        head = f"PUT /api/v2/store/{path} HTTP/1.1\r\nHost: x\r\nContent-Length: {announced}\r\n"
        head += "".join(f"{name}: {value}\r\n" for name, value in self.headers.items())
        one.sendall(f"{head}\r\n".encode())
        for block in blocks(sent):
            one.sendall(block)
        return one


@pytest.mark.slow
class StreamingSuite:
    """What every file service promises of large files."""

    service_type: ClassVar[str]
    #: Whether to try every way in and out; one is enough where only the store differs.
    every_way: ClassVar[bool] = False

    @pytest.fixture
    def config(self) -> dict[str, Any]:
        """A configuration that works; override it."""
        raise NotImplementedError

    @pytest.fixture
    def served(self, config: dict[str, Any], tmp_path: Path) -> Iterator[Served]:
        """A gateway that has done a little of everything."""
        made = Served(tmp_path / "storage", self.service_type, config)
        made.start()
        try:
            for _ in range(3):
                assert made.client.put("warm.bin", content=b"".join(blocks(12 * _BLOCK))).status_code == 201
                assert made.client.get("warm.bin").status_code == 200
            yield made
        finally:
            made.client.close()
            made.end()

    def test_a_large_file_goes_in_and_out_in_constant_memory(self, served: Served) -> None:
        wanted = (SIZE, digest(blocks(SIZE)))
        with served.constant_memory():
            reply = served.client.put("big.bin", content=blocks(SIZE), headers={"Content-Length": str(SIZE)})
            assert reply.status_code == 201, reply.text
            assert served.stored("big.bin") == wanted
            middle = {"Range": f"bytes={SIZE // 2}-{SIZE // 2 + 9}"}
            assert len(served.client.get("big.bin", headers=middle).content) == 10
        if self.every_way:
            self._other_ways(served, wanted)
        assert served.client.delete("big.bin").status_code == 200

    def _other_ways(self, served: Served, wanted: tuple[int, str]) -> None:
        with served.constant_memory():
            # Without a length, in chunks.
            assert served.client.post("chunked.bin", content=blocks(SIZE)).status_code == 201
            assert served.stored("chunked.bin") == wanted
            self._form(served)
            assert served.stored("form.bin") == wanted
            (key,) = served.headers.values()
            url = f"http://127.0.0.1:{served.port}/api/v2/store/big.bin?api_key={key}"
            assert served.client.post("", params={"url": url, "filename": "fetched.bin"}).status_code == 201
            assert served.stored("fetched.bin") == wanted
            self._resumed(served)
            assert served.stored("resumed.bin") == wanted
        for name in ("chunked.bin", "form.bin", "fetched.bin", "resumed.bin"):
            assert served.client.delete(name).status_code == 200
        self._archived(served, wanted)

    @staticmethod
    def _form(served: Served) -> None:
        head = b'--b\r\nContent-Disposition: form-data; name="files"; filename="form.bin"\r\n\r\n'
        pieces = (piece for some in ((head,), blocks(SIZE), (b"\r\n--b--\r\n",)) for piece in some)
        kind = {"Content-Type": "multipart/form-data; boundary=b"}
        assert served.client.post("", content=pieces, headers=kind).status_code == 201

    @staticmethod
    def _resumed(served: Served) -> None:
        spoken = {"Tus-Resumable": "1.0.0"}
        reply = served.client.post("resumed.bin", headers={**spoken, "Upload-Length": str(SIZE)})
        assert reply.status_code == 201
        kind = {**spoken, "Content-Type": "application/offset+octet-stream"}
        offset, source = 0, blocks(SIZE)
        while offset < SIZE:
            some = [block for _, block in zip(range(100), source, strict=False)]
            told = {**kind, "Upload-Offset": str(offset)}
            reply = served.client.patch(reply.headers.get("location", str(reply.url)), content=iter(some), headers=told)
            assert reply.status_code == 204, reply.text
            offset += sum(map(len, some))

    def _archived(self, served: Served, wanted: tuple[int, str]) -> None:
        archive = served._storage / "big.zip"
        assert served.client.post("folder/").status_code == 201
        one = {"type": "file", "source_path": "big.bin"}
        assert served.client.post("folder/", json={"resource": [one]}).status_code == 201
        with served.constant_memory():
            with served.client.stream("GET", "folder/", params={"zip": "true"}) as reply, archive.open("wb") as file:
                for piece in reply.iter_bytes(_BLOCK):
                    file.write(piece)
            assert served.client.delete("folder/", params={"force": "true"}).status_code == 200
            with zipfile.ZipFile(archive) as packed:
                (inside,) = [name for name in packed.namelist() if name.endswith("big.bin")]
            with archive.open("rb") as file:
                reply = served.client.post("archive.zip", content=file, params={"extract": "true"})
            assert reply.status_code == 201, reply.text
            assert served.stored(inside) == wanted
        archive.unlink()
        assert served.client.delete(inside).status_code == 200

    def test_a_client_that_leaves_amid_an_upload_leaves_nothing(self, served: Served) -> None:
        served.client.put("kept.bin", content=b"old")
        for path in ("kept.bin", "new.bin"):
            served.broken(path, 20 * _BLOCK, 40 * _BLOCK).close()
        time.sleep(0.5)
        assert served.client.get("kept.bin").content == b"old"
        assert served.client.get("new.bin").status_code == 404
        assert self._names(served) == ["kept.bin", "warm.bin"]

    def test_a_gateway_that_is_killed_amid_an_upload_leaves_nothing(self, served: Served) -> None:
        """Checklist 33."""
        served.client.put("kept.bin", content=b"old")
        left = [served.broken(path, 20 * _BLOCK, 40 * _BLOCK) for path in ("kept.bin", "new.bin")]
        served.end(signal.SIGKILL)
        for one in left:
            one.close()
        served.start()
        assert served.client.get("kept.bin").content == b"old"
        assert served.client.get("new.bin").status_code == 404
        assert self._names(served) == ["kept.bin", "warm.bin"]

    @staticmethod
    def _names(served: Served) -> list[str]:
        listed: list[str] = served.client.get("", params={"as_list": "true"}).json()["resource"]
        return listed
