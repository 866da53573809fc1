"""Configuration of service types, declared once: parsing, secrets at rest, masks and ``config_schema`` come from it."""

from __future__ import annotations

import types
from typing import Annotated, Any, Literal, Self, Union, get_args, get_origin

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, model_validator
from pydantic.fields import FieldInfo

from trunkline.errors import BadRequest
from trunkline.vault import MASK, Vault

__all__ = ["Config", "Field", "Secret", "Text"]

# Encrypted at rest, shown as ten asterisks, kept when the mask is written back, never in a log.
Secret = SecretStr


class _TextMark:
    """Marks a string that forms show as a multi-line input."""


class _VerbMark:
    """Marks a number that forms show as a choice of verbs."""


MULTILINE = _TextMark()
Text = Annotated[str, MULTILINE]
# Verbs as a bit mask: GET 1, POST 2, PUT 4, PATCH 8, DELETE 16.
VerbMask = Annotated[int, _VerbMark()]


class Config(BaseModel):
    """A service type's configuration; subclasses annotate fields, ``Field(title=…, description=…)`` says the words.

    Unknown keys are dropped (connectors 2.3), values are coerced where that is safe, instances are frozen.
    """

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    @model_validator(mode="before")
    @classmethod
    def _blank_is_absent(cls, values: Any) -> Any:
        """Treat blank text as absent where the field is not text: forms send ``""`` for an untouched number."""
        if not isinstance(values, dict):
            return values
        return {
            name: value
            for name, value in values.items()
            if not (value == "" and name in cls.model_fields and not _is_text(cls.model_fields[name]))
        }

    @classmethod
    def secrets(cls) -> set[str]:
        """Name the fields that are secrets."""
        return {name for name, info in cls.model_fields.items() if Secret in _members(info.annotation)}

    @classmethod
    def check(cls, values: dict[str, Any]) -> Self:
        """Validate plain values; raises BadRequest with ``context`` = field → messages (D16)."""
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            context: dict[str, list[str]] = {}
            for one in error.errors(include_url=False, include_input=False):
                name = ".".join(map(str, one["loc"])) or "config"
                context.setdefault(name, []).append(one["msg"])
            told = " ".join(f"config.{name}: {'; '.join(said)}." for name, said in context.items())
            raise BadRequest(f"Invalid data supplied. {told}", context=context) from None

    @classmethod
    def merged(cls, stored: dict[str, Any], given: dict[str, Any], vault: Vault) -> dict[str, Any]:
        """Answer what to store when ``given`` is written over ``stored``: unknown keys dropped, secrets encrypted.

        A secret sent as its mask keeps the stored one (system-api 13).
        """
        result = {name: value for name, value in stored.items() if name in cls.model_fields}
        hidden = cls.secrets()
        for name, value in given.items():
            if name not in cls.model_fields or (name in hidden and value == MASK):
                continue
            result[name] = _sealed(name, value, vault) if name in hidden and value not in (None, "") else value
        return result

    @classmethod
    def opened(cls, stored: dict[str, Any], vault: Vault) -> dict[str, Any]:
        """Answer stored values with their secrets decrypted and ``env:``/``file:`` references followed."""
        hidden = cls.secrets()
        return {
            name: vault.reveal(value) if name in hidden and isinstance(value, str) and value else value
            for name, value in stored.items()
        }

    @classmethod
    def shown(cls, stored: dict[str, Any]) -> dict[str, Any]:
        """Answer what clients may read: every field with its default, secrets masked."""
        hidden = cls.secrets()
        result: dict[str, Any] = {}
        for name, info in cls.model_fields.items():
            value = stored.get(name, None if info.is_required() else info.get_default(call_default_factory=True))
            result[name] = MASK if name in hidden and value not in (None, "") else value
        return result

    @classmethod
    def schema_entries(cls) -> list[dict[str, Any]]:
        """Render the fields as ``config_schema`` of ``system/service_type`` (connectors 2.2)."""
        return [_entry(name, info) for name, info in cls.model_fields.items()]


def _sealed(name: str, value: Any, vault: Vault) -> str:
    if not isinstance(value, str | int | float) or isinstance(value, bool):
        raise BadRequest(f"Invalid data supplied. config.{name} must be text.", context={name: ["It must be text."]})
    return vault.encrypt(str(value))


def _members(annotation: Any) -> tuple[Any, ...]:
    if get_origin(annotation) in (Union, types.UnionType):
        return tuple(one for one in get_args(annotation) if one is not type(None))
    return (annotation,)


def _is_text(info: FieldInfo) -> bool:
    return any(one in (str, Secret) or get_origin(one) is Literal for one in _members(info.annotation))


def _entry(name: str, info: FieldInfo) -> dict[str, Any]:
    required = info.is_required()
    default = None if required else info.get_default(call_default_factory=True)
    if isinstance(default, SecretStr):
        default = None
    optional = type(None) in get_args(info.annotation)
    return {
        "name": name,
        "label": info.title or name.replace("_", " ").title(),
        "description": info.description or "",
        **_kind(info),
        "default": default,
        "required": required,
        "allow_null": optional or not required,
    }


def _kind(info: FieldInfo) -> dict[str, Any]:
    """Map an annotation to the type word of ``config_schema`` and what belongs to that type."""
    (annotation, *_) = _members(info.annotation)
    origin = get_origin(annotation)
    if any(isinstance(one, _TextMark) for one in info.metadata):
        return {"type": "text"}
    if any(isinstance(one, _VerbMark) for one in info.metadata):
        return {"type": "verb_mask"}
    if origin is Literal:
        return {"type": "picklist", "values": [{"label": str(one), "name": one} for one in get_args(annotation)]}
    if origin is list:
        (item,) = get_args(annotation) or (str,)
        if get_origin(item) is Literal:
            values = [{"label": str(one), "name": one} for one in get_args(item)]
            return {"type": "multi_picklist", "values": values}
        if isinstance(item, type) and issubclass(item, BaseModel):
            return {"type": "array", "items": [_entry(name, one) for name, one in item.model_fields.items()]}
        return {"type": "array", "items": "string"}
    if origin is dict or annotation is dict:
        words = {"key": {"label": "Name", "type": "string"}, "value": {"label": "Value", "type": "string"}}
        return {"type": "object", "object": words}
    scalar = {Secret: "password", bool: "boolean", int: "integer", float: "float"}.get(annotation, "string")
    return {"type": scalar, "length": 255} if scalar == "string" else {"type": scalar}
