"""The guard against lock-out: Verizon locks a user at the fifth refused login in a row.

The guard does not send a refused password again. After three refusals it sends no new password either. It keeps its
counts in a small file, so that they survive restarts and crash loops. `thingspace_async.redis` shares them between
machines.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import hashlib
import logging
import os
import threading
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any, Final, NamedTuple, Protocol, TypeVar

import orjson

from thingspace_async._core.faults import is_loopback
from thingspace_async._core.tasks import wait_shielded
from thingspace_async._core.values import Secret
from thingspace_async.errors import LoginRefused

__all__ = [
    "FORCE",
    "GUARD_FILE",
    "MOST_REFUSED",
    "MOST_UNANSWERED",
    "RETIRED",
    "TOO_MANY",
    "UNANSWERED",
    "WITHDRAWN",
    "Accepted",
    "Guard",
    "Refusal",
    "Retired",
    "Standing",
    "Verdict",
    "Withdrawn",
    "brief_digest_of",
    "digest_of",
    "local_guard",
    "not_sent",
]

T = TypeVar("T")

_log: Final = logging.getLogger("thingspace_async")

GUARD_FILE: Final = "THINGSPACE_GUARD_FILE"
"""Environment variable: the path of the guard's file, or `off`."""

MOST_UNANSWERED: Final = 2
"""Unanswered logins that a password may have before it is accepted. Each may have been a refusal."""

MOST_REFUSED: Final = 3
"""Logins of a user that may be refused or unanswered in a row. Two of Verizon's five are left for people."""

_REMEMBERED: Final = 20
"""Refused passwords to remember for each user."""


class Refusal(NamedTuple):  # Not an attrs class: making one takes as long as importing a small module.
    """The reason why the platform refused a password, or why the guard withholds it."""

    message: str
    status: int
    code: str | None = None
    request_id: str | None = None
    locked: bool = False


UNANSWERED: Final = Refusal(
    f"{MOST_UNANSWERED} logins with this password went unanswered, and each may have been refused", status=0
)
TOO_MANY: Final = Refusal(f"{MOST_REFUSED} logins of this user in a row were refused or went unanswered", status=0)


class Accepted:
    """The platform accepted the password."""


class Withdrawn:
    """The login does not count: it was not sent, or the platform was too busy to check it."""


class Retired:
    """The password was replaced, so the platform would refuse it."""


WITHDRAWN: Final = Withdrawn()

Verdict = Accepted | Withdrawn | Retired | Refusal
"""How a login ended. A login without a verdict counts as unanswered."""


FORCE: Final = "pass force=True to open() or log_in()"
"""Advice in errors. The command line has an option instead."""


class Standing(NamedTuple):
    """The state of a user and of a password."""

    withheld: Refusal | None
    """The reason why the password is not sent, or None."""
    accepted: bool
    """Whether the platform accepted the password at the last login."""
    left: int
    """Logins that may still be refused or go unanswered before no new password is sent."""
    path: Path | None = None
    """The file with the counts, or None if they are in the memory of this process."""


class Guard(Protocol):
    """Decides which passwords may be sent for one user."""

    def turn(self) -> AbstractAsyncContextManager[None]:
        """Wait until no other session logs in as this user; raises TimeoutError."""
        ...

    async def admit(self, password: Secret, mark: str, *, force: bool = False) -> Refusal | None:
        """Record that a login is about to be sent, or return why it must not be sent.

        `mark` identifies the login: a second call with the same mark records nothing more. `force` admits any password.
        """
        ...

    async def settle(self, password: Secret, mark: str, verdict: Verdict) -> None:
        """Record the verdict on a login."""
        ...


def not_sent(refusal: Refusal) -> LoginRefused:
    """Make the error for a password that is withheld."""
    from thingspace_async.errors import UserLocked

    message = refusal.message.rstrip(".")
    if refusal.locked:
        kind: type[LoginRefused] = UserLocked
        advice = f"not sent again: only Verizon's support can unlock the user; then {FORCE}"
    else:
        kind = LoginRefused
        advice = (
            "not sent again, because Verizon locks the user at the fifth refusal in a row: correct the password, or "
            f"{FORCE} if it is correct now"
        )
        if refusal == TOO_MANY:  # Other passwords are withheld, too.
            advice = (
                "no password is sent, because Verizon locks the user at the fifth refusal in a row: make sure that the "
                f"password is correct, then {FORCE}"
            )
    return kind(
        f"{message}; {advice}",
        operation="session.log_in",
        status=refusal.status,
        code=refusal.code,
        request_id=refusal.request_id,
        tries=0,
    )


