"""Talking SAML through python3-saml, always strict; its functions block and run in worker threads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from trunkline.errors import BadGateway, BadRequest, Unauthorized
from trunkline_saml.config import SamlConfig, certificates

if TYPE_CHECKING:
    from onelogin.saml2.settings import OneLogin_Saml2_Settings

_REDIRECT = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect"
_POST = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST"
_TRANSIENT = "urn:oasis:names:tc:SAML:2.0:nameid-format:transient"
_SHA256 = "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256"


@dataclass(frozen=True, slots=True)
class Said:
    """What an assertion says that was found good: ``ends`` is when it does, in epoch seconds."""

    name: str
    attributes: Mapping[str, list[Any]]
    assertion: str
    ends: float
    request: str | None
    session_index: str | None


class Toolkit:
    """One service provider, ours, with one identity provider."""

    def __init__(self, config: SamlConfig, base: str) -> None:
        """``base`` is the address of the service, below which its resources are."""
        self._config = config
        self._base = base

    def _settings(self, **security: bool) -> OneLogin_Saml2_Settings:
        from onelogin.saml2.errors import OneLogin_Saml2_Error
        from onelogin.saml2.settings import OneLogin_Saml2_Settings

        config = self._config
        key = config.sp_privateKey.get_secret_value() if config.sp_privateKey is not None else ""
        idp: dict[str, Any] = {
            "entityId": config.idp_entityId,
            "singleSignOnService": {"url": config.idp_singleSignOnService_url, "binding": _REDIRECT},
            "x509certMulti": {"signing": certificates(config.idp_x509cert)},
        }
        if config.idp_singleLogoutService_url:
            idp["singleLogoutService"] = {"url": config.idp_singleLogoutService_url, "binding": _REDIRECT}
        try:
            return OneLogin_Saml2_Settings(
                {
                    "strict": True,
                    "debug": False,
                    "sp": {
                        "entityId": f"{self._base}/metadata",
                        "assertionConsumerService": {"url": f"{self._base}/acs", "binding": _POST},
                        "singleLogoutService": {"url": f"{self._base}/sls", "binding": _REDIRECT},
                        "NameIDFormat": config.sp_nameIDFormat,
                        "x509cert": "".join(certificates(config.sp_x509cert)[:1]),
                        "privateKey": key,
                    },
                    "idp": idp,
                    "security": {
                        "authnRequestsSigned": bool(key),
                        "logoutRequestSigned": bool(key),
                        "logoutResponseSigned": bool(key),
                        "signMetadata": False,
                        "wantAssertionsEncrypted": config.want_encrypted,
                        "wantAttributeStatement": False,
                        "requestedAuthnContext": False,
                        "rejectDeprecatedAlgorithm": True,
                        "allowSingleLabelDomains": True,
                        "signatureAlgorithm": _SHA256,
                        "digestAlgorithm": "http://www.w3.org/2001/04/xmlenc#sha256",
                        **security,
                    },
                },
            )
        except OneLogin_Saml2_Error as error:
            raise BadGateway("The configuration of this service cannot be used.") from error

    def _request(self, resource: str, query: bytes = b"", form: Mapping[str, str] | None = None) -> dict[str, Any]:
        """Describe a request to us, by the address under which we are known and not by what a Host header says."""
        parts = urlsplit(self._base)
        got = {name: value[0] for name, value in _parsed(query).items()}
        return {
            "https": "on" if parts.scheme == "https" else "off",
            "http_host": parts.netloc,
            "script_name": f"{parts.path}/{resource}",
            "get_data": got,
            "post_data": dict(form or {}),
            "query_string": query.decode("ascii", "replace"),
        }

    def login(self, relay_state: str) -> tuple[str, str]:
        """Begin a login: where the browser goes, and the id of the request, which the answer must name."""
        from onelogin.saml2.auth import OneLogin_Saml2_Auth

        auth = OneLogin_Saml2_Auth(self._request("sso"), self._settings())
        url = auth.login(return_to=relay_state)
        return str(url), str(auth.get_last_request_id())

    def judged(self, response: str) -> Said:
        """Answer what an assertion says; raises BadRequest for what is none, Unauthorized for one that is not good."""
        from onelogin.saml2.errors import OneLogin_Saml2_Error, OneLogin_Saml2_ValidationError
        from onelogin.saml2.response import OneLogin_Saml2_Response

        try:
            found = OneLogin_Saml2_Response(self._settings(), response)
        except OneLogin_Saml2_ValidationError as error:
            raise Unauthorized("Authentication failed. The assertion cannot be read.") from error
        except Exception as error:
            # Of what is no SAML at all the library raises whatever its XML parser and decoder do.
            raise BadRequest("Invalid SAML Response provided") from error
        try:
            request = found.get_in_response_to()
            found.is_valid(self._request("acs", form={"SAMLResponse": response}), request, raise_exceptions=True)
            if f"{self._base}/metadata" not in found.get_audiences():
                raise Unauthorized("Authentication failed. The assertion is not for this service.")
            if found.get_nameid_format() == _TRANSIENT:
                raise Unauthorized("Authentication failed. The provider names its users anew each time.")
            # An assertion without end counts as one that ends in a day.
            ends = found.get_assertion_not_on_or_after() or found.get_session_not_on_or_after() or 0
            return Said(
                str(found.get_nameid()),
                found.get_attributes(),
                str(found.get_assertion_id()),
                float(ends),
                request,
                found.get_session_index(),
            )
        except (OneLogin_Saml2_ValidationError, OneLogin_Saml2_Error) as error:
            raise Unauthorized("Authentication failed. The assertion is not good.") from error

    def metadata(self) -> bytes:
        """Write our metadata document."""
        settings = self._settings()
        found = settings.get_sp_metadata()
        return found if isinstance(found, bytes) else str(found).encode()

    def logout(self, name: str, session_index: str | None, back: str) -> tuple[str, str] | None:
        """Begin to log out at the provider: where the browser goes, and the request's id; None where it has no page."""
        from onelogin.saml2.auth import OneLogin_Saml2_Auth

        if not self._config.idp_singleLogoutService_url:
            return None
        auth = OneLogin_Saml2_Auth(self._request("slo"), self._settings())
        url = auth.logout(
            return_to=back, name_id=name, session_index=session_index, name_id_format=self._config.sp_nameIDFormat
        )
        return str(url), str(auth.get_last_request_id())

    def logged_out(self, query: bytes) -> str:
        """Check the provider's answer to a logout, and answer the id of the request; raises Unauthorized."""
        from onelogin.saml2.auth import OneLogin_Saml2_Auth
        from onelogin.saml2.xml_utils import OneLogin_Saml2_XML

        auth = OneLogin_Saml2_Auth(self._request("sls", query), self._settings(wantMessagesSigned=True))
        self._processed(auth)
        return str(OneLogin_Saml2_XML.to_etree(auth.get_last_response_xml()).get("InResponseTo"))

    def asked_to_log_out(self, query: bytes) -> tuple[str, str]:
        """Answer whom the provider logs out, and where the browser takes our answer; raises Unauthorized."""
        from onelogin.saml2.auth import OneLogin_Saml2_Auth
        from onelogin.saml2.logout_request import OneLogin_Saml2_Logout_Request

        settings = self._settings(wantMessagesSigned=True)
        auth = OneLogin_Saml2_Auth(self._request("sls", query), settings)
        url = self._processed(auth)
        key = settings.get_sp_key() or None
        name = OneLogin_Saml2_Logout_Request.get_nameid(auth.get_last_request_xml(), key)
        return str(name), str(url)

    @staticmethod
    def _processed(auth: Any) -> Any:
        try:
            url = auth.process_slo(keep_local_session=True)
        except Exception as error:
            # Of what is no SAML at all the library raises whatever its XML parser and decoder do.
            raise BadRequest("Invalid SAML message provided") from error
        if auth.get_errors():
            raise Unauthorized("Authentication failed. The message is not good.")
        return url


def _parsed(query: bytes) -> dict[str, list[str]]:
    from urllib.parse import parse_qs

    return parse_qs(query.decode("ascii", "replace"), keep_blank_values=True)
