"""The store in a Cluster of three nodes."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest
from redis.asyncio import RedisCluster

from tests.redis.guarding import answered, may_send
from tests.redis.servers import ClusterServers
from tests.redis.sharing import Source
from thingspace_async._core.store import Identity
from thingspace_async._core.types import Secret
from thingspace_async.redis import RedisStore
from thingspace_async.redis._scripts import text_of

pytestmark = pytest.mark.processes


@pytest.fixture
def cluster() -> Iterator[ClusterServers]:
    with ClusterServers() as servers:
        yield servers


async def test_in_a_cluster_users_on_every_node_share_everything(cluster: ClusterServers) -> None:
    async with RedisCluster(host="127.0.0.1", port=cluster.servers[0].port) as client:
        for number in range(6):
            await _share(client, Identity(host="thingspace.test", client_id="key", username=f"user-{number}"))
        nodes = [client.get_node_from_key(text_of(key)) for key in await client.keys(target_nodes="all")]
        places = {node.port for node in nodes if node is not None}
    assert len(places) > 1


async def _share(client: RedisCluster, identity: Identity) -> None:
    source = Source()
    source.wait = 0.05
    workers = [RedisStore(client, on_store_failure="raise").of(identity) for _ in range(4)]
    for worker in workers:
        await worker.enter()
    tokens = await asyncio.gather(*(worker.token("session", source.fetch) for worker in workers))
    tokens = await asyncio.gather(
        *(worker.token("session", source.fetch, rejected=token) for worker, token in zip(workers, tokens, strict=True))
    )
    assert source.asked == 2
    assert await may_send(workers[0], Secret("hush")) is None
    await answered(workers[0], Secret("hush"), accepted=True)
    await workers[0].pace("0000123456-00001")
    async with workers[0].exclusive():
        pass
    assert [await worker.leave(tokens[0], "last") for worker in workers] == [False, False, False, True]