# The rules, without any I/O. `thingspace_async.redis` has the same rules in Lua.


class _Record:
    """The counts of one user. Passwords are stored as digests."""

    def __init__(self) -> None:
        self.refused: dict[str, Refusal] = {}
        self.refusals = 0
        """Refused logins since the last accepted one."""
        self.unanswered: dict[str, list[str]] = {}
        """Marks of logins without a verdict."""
        self.accepted = ""
        """Digest of the last accepted password."""

    def admit(self, digest: str, mark: str, *, force: bool) -> Refusal | None:
        if force:
            self.refused.pop(digest, None)
            self.unanswered.pop(digest, None)
        elif (refusal := self.withheld(digest, mark)) is not None:
            return refusal
        if digest != self.accepted and mark not in (marks := self.unanswered.setdefault(digest, [])):
            marks.append(mark)
        return None

    def withheld(self, digest: str, mark: str | None = None) -> Refusal | None:
        """Return the reason why a login must not be sent."""
        if (refusal := self.refused.get(digest)) is not None:
            return refusal
        marks = self.unanswered.get(digest, [])
        if digest == self.accepted or mark in marks:
            return None
        if len(marks) >= MOST_UNANSWERED:
            return UNANSWERED
        return None if self.left else TOO_MANY

    @property
    def left(self) -> int:
        """Logins with new passwords that may still be sent."""
        return max(0, MOST_REFUSED - self.refusals - sum(map(len, self.unanswered.values())))

    def standing(self, digest: str) -> Standing:
        return Standing(self.withheld(digest), digest == self.accepted, self.left)

    def settle(self, digest: str, mark: str, verdict: Verdict) -> None:
        marks = [other for other in self.unanswered.pop(digest, []) if other != mark]
        if marks:
            self.unanswered[digest] = marks
        if isinstance(verdict, Accepted):
            self.refused.pop(digest, None)
            self.refusals = 0
            self.unanswered.clear()
            self.accepted = digest
        elif isinstance(verdict, Refusal | Retired):
            if isinstance(verdict, Refusal):
                self.refusals += 1
                self.unanswered.pop(digest, None)
            self.refused.pop(digest, None)
            self.refused[digest] = verdict if isinstance(verdict, Refusal) else RETIRED
            for oldest in list(self.refused)[:-_REMEMBERED]:
                del self.refused[oldest]
            if self.accepted == digest:
                self.accepted = ""

    def to_json(self) -> dict[str, Any]:
        refused = {digest: refusal._asdict() for digest, refusal in self.refused.items()}
        unanswered = {digest: marks for digest, marks in self.unanswered.items() if marks}
        return {"refused": refused, "refusals": self.refusals, "unanswered": unanswered, "accepted": self.accepted}

    @classmethod
    def from_json(cls, data: Any) -> _Record:
        record = cls()
        record.refused = {digest: Refusal(**refusal) for digest, refusal in data["refused"].items()}
        record.refusals = int(data["refusals"])
        record.unanswered = dict(data["unanswered"])
        record.accepted = str(data["accepted"])
        return record


RETIRED: Final = Refusal("the password was reset", status=0)


def digest_of(password: Secret, salt: bytes) -> str:
    """Return a digest that takes about 40 ms to compute, so that a stolen file does not reveal passwords."""
    return hashlib.scrypt(_bytes(password), salt=salt, n=2**14, r=8, p=1, dklen=24).hex()


def brief_digest_of(password: Secret, salt: bytes, key: bytes) -> bytes:
    """Return a fast digest with a random key, for the memory of this process only."""
    return hashlib.blake2b(salt + _bytes(password), key=key, digest_size=24).digest()


def _bytes(password: Secret) -> bytes:
    return password.reveal().encode("utf-8", "surrogatepass")


# In the memory of this process


