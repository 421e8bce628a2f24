"""Fleet runs in Redis, which workers on several machines share. `_runs` describes the keys."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import AsyncGenerator, Callable, Iterable, Sequence
from contextlib import aclosing
from functools import partial
from typing import Any, Final, NoReturn

from thingspace_async._core.ledger import (
    BatchRecord,
    BatchState,
    Claim,
    Item,
    Joined,
    Place,
    Worker,
    WorkerState,
    earlier_format,
    run_being_forgotten,
    run_in_progress,
    run_lost,
)
from thingspace_async.redis._keys import Keys
from thingspace_async.redis._replicas import confirmed
from thingspace_async.redis._runs import (
    BATCH,
    BATCHES,
    BEGIN_TO_FORGET,
    BUCKETS,
    CHANGE,
    CLAIM,
    FORGOTTEN,
    LEASE,
    LOOK,
    PUT_BACK,
    RELEASE,
    REMOVE,
)
from thingspace_async.redis._scripts import Argument, Client, Script, microseconds_of, text_of, time_of
from thingspace_async.redis._wake_stream import WakeStream

__all__ = ["RedisLedger"]

_AT_ONCE: Final = 1000
"""Keys removed, or batches listed, per call."""


class RedisLedger:
    """Fleet runs in Redis; see `LedgerStore`."""

    def __init__(self, client: Client, keys: Keys, waker: Callable[[], WakeStream], *, replicas: int) -> None:
        self._client: Any = client  # redis-py's annotations do not say which methods are coroutines.
        self._keys = keys
        self._waker = waker
        """Returns the inbox's waker, or raises InboxUnavailable while the inbox is not open."""
        self._replicas = replicas
        self._runs = keys("runs")

    async def lease(self, place: Place, *, description: str, state: WorkerState, seconds: float) -> Joined:
        """Join a run, renew a lease, or give it up; see `LedgerStore.lease`."""
        length = _microseconds(seconds) if state in (WorkerState.JOINING, WorkerState.WORKING) else 0
        args: list[Argument] = [place.worker, state, length, description, secrets.token_hex(8), place.run]
        return _joined(await self._change(place, LEASE, self._joining(place.run), args))

    async def look(self, place: Place) -> Joined | None:
        """Return the same as `lease` without a change; see `LedgerStore.look`."""
        found = await self._read(place, LOOK, self._joining(place.run), [])
        return None if found is None else _joined(found)

    async def claim(
        self, place: Place, batch: str, items: Sequence[Item], *, size: int, most: int, seconds: float
    ) -> list[Claim] | None:
        """Claim items for a batch; see `LedgerStore.claim`."""
        names = [f"batch:{batch}", f"rows:{batch}", "batches", "owned"]
        args: list[Argument] = [place.worker, _microseconds(seconds), batch, size, most, self._of(place.run)("")]
        args += [b"".join(b"%b\n%b\n" % (_claims(dict.fromkeys((one.whole, *one.keys))), one.row) for one in items)]
        answer = await self._change(place, CLAIM, self._named(place.run, *names), args)
        return [Claim(mark) for mark in text_of(answer[0])] if answer else None

    async def change(
        self, place: Place, batch: str, *, fence: int, worker: str, state: BatchState, detail: str = ""
    ) -> BatchRecord:
        """Change a batch if its fence is `fence`, and return it; see `LedgerStore.change`."""
        keys = self._named(place.run, f"batch:{batch}", "owned")
        (fields,) = await self._change(place, CHANGE, keys, [batch, fence, worker, state, detail])
        return _record(batch, fields)

    async def release(self, place: Place, batch: str, *, fence: int, keys: Sequence[int]) -> bool:
        """Remove a batch and the claims of `keys`; see `LedgerStore.release`."""
        names = self._named(place.run, f"batch:{batch}", f"rows:{batch}", "batches", "owned")
        args: list[Argument] = [batch, fence, self._of(place.run)(""), _claims(keys)]
        (gone,) = await self._change(place, RELEASE, names, args)
        return bool(gone)

    async def put_back(self, place: Place, record: BatchRecord, *, description: str, keys: Sequence[int]) -> None:
        """Write a batch that the store may have lost; see `LedgerStore.put_back`."""
        names = self._named(place.run, f"batch:{record.key}", f"rows:{record.key}", "batches", "owned")
        args: list[Argument] = [place.run, description, self._of(place.run)(""), record.key]
        args += [record.worker, record.fence, record.state, record.detail, record.size]
        args += [microseconds_of(record.changed_at), record.rows or b"", _claims(keys)]
        # A copy, so that `place` keeps its id: the run may have a new one by now.
        copy = Place(place.run, place.worker, place.id, place.counter)
        await self._change(copy, PUT_BACK, [*names, self._runs], args)
        place.counter = max(place.counter, copy.counter)

    async def batches(
        self, place: Place, *, worker: str | None = None, after: str = "", limit: int = 1000
    ) -> list[BatchRecord]:
        """List batches by key, without rows; see `LedgerStore.batches`."""
        name, owner = ("batches", "") if worker is None else ("owned", f"{worker}\0")
        end = "+" if worker is None else f"({worker}\1"
        found: list[BatchRecord] = []
        while len(found) < limit:
            some = min(limit - len(found), _AT_ONCE)
            args: list[Argument] = [f"({owner}{after}", end, some, len(owner.encode()), self._of(place.run)("")]
            page = await self._read(place, BATCHES, self._named(place.run, name), args) or []
            found += [_record(text_of(key), fields) for key, *fields in page]
            if len(page) < some:
                break
            after = found[-1].key
        return found

    async def batch(self, place: Place, key: str) -> BatchRecord | None:
        """Return a batch with its rows."""
        found = await self._read(place, BATCH, self._named(place.run, f"batch:{key}", f"rows:{key}"), [])
        return _record(key, *found) if found else None

    async def forget(self, run: str) -> None:
        """Remove a run; see `LedgerStore.forget`."""
        status, *_ = await self._call(LOOK, self._joining(run), ["", 0])
        if status == "none":
            return
        if not await self._call(BEGIN_TO_FORGET, self._named(run, "run", "workers"), [FORGOTTEN]):
            raise run_in_progress(run)
        state = self._of(run)("state")
        async with aclosing(self._all_keys(run)) as pages:
            async for keys in pages:
                if not await self._call(REMOVE, [state, self._runs, *keys], [""]):
                    return
        await self._call(REMOVE, [state, self._runs, *self._last_keys(run)], [run])

    async def runs(self) -> list[tuple[str, str]]:
        """Return the name and description of every run, sorted by name."""
        async with self._waker().calling():
            found = await self._client.hgetall(self._runs)
        return sorted((text_of(name), text_of(description)) for name, description in found.items())

    # Keys

    def _of(self, run: str) -> partial[str]:
        """Return a function that makes the keys of a run."""
        digest = hashlib.blake2b(run.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()
        return partial(self._keys, "fleet", digest)

    def _named(self, run: str, *names: str) -> list[str]:
        return [self._of(run)(name) for name in ("state", "members", *names)]

    def _joining(self, run: str) -> list[str]:
        """Return the keys for joining a run. The last two exist if an earlier version began it."""
        of = self._of(run)
        return [of("state"), of("members"), self._runs, of("run"), self._keys("noted", run)]

    async def _all_keys(self, run: str) -> AsyncGenerator[list[str]]:
        """Iterate over pages of a run's keys, except those that are needed to find the others."""
        of = self._of(run)
        async with self._waker().calling():
            workers = await self._client.zrange(of("workers"), 0, -1)
        # An earlier version kept a set of batches for each worker.
        earlier = [of("of", text_of(worker)) for worker in workers]
        for scan, name in ((self._client.zscan, of("batches")), *((self._client.sscan, own) for own in earlier)):
            cursor = None
            while cursor != 0:
                async with self._waker().calling():
                    cursor, found = await scan(name, cursor or 0, count=_AT_ONCE // 2)
                keys = [text_of(one[0] if isinstance(one, (tuple, list)) else one) for one in found]
                for start in range(0, len(keys), _AT_ONCE // 2):
                    some = keys[start : start + _AT_ONCE // 2]
                    yield [of(kind, key) for key in some for kind in ("batch", "rows")]
        buckets = [of(_bucket(number)) for number in range(BUCKETS)]
        for start in range(0, BUCKETS, _AT_ONCE):
            yield buckets[start : start + _AT_ONCE]
        for start in range(0, len(earlier), _AT_ONCE):
            yield earlier[start : start + _AT_ONCE]

    def _last_keys(self, run: str) -> list[str]:
        names = ("members", "batches", "owned", "run", "workers", "unsent")
        return [self._keys("noted", run), *map(self._of(run), names)]

    # Redis

    async def _call(self, script: Script, keys: Sequence[str], args: Sequence[Argument]) -> Any:
        async with self._waker().calling():
            answer = await script(self._client, keys, args)
        return [text_of(answer[0]), *answer[1:]] if isinstance(answer, list) else answer

    async def _read(self, place: Place, script: Script, keys: Sequence[str], args: Sequence[Argument]) -> Any:
        """Run a script that changes nothing; None if there is no such run."""
        status, *answer = await self._call(script, keys, [place.id, place.counter, *args])
        return None if status == "none" else _of_run(place, status, answer)

    async def _change(self, place: Place, script: Script, keys: Sequence[str], args: Sequence[Argument]) -> Any:
        """Run a script that changes something, and wait for replicas."""
        args, label = [place.id, place.counter, *args], f"the run {place.run}"
        async with self._waker().free_calls:
            status, *answer = await confirmed(self._client, script, keys, args, replicas=self._replicas, label=label)
        return _of_run(place, text_of(status), answer)


def _of_run(place: Place, status: str, answer: list[Any]) -> list[Any]:
    """Update a place with the run's id and counter, and return the rest of the answer."""
    if status != "ok":
        _refuse(place.run, status)
    identifier, counter, *rest = answer
    place.id, place.counter = text_of(identifier), max(place.counter, counter)
    return rest


def _refuse(run: str, status: str) -> NoReturn:
    raise {"lost": run_lost, "forgotten": run_being_forgotten, "earlier": earlier_format}[status](run)


def _joined(answer: list[Any]) -> Joined:
    description, time, members = answer
    now = int(time)
    listed = sorted(
        (int(place), name, WorkerState(state), 0 < int(until) - now <= int(length))
        for name, member in zip(map(text_of, members[::2]), map(text_of, members[1::2]), strict=True)
        for place, state, until, length in [member.split(" ")]
    )
    workers = tuple(Worker(name=name, state=state, alive=alive) for _, name, state, alive in listed)
    return Joined(description=text_of(description), workers=workers, now=time_of(now))


def _record(key: str, fields: Iterable[Any], rows: bytes | str | None = None) -> BatchRecord:
    worker, fence, state, detail, size, changed = map(text_of, fields)
    return BatchRecord(
        key=key,
        worker=worker,
        fence=int(fence),
        state=BatchState(state),
        detail=detail,
        size=int(size),
        changed_at=time_of(changed),
        rows=rows.encode() if isinstance(rows, str) else rows,
    )


def _claims(numbers: Iterable[int]) -> bytes:
    """Write numbers to claim as "BUCKET NUMBER BUCKET NUMBER ..."."""
    return b" ".join([b"%x %d" % (number % BUCKETS, number) for number in numbers])


def _bucket(number: int) -> str:
    return f"{number % BUCKETS:x}"


def _microseconds(seconds: float) -> int:
    return round(seconds * 1_000_000)
