"""SNS passes the suite of all services on moto; and topics, subscriptions, applications, endpoints."""

from __future__ import annotations

import secrets
import socket
import time
from typing import Any

import pytest
from object_servers import Moto
from servers import Server

from trunkline.testing import Client, Gateway
from trunkline.testing.suite import ServiceSuite

pytestmark = pytest.mark.live


def told(reply: Any, status: int = 200) -> Any:
    assert reply.status_code == status, reply.text
    return reply.json()


def config_of(port: int, **more: Any) -> dict[str, Any]:
    return {
        "key": "AKIDTEST", "secret": "canary-secret", "region": "eu-west-1", "endpoint": f"http://127.0.0.1:{port}",
        **more,
    }  # fmt: skip


class TestAwsSns(ServiceSuite):
    service_type = "aws_sns"

    @pytest.fixture
    def config(self, moto_server: Server) -> dict[str, Any]:
        return config_of(moto_server.port)

    @pytest.fixture
    def ask(self, gateway: Gateway, service: str) -> Client:
        return gateway.admin

    @pytest.fixture
    def topic(self, gateway: Gateway, service: str) -> str:
        name = f"t{secrets.token_hex(4)}"
        made = told(gateway.admin.post(f"/{service}/topic", json={"Name": name}))
        assert made["Topic"] == name
        assert made["TopicArn"].startswith("arn:aws:sns:eu-west-1:")
        return name

    def test_the_configuration_has_the_known_fields_first(self, gateway: Gateway) -> None:
        entries = gateway.app.registry.load(self.service_type).config_class().schema_entries()
        assert [one["name"] for one in entries] == ["key", "secret", "region", "proxy", "endpoint", "timeout"]
        assert (entries[2]["type"], entries[2]["values"][0]["name"]) == ("picklist", "us-east-1")
        record = {"name": "no_region", "type": self.service_type, "is_active": True, "config": {}}
        assert gateway.admin.post("/system/service", json={"resource": [record]}).status_code == 400

    def test_the_root_lists_the_resources(self, gateway: Gateway, service: str) -> None:
        found = told(gateway.admin.get(f"/{service}"))["resource"]
        assert [one["name"] for one in found] == ["topic", "subscription", "app", "endpoint"]

    def test_the_document_tells_of_the_calls(self, gateway: Gateway, service: str) -> None:
        paths = gateway.admin.get(f"/{service}/_spec").json()["paths"]
        assert {"/", "/topic/{name}", "/subscription/{name}", "/app/{name}/endpoint", "/endpoint/{name}"} <= set(paths)
        assert {"get", "post"} <= set(paths["/topic"])

    def test_topics_come_and_go(self, ask: Client, service: str, topic: str) -> None:
        (arn,) = [
            one["TopicArn"] for one in told(ask.get(f"/{service}/topic"))["resource"] if one["TopicArn"].endswith(topic)
        ]
        assert {"Topic": topic, "TopicArn": arn} in told(ask.get(f"/{service}/topic", params={"fields": "*"}))[
            "resource"
        ]
        assert {"Topic": topic} in told(ask.get(f"/{service}/topic", params={"fields": "Topic"}))["resource"]
        assert arn in told(ask.get(f"/{service}/topic", params={"as_list": "true"}))["resource"]
        change = {"AttributeName": "DisplayName", "AttributeValue": "News"}
        assert told(ask.put(f"/{service}/topic/{topic}", json=change)) == {"success": True}
        for name in (topic, arn):
            one = told(ask.get(f"/{service}/topic/{name}"))
            assert (one["Topic"], one["TopicArn"], one["DisplayName"]) == (topic, arn, "News")
        assert told(ask.delete(f"/{service}/topic/{topic}")) == {"success": True}
        assert ask.get(f"/{service}/topic/{topic}").status_code == 404

    def test_lists_have_all_pages(self, ask: Client, service: str) -> None:
        names = {f"many{number}" for number in range(120)}
        for name in names:
            told(ask.post(f"/{service}/topic", json={"Name": name}))
        found = told(ask.get(f"/{service}/topic", params={"fields": "Topic"}))["resource"]
        assert names <= {one["Topic"] for one in found}

    def test_messages_have_a_target_and_are_numbered(self, ask: Client, service: str, topic: str) -> None:
        arn = told(ask.get(f"/{service}/topic/{topic}"))["TopicArn"]
        for path, body in (
            (f"/{service}", {"Topic": topic, "Message": "hi", "Subject": "s"}),
            (f"/{service}", {"TopicArn": arn, "Message": {"default": "hi", "email": "long"}}),
            (f"/{service}/topic/{topic}", {"Message": "hi"}),
            (f"/{service}/topic/{topic}", {"default": "the whole body"}),
        ):
            assert told(ask.post(path, json=body))["MessageId"], body
        for path, body in ((f"/{service}", {"Message": "hi"}), (f"/{service}/topic/{topic}", {})):
            assert ask.post(path, json=body).status_code == 400, body
        assert ask.post(f"/{service}/topic/no_such_topic", json={"Message": "hi"}).status_code == 404

    def test_subscriptions_of_a_topic_and_of_all(self, ask: Client, service: str, topic: str) -> None:
        body = {"Protocol": "email", "Endpoint": "a@example.com"}
        for path, given in (
            (f"/{service}/subscription", {"Topic": topic, **body}),
            (f"/{service}/topic/{topic}/subscription", {**body, "Endpoint": "b@example.com"}),
        ):
            made = told(ask.post(path, json=given))
            assert made["SubscriptionArn"].endswith(made["Subscription"])
            one = told(ask.get(f"/{service}/subscription/{made['Subscription']}"))
            assert (one["Subscription"], one["Protocol"]) == (made["Subscription"], "email")
            assert (
                made["SubscriptionArn"]
                in told(ask.get(f"/{service}/subscription", params={"as_list": "1"}))["resource"]
            )
        change = {"AttributeName": "RawMessageDelivery", "AttributeValue": "true"}
        path = f"/{service}/subscription/{made['Subscription']}"
        assert told(ask.patch(path, json=change)) == {"success": True}
        assert told(ask.get(path))["RawMessageDelivery"] == "true"
        assert len(told(ask.get(f"/{service}/topic/{topic}/subscription"))["resource"]) == 2
        assert told(ask.delete(path)) == {"success": True}
        assert len(told(ask.get(f"/{service}/topic/{topic}/subscription"))["resource"]) == 1
        assert ask.post(f"/{service}/subscription", json={"Topic": topic}).status_code == 400

    def test_applications_and_their_endpoints(self, ask: Client, service: str) -> None:
        name = f"a{secrets.token_hex(4)}"
        made = told(
            ask.post(
                f"/{service}/app", json={"Name": name, "Platform": "GCM", "Attributes": {"PlatformCredential": "x"}}
            )
        )
        application = made["Application"]
        assert application == f"app/GCM/{name}"
        path = f"/{service}/app/{application}"
        assert told(ask.put(path, json={"Attributes": {"Enabled": "false"}})) == {"success": True}
        shown = told(ask.get(path))
        assert (shown["PlatformApplicationArn"], shown["Attributes"]["Enabled"]) == (
            made["PlatformApplicationArn"],
            "false",
        )
        first = told(ask.post(f"{path}/endpoint", json={"Token": "one"}))
        second = told(ask.post(f"/{service}/endpoint", json={"Application": application, "Token": "two"}))
        listed = told(ask.get(f"{path}/endpoint", params={"as_list": "true"}))["resource"]
        assert listed == [first["EndpointArn"], second["EndpointArn"]]
        assert set(listed) <= set(told(ask.get(f"/{service}/endpoint", params={"as_list": "true"}))["resource"])
        one = f"/{service}/endpoint/{second['Endpoint']}"
        assert told(ask.get(one))["Attributes"]["Token"] == "two"
        assert told(ask.post(one, json={"Message": "hi"}))["MessageId"]
        assert told(ask.put(one, json={"Attributes": {"CustomUserData": "e"}})) == {"success": True}
        assert told(ask.get(one))["Attributes"]["CustomUserData"] == "e"
        assert told(ask.delete(one)) == {"success": True}
        assert ask.get(one).status_code == 404
        assert told(ask.delete(path)) == {"success": True}

    def test_roles_tell_who_may_send_where(self, gateway: Gateway, service: str, topic: str) -> None:
        client = gateway.key_for([{"service": service, "component": f"topic/{topic}", "verb_mask": 2}])
        assert told(client.post(f"/{service}/topic/{topic}", json={"Message": "hi"}))["MessageId"]
        for path in (f"/{service}", f"/{service}/topic", f"/{service}/topic/other"):
            assert client.post(path, json={"Message": "hi", "Topic": topic}).status_code == 401


def test_a_server_that_is_not_there_and_one_that_says_nothing(fresh_gateway: Gateway) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        fresh_gateway.create_service("silent", "aws_sns", config_of(port, timeout=1))
        started = time.monotonic()
        reply = fresh_gateway.admin.get("/silent/topic")
        assert (reply.status_code, time.monotonic() - started < 4) == (504, True), reply.text
    fresh_gateway.create_service("gone", "aws_sns", config_of(port))
    reply = fresh_gateway.admin.get("/gone/topic")
    assert (reply.status_code, "Retry-After" in reply.headers) == (503, True), reply.text
    for word in ("127.0.0.1", str(port), "canary-secret", "AKIDTEST"):
        assert word not in reply.text


def test_a_server_that_is_killed_is_found_again(fresh_gateway: Gateway) -> None:
    from servers import serving

    with serving(Moto) as server:
        fresh_gateway.create_service("news", "aws_sns", config_of(server.port))
        told(fresh_gateway.admin.post("/news/topic", json={"Name": "t"}))
        server.kill()
        assert fresh_gateway.admin.get("/news/topic").status_code == 503
        server.start()
        told(fresh_gateway.admin.post("/news/topic", json={"Name": "t"}))
