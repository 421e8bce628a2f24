"""A bare client, written from the platform's documents only. Of this package, it uses only the simulator's URL."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

import aiohttp
import attrs
import orjson

from thingspace_async.simulator import Simulator

TOKEN = "/api/ts/v1/oauth2/token"
REVOKE = "/api/ts/v1/oauth2/revoke"
LOG_IN = "/api/m2m/v1/session/login"
LOG_OUT = "/api/m2m/v1/session/logout"
RESET = "/api/m2m/v1/session/password/actions/reset"
LIST = "/api/m2m/v1/devices/actions/list"
ACCOUNT = "/api/m2m/v1/accounts/0000123456-00001"


@attrs.frozen
class Reply:
    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return orjson.loads(self.body)

    @property
    def refusal(self) -> tuple[int, str]:
        """Status and code of a refusal in the connectivity APIs' shape, which has exactly these two members."""
        assert set(self.json) == {"errorCode", "errorMessage"}
        assert self.json["errorMessage"]
        return self.status, self.json["errorCode"]

    @property
    def fault(self) -> tuple[int, str]:
        """Status and code of a refusal in the gateway's shape."""
        assert set(self.json) == {"fault"}
        assert set(self.json["fault"]) == {"code", "message", "description"}
        return self.status, self.json["fault"]["code"]


class Api:
    def __init__(self, cloud: Simulator, http: aiohttp.ClientSession) -> None:
        self.cloud = cloud
        self.http = http
        self.bearer: str | None = None
        self.session: str | None = None

    @property
    def key(self) -> dict[str, str]:
        known = self.cloud.credentials
        pair = f"{known.client_id}:{known.client_secret.reveal()}"
        return {"Authorization": f"Basic {base64.b64encode(pair.encode()).decode()}"}

    async def send(
        self,
        method: str,
        path: str,
        *,
        json: object = None,
        data: object = None,
        headers: Mapping[str, str] | None = None,
        query: Mapping[str, str] | None = None,
    ) -> Reply:
        own = {"Authorization": f"Bearer {self.bearer}"} if self.bearer else {}
        own |= {"VZ-M2M-Token": self.session} if self.session else {}
        body = data if json is None else orjson.dumps(json)
        async with self.http.request(
            method,
            self.cloud.url + path,
            data=body,
            headers=own if headers is None else headers,
            params=query,
            allow_redirects=False,
        ) as response:
            return Reply(response.status, response.headers, await response.read())

    async def token(self, **form: str) -> Reply:
        return await self.send("POST", TOKEN, data=form or {"grant_type": "client_credentials"}, headers=self.key)

    async def log_in(self, password: str | None = None, username: str | None = None) -> Reply:
        known = self.cloud.credentials
        given = known.password.reveal() if password is None else password
        return await self.send("POST", LOG_IN, json={"username": username or known.username, "password": given})

    async def log_out(self) -> Reply:
        return await self.send("POST", LOG_OUT)

    async def account(self) -> Reply:
        return await self.send("GET", ACCOUNT)

    async def devices(self, **wanted: object) -> Reply:
        return await self.send("POST", LIST, json=wanted)

    async def enter(self) -> None:
        self.bearer = (await self.token()).json["access_token"]
        self.session = (await self.log_in()).json["sessionToken"]
