"""Caller: sends calls with the tokens that they need, renews tokens, tries again, and reads answers."""

from __future__ import annotations

import asyncio
import base64
import json
import logging
import random
import time
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Mapping
from contextlib import contextmanager
from types import NoneType
from typing import Any, Final, Generic, Literal, TypeVar
from urllib.parse import quote, urlencode

import attrs

from thingspace_async import __version__, _codec
from thingspace_async._auth import TokenKeeper, rejected_token
from thingspace_async._environment import Credentials, CredentialsProvider, Environment
from thingspace_async._operation import Operation, check_request, fill_path
from thingspace_async._retry import RetryPolicy, delay_before_retry
from thingspace_async._store import Fetch, Identity, LocalStore, LogOut, Token, TokenKind, TokenStore, UserStore
from thingspace_async._transport import Answer, HiddenHeaders, Limits, Transport, Wire
from thingspace_async._types import Secret
from thingspace_async.errors import (
    AnswerLost,
    AnswerUnreadable,
    ApiError,
    ConfigurationError,
    LoginRefused,
    RequestNotSent,
    SessionClosed,
    SessionMisused,
    ThingSpaceError,
    Unauthorized,
    api_error,
    request_id,
)

__all__ = ["ApplicationKey", "Caller", "Engine", "Exchange", "Reply", "Tokens", "read_answer"]

Q = TypeVar("Q")
R = TypeVar("R")

_log: Final = logging.getLogger("thingspace_async")


@attrs.frozen(kw_only=True, eq=False)  # Never compared.
class Exchange:
    """What `on_exchange` is told of each request that was sent, or tried to be sent."""

    operation: str
    status: int | None
    """None when no answer came."""
    seconds: float
    tries: int
    """Which try of its call this was, from 1."""
    request_id: str | None


@attrs.define(eq=False)  # Never compared.
class Reply(Generic[R]):
    """An answer with its status and headers, for the calls whose meaning is not all in the body."""

    status: int
    headers: Mapping[str, str]
    value: R


class Secrets:
    """The secrets that were sent lately, to blot them out of texts that repeat them."""

    def __init__(self) -> None:
        self._known: deque[Secret] = deque(maxlen=64)
        self._brief: list[Secret] = []

    def note(self, secret: Secret) -> None:
        """Remember a secret that is about to be sent."""
        if secret not in self._known:
            self._known.append(secret)

    @contextmanager
    def noted(self, secret: Secret | None) -> Iterator[None]:
        """Remember a secret while it is sent, and no longer: any number of these displaces no token."""
        brief = [] if secret is None else [secret]
        self._brief += brief
        try:
            yield
        finally:
            for one in brief:
                self._brief.remove(one)

    def redact(self, text: str) -> str:
        """Blot out the secrets in a text, in the spellings of JSON, HTML and URLs too."""
        # The longest first: one may begin with another.
        spellings = {spelling for secret in (*self._known, *self._brief) for spelling in _spellings(secret)}
        for spelling in sorted(spellings, key=lambda one: len(one.reveal()), reverse=True):
            text = text.replace(spelling.reveal(), "**********")
        return text


_SHORTEST_SECRET: Final = 4
"""What is shorter stands in every other word; nobody's real secret is."""


def _spellings(secret: Secret) -> Iterator[Secret]:
    import html  # Only errors need it, and it takes longer to load than all of this module.

    if len(secret.reveal()) >= _SHORTEST_SECRET:
        yield secret
        yield Secret(json.dumps(secret.reveal())[1:-1])
        yield Secret(html.escape(secret.reveal()))
        yield Secret(quote(secret.reveal(), safe=""))


