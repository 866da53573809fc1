"""EmailService: what every email service does; a connector says how a mail leaves."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict

from trunkline import Config, Field, Service
from trunkline.describe import AS_ACCESS_LIST, Operation, query
from trunkline.errors import BadRequest
from trunkline_email import settings
from trunkline_email.attachments import attached, uploaded
from trunkline_email.message import Mail, composed
from trunkline_email.templates import template

if TYPE_CHECKING:
    from trunkline.app import App
    from trunkline.call import Call
    from trunkline.db.records import ServiceRecord

_OPTIONS = frozenset({"template", "template_id"})


class Parameter(BaseModel):
    """A value for a placeholder; one that is not active is not used."""

    model_config = ConfigDict(coerce_numbers_to_str=True)

    name: str = Field(title="Name", description="Name of the placeholder.")
    value: str | None = Field(default=None, title="Value", description="What stands in its place.")
    active: bool = Field(default=True, title="Active", description="Whether it is used.")


class ParameterConfig(Config):
    """The part of a configuration that has values for placeholders."""

    parameters: list[Parameter] = Field(
        default=[], title="Parameters", description="Values for placeholders that neither template nor request has."
    )


_PEOPLE = {"description": "An address, an object with name and email, or several of them."}
_TEXT = {"type": ["string", "null"]}
_MAIL = {
    "type": "object",
    "description": "The mail; other members are values for placeholders.",
    "properties": {
        **dict.fromkeys(("to", "cc", "bcc"), _PEOPLE),
        **dict.fromkeys(("subject", "body_text", "body_html", "from_name", "from_email"), _TEXT),
        **dict.fromkeys(("reply_to_name", "reply_to_email"), _TEXT),
        "attachment": {"description": "Files to send along, by service and path, or by URL."},
    },
}
_SEND = Operation(
    "Send a mail.",
    "Mail",
    parameters=(
        query("template", "string", "Name of the template to fill."),
        query("template_id", "integer", "Its identifier, instead."),
    ),
    body=_MAIL,
    body_is_needed=False,
    reply={"type": "object", "required": ["count"], "properties": {"count": {"type": "integer"}}},
)
_COMPONENTS = Operation("Answer the components that roles can name.", "Components", parameters=(AS_ACCESS_LIST,))


class EmailService(Service):
    """Sends mails; subclasses say how."""

    group = "Email"
    operations = {"GET": _COMPONENTS, "POST": _SEND}  # noqa: RUF012 - declared as a ClassVar by the parent
    config: Config

    def __init__(self, app: App, record: ServiceRecord, config: Config) -> None:
        """Read the platform's mail settings once."""
        super().__init__(app, record, config)
        self.settings = settings.load()

    @abstractmethod
    async def send(self, mail: Mail) -> None:
        """Hand the mail over, to all recipients or none.

        Raises BadRequest for refused recipients, Unavailable for a server that is not there, BadGateway for one that
        refuses.
        """

    async def get(self, call: Call, rest: tuple[str, ...]) -> Any:
        """Answer what a role editor asks; there is nothing else to read."""
        if call.flag("as_access_list"):
            return await super().get(call, rest)
        raise BadRequest(f"GET requests without a resource are not currently supported by the '{self.name}' service.")

    async def post(self, call: Call, _rest: tuple[str, ...]) -> Any:
        """Send a mail made of template and request, of which the request weighs more."""
        uploads = await uploaded(call)
        given = dict(self._given(call, sent_files=bool(uploads)))
        chosen = await template(self.app, call.option("template"), call.option("template_id"))
        if chosen is None and not given:
            raise BadRequest("No valid data in request.")
        data = {**self._parameters(), **(chosen or {}), **given}
        lookups = self.app.lookups(call)
        attachments = uploads or await attached(self.app, call, lookups, given, chosen or {})
        sender = (self.settings.sender(self.app.settings.app_url), self.settings.from_name)
        await self.send(composed(call, data, lookups, sender, attachments))
        return {"count": 1}

    def _given(self, call: Call, *, sent_files: bool) -> dict[str, Any]:
        """Answer the request's data, those of the query where there is no body."""
        given = call.body
        if isinstance(given, dict) and set(given) == {"resource"}:
            given = given["resource"]
        if isinstance(given, list) and len(given) == 1:
            given = given[0]
        if given in (None, "", []) and not sent_files:
            given = call.params
        if not isinstance(given, dict | None):
            raise BadRequest("No valid data in request.")
        return {name: value for name, value in (given or {}).items() if name not in _OPTIONS}

    def _parameters(self) -> dict[str, Any]:
        rows = self.config.parameters if isinstance(self.config, ParameterConfig) else []
        return {one.name: one.value for one in rows if one.active}
