"""Logins as a session makes them: each has a mark, which is kept until the guard has answered."""

from __future__ import annotations

import secrets
from weakref import WeakKeyDictionary

from thingspace_async._core.guard import WITHDRAWN, Accepted, Refusal, Verdict
from thingspace_async._core.store import UserStore
from thingspace_async._core.types import Secret

_asking: WeakKeyDictionary[UserStore, str] = WeakKeyDictionary()
_sent: WeakKeyDictionary[UserStore, str] = WeakKeyDictionary()


async def may_send(worker: UserStore, password: Secret, *, force: bool = False) -> Refusal | None:
    mark = _asking.setdefault(worker, secrets.token_hex(8))
    refusal = await worker.guard.admit(password, mark, force=force)
    del _asking[worker]
    if refusal is None:
        _sent[worker] = mark
    return refusal


async def answered(
    worker: UserStore, password: Secret, *, accepted: bool = False, refusal: Refusal | None = None
) -> None:
    verdict: Verdict = Accepted() if accepted else refusal or WITHDRAWN
    await worker.guard.settle(password, _sent.pop(worker, ""), verdict)


async def forgive(worker: UserStore, password: Secret) -> None:
    """Force a login with a refused password, and withdraw it."""
    await may_send(worker, password, force=True)
    await answered(worker, password)
