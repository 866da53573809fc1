"""Small service types for the kernel's own tests."""

from __future__ import annotations

from typing import Any

from trunkline import Call, Config, Field, Open, Reply, Resource, Secret, Service
from trunkline.errors import Conflict


class ToyConfig(Config):
    host: str = Field(title="Host", description="Where it is.")
    port: int = Field(default=80, title="Port", description="Where it listens.")
    password: Secret | None = Field(default=None, title="Password", description="What opens it.")


class Thing(Resource):
    name = "thing"

    async def get(self, call: Call, rest: tuple[str, ...]) -> Any:
        return {"rest": list(rest), "params": call.params, "body": call.body, "method": call.method}

    def post(self, call: Call, rest: tuple[str, ...]) -> Any:
        return Reply({"body": call.body, "rest": list(rest)}, 201)

    def patch(self, call: Call, _rest: tuple[str, ...]) -> Any:
        return {"patched": call.body}

    def delete(self, _call: Call, rest: tuple[str, ...]) -> Any:
        if rest == ("conflict",):
            raise Conflict("It is in use.", context={"by": "tests"})
        raise RuntimeError("secret detail: select * from passwords")


class Rows(Resource):
    name = "rows"

    async def get(self, _call: Call, _rest: tuple[str, ...]) -> Any:
        return {"resource": [{"id": 1, "name": "a"}, {"id": 2, "name": "b"}], "meta": {"count": 2}}


class Who(Resource):
    name = "who"

    async def get(self, call: Call, _rest: tuple[str, ...]) -> Any:
        return {"role": call.caller.role.name if call.caller.role else None}


class OpenDoor(Resource):
    name = "open"

    async def get(self, _call: Call, _rest: tuple[str, ...]) -> Any:
        return {"open": True}


class Toy(Service):
    label = "Toy"
    description = "Answers what it was asked."
    group = "Test"
    open_paths = (Open("open", 1),)
    resources = (Thing, Rows, OpenDoor)
    config: ToyConfig


class Mirror(Service):
    label = "Mirror"
    description = "Says who asks."
    resources = (Who,)
