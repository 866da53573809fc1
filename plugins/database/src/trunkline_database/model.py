"""What is known of a database's tables: Table, Column, Relation, and how clients see them (database-api 13.2-13.4)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

from trunkline.errors import BadRequest
from trunkline_database.documents.names import ColumnsByName, can_be_open
from trunkline_database.validation import Rule, rules_of

ConstraintKind = Literal["PRIMARY KEY", "UNIQUE", "FOREIGN KEY"]
RelationKind = Literal["belongs_to", "has_many", "has_one", "many_many"]
# Types that no database has: remembered beside it, and filled in by the server where they say when (12.2, 13.5).
ON_CREATE = frozenset({"timestamp_on_create", "timestamp_on_update", "user_id_on_create", "user_id_on_update"})
ON_UPDATE = frozenset({"timestamp_on_update", "user_id_on_update"})
_MOST_MADE = 1000
_SIBILANTS = ("s", "x", "z", "ch", "sh")


def label_of(name: str) -> str:
    """Turn a name into words in title case: ``contact_tag`` → ``Contact Tag``."""
    return " ".join(word[:1].upper() + word[1:] for word in name.replace("_", " ").replace(".", " ").split())


def plural_of(label: str) -> str:
    """Answer the English plural of a label, of its last word."""
    if label.endswith("y") and label[-2:-1] not in "aeiou":
        return f"{label[:-1]}ies"
    return f"{label}es" if label.endswith(_SIBILANTS) else f"{label}s"


# Identity is equality: a table that was described anew is another one, and so is what was compiled for it.
@dataclass(frozen=True, eq=False)
class Column:
    """One column; ``type`` is the simple type of database-api 13.5, ``db_type`` the engine's own declaration."""

    name: str
    type: str
    db_type: str
    alias: str | None = None
    label: str = ""
    description: str | None = None
    length: int | None = None
    precision: int | None = None
    scale: int | None = None
    default: Any = None
    allow_null: bool = True
    fixed_length: bool = False
    supports_multibyte: bool = False
    auto_increment: bool = False
    is_primary_key: bool = False
    is_unique: bool = False
    is_index: bool = False
    ref_table: str | None = None
    ref_field: str | None = None
    ref_on_update: str | None = None
    ref_on_delete: str | None = None
    # Whether the engine takes texts for equal that differ in case or accents.
    is_loose: bool = False
    # Filled by the engine from the row itself, so nobody may write it.
    is_generated: bool = False
    # What is remembered beside the database (13.7).
    picklist: tuple[str, ...] | None = None
    validation: Any = None
    client_info: Any = None
    db_function: tuple[Mapping[str, Any], ...] | None = None
    is_virtual: bool = False
    is_aggregate: bool = False
    # The database's own type, where ``type`` is a remembered one.
    own_type: str = ""
    # Whether nobody declared the column: it takes values of any type, and ``type`` is only what some records show.
    is_open: bool = False
    # Whether it stands for all that an open table's records have.
    is_everything: bool = False

    @cached_property
    def key(self) -> str:
        """The name under which clients see the column."""
        return self.alias or self.name

    @property
    def required(self) -> bool:
        """Say whether an insert must bring a value."""
        by_itself = self.allow_null or self.auto_increment or self.is_generated or self.type in ON_CREATE
        return not by_itself and self.default is None

    @cached_property
    def rules(self) -> tuple[Rule, ...]:
        """The validation rules, ready to be asked."""
        return rules_of(self.validation, self.picklist)

    @cached_property
    def functions(self) -> dict[str, str]:
        """The SQL that stands for the column, by use: SELECT, FILTER, INSERT, UPDATE (database-api 14.2)."""
        return {str(use): str(one["function"]) for one in self.db_function or () for use in one["use"]}

    @cached_property
    def is_readable(self) -> bool:
        """Say whether there is anything to read: a virtual column is nothing without a function."""
        return not self.is_virtual or "SELECT" in self.functions

    @property
    def is_filterable(self) -> bool:
        """Say whether the column can stand in a filter (database-api 14.3)."""
        return not self.is_virtual or ("FILTER" in self.functions and not self.is_aggregate)

    def describe(self) -> dict[str, Any]:
        """Render the field object; ``client_info`` only where there is some."""
        more = {} if self.client_info is None else {"client_info": self.client_info}
        return {
            "alias": self.alias,
            "name": self.name,
            "label": self.label or label_of(self.name),
            "description": self.description,
            "native": {"sampled": True} if self.is_open else [],
            "type": self.type,
            "db_type": self.db_type or None,
            "length": self.length,
            "precision": self.precision,
            "scale": self.scale,
            "default": self.default,
            "required": self.required,
            "allow_null": self.allow_null,
            "fixed_length": self.fixed_length,
            "supports_multibyte": self.supports_multibyte,
            "auto_increment": self.auto_increment,
            "is_primary_key": self.is_primary_key,
            "is_unique": self.is_unique,
            "is_index": self.is_index,
            "is_foreign_key": self.ref_table is not None,
            "ref_table": self.ref_table,
            "ref_field": self.ref_field,
            "ref_on_update": self.ref_on_update,
            "ref_on_delete": self.ref_on_delete,
            "picklist": list(self.picklist) if self.picklist is not None else None,
            "validation": self.validation,
            "db_function": list(self.db_function) if self.db_function is not None else None,
            "is_virtual": self.is_virtual,
            "is_aggregate": self.is_aggregate,
            **more,
        }


