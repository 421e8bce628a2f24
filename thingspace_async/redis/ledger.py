"""Fleet runs in Redis, which several workers divide.

The keys of a run, all of one slot: `run` is a hash of what it was begun as, its id, and the worker that prepares it if
one does; `workers` a sorted set of the workers by the end of their leases in Redis's ms, or by what became of them;
`unsent` a set of the batches that were claimed and are not about to be sent; `of:WORKER` a set of a worker's batches,
`batch:KEY` a hash of a batch; and `BUCKET` a set of some of the identifiers that were claimed, as hashes of 64 bits: in
sets of up to 512 numbers, `set-max-intset-entries`, Redis keeps each in 8 bytes.
"""

from __future__ import annotations

import asyncio
import hashlib
import secrets
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, aclosing, asynccontextmanager, suppress
from functools import partial
from itertools import chain
from typing import Any, Final, TypeVar

import attrs

from thingspace_async._outcomes import (
    Batch,
    Part,
    State,
    begun_otherwise,
    from_rows,
    packed,
    to_rows,
    under_way,
    unpacked,
)
from thingspace_async._tasks import end, outlast
from thingspace_async._types import DeviceIds
from thingspace_async.errors import InboxUnavailable, InvalidRequest
from thingspace_async.redis._keys import Keys
from thingspace_async.redis._scripts import Argument, Client, Script, text_of
from thingspace_async.redis._wakes import within

__all__ = ["RedisRuns"]

T = TypeVar("T")

LEASE: float = 15.0
"""Seconds after which a worker that gives no sign is taken for dead."""

_PATIENCE: Final = 60.0
"""Seconds for which a run bears with Redis being away, as those do who follow requests."""

_PAUSE: Final = 1.0
"""Seconds between two tries or looks."""

_BUCKETS: Final = 2**16
"""With twenty million identifiers there are some 300 in each."""

_AT_ONCE: Final = 1000
"""Keys that are removed at once."""

_FORGOTTEN: Final = "forgotten"
"""What a run is said to have begun as when it is being forgotten: whoever would join it is refused."""

# Scores of workers that have no lease. Of one that has finished nothing is adopted: it has told of all its batches.
_SCORES: Final = """
local finished, earlier, left = -1, 0, 1
"""

_NOW: Final = """
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local function score(worker) return tonumber(redis.call('ZSCORE', {workers}, worker) or -1) end
"""


def _script(text: str, *, workers: int) -> Script:
    """Make a script that knows the time and the leases; `workers` is the place of their key."""
    return Script(_SCORES + _NOW.format(workers=f"KEYS[{workers}]") + text)


# KEYS: run, workers, unsent. ARGV: worker, what it is begun as, an id for a new run, ms of the lease.
# Returns `otherwise` and what it was begun as, or `wait` while another prepares it, or the id behind `joined`, or
# behind `first` for who is to prepare it. When nobody else is there, all that is noted is an earlier run's.
_JOIN: Final = _script(
    """
local began_as, preparing = unpack(redis.call('HMGET', KEYS[1], 'began as', 'preparing'))
if began_as and began_as ~= ARGV[2] then return {'otherwise', began_as} end
local alone = redis.call('ZCOUNT', KEYS[2], now, '+inf') == 0
redis.call('ZADD', KEYS[2], now + ARGV[4], ARGV[1])
if preparing and score(preparing) > now then return {'wait', ''} end
if alone then
    for _, worker in ipairs(redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', now)) do
        redis.call('ZADD', KEYS[2], earlier, worker)
    end
    redis.call('HSET', KEYS[1], 'began as', ARGV[2])
    redis.call('HSETNX', KEYS[1], 'id', ARGV[3])
end
local first = preparing or alone and redis.call('EXISTS', KEYS[3]) == 1
if first then redis.call('HSET', KEYS[1], 'preparing', ARGV[1]) end
return {first and 'first' or 'joined', redis.call('HGET', KEYS[1], 'id')}
""",
    workers=2,
)

# KEYS: run. ARGV: worker.
_PREPARED: Final = Script("""
if redis.call('HGET', KEYS[1], 'preparing') == ARGV[1] then redis.call('HDEL', KEYS[1], 'preparing') end
""")

