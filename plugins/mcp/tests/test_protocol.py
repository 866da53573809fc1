"""Streamable HTTP: versions, sessions, who is let in, and from where (connectors 12.3, checklist 35)."""

from __future__ import annotations

import pytest
from speaking import INITIALIZE, Speaker

from trunkline.testing import Gateway


class TestProtocol:
    """What goes over the wire."""

    @pytest.mark.parametrize("version", ["2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05"])
    def test_versions_are_agreed_on(self, shop: Gateway, version: str) -> None:
        speaker = Speaker(shop.admin, version=None)
        reply = speaker.reply("initialize", {**INITIALIZE, "protocolVersion": version})
        assert reply.headers["content-type"] == "application/json"
        told = reply.json()["result"]
        assert told["protocolVersion"] == version
        assert told["serverInfo"] == {"name": "Trunkline MCP (ai)", "title": "ai", "version": "0.1.0"}
        assert list(told["capabilities"]) == ["tools"]
        speaker.version = version
        assert "get_tables" in speaker.names()

    def test_the_current_version_needs_no_handshake(self, shop: Gateway) -> None:
        meta = {
            "io.modelcontextprotocol/protocolVersion": "2026-07-28",
            "io.modelcontextprotocol/clientInfo": INITIALIZE["clientInfo"],
            "io.modelcontextprotocol/clientCapabilities": {},
        }
        reply = Speaker(shop.admin, version="2026-07-28").reply("tools/list", {"_meta": meta}, Mcp_Method="tools/list")
        assert "get_tables" in [one["name"] for one in reply.json()["result"]["tools"]]

    def test_an_unknown_version_is_refused(self, shop: Gateway) -> None:
        assert Speaker(shop.admin, version="1999-01-01").reply("tools/list").status_code == 400

    def test_notifications_are_accepted_without_a_body(self, ai: Speaker) -> None:
        reply = ai.send(json={"jsonrpc": "2.0", "method": "notifications/initialized"})
        assert (reply.status_code, reply.content) == (202, b"")

    def test_nothing_is_sent_unasked(self, ai: Speaker) -> None:
        reply = ai.send("GET")
        assert (reply.status_code, reply.headers["allow"]) == (405, "POST, DELETE")
        assert reply.json()["error"]["code"] == -32000
        assert ai.send("GET", headers={"Accept": "text/html"}).status_code == 406
        assert ai.send("PUT").status_code == 405

    @pytest.mark.parametrize("body", [b"", b"{", b'{"jsonrpc": "2.0"}', b"[]", b'"x"', b"\xff"])
    def test_bad_messages_are_told(self, ai: Speaker, body: bytes) -> None:
        reply = ai.send(content=body, headers={"Content-Type": "application/json"})
        assert reply.status_code == 400
        assert reply.json()["error"]["code"] < -32000

    def test_unknown_methods_are_told(self, ai: Speaker) -> None:
        assert ai.reply("resources/list").json()["error"]["code"] == -32601

    def test_unknown_servers_are_found_by_nobody(self, shop: Gateway) -> None:
        assert Speaker(shop.admin, "nothing").reply("tools/list").status_code == 404
        assert Speaker(shop.admin, "shop").reply("tools/list").status_code == 404
        assert Speaker(shop.anonymous, "nothing").reply("tools/list").status_code == 401

    def test_where_the_server_is(self, shop: Gateway) -> None:
        told = shop.admin.get("/ai").json()
        assert told == {"service_id": told["service_id"], "api_name": "ai", "mcp_endpoint": "http://localhost/mcp/ai"}
        checked = shop.admin.post("/ai").json()
        assert (checked["ok"], checked["server"]["mcp_endpoint"]) == (True, "http://localhost/mcp/ai")


class TestSessions:
    """Ids that clients may use, bound to who got them (checklist 35)."""

    def opened(self, speaker: Speaker) -> str:
        """Initialize, and answer the id."""
        reply = speaker.reply("initialize", {**INITIALIZE, "protocolVersion": "2025-06-18"})
        return str(reply.headers["mcp-session-id"])

    def test_an_id_is_answered_and_echoed(self, ai: Speaker) -> None:
        session = self.opened(ai)
        assert session != self.opened(ai)
        assert len(session.partition(".")[0]) == 32
        assert ai.reply("tools/list", Mcp_Session_Id=session).headers["mcp-session-id"] == session

    def test_a_stolen_id_is_as_good_as_none(self, shop: Gateway, ai: Speaker) -> None:
        session = self.opened(ai)
        thief = shop.create_user("thief@example.com", is_sys_admin=True)
        assert Speaker(shop.as_user(thief)).reply("tools/list", Mcp_Session_Id=session).status_code == 404
        assert Speaker(shop.anonymous).reply("tools/list", Mcp_Session_Id=session).status_code == 401

    @pytest.mark.parametrize("change", ["x{}", "{}x", "", "a.b", "é"])
    def test_a_made_up_id_is_refused(self, ai: Speaker, change: str) -> None:
        session = change.format(self.opened(ai))
        sent = {b"Mcp-Session-Id": session.encode("latin-1")}
        assert ai.send(json={}, headers=sent).status_code == 404  # type: ignore[arg-type]

    def test_it_is_not_good_on_another_server(self, shop: Gateway, ai: Speaker) -> None:
        shop.create_service("other", "mcp")
        assert Speaker(shop.admin, "other").reply("tools/list", Mcp_Session_Id=self.opened(ai)).status_code == 404

    def test_it_ends(self, ai: Speaker) -> None:
        session = self.opened(ai)
        assert ai.send("DELETE", headers={"Mcp-Session-Id": session}).status_code == 204
        assert ai.reply("tools/list", Mcp_Session_Id=session).status_code == 404


