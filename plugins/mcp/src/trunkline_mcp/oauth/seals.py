"""Text that only this instance can make and read, for one purpose, until it ends."""

from __future__ import annotations

import time
from typing import Any

from trunkline import json
from trunkline.errors import InternalError
from trunkline.vault import MARK, Vault


class Seals:
    """Makes and opens seals of one server; those of another are as good as none."""

    def __init__(self, vault: Vault, server_id: int) -> None:
        """Use the instance's key."""
        self._vault = vault
        self._server_id = server_id

    def seal(self, purpose: str, data: Any, seconds: int | None = None) -> str:
        """Seal data, for ever or for some seconds."""
        ends = int(time.time()) + seconds if seconds is not None else None
        return self._vault.encrypt(json.dumps([purpose, self._server_id, ends, data]).decode()).removeprefix(MARK)

    def open(self, purpose: str, text: str) -> Any:
        """Answer what was sealed; None for what is not ours, is for something else, or has ended."""
        try:
            made_for, server_id, ends, data = json.loads(self._vault.decrypt(MARK + text))
        except (InternalError, ValueError):
            return None
        if (made_for, server_id) != (purpose, self._server_id) or (ends is not None and ends < time.time()):
            return None
        return data
