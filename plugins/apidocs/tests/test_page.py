"""The page's files: nothing inline, nothing from elsewhere."""

from __future__ import annotations

import re

from trunkline.testing import Gateway


class TestPage:
    """What a browser is given (checklist 38); tests/test_docs_page.py drives one."""

    def test_the_page_takes_nothing_from_elsewhere(self, gateway: Gateway) -> None:
        reply = gateway.anonymous._http.get("/docs")
        assert reply.status_code == 200
        policy = reply.headers["content-security-policy"]
        assert "default-src 'none'; script-src 'self'" in policy
        assert "unsafe" not in policy
        assert "http" not in policy
        assert not re.search(r"<script(?![^>]*\bsrc=)|\son\w+=|style=|https?:", reply.text)
        for address in re.findall(r'(?:src|href)="(docs/[^"]+)"', reply.text):
            file = gateway.anonymous._http.get(f"/{address}")
            assert file.status_code == 200
            assert file.headers["x-content-type-options"] == "nosniff"
            assert "immutable" in file.headers["cache-control"]
            assert "?" in address

    def test_other_files_are_not_there(self, gateway: Gateway) -> None:
        for name in ("page.html", "..%2fplugin.py", "swagger-ui.LICENSE.txt"):
            assert gateway.anonymous._http.get(f"/docs/{name}").status_code == 404

    def test_the_start_page_leads_there(self, gateway: Gateway) -> None:
        assert '<a href="/docs">' in gateway.anonymous._http.get("/").text