class TestLettingIn:
    """Credentials, hosts and origins."""

    def test_nobody_comes_without_credentials(self, shop: Gateway) -> None:
        for speaker in (Speaker(shop.anonymous), Speaker(shop.with_key("wrong"))):
            reply = speaker.reply("tools/list")
            assert (reply.status_code, reply.json()["error"]["code"]) == (401, -32001)
            assert reply.headers["www-authenticate"] == (
                'Bearer realm="MCP", resource_metadata="http://localhost/.well-known/oauth-protected-resource/mcp/ai"'
            )
        assert Speaker(shop.anonymous).send("GET").status_code == 401

    def test_a_key_alone_opens_only_servers_that_say_so(self, shop: Gateway) -> None:
        rows = [{"service": None, "component": "*", "verb_mask": 31}]
        key = shop.key_for(rows)
        assert Speaker(key).reply("tools/list").status_code == 401
        shop.create_service("open", "mcp", {"allow_api_key_auth": True, "lazy_mode": "off"})
        assert "create_records" in Speaker(key, "open").names()

    def test_the_role_has_to_name_the_server(self, shop: Gateway) -> None:
        user = shop.create_user("reader@example.com")
        shop_only = [{"service": "shop", "component": "*", "verb_mask": 1}]
        key = shop.create_app(shop.create_role(shop_only))["api_key"]
        assert Speaker(shop.as_user(user, key)).reply("tools/list").status_code == 403
        both = [*shop_only, {"service": "ai", "component": "*", "verb_mask": 1}]
        key = shop.create_app(shop.create_role(both))["api_key"]
        names = Speaker(shop.as_user(user, key)).names()
        assert "get_table_data" in names
        assert not {"create_records", "update_records", "delete_records", "list_files"} & set(names)

    @pytest.mark.parametrize(
        "host", ["evil.example", "localhost.evil.example", "127.0.0.1.nip.io", "10.0.0.1", "", "["]
    )
    def test_a_name_of_strangers_is_refused(self, ai: Speaker, host: str) -> None:
        """DNS rebinding: the page's own name leads here (checklist 35)."""
        assert ai.reply("tools/list", Host=host).status_code in (400, 421)

    @pytest.mark.parametrize("host", ["localhost:8000", "127.0.0.1:8000", "[::1]:8000", "LOCALHOST"])
    def test_names_of_this_machine_are_known(self, ai: Speaker, host: str) -> None:
        assert ai.reply("tools/list", Host=host).status_code == 200

    @pytest.mark.parametrize(
        "origin", ["https://evil.example", "http://localhost.evil.example", "null", "file://", "http://["]
    )
    def test_pages_of_strangers_are_refused(self, ai: Speaker, origin: str) -> None:
        assert ai.reply("tools/list", Origin=origin).status_code == 403
        assert ai.send("OPTIONS", headers={"Origin": origin}).status_code == 403

    def test_pages_of_this_machine_are_let_in(self, ai: Speaker) -> None:
        reply = ai.reply("tools/list", Origin="http://localhost:6274")
        assert reply.status_code == 200
        assert reply.headers["access-control-allow-origin"] == "http://localhost:6274"
        asked = {"Origin": "http://localhost:6274", "Access-Control-Request-Headers": "authorization, content-type"}
        assert ai.send("OPTIONS", headers=asked).headers["access-control-allow-headers"] == asked[
            "Access-Control-Request-Headers"
        ]  # fmt: skip

    def test_a_rule_lets_a_page_in(self, shop: Gateway, ai: Speaker) -> None:
        rule = {"path": "*", "origin": "https://app.example", "header": "*", "method": ["POST"], "enabled": True}
        assert shop.admin.post("/system/cors", json=rule).status_code in (200, 201)
        assert ai.reply("tools/list", Origin="https://app.example").status_code == 200
        assert ai.reply("tools/list", Origin="https://app.example.evil.example").status_code == 403