# KEYS: workers, unsent, the batch, the batches of its worker, and a bucket for each hash.
# ARGV: key of the batch, its worker, and the hashes. Lets go of the devices of a batch that nobody works at.
_RELEASE: Final = _script(
    """
local worker, state = unpack(redis.call('HMGET', KEYS[3], 'worker', 'state'))
if worker and (worker ~= ARGV[2] or score(worker) > now or state ~= 'claimed' and state ~= 'not-sent') then return end
for place = 5, #KEYS do redis.call('SREM', KEYS[place], ARGV[place - 2]) end
redis.call('DEL', KEYS[3])
redis.call('SREM', KEYS[4], ARGV[1])
redis.call('SREM', KEYS[2], ARGV[1])
""",
    workers=1,
)

# KEYS: workers, run, unsent, the batch, the worker's batches, and a bucket for each hash.
# ARGV: worker, ms of the lease, id of the run, key of the batch, how many devices it has, the most to add, and of each
# device how many hashes it has, those, and its row. Returns a digit for each device up to the last that there was room
# for, 1 if it was claimed; `moved` for a batch that was taken over; nothing if Redis has lost the run. Where the last
# answer was lost, it is given again.
_CLAIM: Final = _script(
    """
if redis.call('HGET', KEYS[2], 'id') ~= ARGV[3] then return false end
local owner, state, rows, size, answer = unpack(
    redis.call('HMGET', KEYS[4], 'worker', 'state', 'rows', 'size', 'answer'))
if owner and (owner ~= ARGV[1] or state ~= 'claimed') or not owner and ARGV[5] ~= '0' then return 'moved' end
size = tonumber(size or 0)
if size > tonumber(ARGV[5]) then return answer end
redis.call('ZADD', KEYS[1], now + ARGV[2], ARGV[1])
local taken, new, place, bucket = {}, {rows or ''}, 7, 6
while place <= #ARGV and #new <= tonumber(ARGV[6]) do
    local count, known = tonumber(ARGV[place]), 0
    for n = 1, count do
        if known == 0 then known = redis.call('SISMEMBER', KEYS[bucket + n - 1], ARGV[place + n]) end
    end
    if known == 0 then
        for n = 1, count do redis.call('SADD', KEYS[bucket + n - 1], ARGV[place + n]) end
        new[#new + 1] = ARGV[place + count + 1]
    end
    taken[#taken + 1] = 1 - known
    place, bucket = place + count + 2, bucket + count
end
answer = table.concat(taken)
if #new > 1 then
    redis.call('HSET', KEYS[4], 'worker', ARGV[1], 'state', 'claimed', 'rows', table.concat(new),
        'size', size + #new - 1, 'answer', answer)
    redis.call('SADD', KEYS[5], ARGV[4])
    redis.call('SADD', KEYS[3], ARGV[4])
end
return answer
""",
    workers=1,
)

# KEYS: run, unsent, the batch. ARGV: worker, id of the run, key of the batch, its devices.
# Returns `yes` if the worker may send it, `no` if another has it, nothing if Redis has lost the run.
_BEGIN: Final = Script("""
if redis.call('HGET', KEYS[1], 'id') ~= ARGV[2] then return false end
if redis.call('HGET', KEYS[3], 'worker') ~= ARGV[1] then return 'no' end
redis.call('HSET', KEYS[3], 'state', 'sending', 'detail', '', 'devices', ARGV[4])
redis.call('HDEL', KEYS[3], 'rows', 'size', 'answer')
redis.call('SREM', KEYS[2], ARGV[3])
return 'yes'
""")

# KEYS: unsent, the batch. ARGV: worker, key of the batch, its state, what is to be known of it.
# Returns `yes` if it is the worker's, nothing if Redis has lost it, and `no` if another has taken it over. It is noted
# even then: who sent it knows.
_NOTE: Final = Script("""
local worker = redis.call('HGET', KEYS[2], 'worker')
if not worker then return false end
redis.call('HSET', KEYS[2], 'state', ARGV[3], 'detail', ARGV[4])
if ARGV[3] == 'not-sent' then redis.call('SADD', KEYS[1], ARGV[2]) end
return worker == ARGV[1] and 'yes' or 'no'
""")

