"""Subscriptions as they are stored: beside the service, so that they outlive the gateway and are everybody's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from trunkline import json
from trunkline.call import SYSTEM, Caller
from trunkline.errors import Forbidden
from trunkline.identify import caller_of
from trunkline_messaging.table import listener, subscription

if TYPE_CHECKING:
    from trunkline.app import App

_RUNNING = (
    "System is currently running a subscription job. "
    "Please terminate the current process before subscribing to new topic(s)"
)


@dataclass(frozen=True, slots=True)
class Owner:
    """In whose name services are called."""

    user_id: int | None
    app_id: int | None
    by_platform: bool

    @classmethod
    def of(cls, caller: Caller) -> Owner:
        """Answer who subscribes; raises Forbidden for one who cannot be found again later."""
        user_id = caller.user.id if caller.user is not None else None
        app_id = caller.app.id if caller.app is not None else None
        by_platform = caller is SYSTEM or (caller.is_admin and user_id is None and app_id is None)
        if user_id is None and app_id is None and not by_platform:
            raise Forbidden("Only a user or an app can subscribe.")
        return cls(user_id, app_id, by_platform)

    async def caller(self, app: App) -> Caller:
        """Answer the caller with the rights of this moment; raises Forbidden where user or app are switched off."""
        return await caller_of(app, self.user_id, self.app_id)


@dataclass(frozen=True, slots=True)
class Subscription:
    """What was posted, and by whom."""

    service_id: int
    item: dict[str, Any]
    owner: Owner


def add(app: App, service_id: int, items: Sequence[dict[str, Any]], owner: Owner) -> None:
    """Store subscriptions of a service that has none; raises Forbidden where it has some. Blocks."""
    values = {"user_id": owner.user_id, "app_id": owner.app_id, "by_platform": owner.by_platform}
    rows = [{"service_id": service_id, "item": json.dumps(one).decode(), **values} for one in items]

    def work(connection: sa.Connection) -> None:
        # The row of the listener is what two who subscribe at once would both write.
        touched = sa.update(listener).where(listener.c.service_id == service_id)
        if not connection.execute(touched.values(attempted=0)).rowcount:
            fresh = {"service_id": service_id, "holder": "", "believed_until": 0.0, "attempted": 0}
            connection.execute(sa.insert(listener).values(fresh))
        mine = subscription.c.service_id == service_id
        if connection.execute(sa.select(subscription.c.id).where(mine).limit(1)).first() is not None:
            raise Forbidden(_RUNNING)
        connection.execute(sa.insert(subscription), rows)

    try:
        app.database.change(work)
    except sa.exc.IntegrityError:
        raise Forbidden(_RUNNING) from None


def remove(app: App, service_id: int) -> int:
    """Remove the subscriptions of a service and count them; blocks."""
    mine = sa.delete(subscription).where(subscription.c.service_id == service_id)
    return app.database.change(lambda connection: connection.execute(mine).rowcount)


def all_of(connection: sa.Connection, service_id: int | None = None) -> list[Subscription]:
    """List the subscriptions, of one service or of all, in the order in which they were made."""
    query = sa.select(subscription).order_by(subscription.c.id)
    if service_id is not None:
        query = query.where(subscription.c.service_id == service_id)
    return [
        Subscription(
            row["service_id"], json.loads(row["item"]), Owner(row["user_id"], row["app_id"], bool(row["by_platform"]))
        )
        for row in connection.execute(query).mappings()
    ]


def attempts(connection: sa.Connection, service_id: int) -> int:
    """Answer how often a worker has begun to listen since the subscription was made; at least 1."""
    query = sa.select(listener.c.attempted).where(listener.c.service_id == service_id)
    return max(1, connection.scalar(query) or 0)
