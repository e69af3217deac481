"""The tests' own client of the management API: it sends what the Go and Node clients send, and reads as they do.

Both put Content-Type on all requests. The Go client, under the Terraform provider too, sends no body with GET and
DELETE, takes 200 and 201 alone for success, and parses every answer as JSON. The Node client encodes what it puts
into a path, and sends ``{}`` where there is nothing to send.
"""

from __future__ import annotations

import json
from typing import Any, Literal, NamedTuple
from urllib.parse import quote, urlencode

import httpx

from assay.stories import workspace_keys
from tests.calls import OPERATOR
from tests.world import BASE_URL, World

Way = Literal["go", "node"]

_AGENTS = {
    "go": "stytch-management-go/3.2.0 terraform-provider-stytch/3.2.0",
    "node": "Stytch Management Node v1.0.0",
}


class Refusal(Exception):
    """An error as the Go client reads it."""

    def __init__(self, status: int, body: dict[str, Any]) -> None:
        super().__init__(f"{status} {body['error_type']}: {body['error_message']}")
        self.status = status
        self.error_type: str = body["error_type"]
        self.message: str = body["error_message"]


class Tool:
    """One client with a workspace key. ``base`` stands before every path."""

    def __init__(self, world: World, key: tuple[str, str], way: Way = "go", base: str = "") -> None:
        self._world = world
        self._key = key
        self._way = way
        self._base = base

    def below(self, *parts: str) -> Tool:
        """The same client for what lies below these path parts."""
        encoded = "".join("/" + (quote(part, safe="") if self._way == "node" else part) for part in parts)
        return Tool(self._world, self._key, self._way, self._base + encoded)

    def by(self, way: Way) -> Tool:
        """The same place through the other client."""
        return Tool(self._world, self._key, way, self._base)

    async def get(self, path: str = "", **arguments: str) -> dict[str, Any]:
        return await self._ask("GET", path, None, arguments)

    async def post(self, path: str = "", body: dict[str, Any] | None = None) -> dict[str, Any]:
        return await self._ask("POST", path, body or {}, {})

    async def put(self, path: str = "", body: dict[str, Any] | None = None, **arguments: str) -> dict[str, Any]:
        return await self._ask("PUT", path, body or {}, arguments)

    async def patch(self, path: str = "", body: dict[str, Any] | None = None) -> dict[str, Any]:
        return await self._ask("PATCH", path, body or {}, {})

    async def delete(self, path: str = "", **arguments: str) -> dict[str, Any]:
        return await self._ask("DELETE", path, {} if self._way == "node" else None, arguments)

    async def _ask(
        self, method: str, path: str, body: dict[str, Any] | None, arguments: dict[str, str]
    ) -> dict[str, Any]:
        headers = {"content-type": "application/json", "user-agent": _AGENTS[self._way]}
        url = f"{self._base}{path}?{urlencode(arguments)}" if arguments else f"{self._base}{path}"
        content = b"" if body is None else go_json(body)
        transport = httpx.ASGITransport(app=self._world.app)
        async with httpx.AsyncClient(transport=transport, base_url=BASE_URL, auth=self._key) as client:
            answer = await client.request(method, url, headers=headers, content=content)
        return read(answer)


class Made(NamedTuple):
    """A project with both its environments, and clients of all three."""

    project: Tool
    live: Tool
    test: Tool


def go_json(body: dict[str, Any]) -> bytes:
    """As Go writes JSON: nothing between the tokens, and what HTML could read is escaped."""
    text = json.dumps(body, separators=(",", ":"), ensure_ascii=False)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026").encode()


def read(answer: httpx.Response) -> dict[str, Any]:
    """What all official clients need of every answer; raises Refusal."""
    assert answer.headers["content-type"].startswith("application/json")
    body: dict[str, Any] = answer.json()
    assert body["status_code"] == answer.status_code
    assert body["request_id"]
    if answer.status_code not in {200, 201}:
        assert body["error_url"]
        # The Go client's own tests look for these words to tell what is gone from what is wrong.
        assert (answer.status_code == 404) == ("not_found" in body["error_type"])
        raise Refusal(answer.status_code, body)
    return body


async def open_tool(world: World, way: Way = "go") -> Tool:
    """A client with a workspace key of its own."""
    key, secret = await workspace_keys.create(world.context, by=OPERATOR)
    return Tool(world, (key.workspace_key_id, secret), way)


async def make_project(tool: Tool, vertical: str = "B2B") -> Made:
    """A project as Terraform makes one: first itself, then LIVE, then TEST."""
    projects = tool.below("pwa", "v3", "projects")
    made = await projects.post(body={"name": "Acme", "vertical": vertical})
    project = projects.below(made["project"]["project_slug"])
    tools = []
    for kind in ("LIVE", "TEST"):
        body = {"name": kind.title(), "type": kind, "environment_slug": kind.lower()}
        environment = (await project.post("/environments", body))["environment"]
        tools.append(project.below("environments", environment["environment_slug"]))
    return Made(project, *tools)
