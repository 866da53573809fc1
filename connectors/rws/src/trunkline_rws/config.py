"""Configuration of remote services (connectors 10.1); values of rows and passwords in options are secrets."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, field_validator

from trunkline import Config, Field
from trunkline.config import MULTILINE, VerbMask
from trunkline.vault import MASK, Vault
from trunkline_rws.options import SECRET_OPTIONS, dialling, plain_name

# Stands for a value that is kept elsewhere, and is none itself.
_LOOKUP = re.compile(r"\{[\w.]+\}")
_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_ROWS = ("parameters", "headers")
_Change = Callable[[str], str]


class _Row(BaseModel):
    model_config = ConfigDict(coerce_numbers_to_str=True)

    name: str = Field(title="Name", description="The name that is sent.", min_length=1)
    value: Annotated[str | None, MULTILINE] = Field(
        default=None, title="Value", description="The value; lookups are filled in."
    )

    @field_validator("*", mode="before")
    @classmethod
    def _null_is_absent(cls, value: Any, info: Any) -> Any:
        field = cls.model_fields[info.field_name]
        return field.get_default() if value in (None, "") and not field.is_required() else value


class Parameter(_Row):
    """A parameter of the query."""

    exclude: bool = Field(
        default=False, title="Exclude", description="Leave the client's parameter of this name out, instead of adding."
    )
    outbound: bool = Field(default=False, title="Outbound", description="Whether that counts for what is sent.")
    cache_key: bool = Field(default=False, title="Cache Key", description="Whether that counts for the cache.")
    action: VerbMask = Field(default=0, title="Verbs", description="The verbs that it is for; none is never.")


class Header(_Row):
    """A header."""

    pass_from_client: bool = Field(
        default=False, title="Pass From Client", description="Send what the client sends under this name."
    )
    action: VerbMask = Field(default=0, title="Verbs", description="The verbs that it is for; none is never.")

    @field_validator("name")
    @classmethod
    def _is_a_name(cls, name: str) -> str:
        if not _NAME.fullmatch(name):
            raise ValueError("it is no name of a header")
        return name


class RwsConfig(Config):
    """Where the remote API is, and what is sent to it."""

    base_url: Annotated[str | None, MULTILINE] = Field(
        default=None,
        title="Base URL (required if not defined in Service Definition)",
        description="Root of the remote API, unless the service definition names one.",
    )
    options: dict[str, Any] | None = Field(
        default=None,
        title="CURL Options",
        description="Options by the names that cURL has for them, such as CURLOPT_TIMEOUT.",
    )
    replace_link: bool = Field(
        default=False, title="Replace Hyperlinks", description="Make links to remote services links to this server."
    )
    implements_access_list: bool = Field(
        default=False,
        title="Remote Implements Access List",
        description="Let the remote API answer as_access_list itself.",
    )
    preserve_forward_trailing_slash: bool = Field(
        default=False,
        title="Preserve or add a forward trailing slash to your url",
        description="End the remote URL with a slash.",
    )
    parameters: list[Parameter] = Field(
        default=[], title="Parameters", description="What is added to the query or left out of it."
    )
    headers: list[Header] = Field(default=[], title="Headers", description="Headers that are sent.")
    cache_enabled: bool = Field(
        default=False,
        title="Data Retrieval Caching Enabled",
        description="Keep answers to GET requests without a body for a while.",
    )
    cache_ttl: int = Field(
        default=0,
        title="Cache Time To Live (seconds)",
        description="How long answers are kept; 0 is five hours.",
        ge=0,
    )

    @field_validator("options", "parameters", "headers", mode="before")
    @classmethod
    def _empty_when_blank(cls, value: Any, info: Any) -> Any:
        """Take null and empty lists as nothing: forms send both."""
        return cls.model_fields[info.field_name].get_default() if value in (None, "", [], {}) else value

    @field_validator("base_url")
    @classmethod
    def _is_an_address(cls, text: str | None) -> str | None:
        text = (text or "").strip()
        if text and not text.lower().startswith(("http://", "https://")) and "{" not in text:
            raise ValueError("it must begin with http:// or https://")
        return text or None

    @field_validator("options")
    @classmethod
    def _are_known(cls, options: dict[str, Any] | None) -> dict[str, Any] | None:
        dialling(options or {})
        return options

    @classmethod
    def merged(cls, stored: dict[str, Any], given: dict[str, Any], vault: Vault) -> dict[str, Any]:
        """Encrypt what may be secret in rows and options; what is sent as its mask stays as it was."""
        result = super().merged(stored, given, vault)
        for kind in _ROWS:
            if kind in given and isinstance(given[kind], list):
                known = stored.get(kind)
                result[kind] = _rows_sealed(given[kind], known if isinstance(known, list) else [], vault)
        if isinstance(given.get("options"), dict):
            known = stored.get("options")
            held = known if isinstance(known, dict) else {}
            result["options"] = {
                name: held.get(name) if value == MASK else vault.encrypt(str(value)) if _hides(name, value) else value
                for name, value in given["options"].items()
            }
        return result

    @classmethod
    def opened(cls, stored: dict[str, Any], vault: Vault) -> dict[str, Any]:
        """Decrypt, and follow references."""
        return _changed(super().opened(stored, vault), vault.reveal)

    @classmethod
    def shown(cls, stored: dict[str, Any]) -> dict[str, Any]:
        """Mask what may be secret."""
        return _changed(super().shown(stored), lambda _value: MASK)


def _is_secret(value: Any) -> bool:
    return isinstance(value, str | int | float) and value != "" and not _LOOKUP.fullmatch(str(value))


def _hides(name: str, value: Any) -> bool:
    return plain_name(name) in SECRET_OPTIONS and _is_secret(value)


def _rows_sealed(rows: list[Any], known: list[Any], vault: Vault) -> list[Any]:
    left = [one for one in known if isinstance(one, dict)]
    found = []
    for row in rows:
        if isinstance(row, dict) and _is_secret(row.get("value")):
            # Of several rows of one name the first one left is meant.
            before = next((one for one in left if one.get("name") == row.get("name")), None)
            if before is not None:
                left.remove(before)
            value = row["value"]
            kept = before.get("value") if before is not None else None
            row = {**row, "value": kept if value == MASK else vault.encrypt(str(value))}
        found.append(row)
    return found


def _changed(values: dict[str, Any], change: _Change) -> dict[str, Any]:
    result = dict(values)
    for kind in _ROWS:
        if isinstance(values.get(kind), list):
            result[kind] = [
                {**row, "value": change(str(row["value"]))}
                if isinstance(row, dict) and _is_secret(row.get("value"))
                else row
                for row in values[kind]
            ]
    if isinstance(values.get("options"), dict):
        result["options"] = {
            name: change(str(value)) if _hides(name, value) else value for name, value in values["options"].items()
        }
    return result