class Engine:
    """What a session and its `with_options` clones share: connections, tokens, state and tasks."""

    def __init__(
        self,
        credentials: Credentials | CredentialsProvider,
        environment: Environment,
        transport: Transport,
        on_exchange: Callable[[Exchange], None] | None,
        *,
        stores: TokenStore,
        log_out: LogOut,
    ) -> None:
        self._ask = None if isinstance(credentials, Credentials) else credentials
        self._stores = stores
        self.known: Credentials | None = credentials if isinstance(credentials, Credentials) else None
        self.log_out: LogOut = log_out
        self.environment = environment
        self.transport = transport
        self.on_exchange = on_exchange
        self.secrets: Secrets = Secrets()
        self.state: Literal["new", "opening", "open", "closing", "closed"] = "new"
        self.loop: asyncio.AbstractEventLoop | None = None
        self.tasks: set[asyncio.Task[Any]] = set()
        self.reset: asyncio.Task[Secret] | None = None
        self.store: UserStore = LocalStore()
        self.oauth: TokenKeeper
        self.session: TokenKeeper
        self.tokens: Tokens = Tokens(self)

    @property
    def credentials(self) -> Credentials:
        """What to log in with."""
        if self.known is None:
            raise SessionClosed("the credentials are not known yet: open the session, which asks for them")
        return self.known

    async def identify(self) -> None:
        """Find out whose session it is to be, and join the others of that user."""
        if self._ask is not None:
            self.known = await _asked(self._ask)
        known = self.credentials
        self.store = self._stores.of(
            Identity(host=self.environment.host, client_id=known.client_id, username=known.username)
        )
        await self.store.enter()

    async def share(self, kind: TokenKind, fetch: Fetch, **what: Any) -> Token:
        """Get a token from the store, or fetch it for all that share it."""
        return await self.store.token(kind, fetch, **what)

    async def with_latest(self, kind: TokenKind, work: Callable[[Credentials], Awaitable[Token]]) -> Token:
        """Get a token with the credentials that are known; where they are refused, with those that have changed."""
        secret, refusal = _REFUSALS[kind]
        refused: Unauthorized
        try:
            return await work(self.credentials)
        except refusal as error:
            refused = error
        if not await self._have_changed(secret, refused):
            raise refused
        return await work(self.credentials)

    async def _have_changed(self, secret: str, refused: Unauthorized) -> bool:
        """Ask for credentials again, and say whether there is another secret to try."""
        if self._ask is None:
            return False
        old = self.credentials
        try:
            new = await _asked(self._ask)
        except Exception as error:  # noqa: BLE001 - the refusal is what the caller has to know of
            refused.add_note(f"thingspace_async: asking for credentials again failed: {type(error).__name__}: {error}")
            return False
        if (new.client_id, new.username) != (old.client_id, old.username):
            refused.add_note("thingspace_async: the credentials asked for are another user's now: open a new Session")
            return False
        self.known = new
        return bool(getattr(new, secret) != getattr(old, secret))

    def check_usable(self) -> None:
        """Raise unless calls can be made here and now."""
        if self.state != "open":
            raise SessionClosed(
                "the session is closed: open a new Session"
                if self.state in ("closing", "closed")
                else "the session is not open: use `async with Session(...) as session`, or await session.open()"
            )
        self.check_loop()

    def check_loop(self) -> None:
        """Raise on another event loop than the one that opened the session."""
        if asyncio.get_running_loop() is not self.loop:
            raise SessionMisused("the session belongs to another event loop: open one Session in each loop")

    async def session_token(self) -> Secret:
        """Log in if need be, but no more when the session is closing: nobody would log out."""
        if self.state in ("closing", "closed") and asyncio.current_task() is not self.reset:
            raise SessionClosed("the session was closed under the call: open a new Session")
        return await self.session.get()

    def drop(self, kind: TokenKind | None, headers: HiddenHeaders) -> None:
        """Forget the token that an answer to these headers rejected, unless there is a newer one."""
        if kind == "oauth" and headers.oauth is not None:
            self.oauth.reject(headers.oauth)
        elif kind == "session" and headers.session is not None:
            self.session.reject(headers.session)

    def forget_tokens(self) -> None:
        """Forget both tokens."""
        self.oauth.forget()
        self.session.forget()

    async def reported_exchange(self, wire: Wire, headers: HiddenHeaders, tries: int) -> Answer:
        """Send once, and tell the hook and the log."""
        started = time.perf_counter()
        try:
            answer = await self.transport.exchange(wire, headers)
        except BaseException:
            self._report(wire, None, time.perf_counter() - started, tries)
            raise
        self._report(wire, answer, time.perf_counter() - started, tries)
        return answer

    def _report(self, wire: Wire, answer: Answer | None, seconds: float, tries: int) -> None:
        status = None if answer is None else answer.status
        _log.debug("%s: status %s in %.3f s, try %d", wire.operation, status, seconds, tries)
        if self.on_exchange is None:
            return
        known = None if answer is None else request_id(answer.headers)
        try:
            self.on_exchange(
                Exchange(operation=wire.operation, status=status, seconds=seconds, tries=tries, request_id=known)
            )
        except Exception:  # noqa: BLE001 - whatever the user's hook does, the call must go on
            _log.exception("on_exchange failed for %s; the call goes on", wire.operation)

    def spawn(self, work: Coroutine[Any, Any, R]) -> asyncio.Task[R]:
        """Start a task that ends at the latest when the session closes."""
        task = asyncio.get_running_loop().create_task(work)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)
        return task

    async def end_tasks(self) -> None:
        """Cancel the tasks that are left, and wait for them."""
        for task in self.tasks:
            task.cancel()
        if self.tasks:
            await asyncio.wait(self.tasks)

    async def perform(
        self,
        wire: Wire,
        proof: Tokens | ApplicationKey,
        policy: RetryPolicy,
        *,
        repeatable: bool,
        final: Callable[[ApiError], bool] | None = None,
    ) -> tuple[Answer, int]:
        """Send a request until it succeeds or must not be sent again; return the answer and the number of tries.

        `final` names the errors that end it at once, even where a new token might help.
        """
        started = time.monotonic()
        tries = retried = 0
        renewable = proof.renewable
        while True:
            # Outside of the `try`: to get a token is a call of its own, with retries of its own.
            if (headers := proof.ready) is None:
                headers = await _aside(proof.headers(), _not_yet_sent(wire))
            tries += 1
            failure: ThingSpaceError
            try:
                if self.on_exchange is None and not _log.isEnabledFor(logging.DEBUG):
                    answer = await self.transport.exchange(wire, headers)
                else:
                    answer = await self.reported_exchange(wire, headers, tries)
            except (RequestNotSent, AnswerLost) as lost:
                lost.tries = tries
                failure = lost
            else:
                if 200 <= answer.status < 300:
                    return answer, tries
                failure = api_error(
                    wire.operation, answer.status, answer.headers, answer.body, tries=tries, redact=self.secrets.redact
                )
                kind = rejected_token(failure)
                if kind in renewable and not (final is not None and final(failure)):
                    renewable -= {kind}  # Once for each kind of token and call: never a loop.
                    self.drop(kind, headers)
                    continue
            wait = delay_before_retry(
                policy,
                failure,
                repeatable=repeatable,
                retried=retried,
                elapsed=time.monotonic() - started,
                jitter=random.random,
            )
            if wait is None:
                break
            retried += 1
            _log.debug("%s: try %d failed (%s); again in %.1f s", wire.operation, tries, failure, wait)
            await _aside(asyncio.sleep(wait), failure)
        raise failure