# KEYS: workers. ARGV: worker, ms of the lease, 1 if it has finished.
# Returns how many others have not finished, and one of those that are gone.
_BEAT: Final = _script(
    """
redis.call('ZADD', KEYS[1], ARGV[3] == '1' and finished or now + ARGV[2], ARGV[1])
local others = redis.call('ZCOUNT', KEYS[1], earlier, '+inf') - (ARGV[3] == '1' and 0 or 1)
return {others, redis.call('ZRANGEBYSCORE', KEYS[1], earlier, now, 'LIMIT', 0, 1)[1] or ''}
""",
    workers=1,
)

# KEYS: workers, the batches of the one that is gone, the worker's, the batch.
# ARGV: the one that is gone, worker, key of the batch, ms of the lease.
# Returns state, detail, rows and devices of the batch, or nothing if another took it over.
_ADOPT: Final = _script(
    """
local gone = score(ARGV[1])
if redis.call('HGET', KEYS[4], 'worker') ~= ARGV[2] then
    if gone < earlier or gone > now or redis.call('SMOVE', KEYS[2], KEYS[3], ARGV[3]) == 0 then return false end
    redis.call('HSET', KEYS[4], 'worker', ARGV[2])
end
redis.call('ZADD', KEYS[1], now + ARGV[4], ARGV[2])
return redis.call('HMGET', KEYS[4], 'state', 'detail', 'rows', 'devices')
""",
    workers=1,
)

# KEYS: workers, the batches of the one that is gone. ARGV: the one that is gone. Forgets it if it has none.
_FORGET: Final = _script(
    """
local gone = score(ARGV[1])
if gone >= earlier and gone <= now and redis.call('EXISTS', KEYS[2]) == 0 then redis.call('ZREM', KEYS[1], ARGV[1]) end
""",
    workers=1,
)

# KEYS: run, workers, the worker's batches. ARGV: worker, 1 if it has finished.
# Nothing is left of a run that has claimed nothing.
_LEAVE: Final = Script(
    _SCORES
    + """
if redis.call('EXISTS', KEYS[3]) == 0 then
    redis.call('ZREM', KEYS[2], ARGV[1])
else
    redis.call('ZADD', KEYS[2], ARGV[2] == '1' and finished or left, ARGV[1])
end
if redis.call('EXISTS', KEYS[2]) == 0 then redis.call('DEL', KEYS[1]) end
"""
)

# KEYS: run, workers. ARGV: what the run is from now on begun as. Returns 1 if nobody works at it: then nobody can.
_BEGIN_TO_FORGET: Final = _script(
    """
if redis.call('ZCOUNT', KEYS[2], now, '+inf') > 0 then return 0 end
redis.call('HSET', KEYS[1], 'began as', ARGV[1])
redis.call('HDEL', KEYS[1], 'id')
return 1
""",
    workers=2,
)

# KEYS: run, and keys to remove. ARGV: what a run that is being forgotten has begun as.
# Returns 1, or 0 if somebody else has forgotten it by now: what there is then is a new run's.
_REMOVE: Final = Script("""
if redis.call('HGET', KEYS[1], 'began as') ~= ARGV[1] then return 0 end
redis.call('UNLINK', unpack(KEYS, 2))
return 1
""")