class MemoryGuard:
    """Guards a user for all sessions of this process, on any event loop and in any thread."""

    def __init__(self) -> None:
        self._key = os.urandom(16)
        self._mutex = threading.Lock()
        self._record = _Record()
        self._turn: concurrent.futures.Future[None] | None = None

    @asynccontextmanager
    async def turn(self) -> AsyncGenerator[None]:
        """Wait until no other session logs in as this user; raises TimeoutError."""
        mine: concurrent.futures.Future[None] = concurrent.futures.Future()
        async with asyncio.timeout(_LONGEST_TURN):
            while True:
                with self._mutex:
                    other = self._turn
                    if other is None:
                        self._turn = mine
                        break
                # Shielded: cancelling the wrapper would cancel the other session's future.
                await asyncio.shield(asyncio.wrap_future(other))
        try:
            yield
        finally:
            with self._mutex:
                self._turn = None
            mine.set_result(None)

    async def admit(self, password: Secret, mark: str, *, force: bool = False) -> Refusal | None:
        """Record that a login is about to be sent, or return why it must not be sent."""
        with self._mutex:
            return self._record.admit(self._digest(password), mark, force=force)

    async def settle(self, password: Secret, mark: str, verdict: Verdict) -> None:
        """Record the verdict on a login."""
        with self._mutex:
            self._record.settle(self._digest(password), mark, verdict)

    async def look(self, password: Secret) -> Standing:
        """Return the state of the user and of a password. This changes nothing."""
        with self._mutex:
            return self._record.standing(self._digest(password))

    def _digest(self, password: Secret) -> str:
        return brief_digest_of(password, b"", self._key).hex()

    def after_fork(self) -> None:
        """Forget a login that was in progress in another thread of the parent: it never ends in the child."""
        self._mutex = threading.Lock()
        self._turn = None


_LONGEST_TURN: Final = 300.0
"""Seconds to wait for another login. The time limits of a login end it long before."""

_POLL: Final = 0.05
"""Seconds between two tries to take a lock that another process holds."""


# In a file


class FileGuard:
    """Guards a user for all processes of this machine that use the same file.

    If the file cannot be used, the guard logs one warning and keeps its counts in memory.
    """

    def __init__(self, path: Path, host: str, username: str, memory: MemoryGuard) -> None:
        self._path = path
        self._user = f"{host}\n{username}".encode("utf-8", "surrogatepass")
        self._memory = memory

    @asynccontextmanager
    async def turn(self) -> AsyncGenerator[None]:
        """Wait until no other session logs in as this user; raises TimeoutError."""
        async with self._memory.turn():
            lock = await _in_thread(lambda: self._tolerant(self._turn_lock))
            if lock is None:
                yield
                return
            try:
                async with asyncio.timeout(_LONGEST_TURN):
                    await self._take(lock)
                yield
            finally:
                await _in_thread(lock.release)

    async def _take(self, lock: Any) -> None:
        # Polled, because no event reports that another process has released the lock.
        while await _in_thread(lambda: self._tolerant(lambda: _take_now(lock))) is False:  # noqa: ASYNC110
            await asyncio.sleep(_POLL)

    async def admit(self, password: Secret, mark: str, *, force: bool = False) -> Refusal | None:
        """Record that a login is about to be sent, or return why it must not be sent."""
        # Record it in memory, too: if the file fails later, the memory has the counts of this process.
        withheld = await self._memory.admit(password, mark, force=force)
        done = await self._change(password, lambda record, digest: record.admit(digest, mark, force=force))
        return withheld if done is None else done.result

    async def settle(self, password: Secret, mark: str, verdict: Verdict) -> None:
        """Record the verdict on a login."""
        await self._memory.settle(password, mark, verdict)
        await self._change(password, lambda record, digest: record.settle(digest, mark, verdict))

    async def look(self, password: Secret) -> Standing:
        """Return the state of the user and of a password. This changes nothing, and creates no file."""
        known = await _in_thread(lambda: self._tolerant(lambda: self._standing(password)))
        return await self._memory.look(password) if known is None else known

    def _standing(self, password: Secret) -> Standing:
        salt, users = _read(self._path)  # Without a lock, because the file is always replaced as a whole.
        record = users.get(self._name(salt)) or _Record()
        return record.standing(digest_of(password, salt))._replace(path=self._path)

    async def _change(self, password: Secret, work: Callable[[_Record, str], Refusal | None]) -> _Done | None:
        return await _in_thread(lambda: self._tolerant(lambda: self._changed(password, work)))

    def _tolerant(self, work: Callable[[], T]) -> T | None:
        """Do work on the file. If the file cannot be used, log one warning and return None."""
        try:
            return work()
        except OSError as error:
            if self._path not in _complained:
                _complained.add(self._path)
                _log.warning(
                    "cannot use %s (%s): refused logins are counted in this process only, so restarts could lock the "
                    "user: set %s to a writable path, or to off",
                    self._path,
                    error.strerror or type(error).__name__,
                    GUARD_FILE,
                )
            return None

    def _turn_lock(self) -> Any:
        return _lock(Path(f"{self._path}.{hashlib.sha256(self._user).hexdigest()[:16]}.lock"))

    def _changed(self, password: Secret, work: Callable[[_Record, str], Refusal | None]) -> _Done:
        lock = _lock(Path(f"{self._path}.lock"))
        with lock.acquire(timeout=_LONGEST_TURN):
            salt, users = _read(self._path)
            record = users.setdefault(self._name(salt), _Record())
            result = work(record, digest_of(password, salt))
            _write(self._path, salt, users)
        return _Done(result)

    def _name(self, salt: bytes) -> str:
        """Return the name of the user in the file."""
        return hashlib.blake2b(self._user, key=salt, digest_size=24).hexdigest()