async def _aside(work: Awaitable[R], before: ThingSpaceError) -> R:
    """Await what is done while no request is under way: if it is cancelled, what came before is the cause of that."""
    try:
        return await work
    except asyncio.CancelledError as cancelled:
        raise cancelled from before


def _not_yet_sent(wire: Wire) -> RequestNotSent:
    return RequestNotSent("cancelled before it was sent", operation=wire.operation)


# The log-in needs the key, too, for whose refusal credentials have been asked by then.
_REFUSALS: Final[Mapping[TokenKind, tuple[str, type[Unauthorized]]]] = {
    "oauth": ("client_secret", Unauthorized),
    "session": ("password", LoginRefused),
}

_ASKED_WITHIN: Final = 60.0
"""Seconds for credentials to be found."""


async def _asked(ask: CredentialsProvider) -> Credentials:
    """Ask for credentials; raises ConfigurationError."""
    limit = asyncio.timeout(_ASKED_WITHIN)
    try:
        async with limit:
            known = await ask()
    except TimeoutError:
        if not limit.expired():
            raise
        raise ConfigurationError(f"credentials: none came within {_ASKED_WITHIN:g} s of asking for them") from None
    if not isinstance(known, Credentials):
        kind = type(known).__name__
        del known  # It may hold a password, as this frame's locals may be shown.
        raise ConfigurationError(f"credentials: what was asked gave no Credentials but {kind}")
    return known


_PLAIN_HEADERS: Final = {
    # Asked for even of calls without a body (protocol.md 1.4), and without Accept the gateway may answer in XML (2.2).
    "Accept": "application/json",
    "Content-Type": "application/json",
    "User-Agent": f"thingspace_async/{__version__}",
}


_BOTH: Final[frozenset[TokenKind]] = frozenset({"oauth", "session"})
_OAUTH_ONLY: Final[frozenset[TokenKind]] = frozenset({"oauth"})


