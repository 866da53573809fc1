"""The tables of databases in a package: read and written by calls that the caller could make."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from trunkline.call import Caller
from trunkline.errors import BadRequest, BatchError, TrunklineError

if TYPE_CHECKING:
    from trunkline.app import App

_AT_ONCE = 500
_FIELD_KEYS = (
    "name", "type", "db_type", "length", "precision", "scale", "default", "allow_null", "auto_increment",
    "is_primary_key", "is_unique", "ref_table", "ref_field", "ref_on_update", "ref_on_delete", "fixed_length",
    "supports_multibyte", "label", "description", "alias", "picklist", "validation",
)  # fmt: skip


class Content:
    """Reads and writes structure and records of database services."""

    def __init__(self, app: App, caller: Caller) -> None:
        """Know on whose behalf it is done."""
        self._app = app
        self._caller = caller

    async def _ask(self, method: str, path: str, **more: Any) -> Any:
        return (await self._app.ask(method, path, caller=self._caller, **more)).content

    async def schema(self, service: str, tables: Sequence[str]) -> list[dict[str, Any]]:
        """Describe tables."""
        return [await self._ask("GET", f"{service}/_schema/{_name(table)}") for table in tables]

    async def records(self, service: str, tables: Sequence[str], most: int) -> dict[str, list[dict[str, Any]]]:
        """Read all records of tables; raises BadRequest when these are more than a package can hold."""
        found: dict[str, list[dict[str, Any]]] = {}
        for table in tables:
            path = f"{service}/_table/{_name(table)}"
            left = most - sum(map(len, found.values()))
            try:
                found[table] = await self._pages(path, left, paging="keyset")
            except BadRequest:
                found[table] = await self._by_offset(path, left)
            if len(found[table]) > left:
                raise BadRequest(f"A package holds at most {most} records of tables.")
        return found

    async def _by_offset(self, path: str, most: int) -> list[dict[str, Any]]:
        """Read a table without a primary key: in the order of all its fields, if they have one, as pages need some."""
        first = (await self._ask("GET", path, params={"limit": "1"}))["resource"]
        try:
            return await self._pages(path, most, order=",".join(first[0])) if first else []
        except BadRequest:
            return await self._pages(path, most)

    async def _pages(self, path: str, most: int, **params: Any) -> list[dict[str, Any]]:
        """Read page by page until the end, or beyond ``most`` records."""
        found: list[dict[str, Any]] = []
        asked: dict[str, Any] = {"limit": str(_AT_ONCE), **params}
        while len(found) <= most:
            content = await self._ask("GET", path, params=asked)
            found += content["resource"]
            meta = content.get("meta") or {}
            if meta.get("next_page"):
                asked["page"] = meta["next_page"]
            elif "paging" not in params and (meta.get("next") or len(content["resource"]) == _AT_ONCE):
                asked["offset"] = str(len(found))
            else:
                break
        return found

    async def create_tables(self, service: str, described: Sequence[Any]) -> tuple[list[str], list[str], list[str]]:
        """Create tables, those first to which others refer; answer what was made, what was there, and warnings."""
        waiting = _by_reference(
            [one for one in described if isinstance(one, dict) and isinstance(one.get("name"), str)]
        )
        made: list[str] = []
        known: list[str] = []
        told: list[str] = []
        while waiting:
            left = []
            told = []
            for one in waiting:
                fields = [{key: field[key] for key in _FIELD_KEYS if field.get(key) is not None}
                          for field in one.get("field") or () if not field.get("is_virtual")]  # fmt: skip
                words = {key: one[key] for key in ("label", "plural", "description", "alias") if one.get(key)}
                try:
                    body = {"resource": [{"name": one["name"], "field": fields, **words}]}
                    await self._ask("POST", f"{service}/_schema", body=body)
                    made.append(one["name"])
                except TrunklineError as error:
                    if error.status == 409:
                        known.append(one["name"])
                        continue
                    left.append(one)
                    told.append(f"Table '{one['name']}' of service '{service}' was not created: {error.message}")
            if len(left) == len(waiting):
                break
            waiting = left
        return made, known, told

    async def create_records(self, service: str, tables: Mapping[str, Any], order: Sequence[str]) -> list[str]:
        """Create the records of tables, in the order in which these were made; answer warnings."""
        told = []
        for table in sorted(tables, key=lambda name: order.index(name) if name in order else len(order)):
            records = tables[table]
            if not isinstance(records, list):
                raise BadRequest("Invalid package supplied.")
            for start in range(0, len(records), _AT_ONCE):
                some = records[start : start + _AT_ONCE]
                try:
                    body = {"resource": some}
                    await self._ask("POST", f"{service}/_table/{table}", body=body, params={"rollback": "true"})
                except BatchError as error:
                    place, reason = error.first()
                    told.append(f"Record {start + place + 1} of table '{table}' of service '{service}': {reason}")
                    break
                except TrunklineError as error:
                    told.append(f"Records of table '{table}' of service '{service}' were not created: {error.message}")
                    break
        return told


def _by_reference(described: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Put tables behind those to which they refer; where they refer to each other, nothing helps."""
    left = {one["name"]: one for one in described}
    found: list[dict[str, Any]] = []
    while left:
        targets = {name: {field.get("ref_table") for field in one.get("field") or ()} for name, one in left.items()}
        ready = [name for name in left if not (targets[name] & left.keys()) - {name}] or list(left)
        found += [left.pop(name) for name in ready]
    return found


def _name(table: Any) -> str:
    if not isinstance(table, str) or not table or "/" in table:
        raise BadRequest("The manifest must list tables by their names.")
    return table