class _Done(NamedTuple):
    """The result of a change of the file."""

    result: Refusal | None


async def _in_thread(work: Callable[[], T]) -> T:
    """Run blocking work in a thread to its end, even if the caller is cancelled."""
    task = asyncio.get_running_loop().create_task(asyncio.to_thread(work))
    await wait_shielded(task)
    return task.result()


_complained: Final[set[Path]] = set()


def _lock(path: Path) -> Any:
    from filelock import FileLock  # Only logins need it.

    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    return FileLock(path, mode=0o600, thread_local=False)


def _take_now(lock: Any) -> bool:
    from filelock import Timeout

    try:
        lock.acquire(blocking=False)
    except Timeout:
        return False
    return True


def _read(path: Path) -> tuple[bytes, dict[str, _Record]]:
    """Read the file. Start with empty counts if it is missing or damaged."""
    try:
        data = orjson.loads(path.read_bytes())
        return bytes.fromhex(data["salt"]), {name: _Record.from_json(one) for name, one in data["users"].items()}
    except FileNotFoundError:
        pass
    except (ValueError, KeyError, TypeError, AttributeError):
        _log.warning("%s is damaged and will be replaced: the counts of refused logins are lost", path)
    return os.urandom(16), {}


def _write(path: Path, salt: bytes, users: dict[str, _Record]) -> None:
    """Replace the file atomically. It is never readable for other users."""
    import tempfile  # Only logins need it.

    data = {"salt": salt.hex(), "users": {name: record.to_json() for name, record in users.items()}}
    number, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)  # mkstemp creates it with mode 0600.
    try:
        with os.fdopen(number, "wb") as file:
            file.write(orjson.dumps(data))
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            Path(name).unlink()
        raise


# The guard of a user

_in_memory: Final[dict[tuple[str, str], MemoryGuard]] = {}
_making = threading.Lock()


def local_guard(host: str, username: str) -> MemoryGuard | FileGuard:
    """Return this machine's guard of a user, as configured by `THINGSPACE_GUARD_FILE`.

    Without the variable, the file is in the user's state directory. Loopback hosts then have no file, so that wrong
    passwords on a simulator have no consequences for other processes.
    """
    with _making:
        memory = _in_memory.setdefault((host, username), MemoryGuard())
    named = os.environ.get(GUARD_FILE)
    if named == "off" or (not named and is_loopback(_name_of(host))):
        return memory
    if named:
        return FileGuard(Path(named), host, username, memory)
    from platformdirs import user_state_path

    return FileGuard(user_state_path("thingspace_async", appauthor=False) / "guard.json", host, username, memory)


def _name_of(host: str) -> str:
    from urllib.parse import urlsplit

    return urlsplit(f"//{host}").hostname or ""


def _after_fork() -> None:
    global _making  # noqa: PLW0603 - a thread of the parent may have held it
    _making = threading.Lock()
    for guard in _in_memory.values():
        guard.after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
