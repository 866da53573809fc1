"""What documents say of the calls of this family."""

from __future__ import annotations

from trunkline.describe import Operation, Schema, query

_BACK = (
    query("state", "string", "What the login was begun with."),
    query("code", "string", "What the provider gave; OAuth 2.0."),
    query("iss", "string", "The provider's name, where it says so."),
    query("oauth_token", "string", "What the login was begun with; OAuth 1.0a."),
    query("oauth_verifier", "string", "What the provider gave; OAuth 1.0a."),
    query("error", "string", "Why the provider gave nothing."),
)
_SESSION: Schema = {
    "type": "object",
    "properties": {
        "session_token": {"type": "string"},
        "session_id": {"type": "string"},
        "id": {"type": "integer"},
        "name": {"type": ["string", "null"]},
        "email": {"type": "string"},
        "oauth_token": {"type": "string"},
    },
}
_BODY: Schema = {
    "type": "object",
    "properties": {name: {"type": "string"} for name in ("state", "code", "iss", "oauth_token", "oauth_verifier")},
}
SSO = {
    "GET": Operation(
        "Complete a login that has come back from the provider",
        "sso",
        words="Browsers are sent on with the token, other callers get the session.",
        parameters=_BACK,
        reply=_SESSION,
        also=(302,),
    ),
    "POST": Operation(
        "Complete a login with what the provider gave to a page",
        "sso",
        body=_BODY,
        reply=_SESSION,
        also=(302,),
    ),
    "PUT": Operation("Complete a login, as POST does", "sso_put", body=_BODY, reply=_SESSION, also=(302,)),
}
