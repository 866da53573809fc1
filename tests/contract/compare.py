"""Comparing an answer with a recorded one by meaning: key order, fresh ids and engines' own words do not count."""

from __future__ import annotations

import html
import json
from typing import Any

#: Keys whose values are the engine's or the instance's own.
OWN_WORDS = {
    "constraint_schema", "table_schema", "referenced_table_schema", "ref_service_id", "junction_service_id",
    "session_token", "session_id", "last_login_date", "token_expiry_date", "host", "role_id",
}  # fmt: skip
SAME_WORDS = {"now()": "current_timestamp", "character varying(255)": "varchar(255)", "boolean": "tinyint(1)"}


class Comparison:
    """Compares JSON values; ``typed`` says that a driver's error came as a typed one with its SQLSTATE (D10)."""

    def __init__(self, *, ordered: bool, fresh_above: int) -> None:
        """Ids above ``fresh_above`` were made while replaying; any such id is as good as another."""
        self.ordered = ordered
        self.fresh_above = fresh_above
        self.typed = False

    def difference(self, recorded: Any, answered: Any, where: str = "$") -> str:
        """Say where the values differ first; an empty text when they agree."""
        if isinstance(recorded, dict) and isinstance(answered, dict):
            return self._of_objects(recorded, answered, where)
        if isinstance(recorded, list) and isinstance(answered, list):
            return self._of_lists(recorded, answered, where)
        return "" if self._same(recorded, answered, where) else f"{where}: {recorded!r} became {answered!r}"

    def _of_objects(self, recorded: dict[str, Any], answered: dict[str, Any], where: str) -> str:
        if isinstance(recorded.get("code"), str) and "message" in recorded and "status_code" in answered:
            self.typed = True
            state = (answered["context"] or {}).get("sqlstate")
            return "" if state == recorded["code"] else f"{where}: SQLSTATE {recorded['code']} became {answered}"
        if recorded.keys() != answered.keys():
            return f"{where}: keys {sorted(recorded)} became {sorted(answered)}"
        for key in recorded:
            # A context may say more than nothing.
            if key in OWN_WORDS or (key == "context" and recorded[key] is None):
                continue
            if found := self.difference(recorded[key], answered[key], f"{where}.{key}"):
                return found
        return ""

    def _of_lists(self, recorded: list[Any], answered: list[Any], where: str) -> str:
        if len(recorded) != len(answered):
            return f"{where}: {len(recorded)} entries became {len(answered)}"
        if not self.ordered:
            recorded, answered = sorted(recorded, key=self._sortable), sorted(answered, key=self._sortable)
        for index, (one, other) in enumerate(zip(recorded, answered, strict=True)):
            if found := self.difference(one, other, f"{where}[{index}]"):
                return found
        return ""

    def _sortable(self, value: Any) -> str:
        if isinstance(value, dict) and self._is_fresh(value.get("id")):
            value = {**value, "id": None}
        return json.dumps(value, sort_keys=True)

    def _same(self, recorded: Any, answered: Any, where: str) -> bool:
        if isinstance(recorded, bool) or isinstance(answered, bool):
            return recorded is answered
        if isinstance(recorded, int | float) and isinstance(answered, int | float):
            fresh = where.endswith("id") and self._is_fresh(recorded) and self._is_fresh(answered)
            return fresh or abs(recorded - answered) < 1e-9
        if isinstance(recorded, str) and isinstance(answered, str):
            plain = html.unescape(recorded)  # D10
            return plain == answered or SAME_WORDS.get(plain) == answered.lower()
        return bool(recorded == answered)

    def _is_fresh(self, value: Any) -> bool:
        return isinstance(value, int) and value > self.fresh_above
