"""XML bodies and replies, and what attackers put into XML (spec system-api 3, D14, checklist 8)."""

from __future__ import annotations

import string
from decimal import Decimal
from typing import Any
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trunkline.errors import BadRequest
from trunkline.formats import RenderOptions
from trunkline_formats import xml

OPTIONS = RenderOptions()
TEXT = st.text(
    st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\ufffe\uffff"), min_size=1, max_size=20
)
NAME = st.text(string.ascii_letters + "_", min_size=1, max_size=8).filter(
    lambda name: not name.lower().startswith("xml")
)
RECORD = st.dictionaries(NAME, st.none() | TEXT | st.lists(TEXT, min_size=2, max_size=3), min_size=1, max_size=4)


@given(st.lists(RECORD, min_size=1, max_size=4))
def test_records_of_texts_come_back_as_they_were(records: list[dict[str, Any]]) -> None:
    assert xml.parse(xml.render({"resource": records}, OPTIONS)) == {"resource": records}


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    )
)
def test_every_reply_is_well_formed(content: Any) -> None:
    ElementTree.fromstring(xml.render(content, OPTIONS))


def test_a_list_repeats_the_element_of_its_key() -> None:
    content = {"resource": [{"id": 1, "tags": ["a", "b"]}, {"id": 2, "tags": []}], "meta": {"count": 2}}
    assert xml.render(content, OPTIONS).decode() == (
        '<?xml version="1.0" ?><dfapi>\n'
        "\t<resource>\n\t\t<id>1</id>\n\t\t<tags>a</tags>\n\t\t<tags>b</tags>\n\t</resource>\n"
        "\t<resource>\n\t\t<id>2</id>\n\t</resource>\n"
        "\t<meta>\n\t\t<count>2</count>\n\t</meta>\n"
        "</dfapi>"
    )


@pytest.mark.parametrize(
    ("content", "inside"),
    [
        (5, "5"),
        ("a<b&c>", "a&lt;b&amp;c&gt;"),  # once, not twice
        ("&lt;", "&amp;lt;"),
        (True, "true"),
        (None, ""),
        (Decimal("1.10"), "1.10"),
        ([1, 2], "\n\t<resource>1</resource>\n\t<resource>2</resource>\n"),
        ({"a": None, "b": "", "c": {}}, "\n\t<a/>\n\t<b/>\n\t<c/>\n"),
        (
            {"a": [[1, 2], [3]]},
            "\n\t<a>\n\t\t<item>1</item>\n\t\t<item>2</item>\n\t</a>\n\t<a>\n\t\t<item>3</item>\n\t</a>\n",
        ),
        ({"a": "x\0\x1b\ud800\uffffy"}, "\n\t<a>x\ufffd\ufffd\ufffd\ufffdy</a>\n"),
        ({"a": "1\r\n2\t"}, "\n\t<a>1&#13;\n2\t</a>\n"),
        ({"1 a": 1, "x><b": 2, "": 3}, "\n\t<_1_a>1</_1_a>\n\t<x__b>2</x__b>\n\t<_>3</_>\n"),
        ({"n:s": 4, "xmlx": 5, "é": 6}, "\n\t<n_s>4</n_s>\n\t<_xmlx>5</_xmlx>\n\t<_>6</_>\n"),
    ],
)
def test_rendering(content: Any, inside: str) -> None:
    assert xml.render(content, OPTIONS).decode() == f'<?xml version="1.0" ?><dfapi>{inside}</dfapi>'


def test_the_names_of_root_and_wrapper_are_settings() -> None:
    options = RenderOptions(wrapper="data", xml_root="my root")
    assert xml.render([1], options) == b'<?xml version="1.0" ?><my_root>\n\t<data>1</data>\n</my_root>'


@pytest.mark.parametrize(
    ("body", "content"),
    [
        (
            "<x><resource><a>1</a></resource><resource><a/></resource></x>",
            {"resource": [{"a": "1"}, {"a": None}]},
        ),
        ("<x>\n <resource>\n  <a> 1 </a>\n </resource>\n</x>", {"resource": [{"a": " 1 "}]}),
        ("<resource><a>1</a></resource>", {"resource": [{"a": "1"}]}),
        ("<x><resource>5</resource></x>", {"resource": ["5"]}),
        ("<x><resource/></x>", {"resource": []}),
        ("<x><id>5</id><tag>a</tag><tag>b</tag></x>", {"id": "5", "tag": ["a", "b"]}),
        ("<x/>", None),
        ("<x>5</x>", "5"),
        ("<x><a><![CDATA[<b>&]]></a><!-- no --></x>", {"a": "<b>&"}),
        ('<s:x xmlns:s="urn:s"><s:a>&lt;&#65;</s:a></s:x>', {"a": "<A"}),
        ('<?xml version="1.0" encoding="ISO-8859-1"?><x><a>&#233;</a></x>', {"a": "é"}),
    ],
)
def test_parsing(body: str, content: Any) -> None:
    assert xml.parse(body.encode()) == content


LAUGHS = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))


@pytest.mark.parametrize(
    "body",
    [
        f'<!DOCTYPE x [<!ENTITY l0 "lol">{LAUGHS}]><x>&l9;</x>',
        f'<!DOCTYPE x [<!ENTITY a "{"a" * 100_000}">]><x>{"&a;" * 1_000}</x>',
        '<!DOCTYPE x [<!ENTITY f SYSTEM "file:///etc/passwd">]><x>&f;</x>',
        '<!DOCTYPE x [<!ENTITY % p SYSTEM "http://127.0.0.1:1/evil.dtd"> %p;]><x/>',
        '<!DOCTYPE x SYSTEM "http://127.0.0.1:1/evil.dtd"><x/>',
        "<!DOCTYPE x><x/>",
        "<x>&undefined;</x>",
        "<a>" * 5_000 + "</a>" * 5_000,
        "<x><a></x>",
        "<x/><y/>",
        "<x>\x00</x>",
        '<?xml version="1.0" encoding="nonsense"?><x/>',
        '<?xml version="1.0" encoding="utf-7"?><x/>',
        "text",
        "",
    ],
)
def test_attacks_and_malformed_bodies_are_refused(body: str) -> None:
    with pytest.raises(BadRequest, match="Invalid XML in request body") as refusal:
        xml.parse(body.encode())
    assert "passwd" not in refusal.value.message


@given(st.one_of(st.binary(max_size=100), st.text("<>/ax&;!?[]'\"= \n", max_size=60).map(str.encode)))
def test_no_body_does_anything_but_parse_or_raise_bad_request(body: bytes) -> None:
    try:
        xml.parse(body)
    except BadRequest:
        return
