"""Options by the names and numbers that cURL has for them, as far as they mean something here."""

from __future__ import annotations

import logging
import ssl
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from trunkline.call import truth
from trunkline.errors import InternalError
from trunkline.remote import Dialling

log = logging.getLogger(__name__)
SECONDS = 300.0
_MOST_REDIRECTS = 20
# Numbers of cURL's own header; those that are known but mean nothing here are passed over.
_NUMBERS = {
    "TIMEOUT": 13, "CONNECTTIMEOUT": 78, "TIMEOUT_MS": 155, "CONNECTTIMEOUT_MS": 156, "FOLLOWLOCATION": 52,
    "MAXREDIRS": 68, "SSL_VERIFYPEER": 64, "SSL_VERIFYHOST": 81, "CAINFO": 10065, "SSLCERT": 10025, "SSLKEY": 10087,
    "SSLKEYPASSWD": 10026, "KEYPASSWD": 10026, "SSLCERTPASSWD": 10026, "PROXY": 10004, "PROXYPORT": 59,
    "PROXYUSERPWD": 10006, "USERAGENT": 10018, "USERPWD": 10005, "HTTPAUTH": 107,
    "RETURNTRANSFER": 19913, "HEADER": 42, "VERBOSE": 41, "ENCODING": 10102, "ACCEPT_ENCODING": 10102,
    "SSLVERSION": 32, "IPRESOLVE": 113, "TCP_NODELAY": 121, "TCP_KEEPALIVE": 213, "FRESH_CONNECT": 74,
    "FORBID_REUSE": 75, "HTTP_VERSION": 84, "AUTOREFERER": 58, "FAILONERROR": 45, "NOSIGNAL": 99,
    "HTTPPROXYTUNNEL": 61, "PROXYTYPE": 101, "PROXYAUTH": 111, "UNRESTRICTED_AUTH": 105, "POSTREDIR": 161,
    "SSL_CIPHER_LIST": 10083, "REFERER": 10016, "DNS_CACHE_TIMEOUT": 92, "PROTOCOLS": 181, "REDIR_PROTOCOLS": 182,
}  # fmt: skip
_NAMES = {str(number): name for name, number in reversed(_NUMBERS.items())}
SECRET_OPTIONS = frozenset({"PROXYUSERPWD", "USERPWD", "SSLKEYPASSWD", "KEYPASSWD", "SSLCERTPASSWD", "PROXY"})
_DOES_NOTHING = frozenset({"RETURNTRANSFER", "HEADER", "VERBOSE", "ENCODING", "ACCEPT_ENCODING", "NOSIGNAL"})
_BASIC = 1


def plain_name(name: str) -> str:
    """Answer an option's name without its beginning, whichever way it is named; raises InternalError."""
    found = _NAMES.get(name.strip(), name.strip().upper())
    short = found.removeprefix("CURLOPT_")
    if short not in _NUMBERS or (found == short and name.strip() not in _NAMES):
        raise InternalError(f"Invalid configuration: {name[:64]} is not a defined option.")
    return short


def named(options: Mapping[str, Any]) -> dict[str, Any]:
    """Answer options by their plain names, without those that have no value; raises InternalError."""
    return {plain_name(str(name)): value for name, value in options.items() if value not in (None, "")}


def dialling(options: Mapping[str, Any]) -> Dialling:
    """Answer how to reach the server, for TLS as the system has it; raises InternalError, ValueError."""
    given = named(options)
    for name in given.keys() - SECRET_OPTIONS - _DOES_NOTHING - _USED:
        log.warning("the option CURLOPT_%s does nothing here", name)
    if "HTTPAUTH" in given and not int(given["HTTPAUTH"]) & _BASIC:
        raise ValueError("of CURLOPT_HTTPAUTH only basic authentication (1) is supported")
    redirects = 5
    if "FOLLOWLOCATION" in given and not truth(given["FOLLOWLOCATION"]):
        redirects = 0
    elif "MAXREDIRS" in given:
        most = int(given["MAXREDIRS"])
        redirects = min(most, _MOST_REDIRECTS) if most >= 0 else _MOST_REDIRECTS
    wait = _seconds(given, "TIMEOUT")
    connect = min(_seconds(given, "CONNECTTIMEOUT"), wait)
    return Dialling(connect, wait, redirects, proxy=_proxy(given), proxy_login=_login(given.get("PROXYUSERPWD")))


def login(options: Mapping[str, Any]) -> tuple[str, str] | None:
    """Answer user and password for the server."""
    return _login(named(options).get("USERPWD"))


def user_agent(options: Mapping[str, Any]) -> str | None:
    """Answer what to call ourselves."""
    found = named(options).get("USERAGENT")
    return None if found is None else str(found)


def tls(options: Mapping[str, Any]) -> ssl.SSLContext | None:
    """Make the context for TLS, None for the usual one; reads files. Raises InternalError where these are no good."""
    given = named(options)
    checks = _is_on(given, "SSL_VERIFYPEER")
    checks_name = checks and _is_on(given, "SSL_VERIFYHOST")
    if checks_name and not given.keys() & {"CAINFO", "SSLCERT"}:
        return None
    try:
        context = ssl.create_default_context(cafile=_text(given, "CAINFO"))
        context.check_hostname = checks_name
        if not checks:
            context.verify_mode = ssl.CERT_NONE
        if certificate := _text(given, "SSLCERT"):
            password = next((str(given[name]) for name in _PASSWORDS if name in given), None)
            context.load_cert_chain(certificate, _text(given, "SSLKEY"), password)
    except OSError as error:
        raise InternalError("The certificates of the configuration can not be read.") from error
    return context


_PASSWORDS = ("SSLKEYPASSWD", "KEYPASSWD", "SSLCERTPASSWD")
_USED = frozenset(
    {"TIMEOUT", "TIMEOUT_MS", "CONNECTTIMEOUT", "CONNECTTIMEOUT_MS", "FOLLOWLOCATION", "MAXREDIRS", "SSL_VERIFYPEER"}
    | {"SSL_VERIFYHOST", "CAINFO", "SSLCERT", "SSLKEY", "PROXYPORT", "USERAGENT", "HTTPAUTH"}
)


def _seconds(given: Mapping[str, Any], name: str) -> float:
    """Read a time; nothing is as long as it gets."""
    found = float(given[f"{name}_MS"]) / 1000 if f"{name}_MS" in given else float(given.get(name, 0))
    return found if found > 0 else SECONDS


def _is_on(given: Mapping[str, Any], name: str) -> bool:
    value = given.get(name, True)
    return str(value).strip() == "2" or truth(value)


def _text(given: Mapping[str, Any], name: str) -> str | None:
    return str(given[name]) if name in given else None


def _login(value: Any) -> tuple[str, str] | None:
    if value is None:
        return None
    name, _, password = str(value).partition(":")
    return name, password


def _proxy(given: Mapping[str, Any]) -> str | None:
    if "PROXY" not in given:
        return None
    text = str(given["PROXY"]).strip()
    parts = urlsplit(text if "://" in text else f"http://{text}")
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("of proxies only those of http and https are supported")
    port = parts.port or int(given.get("PROXYPORT", 1080))
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return f"{parts.scheme}://{host}:{port}"