class RedisRuns:
    """Runs that any number of processes divide; see `SharedRuns`."""

    def __init__(self, client: Client, keys: Keys) -> None:
        self._client = client
        self._keys = keys

    @asynccontextmanager
    async def join(self, run: str, began_as: str) -> AsyncGenerator[Part]:
        """Take part in a run; see `SharedRuns.join`."""
        part = self._part_of(run)
        try:
            is_first = await part.join(began_as)
            beating = asyncio.create_task(part.beat(), name=f"fleet worker of {run}")
            try:
                if is_first:
                    await part.prepare()
                yield part
            finally:
                await end(beating)
        finally:
            await outlast(asyncio.create_task(part.leave()))

    async def forget(self, run: str) -> None:
        """Remove what was noted of a run; raises InvalidRequest while somebody works at it."""
        await self._part_of(run).forget()

    def _part_of(self, run: str) -> _RedisPart:
        digest = hashlib.blake2b(run.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()
        return _RedisPart(self._client, partial(self._keys, "fleet", digest), run)


class _RedisPart:
    """What a worker does of a run; see `Part`."""

    def __init__(self, client: Client, keys: Callable[..., str], run: str) -> None:
        self._client: Any = client  # Whose types leave open whether what it returns is to be awaited.
        self._keys = keys
        self._name = run
        self._run = keys("run")
        self._workers = keys("workers")
        self._unsent = keys("unsent")
        self._worker = secrets.token_hex(8)
        self._id = ""
        self._finished = False

    async def join(self, began_as: str) -> bool:
        """Join when nobody prepares the run, and say whether this worker is to."""
        keys = [self._run, self._workers, self._unsent]
        args: list[Argument] = [self._worker, began_as, secrets.token_hex(8), _lease()]
        while True:
            how, what = map(text_of, await self._do(_JOIN, keys, args))
            if how == "otherwise":
                raise _half_forgotten(self._name) if what == _FORGOTTEN else begun_otherwise(self._name, began_as, what)
            if how != "wait":
                self._id = what
                return how == "first"
            await asyncio.sleep(_PAUSE)

    async def prepare(self) -> None:
        """Let go of what earlier runs have claimed and not sent: this one is given what is to be sent."""
        async with self._within():
            unsent = await self._client.smembers(self._unsent)
        for key in map(text_of, unsent):
            batch = self._keys("batch", key)
            async with self._within():
                worker, rows, devices = await self._client.hmget(batch, "worker", "rows", "devices")
            owner = text_of(worker or "")
            hashes = [one for device in _devices(rows, devices) for one in _hashes(device)]
            keys = [self._workers, self._unsent, batch, self._keys("of", owner), *map(self._bucket, hashes)]
            await self._do(_RELEASE, keys, [key, owner, *hashes])
        await self._do(_PREPARED, [self._run], [self._worker])

    async def forget(self) -> None:
        """Remove all of the run, unless somebody works at it; what was cut short goes on when it is begun again."""
        if not await self._do(_BEGIN_TO_FORGET, [self._run, self._workers], [_FORGOTTEN]):
            raise under_way(self._name, crashed=f"; a worker that crashed counts for {LEASE:g} s")
        async with aclosing(self._all_keys()) as some:
            async for keys in some:
                if not await self._do(_REMOVE, [self._run, *keys], [_FORGOTTEN]):
                    return

    async def _all_keys(self) -> AsyncGenerator[list[str]]:
        """Iterate over the keys of the run, some at a time, and last over those by which the others are found."""
        async with self._within():
            workers = await self._client.zrange(self._workers, 0, -1)
        of_workers = [self._keys("of", text_of(worker)) for worker in workers]
        for theirs in of_workers:
            cursor = None
            while cursor != 0:
                async with self._within():
                    cursor, some = await self._client.sscan(theirs, cursor or 0, count=_AT_ONCE)
                if some:
                    yield [self._keys("batch", text_of(key)) for key in some]
        for start in range(0, _BUCKETS, _AT_ONCE):
            yield [self._bucket(number) for number in range(start, min(start + _AT_ONCE, _BUCKETS))]
        for start in range(0, len(of_workers), _AT_ONCE):
            yield of_workers[start : start + _AT_ONCE]
        yield [self._unsent, self._workers, self._run]

    async def beat(self) -> None:
        """Keep up the lease."""
        while True:
            await asyncio.sleep(LEASE / 3)
            with suppress(InboxUnavailable):
                await self._look()

    async def leave(self) -> None:
        """Leave what is not finished to others, at once if Redis can be told, and else when the lease has run out."""
        keys = [self._run, self._workers, self._keys("of", self._worker)]
        with suppress(InboxUnavailable):
            await self._do(_LEAVE, keys, [self._worker, int(self._finished)])

    async def claim(
        self, batch: Batch, devices: tuple[DeviceIds, ...], most: int
    ) -> tuple[Batch, tuple[DeviceIds, ...]]:
        """Add devices to a batch; see `Part.claim`."""
        hashes = [_hashes(device) for device in devices]
        keys = [self._workers, self._run, self._unsent, self._keys("batch", batch.key), self._keys("of", self._worker)]
        keys += map(self._bucket, chain.from_iterable(hashes))
        size = len(batch.devices)
        args: list[Argument] = [self._worker, _lease(), self._id, batch.key, size, most - size]
        for device, own in zip(devices, hashes, strict=True):
            args += [len(own), *own, to_rows([device])[1:-1] + b","]
        taken = await self._patiently(_CLAIM, keys, args)
        if taken == "moved":
            return Batch(), devices
        new = [device for device, mark in zip(devices, taken, strict=False) if mark == "1"]
        return attrs.evolve(batch, devices=(*batch.devices, *new)), devices[len(taken) :]

    async def begin(self, batch: Batch) -> bool:
        """Note that a batch is about to be sent; see `Part.begin`."""
        keys = [self._run, self._unsent, self._keys("batch", batch.key)]
        args = [self._worker, self._id, batch.key, packed(batch.devices)]
        return await self._patiently(_BEGIN, keys, args) == "yes"

    async def note(self, batch: Batch, state: State, detail: str = "") -> bool:
        """Note what became of a batch; see `Part.note`."""
        keys = [self._unsent, self._keys("batch", batch.key)]
        return await self._patiently(_NOTE, keys, [self._worker, batch.key, state, detail]) == "yes"

    async def adopt(self) -> Batch | None:
        """Take over a batch of a worker that is gone; see `Part.adopt`."""
        while gone := (await self._borne(self._look))[1]:
            key = await self._borne(partial(self._any_of, gone))
            if key is None:
                await self._borne(partial(self._do, _FORGET, [self._workers, self._keys("of", gone)], [gone]))
                continue
            theirs, mine = self._keys("of", gone), self._keys("of", self._worker)
            keys = [self._workers, theirs, mine, self._keys("batch", key)]
            found = await self._borne(partial(self._do, _ADOPT, keys, [gone, self._worker, key, _lease()]))
            if found is not None:
                self._finished = False
                state, detail, rows, devices = found
                return Batch(
                    key=key,
                    devices=_devices(rows, devices),
                    state=State(text_of(state)),
                    detail=text_of(detail or ""),
                )
        return None

    async def others_at_work(self, *, finished: bool) -> bool:
        """Say whether others may leave something; see `Part.others_at_work`."""
        self._finished = finished
        return (await self._borne(self._look))[0] > 0

    # Redis

    async def _look(self) -> tuple[int, str]:
        """Keep up the lease; return how many others have not finished, and one of them that is gone, if any."""
        others, gone = await self._do(_BEAT, [self._workers], [self._worker, _lease(), int(self._finished)])
        return others, text_of(gone)

    async def _any_of(self, worker: str) -> str | None:
        """Return one of a worker's batches."""
        async with self._within():
            found = await self._client.srandmember(self._keys("of", worker))
        return None if found is None else text_of(found)

    def _bucket(self, one: int) -> str:
        return self._keys(f"{one % _BUCKETS:x}")

    def _within(self) -> AbstractAsyncContextManager[None]:
        return within(f"the run {self._name}")

    async def _do(self, script: Script, keys: Sequence[str], args: Sequence[Argument]) -> Any:
        async with self._within():
            return await script(self._client, keys, args)

    async def _patiently(self, script: Script, keys: Sequence[str], args: Sequence[Argument]) -> str:
        """Run a script that answers in a word, whatever else happens to Redis than to lose the run."""
        answer = await self._borne(partial(self._do, script, keys, args))
        if answer is None:
            raise InboxUnavailable(
                f"the run {self._name}: Redis has lost what it kept of it: find out what was sent before you begin anew"
            )
        return text_of(answer)

    async def _borne(self, work: Callable[[], Awaitable[T]]) -> T:
        """Do what does no harm when it is done twice, again and again while Redis is away."""
        until = time.monotonic() + _PATIENCE
        while True:
            try:
                return await work()
            except InboxUnavailable:
                if time.monotonic() > until:
                    raise
            await asyncio.sleep(_PAUSE)


def _half_forgotten(run: str) -> InvalidRequest:
    return InvalidRequest(
        f"the run {run} is being forgotten, or was in part: wait until forget_run has ended, or call it again"
    )


def _lease() -> int:
    return round(LEASE * 1000)


def _hashes(device: DeviceIds) -> list[int]:
    return [
        int.from_bytes(
            hashlib.blake2b(f"{one.kind.casefold()} {one.id}".encode("utf-8", "surrogatepass"), digest_size=8).digest(),
            signed=True,
        )
        for one in device.device_ids
    ]


def _devices(rows: bytes | str | None, devices: bytes | str | None) -> tuple[DeviceIds, ...]:
    """Read the devices of a batch: rows while they are claimed, and then what was to be sent."""
    if devices is not None:
        return unpacked(devices)
    return from_rows(f"[{text_of(rows or '')[:-1]}]")