@dataclass(frozen=True, slots=True, eq=False)
class Relation:
    """How records of a table lead to records of another (or the same) one; ``field`` is the column on this side."""

    name: str
    type: RelationKind
    field: str
    ref_service_id: int
    ref_table: str
    ref_field: str
    ref_on_update: str | None = None
    ref_on_delete: str | None = None
    junction_service_id: int | None = None
    junction_table: str | None = None
    junction_field: str | None = None
    junction_ref_field: str | None = None
    alias: str | None = None
    label: str = ""
    description: str | None = None
    is_virtual: bool = False
    always_fetch: bool = False
    flatten: bool = False
    flatten_drop_prefix: bool = False

    @property
    def key(self) -> str:
        """The name under which clients see the relation."""
        return self.alias or self.name

    @property
    def is_single(self) -> bool:
        """Say whether a record has at most one related record."""
        return self.type in ("belongs_to", "has_one")

    def describe(self) -> dict[str, Any]:
        """Render the relation object; the last two keys are part of the dialect and mean nothing."""
        return {
            "alias": self.alias,
            "name": self.name,
            "label": self.label or label_of(self.name),
            "description": self.description,
            "native": [],
            "type": self.type,
            "field": self.field,
            "is_virtual": self.is_virtual,
            "ref_service_id": self.ref_service_id,
            "ref_table": self.ref_table,
            "ref_field": self.ref_field,
            "ref_on_update": self.ref_on_update,
            "ref_on_delete": self.ref_on_delete,
            "junction_service_id": self.junction_service_id,
            "junction_table": self.junction_table,
            "junction_field": self.junction_field,
            "junction_ref_field": self.junction_ref_field,
            "always_fetch": self.always_fetch,
            "flatten": self.flatten,
            "flatten_drop_prefix": self.flatten_drop_prefix,
        }


@dataclass(frozen=True, slots=True)
class Constraint:
    """A key, unique or foreign key constraint as table descriptions list it."""

    name: str
    kind: ConstraintKind
    columns: tuple[str, ...]
    ref_table: str | None = None
    ref_columns: tuple[str, ...] = ()
    on_update: str | None = None
    on_delete: str | None = None

    @classmethod
    def of(cls, table: TableName, kind: ConstraintKind, columns: Sequence[str], name: str | None = None) -> Constraint:
        """Build a constraint, named as PostgreSQL would where it has no name of its own."""
        named = tuple(str(column) for column in columns)
        ending = {"PRIMARY KEY": "pkey", "UNIQUE": f"{'_'.join(named)}_key", "FOREIGN KEY": f"{'_'.join(named)}_fkey"}
        return cls(str(name or f"{table.name}_{ending[kind]}"), kind, named)

    def describe(self, table: TableName) -> dict[str, Any]:
        """Render the constraint object of a table."""
        return {
            "constraint_type": self.kind,
            "constraint_schema": table.schema,
            "constraint_name": self.name,
            "table_schema": table.schema,
            "table_name": table.name,
            "column_name": ", ".join(self.columns),
            "referenced_table_schema": table.schema if self.ref_table else None,
            "referenced_table_name": self.ref_table,
            "referenced_column_name": ", ".join(self.ref_columns) or None,
            "update_rule": self.on_update,
            "delete_rule": self.on_delete,
        }


@dataclass(frozen=True, slots=True)
class TableName:
    """A table or view in the list of a database: its own name, its schema, and the name that clients use for both."""

    name: str
    schema: str | None = None
    public: str = ""
    is_view: bool = False

    @property
    def key(self) -> str:
        """The name in paths: bare in the default schema, else ``schema.name``."""
        return self.public or self.name


EVERYTHING = Column("*", "json", "", is_open=True, is_everything=True)


