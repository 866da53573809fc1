"""How long tokens live and can be refreshed, minute by minute (system-api 9.2)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from trunkline.errors import TrunklineError
from trunkline.testing import Gateway
from trunkline.testing.fixtures import settings_for

TTL, WINDOW = 60, 180
USE, REFRESH = "use", "refresh"
EXPIRED, TOO_LATE, DEAD = "Token has expired: Session expired.", "can no longer be refreshed", "blacklisted"
Step = tuple[float, str, int, str]

# What is done when (minutes after the login), with which token (each refresh adds one), and what is said.
ORDINARY: list[Step] = [
    (0, USE, 0, ""), (59.9, USE, 0, ""), (60, USE, 0, EXPIRED), (179.9, USE, 0, EXPIRED), (179.9, REFRESH, 0, ""),
    (179.9, USE, 1, ""), (180, REFRESH, 0, TOO_LATE), (239.8, USE, 1, ""), (181, REFRESH, 1, TOO_LATE),
    (240, USE, 1, EXPIRED),
]  # fmt: skip
CHAIN: list[Step] = [
    (50, REFRESH, 0, ""), (50, USE, 0, DEAD), (50, REFRESH, 0, DEAD), (100, REFRESH, 1, ""), (150, REFRESH, 2, ""),
    (150, USE, 2, DEAD), (179, USE, 3, ""), (181, REFRESH, 3, TOO_LATE), (209, USE, 3, ""), (211, USE, 3, EXPIRED),
]  # fmt: skip
FOREVER: list[Step] = [
    (179, REFRESH, 0, ""), (357, REFRESH, 1, ""), (535, REFRESH, 2, ""), (535, USE, 3, ""), (596, USE, 3, EXPIRED),
    (714, REFRESH, 3, ""), (895, REFRESH, 4, TOO_LATE),
]  # fmt: skip
TOO_LATE_FOR_EVER: list[Step] = [(180, REFRESH, 0, TOO_LATE), (500, REFRESH, 0, TOO_LATE)]


@pytest.mark.parametrize(
    ("allowed", "asked", "steps"),
    [
        (False, False, ORDINARY), (False, False, CHAIN), (True, False, ORDINARY), (True, False, CHAIN),
        # Asked for and not allowed is like not asked for.
        (False, True, ORDINARY), (False, True, CHAIN), (True, True, FOREVER), (True, True, TOO_LATE_FOR_EVER),
    ],
)  # fmt: skip
def test_tokens_by_the_clock(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, allowed: bool, asked: bool, steps: list[Step]
) -> None:
    now = 1_800_000_000.0
    monkeypatch.setattr("trunkline.sessions.time.time", lambda: now)
    settings = settings_for(
        tmp_path, jwt_ttl=TTL, jwt_refresh_ttl=WINDOW, forever_sessions=allowed, cache_driver="memory"
    )
    with Gateway(settings) as gateway:
        sessions, start = gateway.app.sessions, now
        tokens = [sessions.issue(gateway.create_user("someone@example.com"), forever=asked)]
        for minutes, action, which, says in steps:
            now = start + minutes * 60
            said = ""
            try:
                if action == USE:
                    _run(gateway, sessions.verify, tokens[which])
                else:
                    tokens.append(_run(gateway, sessions.refresh, tokens[which])[0])
            except TrunklineError as error:
                said = error.message
            assert bool(said) == bool(says), (minutes, action, which, said)
            assert says in said, (minutes, action, which)


def _run(gateway: Gateway, function: Any, *arguments: Any) -> Any:
    portal = gateway._http.portal
    assert portal is not None
    return portal.call(function, *arguments)
