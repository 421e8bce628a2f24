"""Session: open, log in, send, log out."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import inspect
import logging
import random
import time
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from functools import cached_property
from types import NoneType, TracebackType
from typing import TYPE_CHECKING, Any, Final, NoReturn, Self, TypeVar
from urllib.parse import unquote, urlencode

import attrs

from thingspace_async import __version__, _codec
from thingspace_async._auth import (
    LOCKOUT,
    Token,
    TokenKeeper,
    TokenKind,
    header_safe,
    refuses_password,
    rejected_token,
)
from thingspace_async._environment import Credentials, Environment
from thingspace_async._namespace import Reply
from thingspace_async._operation import Method, Operation, fill_path
from thingspace_async._retry import RetryPolicy, delay_before_retry
from thingspace_async._transport import Answer, HiddenHeaders, Limits, Transport, Wire
from thingspace_async._types import Secret
from thingspace_async.errors import (
    AnswerLost,
    AnswerUnreadable,
    ApiError,
    BadRequest,
    ConfigurationError,
    InvalidRequest,
    LoginRefused,
    RequestNotSent,
    SessionClosed,
    SessionMisused,
    ThingSpaceError,
    Unauthorized,
    api_error,
    request_id,
)
from thingspace_async.session_management.calls import LOG_IN, LOG_OUT, OAUTH_REVOKE, OAUTH_TOKEN, RESET_PASSWORD
from thingspace_async.session_management.models import (
    LogInRequest,
    LogInResult,
    LogOutResult,
    SessionResetPasswordRequest,
)

if TYPE_CHECKING:
    import ssl as ssl_module

    import aiohttp

    from thingspace_async.accounts import Accounts
    from thingspace_async.devices import Devices

__all__ = ["Exchange", "Response", "Session"]

Q = TypeVar("Q")
R = TypeVar("R")
ApiErrorT = TypeVar("ApiErrorT", bound=ApiError)

_log: Final = logging.getLogger("thingspace_async")

_LEAVE_WITHIN: Final = 5.0
"""Seconds for logging out: the token dies by itself, and nobody waits long for a process to end."""

_RESET_WITHIN: Final = 120.0
"""Seconds for the answer that holds the new password, which must not be lost to impatience."""

_NO_RETRY: Final = RetryPolicy(retries=0)

_MIB: Final = 1024 * 1024


@attrs.frozen(kw_only=True)
class Exchange:
    """What `on_exchange` is told of each request that was sent, or tried to be sent."""

    operation: str
    status: int | None
    """None when no answer came."""
    seconds: float
    tries: int
    """Which try of its call this was, from 1."""
    request_id: str | None


@attrs.frozen(kw_only=True)
class Response:
    """The answer to `Session.request`."""

    status: int
    headers: Mapping[str, str] = attrs.field(repr=False)
    body: bytes = attrs.field(repr=False)


class _Core:
    """What a session and its `with_options` clones share."""

    def __init__(
        self,
        credentials: Credentials,
        environment: Environment,
        transport: Transport,
        on_exchange: Callable[[Exchange], None] | None,
    ) -> None:
        self.credentials = credentials
        self.environment = environment
        self.transport = transport
        self.on_exchange = on_exchange
        self.state = "new"
        self.loop: asyncio.AbstractEventLoop | None = None
        self.tasks: set[asyncio.Task[Any]] = set()
        self.reset: asyncio.Task[Secret] | None = None
        self.oauth: TokenKeeper
        self.session: TokenKeeper
        self._headers: tuple[Secret, Secret | None, HiddenHeaders] | None = None

    def check_usable(self) -> None:
        if self.state != "open":
            raise SessionClosed(
                "the session is closed: open a new Session"
                if self.state in ("closing", "closed")
                else "the session is not open: use `async with Session(...) as session`, or await session.open()"
            )
        self.check_loop()

    def check_loop(self) -> None:
        if asyncio.get_running_loop() is not self.loop:
            raise SessionMisused("the session belongs to another event loop: open one Session in each loop")

    def bearer_headers(self, oauth: Secret, session: Secret | None) -> HiddenHeaders:
        """Return the headers of a call; made once for each pair of tokens."""
        kept = self._headers
        if kept is not None and kept[0] is oauth and kept[1] is session:
            return kept[2]
        headers = HiddenHeaders(_PLAIN_HEADERS)
        headers["Authorization"] = f"Bearer {oauth.reveal()}"
        if session is not None:
            headers["VZ-M2M-Token"] = session.reveal()
        self._headers = (oauth, session, headers)
        return headers

    def redact(self, text: str) -> str:
        """Blot out whatever secret of ours a text repeats."""
        ours = (self.credentials.client_secret, self.credentials.password, self.oauth.held, self.session.held)
        for secret in ours:
            if secret is not None and secret.reveal() in text:
                text = text.replace(secret.reveal(), "**********")
        return text

    def forget_tokens(self) -> None:
        self.oauth.forget()
        self.session.forget()
        self._headers = None

    async def exchange(self, wire: Wire, headers: HiddenHeaders, tries: int) -> Answer:
        """Send once, and tell the hook and the log."""
        if self.on_exchange is None and not _log.isEnabledFor(logging.DEBUG):
            return await self.transport.exchange(wire, headers)
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


_PLAIN_HEADERS: Final = {
    # Asked for even of calls without a body (protocol.md 1.4), and without Accept the gateway may answer in XML (2.2).
    "Accept": "application/json",
    "Content-Type": "application/json",
    "User-Agent": f"thingspace_async/{__version__}",
}


_BOTH: Final[frozenset[TokenKind]] = frozenset({"oauth", "session"})
_OAUTH_ONLY: Final[frozenset[TokenKind]] = frozenset({"oauth"})


class _Tokens:
    """What one call authorizes itself with; each kind of token is renewed at most once for it."""

    def __init__(self, core: _Core, *, session: bool = True, ending: Secret | None = None) -> None:
        self._core = core
        self._follows_session = session and ending is None
        self._oauth: Secret | None = None
        self._session = ending
        self._renewable = _BOTH if self._follows_session else _OAUTH_ONLY

    async def headers(self) -> HiddenHeaders:
        core = self._core
        self._oauth = core.oauth.current or await core.oauth.get()
        if self._follows_session:
            self._session = core.session.current or await core.session.get()
        return core.bearer_headers(self._oauth, self._session)

    def renew(self, error: ApiError, /) -> bool:
        """Drop the token that an error rejects; say whether to send the call again with a new one."""
        kind = rejected_token(error)
        if kind is None or kind not in self._renewable:
            return False
        self._renewable -= {kind}
        if kind == "oauth" and self._oauth is not None:
            self._core.oauth.reject(self._oauth)
        elif kind == "session" and self._session is not None:
            self._core.session.reject(self._session)
        return True


class _Key:
    """The application's key and secret, for the OAuth server."""

    def __init__(self, core: _Core) -> None:
        self._core = core

    async def headers(self) -> HiddenHeaders:
        known = self._core.credentials
        pair = Secret(f"{known.client_id}:{known.client_secret.reveal()}")
        headers = HiddenHeaders(_PLAIN_HEADERS)
        headers["Content-Type"] = "application/x-www-form-urlencoded"
        headers["Authorization"] = f"Basic {base64.b64encode(pair.reveal().encode()).decode()}"
        return headers

    def renew(self, _: ApiError, /) -> bool:
        return False


