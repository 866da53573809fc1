"""What a stored record is: its table, what is hidden or read-only, its relations, and the rules for writing it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import sqlalchemy as sa

from trunkline.call import Call
from trunkline.errors import Forbidden
from trunkline_system.fields import incoming, invalid, outgoing, words

if TYPE_CHECKING:
    from trunkline.app import App

STAMPS = frozenset({"created_date", "last_modified_date", "created_by_id", "last_modified_by_id"})
Row = Mapping[Any, Any]


@dataclass(frozen=True, slots=True)
class Work:
    """One unit of work: the connection of its transaction, and on whose behalf it is done."""

    app: App
    connection: sa.Connection
    call: Call

    @property
    def user_id(self) -> int | None:
        """The id of the user who does it, if one is logged in."""
        return self.call.caller.user.id if self.call.caller.user else None

    def may(self, verb: str, model: type[Model]) -> bool:
        """Say whether the caller may do this to records that have a resource of their own (checklist 10)."""
        if model.resource is None:
            return True
        record = self.app.directory.snapshot.services.get(self.call.service)
        return self.call.caller.may(verb, record, model.resource)

    def demand(self, verb: str, model: type[Model]) -> None:
        """Raise Forbidden unless the caller may do this, however the records are reached."""
        if not self.may(verb, model):
            where = f"component '{model.resource}' of service '{self.call.service}'"
            raise Forbidden(f"{verb} access to {where} is not allowed by this user's role.")


@dataclass(frozen=True, slots=True)
class Relation:
    """A relation by name: which model, through which foreign key; ``through`` is the junction of many-to-many.

    What is ``computed`` is no record at all: ``compute`` answers what stands there, by the keys of the rows; ``model``
    names the resource whose right to read it takes. It is ignored in writes.
    """

    kind: Literal["belongs_to", "has_many", "has_one", "many_many", "computed"]
    model: Callable[[], type[Model]]
    # belongs_to: our column; otherwise the column of the other table that points to us.
    field: str = ""
    through: sa.Table | None = None
    through_field: str = ""
    compute: Callable[[Work, Sequence[Row]], Mapping[Any, Any]] | None = None


class Model:
    """Describes one kind of stored record; subclasses declare, and override the three rules where they differ."""

    table: ClassVar[sa.Table]
    key: ClassVar[str] = "id"
    # The resource that serves these records; None for those that are only reached through their parents.
    resource: ClassVar[str | None] = None
    hidden: ClassVar[frozenset[str]] = frozenset()
    read_only: ClassVar[frozenset[str]] = frozenset({"id"}) | STAMPS
    relations: ClassVar[dict[str, Relation]] = {}
    # Besides the columns: computed when shown, such as ``config`` of a service.
    computed: ClassVar[frozenset[str]] = frozenset()
    # What fields are where their columns do not tell, as JSON Schema.
    shapes: ClassVar[Mapping[str, Mapping[str, Any]]] = {}
    # What tells apart the children of one parent when no id is sent (lookups: the name; system-api 5.5).
    sibling_key: ClassVar[str | None] = None
    # What people know a record by, where that is not the key, the ``sibling_key`` or what is unique (export and apply).
    natural_key: ClassVar[tuple[str, ...]] = ()
    # Foreign keys that only a parent's relation sets, never the client.
    owners: ClassVar[frozenset[str]] = frozenset()

    @classmethod
    def scope(cls, _call: Call) -> sa.ColumnElement[bool] | None:
        """Limit the records that exist for this resource and caller."""
        return None

    @classmethod
    def shown(cls, _app: App, row: Row) -> dict[str, Any]:
        """Render a row for clients."""
        return {name: outgoing(row[name]) for name in cls.table.columns.keys() if name not in cls.hidden}  # noqa: SIM118

    @classmethod
    def visible(cls) -> list[str]:
        """List the fields that clients may ask for."""
        return [name for name in cls.table.columns.keys() if name not in cls.hidden] + sorted(cls.computed)  # noqa: SIM118

    @classmethod
    def described(cls) -> list[dict[str, Any]]:
        """Describe the fields for ``include_schema`` (system-api 5.2)."""
        found = []
        for name in cls.visible():
            column = cls.table.columns.get(name)
            if column is None or name in cls.hidden:
                found.append({"name": name, "label": words(name).title(), "type": "string", "is_virtual": True})
                continue
            reference = next(iter(column.foreign_keys), None)
            found.append(
                {
                    "name": name,
                    "label": words(name).title(),
                    "type": _type_word(column),
                    "length": getattr(column.type, "length", None),
                    "default": column.default.arg if isinstance(column.default, sa.ColumnDefault) else None,
                    "required": name not in cls.read_only and cls.must_be_sent(column),
                    "allow_null": bool(column.nullable),
                    "is_primary_key": name == cls.key,
                    "is_unique": bool(column.unique),
                    "is_foreign_key": reference is not None,
                    "ref_table": reference.column.table.name if reference is not None else None,
                    "ref_field": reference.column.name if reference is not None else None,
                    "is_virtual": False,
                }
            )
        return found

    @classmethod
    def known(cls) -> frozenset[str]:
        """Collect the names that a write may have: fields, hidden ones such as a password too, and relations."""
        return frozenset(cls.table.columns.keys()) | cls.computed | cls.relations.keys()

    @classmethod
    def values(cls, work: Work, given: dict[str, Any], row: Row | None) -> dict[str, Any]:
        """Answer column values for a write; ``row`` is the stored one, None on create. Unknown fields are ignored.

        Raises BadRequest that names the field. Overrides call this first and then apply their own rules.
        """
        values: dict[str, Any] = {}
        for name, value in given.items():
            column = cls.table.columns.get(name)
            if column is None or name in cls.hidden or name in cls.read_only:
                continue
            converted = incoming(column, value)
            if converted is None and not column.nullable:
                if column.default is not None and value is None:
                    continue
                raise invalid(name, f"The {words(name)} field is required.")
            values[name] = converted
        for column in cls.table.columns:
            asked = row is None or column.name in values
            if asked and cls.must_be_sent(column) and values.get(column.name) in (None, ""):
                raise invalid(column.name, f"The {words(column.name)} field is required.")
        cls._check_unique(work, values, row)
        return values

    @classmethod
    def must_be_sent(cls, column: sa.Column[Any]) -> bool:
        """Say whether a create must bring a column."""
        return (
            not column.nullable
            and column.default is None
            and column.name not in cls.hidden | cls.read_only
            and not (column.foreign_keys and column.name != cls.key)
        )

    @classmethod
    def _check_unique(cls, work: Work, values: dict[str, Any], row: Row | None) -> None:
        for column in cls.table.columns:
            value = values.get(column.name)
            if not column.unique or value is None:
                continue
            query = sa.select(cls.table.c[cls.key]).where(sa.func.lower(column) == sa.func.lower(str(value)))
            if row is not None:
                query = query.where(cls.table.c[cls.key] != row[cls.key])
            if work.connection.execute(query).first() is not None:
                raise invalid(column.name, f"The {words(column.name)} has already been taken.")

    @classmethod
    def derived(cls, _record: Mapping[str, Any]) -> dict[str, Any]:
        """Answer what a create makes of the other fields, for fields that are not sent."""
        return {}

    @classmethod
    def stamp(cls, work: Work, values: dict[str, Any], *, created: bool) -> dict[str, Any]:
        """Add who and when."""
        if "created_date" not in cls.table.columns:
            return values
        now = datetime.now(UTC).replace(tzinfo=None)
        values |= {"last_modified_date": now, "last_modified_by_id": work.user_id}
        return values | {"created_date": now, "created_by_id": work.user_id} if created else values

    @classmethod
    def before_delete(cls, work: Work, row: Row) -> None:
        """Raise when a record must not be deleted."""

    @classmethod
    def after_write(cls, work: Work, row: Row) -> None:
        """Check what can only be checked when the record and its children are written."""


def _type_word(column: sa.Column[Any]) -> str:
    if column.primary_key and column.name == "id":
        return "id"
    if isinstance(column.type, sa.Boolean):
        return "boolean"
    if isinstance(column.type, sa.Integer):
        return "integer"
    if isinstance(column.type, sa.DateTime):
        return "timestamp"
    return "text" if isinstance(column.type, sa.Text) else "string"
