"""What is handed on to a remote server and back, and what is not."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from remote_servers import Target, scripted
from servers import Server, serving

from trunkline.db import tables
from trunkline.testing import Gateway, ServiceSuite
from trunkline.testing.fixtures import _copied, settings_for

pytestmark = pytest.mark.live
ALL = 31
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n"


@pytest.fixture(scope="class")
def gateway(_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """A gateway that may reach this machine."""
    storage = _copied(_template, tmp_path_factory.mktemp("gateway") / "storage")
    with Gateway(settings_for(storage, outgoing_networks="127.0.0.0/8, ::1/128")) as started:
        yield started


def made(gateway: Gateway, url: str, **config: Any) -> str:
    """Make a service on an address and answer its path."""
    name = f"r{len(gateway.app.directory.snapshot.services)}x{time.monotonic_ns()}"
    gateway.create_service(name, "rws", {"base_url": url, **config})
    return f"/{name}"


def sent(reply: Any) -> dict[str, str]:
    """Answer the headers that the remote server got."""
    return dict(reply.json()["headers"])


def message(reply: Any, status: int) -> str:
    assert reply.status_code == status, reply.text
    error = reply.json()["error"]
    assert error["status_code"] == status
    return str(error["message"])


class TestRws(ServiceSuite):
    service_type = "rws"

    @pytest.fixture
    def config(self, remote_target: Server) -> dict[str, Any]:
        return {**remote_target.new_config(), "headers": [{"name": "X-Key", "value": "suite", "action": ALL}]}

    def test_values_of_rows_and_options_are_secrets(self, gateway: Gateway) -> None:
        config = {
            "base_url": "http://x.example", "options": {"CURLOPT_USERPWD": "u:hidden1", "CURLOPT_TIMEOUT": 5},
            "headers": [{"name": "A", "value": "hidden2", "action": 1}, {"name": "B", "value": "{lookup}"}],
            "parameters": [{"name": "p", "value": "hidden3"}],
        }  # fmt: skip
        record = {"name": "secrets", "type": "rws", "is_active": True, "config": config}
        reply = gateway.admin.post("/system/service?fields=*", json={"resource": [record]})
        assert reply.status_code == 201, reply.text
        path = f"/system/service/{reply.json()['resource'][0]['id']}"
        shown = gateway.admin.get(path).json()["config"]
        assert "hidden" not in str(shown)
        assert [one["value"] for one in shown["headers"]] == ["**********", "{lookup}"]
        assert shown["options"]["CURLOPT_TIMEOUT"] == 5
        (stored,) = [one for one in gateway.app.directory.snapshot.services.values() if one.name == "secrets"]
        assert "hidden" not in stored.config
        # Written back with another row before it, each keeps what it had.
        shown["headers"].insert(0, {"name": "C", "value": "new", "action": 0})
        assert gateway.admin.patch(path, json={"config": shown}).status_code == 200
        gateway.admin.get(path)
        service = gateway.app.services.of(gateway.app.directory.snapshot.services["secrets"])
        assert [one.value for one in service.config.headers] == ["new", "hidden2", "{lookup}"]
        assert service.config.parameters[0].value == "hidden3"
        assert service.config.options["CURLOPT_USERPWD"] == "u:hidden1"

    def test_the_form_has_the_fields_of_the_original(self, gateway: Gateway) -> None:
        entries = gateway.app.registry.load("rws").config_class().schema_entries()
        assert [one["name"] for one in entries] == [
            "base_url", "options", "replace_link", "implements_access_list", "preserve_forward_trailing_slash",
            "parameters", "headers", "cache_enabled", "cache_ttl",
        ]  # fmt: skip
        kinds = {one["name"]: one["type"] for one in entries}
        assert (kinds["base_url"], kinds["options"], kinds["headers"]) == ("text", "object", "array")
        items = {one["name"]: one["type"] for one in entries[5]["items"]}
        assert (items["action"], items["value"], items["exclude"]) == ("verb_mask", "text", "boolean")

    @pytest.mark.parametrize("bad", [{"CURLOPT_NONSENSE": 1}, {"TIMEOUT": 1}, {"99999": 1}])
    def test_an_option_that_curl_does_not_have_is_refused(self, gateway: Gateway, bad: dict[str, Any]) -> None:
        record = {"name": "bad", "type": "rws", "config": {"base_url": "http://x.example", "options": bad}}
        reply = gateway.admin.post("/system/service", json={"resource": [record]})
        assert "is not a defined option" in reply.json()["error"]["context"]["resource"][0]["message"]


class TestForwarding:
    @pytest.fixture
    def base(self, remote_target: Server) -> str:
        return f"{remote_target.new_config()['base_url']}/echo"

    @pytest.mark.parametrize("verb", ["GET", "POST", "PUT", "PATCH", "DELETE"])
    def test_verb_path_query_and_body_arrive_as_they_were(self, gateway: Gateway, base: str, verb: str) -> None:
        path = made(gateway, base)
        url = f"{path}/a%20b/c%2Fd/%C3%A4?x=1&x=2&e=&f%5Ba%5D=%26"
        body = b'{ "a":1.0 }' if verb != "GET" else None
        headers = {"Content-Type": "application/json"} if body else {}
        reply = gateway.admin.request(verb, url, content=body, headers=headers)
        assert reply.status_code == (201 if verb == "POST" else 200)
        told = reply.json()
        assert told["method"] == verb
        assert told["path"] == "/echo/a%20b/c%2Fd/%C3%A4"
        assert told["query"] == "x=1&x=2&e&f[a]=%26"
        assert told["body"] == (body or b"").decode()
        assert sent(reply).get("content-type") == ("application/json" if body else None)

    def test_nothing_of_the_client_goes_along_but_what_is_asked_for(self, gateway: Gateway, base: str) -> None:
        rows = [
            {"name": name, "pass_from_client": True, "action": ALL}
            for name in (
                "X-Wanted", "X-DreamFactory-Session-Token", "Authorization", "Connection", "Host", "X-Absent", "TE",
                "Transfer-Encoding", "Content-Length",
            )
        ]  # fmt: skip
        path = made(gateway, base, headers=rows)
        token = gateway.admin.headers["X-DreamFactory-Session-Token"]
        headers = {
            "X-Wanted": "yes", "X-Other": "no", "Cookie": "c=1", "Authorization": f"Bearer {token}",
            "X-DreamFactory-API-Key": gateway.create_app()["api_key"], "TE": "trailers", "X-HTTP-Method": "GET",
        }  # fmt: skip
        reply = gateway.admin.get(f"{path}?session_token={token}&API_KEY=k&api_key=&keep=1", headers=headers)
        assert reply.json()["query"] == "keep=1"
        assert token not in reply.text
        assert set(sent(reply)) == {
            "host", "connection", "x-wanted", "x-absent", "accept", "accept-encoding", "user-agent",
        }  # fmt: skip
        assert sent(reply)["x-absent"] == ""
        assert base.split("/")[2] == sent(reply)["host"]

    def test_basic_credentials_are_ours_unless_a_session_says_who_asks(self, gateway: Gateway, base: str) -> None:
        path = made(gateway, base, headers=[{"name": "Authorization", "pass_from_client": True, "action": ALL}])
        basic = {"Authorization": "Basic dTpw"}
        assert sent(gateway.admin.get(path, headers=basic))["authorization"] == "Basic dTpw"
        gateway.create_user("b@example.com", "a long enough password", is_sys_admin=True)
        ours = "Basic YkBleGFtcGxlLmNvbTphIGxvbmcgZW5vdWdoIHBhc3N3b3Jk"
        assert "authorization" not in sent(gateway.anonymous.get(path, headers={"Authorization": ours}))

    def test_rows_add_and_leave_out_for_their_verbs_only(self, gateway: Gateway, base: str) -> None:
        parameters = [
            {"name": "key", "value": "a b&c", "outbound": True, "action": 1},
            {"name": "idle", "value": "1", "action": ALL}, {"name": "never", "value": "1", "outbound": True},
            {"name": "Secret", "exclude": True, "outbound": True, "action": ALL},
            {"name": "stays", "exclude": True, "action": ALL},
        ]  # fmt: skip
        headers = [
            {"name": "X-Key", "value": "k", "action": 1}, {"name": "X-Never", "value": "k"},
            {"name": "Who", "value": "{user.email}", "action": ALL},
            {"name": "Accept", "value": "text/x", "action": ALL},
        ]  # fmt: skip
        path = made(gateway, base, parameters=parameters, headers=headers)
        reply = gateway.admin.get(f"{path}?SECRET=1&stays=2")
        assert reply.json()["query"] == "stays=2&key=a%20b%26c"
        told = sent(reply)
        assert (told["x-key"], told["who"], told["accept"]) == ("k", "admin@example.com", "text/x")
        assert "x-never" not in told
        reply = gateway.admin.delete(path)
        assert reply.json()["query"] == ""
        assert "x-key" not in sent(reply)

    def test_a_value_cannot_become_another_header(self, gateway: Gateway, base: str) -> None:
        path = made(gateway, base, headers=[{"name": "X-Name", "value": "{user.name}", "action": ALL}])
        user = gateway.create_user("evil@example.com", is_sys_admin=True)
        gateway.app.database.change(
            lambda c: c.execute(sa.update(tables.user).where(tables.user.c.id == user.id).values(name="a\r\nX-Evil: 1"))
        )
        reply = gateway.as_user(user).get(path)
        assert "not allowed" in message(reply, 502)
        for name in ("X\r\nY", "a b", "a:"):
            record = {"name": "n", "type": "rws", "config": {"base_url": base, "headers": [{"name": name}]}}
            assert gateway.admin.post("/system/service", json={"resource": [record]}).status_code == 400

    def test_slashes_base_and_login(self, gateway: Gateway, base: str) -> None:
        path = made(gateway, f"{base}/?fixed=1", preserve_forward_trailing_slash=True)
        told = gateway.admin.get(f"{path}/a?b=1").json()
        assert (told["path"], told["query"]) == ("/echo/a/", "fixed=1&b=1")
        options = {"CURLOPT_USERPWD": "u:p", "10018": "Agent/1"}
        told = sent(gateway.admin.get(made(gateway, base, options=options)))
        assert (told["authorization"], told["user-agent"]) == ("Basic dTpw", "Agent/1")
        inside = base.replace("//", "//u:p@")
        assert sent(gateway.admin.get(made(gateway, inside)))["authorization"] == "Basic dTpw"
        assert message(gateway.admin.get(made(gateway, "")), 500) == "Remote Web Service base url can not be empty."

    def test_headers_that_would_speak_for_us_stay_behind(self, gateway: Gateway, base: str) -> None:
        reply = gateway.admin.get(made(gateway, base))
        assert (reply.headers["x-remote"], reply.headers["etag"]) == ("yes", '"1"')
        assert not {"set-cookie", "access-control-allow-origin"} & set(reply.headers)
        assert reply.headers["x-content-type-options"] == "nosniff"

    def test_hop_by_hop_headers_go_neither_way(self, gateway: Gateway) -> None:
        head = OK + b"Connection: close, X-Hop\r\nX-Hop: 1\r\nKeep-Alive: timeout=5\r\nUpgrade: h2c\r\nX-Stays: 1\r\n"
        with scripted(head + b"Trailer: x\r\nProxy-Authenticate: Basic\r\n\r\nok") as remote:
            reply = gateway.admin.get(made(gateway, f"http://127.0.0.1:{remote.port}"), headers={"X-Hop": "1"})
            assert (reply.status_code, reply.content, reply.headers["x-stays"]) == (200, b"ok", "1")
            gone = {"connection", "x-hop", "keep-alive", "upgrade", "trailer", "proxy-authenticate"}
            assert not gone & set(reply.headers)
            (asked,) = remote.asked
            assert asked.lower().count(b"connection:") == 1
            assert b"content-length" not in asked.lower()
            assert b"transfer-encoding" not in asked.lower()

    def test_a_body_has_one_length(self, gateway: Gateway) -> None:
        rows = [{"name": one, "value": "3", "action": ALL} for one in ("Content-Length", "Transfer-Encoding")]
        with scripted(OK + b"Connection: close\r\n\r\nok") as remote:
            path = made(gateway, f"http://127.0.0.1:{remote.port}", headers=rows)
            assert gateway.admin.post(path, content=b"four").status_code == 200
            (asked,) = remote.asked
            assert asked.lower().count(b"content-length: 4\r\n") == 1
            assert asked.lower().count(b"content-length") == 1
            assert b"transfer-encoding" not in asked.lower()

    def test_an_answer_that_says_two_things_is_a_502(self, gateway: Gateway) -> None:
        for head in (
            b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok", b"nonsense\r\n\r\n",
            OK + b"X-Long: " + b"x" * 200_000 + b"\r\n\r\nok", b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
        ):  # fmt: skip
            with scripted(head) as remote:
                told = message(gateway.admin.get(made(gateway, f"http://127.0.0.1:{remote.port}")), 502)
                assert str(remote.port) not in told

    def test_errors_have_our_envelope_with_their_words(self, gateway: Gateway, remote_target: Server) -> None:
        path = made(gateway, str(remote_target.new_config()["base_url"]))
        for code in (404, 418, 500, 503):
            reply = gateway.admin.post(f"{path}/status/{code}", json={"a": 1})
            assert message(reply, code) == "said so"
            assert reply.headers["retry-after"] == "7"
        assert gateway.admin.get(f"{path}/nothing").status_code == 204

    def test_links_lead_here(self, gateway: Gateway, remote_target: Server) -> None:
        base = str(remote_target.new_config()["base_url"])
        path = made(gateway, base, replace_link=True)
        told = gateway.admin.get(f"{path}/links").json()
        ours = told["a"].removesuffix("/x")
        assert ours.startswith("http://testserver/api/v2/r")
        assert told == {"a": f"{ours}/x", "b": ours, "other": f"{base}0/x"}

    def test_those_inside_get_values(self, gateway: Gateway, remote_target: Server) -> None:
        from starlette.testclient import TestClient

        path = made(gateway, str(remote_target.new_config()["base_url"]))
        assert isinstance(gateway._http, TestClient)
        portal = gateway._http.portal
        assert portal is not None
        reply = portal.call(lambda: gateway.app.ask("POST", f"{path}/echo", body={"a": 1}, params={"q": "x"}))
        assert (reply.content["body"], reply.content["query"], reply.status) == ('{"a":1}', "q=x", 201)


class TestRedirects:
    @pytest.fixture
    def base(self, remote_target: Server) -> str:
        return str(remote_target.new_config()["base_url"])

    def test_they_are_followed_with_credentials_at_home_only(self, gateway: Gateway, base: str) -> None:
        rows = [{"name": "X-Key", "value": "k", "action": ALL}]
        path = made(gateway, base, headers=rows, options={"CURLOPT_USERPWD": "u:p"})
        reply = gateway.admin.get(f"{path}/to", params={"url": "/echo/near"})
        assert reply.json()["path"] == "/echo/near"
        assert {"x-key", "authorization"} <= set(sent(reply))
        far = base.replace("127.0.0.1", "localhost")
        reply = gateway.admin.get(f"{path}/to", params={"url": f"{far}/echo"})
        assert not {"x-key", "authorization"} & set(sent(reply))

    @pytest.mark.parametrize(("code", "verb", "body"), [(303, "GET", ""), (302, "GET", ""), (307, "POST", "abc")])
    def test_what_becomes_of_verb_and_body(self, gateway: Gateway, base: str, code: int, verb: str, body: str) -> None:
        reply = gateway.admin.post(f"{made(gateway, base)}/to?url=/echo&code={code}", content=b"abc")
        assert (reply.json()["method"], reply.json()["body"]) == (verb, body)

    def test_a_long_body_is_not_sent_twice(self, gateway: Gateway, base: str) -> None:
        reply = gateway.admin.post(f"{made(gateway, base)}/to?url=/echo&code=307", content=b"x" * 2**20)
        message(reply, 307)

    def test_they_can_be_left_and_end_some_time(self, gateway: Gateway, base: str) -> None:
        off = made(gateway, base, options={"CURLOPT_FOLLOWLOCATION": 0})
        message(gateway.admin.get(f"{off}/to?url=/echo"), 302)
        again = f"{made(gateway, base)}/to"
        with scripted(b"HTTP/1.1 302 Found\r\nLocation: /\r\nContent-Length: 0\r\nConnection: close\r\n\r\n") as loop:
            reply = gateway.admin.get(again, params={"url": f"http://127.0.0.1:{loop.port}/"})
            assert "too often" in message(reply, 502)
            assert len(loop.asked) == 5

    def test_none_leads_to_an_address_that_is_not_public(self, gateway: Gateway, base: str) -> None:
        path = made(gateway, base)
        for url in ("http://169.254.169.254/latest", "http://10.0.0.1/", "http://[fe80::1]/", "file:///etc/passwd"):
            told = message(gateway.admin.get(f"{path}/to", params={"url": url}), 502)
            assert "169.254" not in told


class TestGuard:
    def test_private_addresses_are_refused_until_they_are_allowed(
        self, fresh_gateway: Gateway, remote_target: Server
    ) -> None:
        port = remote_target.port
        for host in ("127.0.0.1", "localhost", "[::1]", "2130706433", "0x7f.1", "[::ffff:127.0.0.1]"):
            told = message(fresh_gateway.admin.get(made(fresh_gateway, f"http://{host}:{port}/echo")), 502)
            assert str(port) not in told
            assert host not in told

    def test_a_name_that_changes_its_address_is_asked_once(
        self, gateway: Gateway, remote_target: Server, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """What was judged is what is connected to: the second answer of the resolver is never used."""
        answers = iter(["127.0.0.1", "10.0.0.1", "10.0.0.1"])
        asked = []

        def resolve(host: str, port: int, *_more: Any, **_others: Any) -> list[Any]:
            asked.append(host)
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (next(answers), port))]

        monkeypatch.setattr("socket.getaddrinfo", resolve)
        path = made(gateway, f"http://changing.example:{remote_target.port}/echo")
        reply = gateway.admin.get(path)
        assert sent(reply)["host"] == f"changing.example:{remote_target.port}"
        assert asked.count("changing.example") == 1

    def test_a_name_with_one_bad_address_is_not_trusted(
        self, gateway: Gateway, remote_target: Server, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def resolve(_host: str, port: int, *_more: Any, **_others: Any) -> list[Any]:
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (one, port)) for one in ("127.0.0.1", "10.0.0.1")]

        monkeypatch.setattr("socket.getaddrinfo", resolve)
        message(gateway.admin.get(made(gateway, f"http://two.example:{remote_target.port}/echo")), 502)

    def test_a_proxy_is_judged_too(self, gateway: Gateway, remote_target: Server) -> None:
        with scripted(OK + b"Connection: close\r\n\r\nok") as proxy:
            options = {"CURLOPT_PROXY": f"127.0.0.1:{proxy.port}", "CURLOPT_PROXYUSERPWD": "u:p"}
            target = f"http://127.0.0.1:{remote_target.port}/echo"
            assert gateway.admin.get(made(gateway, target, options=options)).content == b"ok"
            assert proxy.asked[0].startswith(f"GET {target} HTTP/1.1".encode())
            assert b"roxy-Authorization: Basic dTpw" in proxy.asked[0]
            message(gateway.admin.get(made(gateway, "http://10.0.0.1/x", options=options)), 502)
            assert len(proxy.asked) == 1
        options["CURLOPT_PROXY"] = "10.0.0.1:3128"
        message(gateway.admin.get(made(gateway, target, options=options)), 502)


class TestTrouble:
    def test_a_server_that_is_not_there_is_a_503(self, gateway: Gateway) -> None:
        with socket.create_server(("127.0.0.1", 0)) as closed:
            port = closed.getsockname()[1]
        reply = gateway.admin.get(made(gateway, f"http://127.0.0.1:{port}"))
        assert message(reply, 503) == "The remote server is not available."
        assert int(reply.headers["retry-after"]) > 0

    def test_one_that_says_nothing_is_a_504_in_time(self, gateway: Gateway, remote_target: Server) -> None:
        options = {"CURLOPT_TIMEOUT_MS": 500}
        with socket.create_server(("127.0.0.1", 0)) as silent:
            for url in (f"http://127.0.0.1:{silent.getsockname()[1]}", f"https://127.0.0.1:{silent.getsockname()[1]}"):
                started = time.monotonic()
                message(gateway.admin.get(made(gateway, url, options=options)), 504)
                assert time.monotonic() - started < 3
        slow = made(gateway, f"http://127.0.0.1:{remote_target.port}", options=options)
        message(gateway.admin.get(f"{slow}/slow"), 504)
        assert gateway.admin.get(f"{slow}/count").status_code == 200

    def test_it_is_back_as_soon_as_the_server_is(self, gateway: Gateway) -> None:
        with serving(Target) as server:
            path = made(gateway, f"http://127.0.0.1:{server.port}")
            assert gateway.admin.get(f"{path}/count").status_code == 200
            server.kill()
            message(gateway.admin.get(f"{path}/count"), 503)
            message(gateway.admin.post(f"{path}/count"), 503)
            server.start()
            assert gateway.admin.get(f"{path}/count").status_code == 200
            # A connection that was kept and has died since is no failure.
            server.kill()
            server.start()
            assert gateway.admin.get(f"{path}/count").status_code == 200


class TestKept:
    @pytest.fixture
    def base(self, remote_target: Server) -> str:
        return str(remote_target.new_config()["base_url"])

    def test_good_answers_are_kept_by_path_and_parameters(self, gateway: Gateway, base: str) -> None:
        rows = [{"name": "noise", "exclude": True, "cache_key": True, "action": ALL}]
        path = made(gateway, base, cache_enabled=True, cache_ttl=60, parameters=rows)
        first = gateway.admin.get(f"{path}/count?a=1")
        again = gateway.admin.get(f"{path}/count?a=1&noise=7")
        assert first.content == again.content
        assert again.headers["content-type"] == "application/json"
        assert gateway.admin.get(f"{path}/count?a=2").content != first.content
        assert gateway.admin.delete(f"/system/cache{path}").status_code == 200
        assert gateway.admin.get(f"{path}/count?a=1").content != first.content
        message(gateway.admin.get(f"{path}/status/404"), 404)

    def test_one_callers_answer_is_not_anothers(self, gateway: Gateway, base: str) -> None:
        rows = [{"name": "Authorization", "value": "{user.email}", "action": ALL}]
        path = made(gateway, base, cache_enabled=True, headers=rows)
        other = gateway.as_user(gateway.create_user("o@example.com", is_sys_admin=True))
        seen = {gateway.admin.get(f"{path}/count").content for _ in range(2)}
        assert len(seen) == 1
        assert other.get(f"{path}/count").content not in seen

    def test_an_answer_ends_with_its_time(self, gateway: Gateway, base: str) -> None:
        path = made(gateway, base, cache_enabled=True, cache_ttl=1)
        first = gateway.admin.get(f"{path}/count").content
        assert gateway.admin.get(f"{path}/count").content == first
        time.sleep(1.1)
        assert gateway.admin.get(f"{path}/count").content != first

    def test_nothing_is_kept_unless_asked_for(self, gateway: Gateway, base: str) -> None:
        path = made(gateway, base)
        assert gateway.admin.get(f"{path}/count").content != gateway.admin.get(f"{path}/count").content
