"""One endpoint of the admin API, and its description in OpenAPI."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any, Final

import attrs

from thingspace_async.simulator.admin.shapes import Shape, schema_of
from thingspace_async.simulator.controls import Controls

__all__ = ["ROOT", "Asked", "Do", "Endpoint", "openapi"]

ROOT: Final = "/__admin"


@attrs.frozen(kw_only=True)
class Asked:
    """A validated request."""

    path: Mapping[str, str]
    query: Mapping[str, Any]
    body: Mapping[str, Any]
    text: str = ""
    """The body of an endpoint that does not take JSON."""


Do = Callable[[Controls, Asked], Any | Awaitable[Any]]
"""A function or coroutine function that returns the JSON value of the answer."""


@attrs.frozen(kw_only=True)
class Endpoint:
    """One endpoint of the admin API."""

    method: str
    path: str
    """The path after `/__admin`."""
    text: str
    """Its summary in the OpenAPI description."""
    do: Do
    query: Shape = attrs.field(factory=dict)
    body: Shape | None = None
    """None for an endpoint without a body."""
    takes: str = "application/json"
    """The content type of its body."""
    status: int = 200


def openapi(endpoints: Iterable[Endpoint], version: str, operations: list[str]) -> dict[str, Any]:
    """Return the OpenAPI description of the endpoints, with the names of the platform's operations."""
    paths: dict[str, dict[str, Any]] = {}
    for one in endpoints:
        paths.setdefault(ROOT + one.path, {})[one.method.lower()] = _described(one)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Admin API of the ThingSpace simulator",
            "version": version,
            "description": "Controls the simulator: clock, faults, users, devices, requests and callbacks.",
        },
        "x-operations": operations,
        "paths": paths,
        "components": {
            "schemas": {
                "Refusal": {
                    "type": "object",
                    "required": ["errors"],
                    "properties": {"errors": {"type": "array", "items": {"type": "string"}}},
                }
            },
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
        "security": [{}, {"token": []}],
    }


def _described(one: Endpoint) -> dict[str, Any]:
    refusal = {
        "description": "Lists every error in the request.",
        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Refusal"}}},
    }
    parts = [re.sub(r"\W", "", part) for part in one.path.split("/")]
    described: dict[str, Any] = {
        "summary": one.text,
        "operationId": "_".join([one.method.lower(), *(part for part in parts if part)]),
        "parameters": [
            {"name": name, "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}}
            for name in re.findall(r"{(\w+)}", one.path)
        ],
        "responses": {str(one.status): {"description": "Done."}, "400": refusal, "404": refusal},
    }
    described["parameters"] += [
        {"name": name, "in": "query", "required": field.required, "schema": schema_of(field)}
        for name, field in one.query.items()
    ]
    if one.body is not None:
        needed = [name for name, field in one.body.items() if field.required]
        schema: dict[str, Any] = {
            "type": "object",
            "properties": {name: schema_of(field) for name, field in one.body.items()},
            "additionalProperties": False,
            **({"required": needed} if needed else {}),
        }
        described["requestBody"] = {"required": bool(needed), "content": {one.takes: {"schema": schema}}}
    elif one.takes != "application/json":
        described["requestBody"] = {"required": True, "content": {one.takes: {"schema": {"type": "string"}}}}
    return described
