"""A session with canned answers."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from aioresponses import aioresponses

from thingspace_async import Credentials, Environment, Session

PLACE = "http://127.0.0.1:1"


@pytest.fixture
async def scripted(canned: aioresponses) -> AsyncIterator[Session]:
    """A session whose answers the test defines."""
    canned.post(f"{PLACE}/api/ts/v1/oauth2/token", payload={"access_token": "a", "expires_in": 3600})
    canned.post(f"{PLACE}/api/m2m/v1/session/login", payload={"sessionToken": "b"})
    canned.post(f"{PLACE}/api/m2m/v1/session/logout", payload={"sessionToken": "b"})
    credentials = Credentials(client_id="c", client_secret="d", username="e", password="f")
    async with Session(credentials, environment=Environment.at(PLACE)) as session:
        yield session
