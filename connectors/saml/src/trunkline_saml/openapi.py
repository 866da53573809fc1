"""What documents say of the calls of this type."""

from __future__ import annotations

from trunkline.describe import Operation, Schema

_TEXT: Schema = {"type": "string"}
_ASSERTION: Schema = {"type": "object", "properties": {"SAMLResponse": _TEXT, "RelayState": _TEXT}}
SSO = {"GET": Operation("Go to the identity provider to log in", "sso", status=302, also=(200,))}
ACS = {"POST": Operation("Complete a login with the provider's assertion", "acs", body=_ASSERTION, also=(302,))}
METADATA = {"GET": Operation("Answer the metadata document", "metadata", media_types=("application/samlmetadata+xml",))}
SLO = {"GET": Operation("Log out here and at the provider", "slo", status=302, also=(200,), needs="user")}
SLS = {"GET": Operation("Take a message about a logout", "sls", status=302)}