@dataclass(frozen=True, eq=False)
class Table:
    """One table or view with everything that requests need to know of it.

    An open one has records of any shape: besides its columns it takes any name, also a path with dots.
    """

    identity: TableName
    columns: tuple[Column, ...]
    relations: tuple[Relation, ...] = ()
    constraints: tuple[Constraint, ...] = ()
    alias: str | None = None
    label: str = ""
    plural: str = ""
    description: str | None = None
    name_field: str | None = None
    is_open: bool = False
    # What comes along wherever the key of an open table does.
    companions: tuple[Column, ...] = ()
    primary_key: tuple[Column, ...] = field(init=False)
    _made: dict[str, Column] = field(init=False, repr=False, default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "primary_key", tuple(one for one in self.columns if one.is_primary_key))

    @property
    def name(self) -> str:
        """The real name, with its schema where that is not the default one."""
        return self.identity.key

    @property
    def key(self) -> str:
        """The name in the paths of records: the alias, where there is one (database-api 3)."""
        return self.alias or self.name

    @property
    def is_view(self) -> bool:
        """Say whether the table is a view."""
        return self.identity.is_view

    @cached_property
    def by_name(self) -> dict[str, Column]:
        """The columns by lower-case alias or name."""
        return {one.key.lower(): one for one in self.columns}

    @cached_property
    def by_real_name(self) -> dict[str, Column]:
        """The columns by their own names, as plans spell them."""
        return ColumnsByName(self)

    @cached_property
    def stored(self) -> tuple[Column, ...]:
        """The columns that the database has."""
        return tuple(one for one in self.columns if not one.is_virtual)

    @cached_property
    def readable(self) -> tuple[Column, ...]:
        """The columns that reads answer unless asked otherwise: no aggregates, nor what has no value (14.3)."""
        if self.is_open:
            return (EVERYTHING,)
        return tuple(one for one in self.columns if one.is_readable and not one.is_aggregate)

    @cached_property
    def required(self) -> tuple[Column, ...]:
        """The stored columns that a new record must bring a value for."""
        return tuple(one for one in self.stored if one.required)

    @cached_property
    def filled(self) -> tuple[Column, ...]:
        """The columns that the server fills in."""
        return tuple(one for one in self.columns if one.type in ON_CREATE)

    @cached_property
    def always(self) -> tuple[Relation, ...]:
        """The relations that every reply brings."""
        return tuple(one for one in self.relations if one.always_fetch)

    @cached_property
    def relations_by_name(self) -> dict[str, Relation]:
        """The relations by lower-case alias or name."""
        return {one.key.lower(): one for one in self.relations}

    def column(self, name: str) -> Column | None:
        """Find a column by the name that a client uses, in any case; names of open tables have their case."""
        if self.is_open:
            known = self.by_name.get(name.strip().lower())
            return known if known is not None and known.key == name.strip() else self.open_column(name.strip())
        return self.by_name.get(name) or self.by_name.get(name.strip().lower())

    def open_column(self, name: str) -> Column | None:
        """Answer the column that an open table has under any name that can be one, and always the same."""
        known = self._made.get(name)
        if known is not None or not can_be_open(name):
            return known
        found = next((one for one in self.columns if one.name == name), None)
        found = found or Column(name, "string", "", is_open=True)
        if len(self._made) >= _MOST_MADE:
            self._made.clear()
        self._made[name] = found
        return found

    def real_column(self, name: str) -> Column | None:
        """Find a column by its own name, as ``_schema`` has it; in any case unless that is another one."""
        found = self.by_real_name.get(name)
        if self.is_open:
            return found or self.open_column(name)
        lowered = name.strip().lower()
        return found or next((one for one in self.columns if one.name.lower() == lowered), None)

    def columns_named(self, names: Sequence[str]) -> tuple[Column, ...]:
        """Find columns, without repetition and in the order asked; raises BadRequest that names an unknown one."""
        found: dict[Column, None] = {}
        for name in names:
            column = self.column(name)
            if column is None or not column.is_readable:
                raise BadRequest(f"Invalid field requested: {name.strip()[:128]}")
            found[column] = None
        return tuple(found)

    def listed(self) -> dict[str, Any]:
        """Render what lists of tables show."""
        return listed(self.identity, self.label, self.plural, self.description)

    def describe(self, access: int) -> dict[str, Any]:
        """Render the table object; ``access`` is the caller's verb mask."""
        return {
            "alias": self.alias,
            **self.listed(),
            **({"native": {"sampled": True}} if self.is_open else {}),
            "primary_key": [one.name for one in self.primary_key],
            "name_field": self.name_field,
            "field": [one.describe() for one in self.columns],
            "related": [one.describe() for one in self.relations],
            "constraints": {one.name: one.describe(self.identity) for one in self.constraints},
            "access": access,
        }


def has(columns: Iterable[Column], column: Column) -> bool:
    """Say whether columns that are read bring this one, too."""
    return any(one is column or one.is_everything for one in columns)


def listed(table: TableName, label: str = "", plural: str = "", description: str | None = None) -> dict[str, Any]:
    """Render a table as lists show it, before it was described."""
    label = label or label_of(table.name)
    return {
        "name": table.key,
        "label": label,
        "description": description,
        "native": [],
        "plural": plural or plural_of(label),
        "is_view": table.is_view,
    }