async def _perform(
    core: _Core,
    wire: Wire,
    proof: _Tokens | _Key,
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
    while True:
        # Outside of the `try`: to get a token is a call of its own, with retries of its own.
        headers = await proof.headers()
        tries += 1
        failure: ThingSpaceError
        try:
            answer = await core.exchange(wire, headers, tries)
        except (RequestNotSent, AnswerLost) as lost:
            lost.tries = tries
            failure = lost
        else:
            if 200 <= answer.status < 300:
                return answer, tries
            failure = api_error(
                wire.operation, answer.status, answer.headers, answer.body, tries=tries, redact=core.redact
            )
            if (final is None or not final(failure)) and proof.renew(failure):
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
        await asyncio.sleep(wait)
    raise failure


def _read(operation: Operation[Any, R], answer: Answer, tries: int) -> R:
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


class Session:
    """A session with ThingSpace: log in on entering, log out on leaving, and the tokens in between.

        async with Session(Credentials.from_environment()) as session:
            account = await session.accounts.get("0000123456-00001")

    A session opens once. Its tasks may share it; each event loop needs one of its own. Expired tokens are renewed, once
    for all calls that meet them. A call that changes or bills something is sent again only if it cannot have been
    carried out.

    `timeout` bounds one exchange, `connect_timeout` its connection, both in seconds; `retries` counts the tries after
    the first. `connections` is how many requests are under way at once; further calls wait. Answers are read up to
    `max_body` bytes. `client_session`, or `connector`, is used but never closed. `trust_env` takes proxies and netrc
    from the environment. `on_exchange` is called after each request that was sent, or tried to be sent, retries and
    log-ins included.
    """

    def __init__(
        self,
        credentials: Credentials,
        *,
        environment: Environment = Environment.production,
        timeout: float = 60.0,
        connect_timeout: float = 10.0,
        retries: int = 2,
        connections: int = 100,
        max_body: int = 64 * _MIB,
        client_session: aiohttp.ClientSession | None = None,
        connector: aiohttp.BaseConnector | None = None,
        ssl: ssl_module.SSLContext | bool = True,
        proxy: str | None = None,
        trust_env: bool = False,
        on_exchange: Callable[[Exchange], None] | None = None,
    ) -> None:
        if not isinstance(credentials, Credentials):
            raise ConfigurationError(f"credentials must be Credentials, not {type(credentials).__name__}")
        if not isinstance(environment, Environment):
            raise ConfigurationError(f"environment must be an Environment, not {type(environment).__name__}")
        if client_session is not None and connector is not None:
            raise ConfigurationError("give either client_session or connector: a client session has its connector")
        if ssl is False and not environment.is_loopback:
            raise ConfigurationError(
                "ssl=False would send tokens to whoever answers; give an SSLContext that trusts it"
            )
        _positive("connections", connections)
        _positive("max_body", max_body)
        transport = Transport(
            client_session=client_session,
            connector=connector,
            ssl=ssl,
            proxy=proxy,
            trust_env=trust_env,
            connections=connections,
            max_body=max_body,
        )
        self._core = _Core(credentials, environment, transport, on_exchange)
        self._core.oauth = TokenKeeper(self._fetch_oauth_token)
        self._core.session = TokenKeeper(self._fetch_session_token)
        self._connect_timeout = _positive("connect_timeout", connect_timeout)
        self._limits = Limits(_positive("timeout", timeout), connect_timeout)
        self._policy = RetryPolicy(retries=_not_negative("retries", retries))
        self._urls: dict[str, str] = {}

    def __repr__(self) -> str:
        return f"<Session at {self._core.environment.name}, {self._core.state}>"

    # Opening and leaving

    async def open(self) -> Self:
        """Open connections and log in; the two-step way for frameworks with start-up and shut-down hooks.

        Raises LoginRefused, Unauthorized for a refused key, RequestNotSent, and SessionMisused when opened again.
        """
        core = self._core
        if core.state != "new":
            raise SessionMisused("a session opens once: make a new Session")
        core.state = "opening"
        core.loop = asyncio.get_running_loop()
        try:
            core.transport.open()
            await core.session.get()
            core.state = "open"
        finally:
            if core.state != "open":
                core.state = "closed"
                core.forget_tokens()
                await core.transport.close()
        return self

    async def close(self) -> None:
        """Log out within five seconds and close the connections; closing twice does nothing more."""
        await self._leave(None)

    async def __aenter__(self) -> Self:
        return await self.open()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._leave(error)

    def __enter__(self) -> NoReturn:
        raise SessionMisused("write `async with` where you wrote `with`: a session works on the event loop")

    def __exit__(self, *_: object) -> None:
        raise NotImplementedError

    async def _leave(self, error: BaseException | None) -> None:
        core = self._core
        if core.state in ("closing", "closed"):
            return
        if core.state == "new":
            core.state = "closed"
            return
        core.check_loop()
        core.state = "closing"
        try:
            if core.reset is not None:
                await asyncio.wait([core.reset])
            for task in core.tasks:
                task.cancel()
            if core.tasks:
                await asyncio.wait(core.tasks)
            await self._log_out_quietly(error)
        finally:
            core.state = "closed"
            core.forget_tokens()
            await core.transport.close()

    async def _log_out_quietly(self, error: BaseException | None) -> None:
        """Log out, letting nothing but cancellation escape: the token dies by itself in 20 minutes."""
        if (token := self._core.session.held) is None:
            return
        try:
            async with asyncio.timeout(_LEAVE_WITHIN):
                await self._end(token)
        except (ThingSpaceError, TimeoutError) as failure:
            if isinstance(failure, ApiError) and rejected_token(failure) == "session":
                return  # It had expired, which is what we wanted.
            text = str(failure) or f"no answer within {_LEAVE_WITHIN:g} s"
            if error is not None:
                error.add_note(f"thingspace_async: logging out failed too: {text}")
            else:
                _log.warning("logging out failed, the session ends by itself in 20 minutes: %s", text)

    # Session management

    async def log_in(self, *, password: str | Secret | None = None, force: bool = False) -> LogInResult:
        """Start a new platform session, whose token all further calls use.

        Only needed after LoginRefused, since entering and expiry log in by themselves. `password` replaces the one that
        the session was made with, once the platform has accepted it. `force` sends a password even though it was
        refused before: the fifth refusal in a row locks the user. Raises LoginRefused.
        https://thingspace.verizon.com/documentation/apis/connectivity-management/api-reference/start-connectivity-management-session.html
        """
        core = self._core
        core.check_usable()
        known = core.credentials if password is None else attrs.evolve(core.credentials, password=password)

        async def fetch() -> Token:
            token = await self._log_in(known, force=force)
            core.credentials = known
            return token

        return LogInResult(session_token=await core.session.replace(fetch))

    async def log_out(self) -> LogOutResult:
        """End the platform session; the next call starts a new one.

        Only needed to log out early, since leaving logs out by itself.
        """
        core = self._core
        core.check_usable()
        if (token := core.session.held) is None:
            return LogOutResult()
        core.session.reject(token)
        return await self._end(token)

    async def reset_password(self, on_new_password: Callable[[Secret], Awaitable[None] | None] | None = None) -> Secret:
        """Have the platform choose a new password, which is valid at once, and use it from now on.

        `on_new_password` gets it before anything else happens: keep it there, durably. The call is sent once only, may
        take two minutes, and goes on when its caller is cancelled, because a lost answer is a lost password. Then
        AnswerLost or AnswerUnreadable is raised, with whatever came in its `body`; a `log_in()` with the old
        password, once, finds out whether that still works, and Verizon's support sets another if it does not.
        https://thingspace.verizon.com/documentation/apis/connectivity-management/api-reference/reset-connectivity-management-password.html
        """
        core = self._core
        core.check_usable()
        if core.reset is not None:
            raise SessionMisused("another reset_password of this session is under way: wait for its password")
        task = core.reset = asyncio.get_running_loop().create_task(self._reset_password(on_new_password))
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            await _wait_out(task)
            if not task.cancelled() and (lost := task.exception()) is not None:
                _log.error("the password reset went on after its caller was cancelled, and failed: %s", lost)
            raise
        finally:
            core.reset = None

    async def _reset_password(self, on_new_password: Callable[[Secret], Awaitable[None] | None] | None) -> Secret:
        core = self._core
        body = SessionResetPasswordRequest(old_password=core.credentials.password)
        limits = Limits(_RESET_WITHIN, self._connect_timeout)
        wire = self._wire(RESET_PASSWORD, body, limits=limits)
        answer, tries = await _perform(core, wire, _Tokens(core), _NO_RETRY, repeatable=False)
        password = _read(RESET_PASSWORD, answer, tries).new_password
        if not password.reveal():
            raise AnswerUnreadable(
                "empty", operation=RESET_PASSWORD.name, path="newPassword", status=answer.status, body=answer.body
            )
        try:
            if on_new_password is not None and inspect.isawaitable(kept := on_new_password(password)):
                await kept
        finally:
            core.credentials = attrs.evolve(core.credentials, password=password)
        return password

    @property
    def credentials(self) -> Credentials:
        """What the session logs in with, a password included that was reset meanwhile."""
        return self._core.credentials

    async def revoke_oauth_token(self) -> None:
        """Make the platform forget the OAuth token, for every process that uses the same key.

        The next call gets another one.

        https://thingspace.verizon.com/documentation/apis/connectivity-management/getting-started/getting-credentials.html
        """
        core = self._core
        core.check_usable()
        token = await core.oauth.get()
        wire = self._wire(OAUTH_REVOKE, form={"grant_type": "client_credentials", "token": token})
        await _perform(core, wire, _Key(core), self._policy, repeatable=OAUTH_REVOKE.repeatable)
        core.oauth.reject(token)

    async def _fetch_oauth_token(self) -> Token:
        core = self._core
        wire = self._wire(OAUTH_TOKEN, form={"grant_type": "client_credentials"})
        refusal: ApiError
        try:
            answer, tries = await _perform(core, wire, _Key(core), self._policy, repeatable=OAUTH_TOKEN.repeatable)
        except (BadRequest, Unauthorized) as error:
            refusal = error
        else:
            token = _read(OAUTH_TOKEN, answer, tries)
            if not header_safe(token.access_token.reveal()):
                raise _unusable(OAUTH_TOKEN, "access_token", answer, tries)
            return Token(token.access_token, token.expires_in)
        raise _refusal(Unauthorized, refusal, "check client_id and client_secret against the portal's Key Management")

    async def _fetch_session_token(self) -> Token:
        return await self._log_in(self._core.credentials, force=False)

    async def _log_in(self, known: Credentials, *, force: bool) -> Token:
        core = self._core
        who = (core.environment.host, known.username)
        async with LOCKOUT.turn(*who):
            if not force:
                LOCKOUT.check(*who, known.password)
            wire = self._wire(LOG_IN, LogInRequest(username=known.username, password=known.password))
            refusal: ApiError
            try:
                answer, tries = await _perform(
                    core,
                    wire,
                    _Tokens(core, session=False),
                    self._policy,
                    repeatable=LOG_IN.repeatable,
                    final=refuses_password,
                )
            except ApiError as error:
                if not refuses_password(error):
                    raise
                refusal = error
            else:
                LOCKOUT.forgive(*who, known.password)
                token = _read(LOG_IN, answer, tries).session_token
                if not header_safe(token.reveal()):
                    raise _unusable(LOG_IN, "sessionToken", answer, tries)
                return Token(token)
            refused = _refusal(
                LoginRefused, refusal, "check username and password: five refusals in a row lock the user"
            )
            LOCKOUT.refuse(*who, known.password, refused)
        raise refused

    async def _end(self, token: Secret) -> LogOutResult:
        core = self._core
        wire = self._wire(LOG_OUT)
        answer, tries = await _perform(core, wire, _Tokens(core, ending=token), _NO_RETRY, repeatable=False)
        return _read(LOG_OUT, answer, tries)

    # Calls

    def with_options(self, *, timeout: float | None = None, retries: int | None = None) -> Self:
        """Return a light clone with other limits for its calls; tokens and connections are shared.

        `timeout` in seconds bounds each exchange, `retries` counts the tries after the first.
        """
        clone = object.__new__(type(self))
        clone._core = self._core
        clone._connect_timeout = self._connect_timeout
        clone._urls = self._urls
        clone._limits = self._limits
        clone._policy = self._policy
        if timeout is not None:
            clone._limits = Limits(_positive("timeout", timeout), self._connect_timeout)
        if retries is not None:
            clone._policy = attrs.evolve(self._policy, retries=_not_negative("retries", retries))
        return clone

    async def request(
        self,
        method: Method,
        path: str,
        *,
        json: object = None,
        query: Mapping[str, str] | None = None,
        repeatable: bool = False,
    ) -> Response:
        """Send a call that this package has no method for, with the same tokens, retries and errors.

        `path` begins below `/api`, as in `/m2m/v1/accounts/0000123456-00001`, its values percent-encoded. `json` is a
        model or anything else that JSON can hold. Say `repeatable=True` where a second sending does no harm: only then
        is it sent again after a lost answer.
        """
        core = self._core
        core.check_usable()
        operation = Operation(f"{method} {path.partition('?')[0]}", method, _checked_path(path), NoneType, NoneType)
        wire = self._wire(operation, query=query, once=not repeatable, data=None if json is None else _codec.dump(json))
        answer, _ = await _perform(core, wire, _Tokens(core), self._policy, repeatable=repeatable)
        return Response(status=answer.status, headers=answer.headers, body=answer.body)

    async def call(
        self,
        operation: Operation[Q, R],
        body: Q | None,
        path: Mapping[str, str] | None,
        query: Mapping[str, str] | None,
    ) -> Reply[R]:
        """Send a declared operation. The products' methods are the way to call it."""
        core = self._core
        core.check_usable()
        wire = self._wire(operation, body, path=path, query=query)
        answer, tries = await _perform(core, wire, _Tokens(core), self._policy, repeatable=operation.repeatable)
        return Reply(status=answer.status, headers=answer.headers, value=_read(operation, answer, tries))

    def spawn(self, work: Coroutine[Any, Any, R]) -> asyncio.Task[R]:
        """Start a task that ends at the latest when the session closes. For the products."""
        task = asyncio.get_running_loop().create_task(work)
        self._core.tasks.add(task)
        task.add_done_callback(self._core.tasks.discard)
        return task

    def _wire(
        self,
        operation: Operation[Q, R],
        body: Q | None = None,
        *,
        path: Mapping[str, str] | None = None,
        query: Mapping[str, str] | None = None,
        form: Mapping[str, str | Secret] | None = None,
        data: bytes | None = None,
        limits: Limits | None = None,
        once: bool | None = None,
    ) -> Wire:
        base = self._core.environment.bases[operation.server]
        url = base + (fill_path(operation, path) if path else operation.path)
        if query:
            url = f"{url}?{urlencode(query)}"
        if body is not None:
            data = _codec.dump(body)
        elif form is not None:
            data = urlencode({key: v.reveal() if isinstance(v, Secret) else v for key, v in form.items()}).encode()
        once = not operation.repeatable if once is None else once
        return Wire(operation.name, operation.method, url, data, limits or self._limits, once)

    # Products, each loaded when it is first used

    @cached_property
    def accounts(self) -> Accounts:
        """Accounts, their service plans, leads, custom states and pending requests."""
        from thingspace_async.accounts.calls import Accounts

        return Accounts(self)

    @cached_property
    def devices(self) -> Devices:
        """The devices of an account."""
        from thingspace_async.devices.calls import Devices

        return Devices(self)


def _refusal(kind: type[ApiErrorT], error: ApiError, advice: str) -> ApiErrorT:
    return kind(
        f"{error.message}; {advice}",
        operation=error.operation,
        status=error.status,
        code=error.code,
        request_id=error.request_id,
        retry_after=error.retry_after,
        tries=error.tries,
        body=error.body,
    )


def _unusable(operation: Operation[Any, Any], field: str, answer: Answer, tries: int) -> AnswerUnreadable:
    return AnswerUnreadable(
        "expected a token that can travel in a header, found an empty one or one with spaces or control characters",
        operation=operation.name,
        path=field,
        status=answer.status,
        tries=tries,
        body=answer.body,
    )


async def _wait_out(task: asyncio.Task[Any]) -> None:
    """Wait for a task to end even if cancelled again and again; its own time-out bounds it."""
    while not task.done():
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.wait([task])


def _checked_path(path: str) -> str:
    plain = path.partition("?")[0]
    if not path.startswith("/") or path.startswith("//"):
        raise InvalidRequest("request: the path must begin with one slash, as in /m2m/v1/...")
    if not path.isprintable() or not path.isascii() or " " in path or "#" in path:
        raise InvalidRequest("request: percent-encode spaces, control characters, # and what is not ASCII in the path")
    if {".", ".."} & set(unquote(plain).replace("\\", "/").split("/")):
        raise InvalidRequest("request: the path must hold no `.` or `..` segment")
    return path


def _positive(name: str, value: float) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < float("inf"):
        raise ConfigurationError(f"{name} must be a number above 0, not {value!r}")
    return value


def _not_negative(name: str, value: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise ConfigurationError(f"{name} must be a whole number from 0, not {value!r}")
    return value
