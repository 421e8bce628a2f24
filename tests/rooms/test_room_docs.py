"""The example in the docstring of each room, of each part of `devices` and of each version, runs unchanged."""

from __future__ import annotations

import ast
import textwrap
from typing import Any

import pytest

from tests.surface.rooms import PACKAGE, PRODUCTS, room
from thingspace_async import Session
from thingspace_async.simulator import Simulator

PACKAGES = [name for name in PRODUCTS if name != "devices"]
PACKAGES += ["software.v1", "software.v2"]
PACKAGES += sorted(".".join(path.parent.relative_to(PACKAGE).parts) for path in (PACKAGE / "devices").rglob("calls.py"))


def _example(name: str) -> str:
    """Return the indented lines of a room's docstring."""
    lines = (room(name).__doc__ or "").splitlines()
    return textwrap.dedent("\n".join(line for line in lines if not line or line.startswith("    ")))


@pytest.mark.parametrize("name", PACKAGES)
async def test_the_example_of_a_room_runs_unchanged(name: str) -> None:
    code = _example(name)
    assert f"session.{name.partition('.')[0]}." in code
    assert "await " in code or "async for " in code
    compiled = compile(code, f"<example of {name}>", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    async with (
        Simulator(devices=20) as cloud,
        Session(cloud.credentials, environment=cloud.environment) as session,
    ):
        before = len(cloud.requests)
        names: dict[str, Any] = {"session": session, "cloud": cloud}
        await eval(compiled, names)
        operations = {operation.name for operation in room(name).OPERATIONS}
        assert operations & {received.operation for received in list(cloud.requests)[before:]}
