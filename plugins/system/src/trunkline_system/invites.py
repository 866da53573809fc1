"""Invitations: ``send_invite=true`` mails a code to those whose accounts are made or changed (system-api 7.2)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import sqlalchemy as sa

from trunkline.call import Call
from trunkline.config import Config
from trunkline.db import tables
from trunkline.errors import BadGateway, BatchError, InternalError, TrunklineError, Unavailable
from trunkline.events import RecordChanged
from trunkline.service import Service
from trunkline.threads import in_thread
from trunkline_system import codes
from trunkline_system.mails import INVITE
from trunkline_system.model import Row, Work
from trunkline_system.stored import Step, StoredResource


class InvitingResource(StoredResource):
    """Accounts; ``config_service`` is the name of the service whose configuration says how invitations are mailed."""

    config_service: ClassVar[str]

    async def post(self, call: Call, rest: tuple[str, ...]) -> Any:
        """Create accounts; nothing is created where an invitation cannot be mailed."""
        await self._mailer(call)
        return await super().post(call, rest)

    async def patch(self, call: Call, rest: tuple[str, ...]) -> Any:
        """Update accounts."""
        await self._mailer(call)
        return await super().patch(call, rest)

    put = patch

    async def _one(self, call: Call, action: str, step: Callable[[Work], Row]) -> Any:
        rows: list[Row] = []

        def noted(work: Work) -> Row:
            rows.append(step(work))
            return rows[-1]

        content = await super()._one(call, action, noted)
        await self._invite(call, action, rows)
        return content

    async def _batch(self, call: Call, action: str, items: Sequence[Any], step: Step) -> dict[str, Any]:
        rows: list[Row] = []

        def noted(work: Work, item: Any) -> Row:
            rows.append(step(work, item))
            return rows[-1]

        try:
            content = await super()._batch(call, action, items, noted)
        except BatchError:
            # Accounts that were made nevertheless have their invitations; those that were undone are not found.
            await self._invite(call, action, rows)
            raise
        await self._invite(call, action, rows)
        return content

    async def _mailer(self, call: Call) -> tuple[Config, Service] | None:
        """Answer what mails invitations, None where none are asked for; raises InternalError where nothing does."""
        if not call.flag("send_invite"):
            return None
        owner = await self.app.services.named(self.config_service)
        service = await INVITE.service(self.app, owner.config) if owner is not None else None
        if owner is None or service is None:
            raise _told([InternalError("No email service configured for user invite.")])
        return owner.config, service

    async def _invite(self, call: Call, action: str, rows: Sequence[Row]) -> None:
        """Mail a code to each; an account that was made for an invitation that fails is deleted again."""
        mailer = await self._mailer(call) if action != "deleted" else None
        if mailer is None:
            return
        results: list[dict[str, Any] | TrunklineError] = []
        for row in rows:
            try:
                if (code := await in_thread(codes.issue, self.app, row["id"])) is not None:
                    await INVITE.send(self.app, *mailer, row, code)
                results.append({"id": row["id"]})
            except TrunklineError as error:
                results.append(_failure(error))
                if action == "created":
                    await self._undo(call, row["id"])
        if any(isinstance(one, TrunklineError) for one in results):
            raise _told(results)

    async def _undo(self, call: Call, user_id: int) -> None:
        change = sa.delete(tables.user).where(tables.user.c.id == user_id)
        await self.app.database.achange(lambda connection: connection.execute(change))
        user = call.caller.user
        self.app.events.publish(
            RecordChanged(self.path_name, "deleted", user_id, user.id if user else None, (), call.request_id)
        )


def _failure(error: TrunklineError) -> TrunklineError:
    """Say that the invitation is what failed; it is the server's fault, whatever a mail is refused for."""
    kind = type(error) if isinstance(error, Unavailable | BadGateway) else InternalError
    return kind(f"Error processing user invite. {error.message}", headers=error.headers)


def _told(results: Sequence[dict[str, Any] | TrunklineError]) -> TrunklineError:
    """Make the error for invitations that were not mailed; its context is that of a batch, which clients read."""
    failed = {position: one for position, one in enumerate(results) if isinstance(one, TrunklineError)}
    first = next(iter(failed.values()))
    entries = [one.entry() if isinstance(one, TrunklineError) else one for one in results]
    return type(first)(first.message, headers=first.headers, context={"error": list(failed), "resource": entries})
