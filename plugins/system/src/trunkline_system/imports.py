"""``system/import``: a file of records becomes a new table of a database service (system-api 7.15)."""

from __future__ import annotations

import contextlib
import csv
import io
import re
import time
from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

from trunkline.call import SYSTEM, Call, Reply
from trunkline.errors import BadRequest, BatchError, NotFound, TrunklineError, Unavailable
from trunkline.service import Resource
from trunkline.threads import in_thread
from trunkline_system import openapi
from trunkline_system.uploaded import Source, source_of

_MEDIA_TYPE = "text/csv"
_INTEGER = re.compile(r"-?(?:0|[1-9][0-9]{0,17})")
_SHORT = re.compile(r"-?(?:0|[1-9][0-9]{0,11})")
_DECIMAL = re.compile(r"-?(?:0|[1-9][0-9]{0,11})\.[0-9]{1,6}")
_LONGEST_STRING = 255
# Records of one internal call; databases bound how much a statement may carry.
_RECORDS_AT_ONCE = 500
Record = dict[str, Any]


class Import(Resource):
    """Makes a table of a file and loads its records."""

    name = "import"
    label = "Import"
    description = "Loads a CSV file into a new table."
    operations = openapi.IMPORT

    async def post(self, call: Call, rest: tuple[str, ...]) -> Any:
        """Import a file; the caller needs the rights to make the table and to create its records."""
        if rest:
            raise NotFound(f"Resource '{'/'.join((self.name, *rest))}' not found.")
        service = self._word(call, "service", "db")
        table = self._word(call, "resource", f"import_{int(time.time())}")
        if "/" in service or "/" in table:
            raise BadRequest("Service and resource must be names.")
        self._demand_database(call, service)
        source = await source_of(self.app, call)
        if source is None:
            raise BadRequest("No import file supplied. Please upload a file or provide a URL of a file to import.")
        records, fields = await in_thread(self._read, source)
        await self.app.ask(
            "POST", f"{service}/_schema", body={"resource": [{"name": table, "field": fields}]}, caller=call.caller
        )
        try:
            await self._load(call, service, table, records)
        except BaseException:
            # Half of a file would look like all of it.
            with contextlib.suppress(TrunklineError):
                await self.app.ask("DELETE", f"{service}/_schema/{table}", caller=SYSTEM)
            raise
        return Reply({"resource": f"{call.base_url}/api/v2/{service}/_table/{quote(table)}"}, 201)

    @staticmethod
    def _word(call: Call, name: str, default: str) -> str:
        word = call.option(name)
        if word in (None, ""):
            return default
        if not isinstance(word, str):
            raise BadRequest(f"The {name} must be a name.")
        return word

    def _demand_database(self, call: Call, name: str) -> None:
        """Refuse services that are no databases, to those who may see the service at all."""
        record = self.app.directory.snapshot.services.get(name.lower())
        if record is None or not call.caller.any_access(record):
            raise NotFound(f"Could not find a service for {name}")
        kind = self.app.registry.find(record.type)
        if kind is None or kind.group != "Database":
            raise BadRequest(f"Service '{name}' is not a database service.")

    def _read(self, source: Source) -> tuple[list[Record], list[dict[str, Any]]]:
        """Parse the file, and find out what its columns are."""
        if source.extension != "csv" and (source.extension or source.media_type != _MEDIA_TYPE):
            raise BadRequest(f"Importing file type [{source.extension[:16]}] is not supported. Only supports csv.")
        known = self.app.formats.by_type.get(_MEDIA_TYPE)
        if known is None or known.parse is None:
            raise Unavailable("CSV is not installed here. Try: pip install trunkline-formats")
        records: list[Record] = known.parse(source.content)
        names = _header(source.content)
        return records, [_field(name, [record.get(name, "") for record in records]) for name in names]

    async def _load(self, call: Call, service: str, table: str, records: list[Record]) -> None:
        for start in range(0, len(records), _RECORDS_AT_ONCE):
            some = records[start : start + _RECORDS_AT_ONCE]
            try:
                await self.app.ask("POST", f"{service}/_table/{table}", body={"resource": some}, caller=call.caller)
            except BatchError as error:
                first, told = error.first()
                raise BadRequest(f"Record {start + first + 1} could not be imported: {told}") from None


def _header(content: bytes) -> list[str]:
    """Answer the columns in their order; the file was parsed before, and so is known to be in order."""
    first = next(filter(None, csv.reader(io.StringIO(content.decode("utf-8-sig"), newline=""))), None)
    if first is None:
        raise BadRequest("The file is empty.")
    return first


def _field(name: str, values: Sequence[str]) -> dict[str, Any]:
    """Say of what type a column is: a number only where each value is written as that number would be."""
    filled = [one for one in values if one]
    field: dict[str, Any] = {"name": name, "allow_null": True}
    if filled and all(map(_INTEGER.fullmatch, filled)):
        small = all(abs(int(one)) < 2**31 for one in filled)
        return field | {"type": "integer" if small else "bigint"}
    if filled and all(_SHORT.fullmatch(one) or _DECIMAL.fullmatch(one) for one in filled):
        digits = max(len(one.partition(".")[2]) for one in filled)
        return field | {"type": "decimal", "precision": 18, "scale": digits}
    if max(map(len, values), default=0) > _LONGEST_STRING:
        return field | {"type": "text"}
    return field | {"type": "string", "length": _LONGEST_STRING}