class Tokens:
    """What calls authorize themselves with: both tokens, the OAuth token alone, or it and a session that is to end."""

    def __init__(self, engine: Engine, *, session: bool = True, ending: Secret | None = None) -> None:
        self._engine = engine
        self._follows_session = session and ending is None
        self._ending = ending
        self._made: HiddenHeaders | None = None
        self.renewable: frozenset[TokenKind] = _BOTH if self._follows_session else _OAUTH_ONLY

    @property
    def ready(self) -> HiddenHeaders | None:
        """The headers that were made last, while their tokens are good: all that a call in the steady state needs."""
        made, engine = self._made, self._engine
        if made is None or made.oauth is not engine.oauth.current:
            return None
        return made if not self._follows_session or made.session is engine.session.current else None

    async def headers(self) -> HiddenHeaders:
        """Return the headers with the tokens, which are fetched if need be."""
        engine = self._engine
        oauth = await engine.oauth.get()
        session = await engine.session_token() if self._follows_session else self._ending
        made = HiddenHeaders(_PLAIN_HEADERS)
        made.oauth, made.session = oauth, session
        engine.secrets.note(oauth)
        made["Authorization"] = f"Bearer {oauth.reveal()}"
        if session is not None:
            engine.secrets.note(session)
            made["VZ-M2M-Token"] = session.reveal()
        self._made = made
        return made


class ApplicationKey:
    """The application's key and secret, for the OAuth server."""

    ready: HiddenHeaders | None = None
    renewable: frozenset[TokenKind] = frozenset()

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def headers(self) -> HiddenHeaders:
        """Return the headers with key and secret."""
        known = self._engine.credentials
        pair = Secret(f"{known.client_id}:{known.client_secret.reveal()}")
        encoded = Secret(base64.b64encode(pair.reveal().encode()).decode())
        self._engine.secrets.note(known.client_secret)
        self._engine.secrets.note(encoded)
        headers = HiddenHeaders(_PLAIN_HEADERS)
        headers["Content-Type"] = "application/x-www-form-urlencoded"
        headers["Authorization"] = f"Basic {encoded.reveal()}"
        return headers


def read_answer(operation: Operation[Any, R], answer: Answer, tries: int) -> R:
    """Read a successful answer as the operation's type."""
    if operation.answer is NoneType:
        return None  # type: ignore[return-value]
    try:
        return _codec.load(answer.body, operation.answer)
    except _codec.Mismatch as mismatch:
        failure = AnswerUnreadable(
            mismatch.message,
            operation=operation.name,
            path=mismatch.path,
            status=answer.status,
            tries=tries,
            body=answer.body,
        )
    raise failure


class Caller:
    """Sends declared operations within certain limits; what the products' calls go through."""

    def __init__(self, engine: Engine, limits: Limits, policy: RetryPolicy) -> None:
        self.engine = engine
        self.limits = limits
        self.policy = policy

    async def call(
        self,
        operation: Operation[Q, R],
        body: Q | None = None,
        path: Mapping[str, str] | None = None,
        query: Mapping[str, str] | None = None,
    ) -> R:
        """Send an operation with both tokens and return its typed answer."""
        answer, tries = await self._perform(operation, body, path, query)
        return read_answer(operation, answer, tries)

    async def reply(
        self,
        operation: Operation[Q, R],
        body: Q | None = None,
        path: Mapping[str, str] | None = None,
        query: Mapping[str, str] | None = None,
    ) -> Reply[R]:
        """Send an operation with both tokens and return its typed answer with status and headers."""
        answer, tries = await self._perform(operation, body, path, query)
        return Reply(answer.status, answer.headers, read_answer(operation, answer, tries))

    def _perform(
        self,
        operation: Operation[Q, R],
        body: Q | None,
        path: Mapping[str, str] | None,
        query: Mapping[str, str] | None,
    ) -> Coroutine[Any, Any, tuple[Answer, int]]:
        # No coroutine of its own: each costs something at every step of the ones below it.
        engine = self.engine
        engine.check_usable()
        check_request(operation, body)
        wire = self.wire(operation, None if body is None else _codec.dump(body), path=path, query=query)
        return engine.perform(wire, engine.tokens, self.policy, repeatable=operation.repeatable)

    def wire(
        self,
        operation: Operation[Any, Any],
        data: bytes | None = None,
        *,
        path: Mapping[str, str] | None = None,
        query: Mapping[str, str] | None = None,
        urgent: bool = False,
    ) -> Wire:
        """Make the request of an operation, less its headers."""
        url = self.engine.environment.bases[operation.server] + (fill_path(operation, path) if path else operation.path)
        if query:
            url = f"{url}{'&' if '?' in url else '?'}{urlencode(query)}"
        return Wire(operation.name, operation.method, url, data, self.limits, not operation.repeatable, urgent)
