"""How requests are told apart: by few values, none of which a client can choose freely."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trunkline.call import VERBS, Call

if TYPE_CHECKING:
    from trunkline.app import App

OTHER = "other"
NONE = "none"


def labels_of(app: App, call: Call | None, status: int | None) -> tuple[str, str, str]:
    """Name what a request was: the type of its service, its verb, the class of its status.

    A client chooses names of services and verbs, so those that are not known count as one. Without a status nothing was
    answered, since the client had left.
    """
    record = app.directory.snapshot.services.get(call.service) if call is not None else None
    verb = call.method if call is not None and call.method in VERBS else OTHER
    return record.type if record else NONE, verb, f"{status // 100}xx" if status else "gone"
