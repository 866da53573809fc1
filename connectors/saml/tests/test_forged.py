"""Assertions that are forged, old, or for somebody else; a provider's key makes them, since no real one would."""

import base64
import datetime as dt
import itertools
from collections.abc import Iterator
from copy import deepcopy
from typing import Any

import pytest
from lxml import etree
from onelogin.saml2.constants import OneLogin_Saml2_Constants as Names
from onelogin.saml2.utils import OneLogin_Saml2_Utils as Utils
from saml_servers import pair

from trunkline.testing import Gateway
from trunkline.testing.fixtures import _copied, settings_for
from trunkline_oauth.testing import XHR, message, returned

IDP, AT = "https://idp.example.com", "http://testserver/api/v2/company"
EMAIL = "urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress"
SAML, SAMLP = f"{{{Names.NS_SAML}}}", f"{{{Names.NS_SAMLP}}}"
BAD, UNASKED = "The assertion is not good.", "The login was not begun here, or not lately."
_numbers = itertools.count(1)


def moment(seconds: float) -> str:
    """Write a moment from now."""
    return (dt.datetime.now(dt.UTC) + dt.timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")


def assertion(request: str | None, **more: Any) -> str:
    """Write an assertion; ``more`` says what is other than it should be."""
    usual = {"name": "ann@example.org", "format": EMAIL, "issuer": IDP, "audience": f"{AT}/metadata"}
    times = {"begins": -60, "ends": 300, "confirmed": 300}
    given = {**usual, **times, "recipient": f"{AT}/acs", "number": next(_numbers), **more}
    answers = f'InResponseTo="{request}"' if request else ""
    audience = f"<saml:Audience>{given['audience']}</saml:Audience>"
    restricted = f"<saml:AudienceRestriction>{audience}</saml:AudienceRestriction>" if given["audience"] else ""
    return f"""<saml:Assertion xmlns:saml="{Names.NS_SAML}" ID="a{given["number"]}" Version="2.0"
 IssueInstant="{moment(0)}"><saml:Issuer>{given["issuer"]}</saml:Issuer>
<saml:Subject><saml:NameID Format="{given["format"]}">{given["name"]}</saml:NameID>
<saml:SubjectConfirmation Method="urn:oasis:names:tc:SAML:2.0:cm:bearer"><saml:SubjectConfirmationData {answers}
 NotOnOrAfter="{moment(given["confirmed"])}" Recipient="{given["recipient"]}"/></saml:SubjectConfirmation>
</saml:Subject>
<saml:Conditions NotBefore="{moment(given["begins"])}" NotOnOrAfter="{moment(given["ends"])}">{restricted}
</saml:Conditions>
<saml:AuthnStatement AuthnInstant="{moment(0)}"><saml:AuthnContext><saml:AuthnContextClassRef
>urn:oasis:names:tc:SAML:2.0:ac:classes:Password</saml:AuthnContextClassRef></saml:AuthnContext></saml:AuthnStatement>
</saml:Assertion>"""


def response(inside: str, request: str | None, destination: str = f"{AT}/acs", status: str = "Success") -> str:
    """Put an assertion into a response."""
    answers = f'InResponseTo="{request}"' if request else ""
    return f"""<samlp:Response xmlns:samlp="{Names.NS_SAMLP}" xmlns:saml="{Names.NS_SAML}" ID="r{next(_numbers)}"
 Version="2.0" IssueInstant="{moment(0)}" Destination="{destination}" {answers}><saml:Issuer>{IDP}</saml:Issuer>
<samlp:Status><samlp:StatusCode Value="urn:oasis:names:tc:SAML:2.0:status:{status}"/></samlp:Status>
{inside}</samlp:Response>"""


class Company:
    """A service whose provider's key the tests have."""

    def __init__(self, gateway: Gateway) -> None:
        self.gateway = gateway
        self.key, self.certificate = pair("idp")
        _, later = pair("later")
        config = {
            "idp_entityId": IDP, "idp_singleSignOnService_url": f"{IDP}/sso", "idp_x509cert": self.certificate + later
        }  # fmt: skip
        gateway.create_service("company", "saml", config)
        gateway.create_service("open", "saml", {**config, "allow_idp_initiated": True})

    def begun(self) -> str:
        """Begin a login and answer the id of our request."""
        url = self.gateway.anonymous.get("/company/sso", headers=XHR).json()["response"]["url"]
        xml = Utils.decode_base64_and_inflate(returned(url)["SAMLRequest"])
        return str(etree.fromstring(xml).get("ID"))

    def signed(self, xml: str, **more: Any) -> str:
        """Sign an assertion or a response."""
        given = {"key": self.key, "cert": self.certificate, "sign_algorithm": Names.RSA_SHA256, **more}
        found = Utils.add_sign(xml, **given)
        return found.decode() if isinstance(found, bytes) else str(found)

    def send(self, xml: str, where: str = "company") -> Any:
        """Send a response as a browser does."""
        form = {"SAMLResponse": base64.b64encode(xml.encode()).decode()}
        return self.gateway.anonymous.post(f"/{where}/acs", data=form)

    def good(self, **more: Any) -> str:
        """Write a response with a signed assertion for a login that has begun."""
        request = self.begun()
        return response(self.signed(assertion(request, **more)), request)


@pytest.fixture(scope="module")
def company(_template: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Company]:
    storage = _copied(_template, tmp_path_factory.mktemp("gateway") / "storage")
    with Gateway(settings_for(storage, app_url="http://testserver")) as gateway:
        yield Company(gateway)


def refused(reply: Any) -> str:
    """Answer why a login was refused, in our own words only."""
    told = message(reply, 401)
    assert told.startswith("Authentication failed. ")
    return told.removeprefix("Authentication failed. ")


def test_a_good_assertion_is_taken(company: Company) -> None:
    session = company.send(company.good())
    assert session.status_code == 200, session.text
    assert session.json()["email"] == "ann+company@example.org"
    assert session.json()["name"] == "SAML USER"


def test_a_signed_response_is_enough(company: Company) -> None:
    request = company.begun()
    assert company.send(company.signed(response(assertion(request), request))).status_code == 200


@pytest.mark.parametrize(
    "wrong",
    [
        {"ends": -600}, {"begins": 600}, {"confirmed": -600}, {"audience": "https://other.example"}, {"audience": None},
        {"recipient": "https://other.example/acs"}, {"issuer": "https://other.example"},
        {"format": "urn:oasis:names:tc:SAML:2.0:nameid-format:transient"}, {"name": ""},
    ],
    ids=str,
)  # fmt: skip
def test_assertions_that_do_not_fit_are_refused(company: Company, wrong: dict[str, Any]) -> None:
    """Checklist 19: expired, not valid yet, wrongly addressed, of somebody else."""
    assert refused(company.send(company.good(**wrong)))


@pytest.mark.parametrize("seconds", [-120, 120])
def test_clocks_may_differ_a_little(company: Company, seconds: int) -> None:
    """Checklist 19."""
    reply = company.send(company.good(begins=seconds, ends=min(seconds, 0) + 60))
    assert reply.status_code == 200, reply.text


def test_a_response_for_another_place_is_refused(company: Company) -> None:
    request = company.begun()
    for place in ("https://other.example/acs", f"{AT}/other", ""):
        inside = company.signed(assertion(request))
        assert refused(company.send(response(inside, request, place))) == BAD


def test_a_response_that_is_no_success_is_refused(company: Company) -> None:
    request = company.begun()
    xml = company.signed(response(assertion(request), request, status="Responder"))
    assert refused(company.send(xml)) == BAD


def test_what_is_not_signed_by_the_provider_is_refused(company: Company) -> None:
    """Checklist 19: unsigned, signed by another, signed by what it brings itself, signed weakly, changed since."""
    request, (key, certificate) = company.begun(), pair("idp")
    unsigned = assertion(request)
    stranger = company.signed(unsigned, key=key, cert=certificate)
    weak = company.signed(unsigned, sign_algorithm=Names.RSA_SHA1, digest_algorithm=Names.SHA1)
    changed = company.signed(unsigned).replace("ann@", "bob@")
    for inside in (unsigned, stranger, weak, changed):
        assert refused(company.send(response(inside, request))) == BAD
    assert company.send(response(company.signed(unsigned), request)).status_code == 200


def test_unasked_assertions_are_for_services_that_say_so(company: Company) -> None:
    """Checklist 19: none that nobody asked for, or for a login of somebody else's, or long ago."""
    for request in (None, "_unknown", company.begun() + "x"):
        assert refused(company.send(response(company.signed(assertion(request)), request))) == UNASKED
    mine = {"audience": f"{AT[:-7]}open/metadata", "recipient": f"{AT[:-7]}open/acs"}
    xml = response(company.signed(assertion(None, **mine)), None, mine["recipient"])
    assert company.send(xml, "open").status_code == 200
    assert refused(company.send(xml, "open")) == "The assertion was used already."


def test_an_assertion_is_not_moved_to_another_login(company: Company) -> None:
    """Checklist 19, replay: the request that it answers is part of what is signed."""
    theirs, mine = company.begun(), company.begun()
    assert refused(company.send(response(company.signed(assertion(theirs)), mine))) == BAD


def test_a_comment_does_not_cut_a_name(company: Company) -> None:
    """Checklist 19: a name means the same to us as to the provider that signed it."""
    reply = company.send(company.good(name="ann@example.org<!-- -->.evil.example.com"))
    assert reply.status_code == 401 or reply.json()["email"] == "ann+company@example.org.evil.example.com"


def wrapped(kind: str, signed: str, request: str) -> str:
    """Wrap a signed assertion so that its signature is good and another assertion is read (signature wrapping)."""
    document = etree.fromstring(response(signed, request).encode())
    good = document.find(f"{SAML}Assertion")
    assert good is not None
    evil = deepcopy(good)
    name = evil.find(f".//{SAML}NameID")
    signature = evil.find(f"{{{Names.NS_DS}}}Signature")
    assert name is not None
    assert signature is not None
    name.text = "admin@example.org"
    if kind != "same id":
        evil.set("ID", "evil")
    if kind in ("before", "after", "same id"):
        evil.remove(signature)
        document.insert(2 if kind == "before" else len(document), evil)
    elif kind == "inside evil":
        evil.remove(signature)
        document.replace(good, evil)
        evil.append(good)
    elif kind == "in signature":
        good.remove(good.find(f"{{{Names.NS_DS}}}Signature"))
        holder = etree.SubElement(signature, f"{{{Names.NS_DS}}}Object")
        holder.append(good)
        document.append(evil)
    elif kind == "in extensions":
        evil.remove(signature)
        document.remove(good)
        extensions = etree.Element(f"{SAMLP}Extensions")
        extensions.append(good)
        document.insert(1, extensions)
        document.append(evil)
    elif kind == "response in response":
        evil.remove(signature)
        outer = etree.fromstring(response("", request).encode())
        outer.append(evil)
        holder = etree.Element(f"{SAMLP}Extensions")
        holder.append(document)
        outer.insert(1, holder)
        document = outer
    elif kind == "signature moved":
        evil.remove(signature)
        document.insert(1, signature)
        document.append(evil)
    return etree.tostring(document).decode()


KINDS = [
    *("before", "after", "same id", "inside evil", "in signature", "in extensions"),
    *("response in response", "signature moved"),
]


@pytest.mark.parametrize("kind", KINDS)
def test_wrapped_assertions_are_refused(company: Company, kind: str) -> None:
    """Checklist 19, signature wrapping: what is read is what was signed."""
    request = company.begun()
    reply = company.send(wrapped(kind, company.signed(assertion(request)), request))
    assert reply.status_code in (400, 401), reply.text


@pytest.mark.parametrize("kind", KINDS)
def test_wrapped_responses_are_refused(company: Company, kind: str) -> None:
    """The same where the response is what is signed."""
    request = company.begun()
    xml = wrapped(kind, company.signed(assertion(request)), request)
    outer = company.signed(response(assertion(request), request))
    document = etree.fromstring(outer.encode())
    for one in etree.fromstring(xml.encode()).iter(f"{SAML}Assertion"):
        if one.get("ID") == "evil":
            document.append(deepcopy(one))
    if kind != "same id":
        assert company.send(etree.tostring(document).decode()).status_code in (400, 401)


def test_entities_are_not_read(company: Company) -> None:
    """Checklist 8: no file is read, nothing grows."""
    evil = "".join(f'<!ENTITY e{one + 1} "{f"&e{one};" * 10}">' for one in range(9))
    for dtd in (
        '<!DOCTYPE x [<!ENTITY f SYSTEM "file:///etc/passwd">]>',
        f'<!DOCTYPE x [<!ENTITY e0 "ha">{evil}]>',
        '<!DOCTYPE x SYSTEM "http://127.0.0.1:1/x.dtd">',
    ):
        reply = company.send(dtd + company.good(name="a@b.c").replace("a@b.c", "&f;" if "file" in dtd else "&e9;"))
        assert reply.status_code in (400, 401), reply.text
        assert "root:" not in reply.text
