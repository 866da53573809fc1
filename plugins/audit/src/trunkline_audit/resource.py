"""The resource ``system/audit``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from trunkline.call import Call
from trunkline_audit.table import audit
from trunkline_audit.trail import Trail
from trunkline_system.fields import from_json
from trunkline_system.model import Model, Row
from trunkline_system.stored import ReadableResource

if TYPE_CHECKING:
    from trunkline.app import App

TRAIL = "audit.trail"


class AuditModel(Model):
    """A record of the trail."""

    table = audit
    shapes = {name: {"type": "array", "items": {}} for name in ("record_ids", "fields")}  # noqa: RUF012 - declared as a ClassVar by the parent
    resource = "audit"

    @classmethod
    def shown(cls, app: App, row: Row) -> dict[str, Any]:
        """Show the lists that the JSON columns are."""
        return super().shown(app, row) | {name: from_json(row[name], []) for name in ("record_ids", "fields")}


class AuditTrail(ReadableResource):
    """Who did what; nobody writes here."""

    name = "audit"
    label = "Audit Trail"
    description = "Who did what, and who was refused."
    read_only = True
    model = AuditModel

    async def get(self, call: Call, rest: tuple[str, ...]) -> Any:
        """List records, or answer one by id. What this worker has not yet stored is stored first."""
        trail = self.app.plugins.get_plugin(TRAIL)
        if isinstance(trail, Trail):
            await trail.flush(self.app)
        return await super().get(call, rest)
