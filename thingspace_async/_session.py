"""Session: open, log in, call, log out."""

from __future__ import annotations

import asyncio
import inspect
import logging
import ssl as ssl_module
from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from functools import cached_property, partial
from types import NoneType, TracebackType
from typing import TYPE_CHECKING, Final, NoReturn, Self, get_args
from urllib.parse import unquote, urlsplit

import attrs

from thingspace_async import _codec
from thingspace_async._auth import TokenKeeper, rejected_token
from thingspace_async._caller import Caller, Engine, Exchange
from thingspace_async._environment import Credentials, CredentialsProvider, Environment
from thingspace_async._operation import Method, Operation
from thingspace_async._retry import RetryPolicy
from thingspace_async._store import LocalStore, LogOut, Token, TokenStore
from thingspace_async._tasks import outlast
from thingspace_async._transport import Limits, Transport
from thingspace_async._types import Secret
from thingspace_async.errors import (
    ApiError,
    ConfigurationError,
    InvalidRequest,
    SessionClosed,
    SessionMisused,
    ThingSpaceError,
)

if TYPE_CHECKING:
    import aiohttp

    from thingspace_async.accounts import Accounts
    from thingspace_async.callbacks import Callbacks, CallbackService
    from thingspace_async.callbacks.outcomes import Outcomes
    from thingspace_async.callbacks.receiver import Receiver
    from thingspace_async.devices import Devices
    from thingspace_async.esim import Esim
    from thingspace_async.groups import Groups
    from thingspace_async.reachability import Reachability
    from thingspace_async.session_management.calls import SessionManagement
    from thingspace_async.session_management.models import LogInResult, LogOutResult
    from thingspace_async.sms import Sms

__all__ = ["Response", "Session"]

_log: Final = logging.getLogger("thingspace_async")

_LEAVE_WITHIN: Final = 5.0
"""Seconds for logging out: the token dies by itself, and nobody waits long for a process to end."""

_RESET_WITHIN: Final = 120.0
"""Seconds for the answer that holds the new password, which must not be lost to impatience."""

_NO_RETRY: Final = RetryPolicy(retries=0)
_ONE_RETRY: Final = RetryPolicy(retries=1, first_delay=0.2)

_MIB: Final = 1024 * 1024


@attrs.frozen(kw_only=True, eq=False)  # Never compared.
class Response:
    """The answer to `Session.request`."""

    status: int
    headers: Mapping[str, str] = attrs.field(repr=False)
    body: bytes = attrs.field(repr=False)


class Session:
    """A session with ThingSpace: log in on entering, log out on leaving, and the tokens in between.

        async with Session(Credentials.from_environment()) as session:
            account = await session.accounts.get("0000123456-00001")

    A session opens once. Its tasks may share it; each event loop needs one of its own. Expired tokens are renewed, once
    for all calls that meet them. A call that changes or bills something is sent again only if it cannot have been
    carried out.

    `credentials` may also be a coroutine function that returns them, such as one that asks a secret manager: it is
    asked on opening, and once more when the platform refuses password or key; one that has changed is tried once.
    `store` shares tokens with other processes, as `thingspace_async.redis.RedisStore` does; `log_out` says whether
    leaving ends the platform's session: where this is the `"last"` one that shares it, `"always"` or `"never"`.

    `timeout` bounds one exchange, `connect_timeout` its connection, both in seconds; `retries` counts the tries after
    the first. `connections` is how many requests are under way at once; further calls wait. Answers are read up to
    `max_body` bytes. `client_session`, or `connector`, is used but never closed. `trust_env` takes proxies and netrc
    from the environment. `on_exchange` is called after each request that was sent, or tried to be sent, retries and
    log-ins included.
    """

    def __init__(
        self,
        credentials: Credentials | CredentialsProvider,
        *,
        environment: Environment = Environment.production,
        store: TokenStore | None = None,
        log_out: LogOut = "last",
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
        if not isinstance(credentials, Credentials) and not callable(credentials):
            raise ConfigurationError(
                "credentials must be Credentials, or a coroutine function that returns them, "
                f"not {type(credentials).__name__}"
            )
        if not isinstance(environment, Environment):
            raise ConfigurationError(f"environment must be an Environment, not {type(environment).__name__}")
        if client_session is not None and connector is not None:
            raise ConfigurationError("give either client_session or connector: a client session has its connector")
        if on_exchange is not None and (not callable(on_exchange) or inspect.iscoroutinefunction(on_exchange)):
            raise ConfigurationError("on_exchange must be a plain function: it is called, and not awaited")
        if not isinstance(ssl, bool | ssl_module.SSLContext):
            raise ConfigurationError(f"ssl must be an SSLContext or True, not {type(ssl).__name__}")
        if ssl is False and not environment.is_loopback:
            raise ConfigurationError(
                "ssl=False would send tokens to whoever answers: give an SSLContext that trusts it"
            )
        if log_out not in get_args(LogOut):
            raise ConfigurationError(f"log_out must be one of {', '.join(get_args(LogOut))}")
        transport = Transport(
            client_session=client_session,
            connector=connector,
            ssl=ssl,
            proxy=None if proxy is None else _checked_proxy(proxy),
            trust_env=trust_env,
            connections=_whole("connections", connections, least=1),
            max_body=_whole("max_body", max_body, least=1),
        )
        limits = Limits(_positive("timeout", timeout), _positive("connect_timeout", connect_timeout))
        policy = RetryPolicy(retries=_whole("retries", retries, least=0))
        stores: TokenStore = LocalStore() if store is None else store
        self._engine = engine = Engine(credentials, environment, transport, on_exchange, stores=stores, log_out=log_out)
        self._caller = Caller(engine, limits, policy)
        engine.oauth = TokenKeeper(self._fetch_oauth_token, partial(engine.share, "oauth"))
        engine.session = TokenKeeper(self._fetch_session_token, partial(engine.share, "session"))

    async def _fetch_oauth_token(self) -> Token:
        fetch = self._management(self._caller.policy).fetch_oauth_token
        return await self._engine.with_latest("oauth", lambda _: fetch())

    async def _fetch_session_token(self) -> Token:
        return await self._engine.with_latest("session", self._management(self._caller.policy).log_in)

    def __repr__(self) -> str:
        engine: Engine | None = getattr(self, "_engine", None)  # None when an option was refused.
        return "<Session>" if engine is None else f"<Session at {engine.environment.name}, {engine.state}>"

    # Opening and leaving

    async def open(self, *, force: bool = False) -> Self:
        """Open connections and log in; the two-step way for frameworks with start-up and shut-down hooks.

        `force` as in `log_in`. When it fails nothing is left open, and it may be tried again. Raises LoginRefused,
        Unauthorized for a refused key, RequestNotSent, AnswerLost, and SessionMisused when it was opened before.
        """
        engine = self._engine
        if engine.state != "new":
            raise SessionMisused("a session opens once: make a new Session")
        engine.state = "opening"
        engine.loop = asyncio.get_running_loop()
        try:
            engine.transport.open()
            await engine.identify()
            self._check_opening()
            if force:
                await self._start(None, force=True)
            else:
                await engine.session.get()
            self._check_opening()
        except BaseException:
            await self._abandon()
            raise
        engine.state = "open"
        return self

    def _check_opening(self) -> None:
        if self._engine.state != "opening":
            raise SessionClosed("the session was closed while it was opening")

    async def _abandon(self) -> None:
        """Close what an opening that failed has opened."""
        engine = self._engine
        try:
            await engine.store.leave(None, "never")
        finally:
            if engine.state == "opening":  # Else somebody closes it meanwhile, and cleans up.
                engine.forget_tokens()
                await engine.transport.close()
                engine.state = "new"

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
        raise NotImplementedError  # Never reached; without it `with` would not even ask for __enter__ and its advice.

    async def _leave(self, error: BaseException | None) -> None:
        engine = self._engine
        if engine.state in ("closing", "closed"):
            return
        if engine.state == "new":
            engine.state = "closed"
            return
        engine.check_loop()
        if engine.reset is not None and asyncio.current_task() is engine.reset:
            raise SessionMisused("on_new_password cannot close its session, which waits for it to end")
        engine.state = "closing"
        try:
            if engine.reset is not None:
                await outlast(engine.reset)
            await engine.end_tasks()
            await self._log_out_quietly(error)
        finally:
            engine.state = "closed"
            engine.forget_tokens()
            try:
                await engine.store.leave(None, "never")  # Where it was not left, as a log-in did not end.
            finally:
                await engine.transport.close()

    async def _log_out_quietly(self, error: BaseException | None) -> None:
        """Log out, letting nothing but cancellation escape: the token dies by itself in 20 minutes."""
        engine = self._engine
        try:
            # Exclusively: a log-in that is under way would leave a session behind on the platform.
            async with asyncio.timeout(_LEAVE_WITHIN), engine.session.exclusive():
                token = engine.session.token
                if await engine.store.leave(token, engine.log_out) and token is not None:
                    await self._management(_ONE_RETRY).log_out(token.secret)
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
        engine = self._engine
        known = None
        if password is not None:
            password = Secret(password)  # Hidden before anything can fail, as this frame's locals may be shown.
            known = attrs.evolve(engine.credentials, password=password)
        engine.check_usable()
        from thingspace_async.session_management.models import LogInResult

        return LogInResult(session_token=await self._start(known, force=force))

    async def _start(self, other: Credentials | None, *, force: bool) -> Secret:
        """Log in, with other credentials if given, which the session keeps if they are accepted."""
        engine = self._engine

        async def fetch() -> Token:
            known = other or engine.credentials  # Read only now: a reset that was waited for has changed them.
            token = await self._management(self._caller.policy).log_in(known, force=force)
            engine.known = known
            return token

        return await engine.session.replace(fetch)

    async def log_out(self) -> LogOutResult:
        """End the platform session; the next call starts a new one.

        Only needed to log out early, since leaving logs out by itself.
        """
        engine = self._engine
        engine.check_usable()
        if (token := engine.session.held) is None:
            from thingspace_async.session_management.models import LogOutResult

            return LogOutResult()
        engine.session.reject(token)
        return await self._management(_NO_RETRY).log_out(token)

    async def reset_password(self, on_new_password: Callable[[Secret], Awaitable[None] | None] | None = None) -> Secret:
        """Have the platform choose a new password, which is valid at once, and use it from now on.

        `on_new_password` gets it before anything else happens: keep it there, durably, within two minutes; if it fails,
        its error is passed on, and the password is in `credentials`. The call is sent once only, may take two minutes,
        and goes on when its caller is cancelled, because a lost answer is a lost password. Then
        AnswerLost or AnswerUnreadable is raised, with whatever came in its `body`; a `log_in()` with the old
        password, once, finds out whether that still works, and Verizon's support sets another if it does not.
        https://thingspace.verizon.com/documentation/apis/connectivity-management/api-reference/reset-connectivity-management-password.html
        """
        engine = self._engine
        engine.check_usable()
        if on_new_password is not None and not callable(on_new_password):
            raise ConfigurationError("on_new_password must be a function or coroutine function that takes the password")
        if engine.reset is not None:
            raise SessionMisused("another reset_password of this session is under way: wait for its password")
        task = engine.reset = asyncio.get_running_loop().create_task(self._reset_password(on_new_password))
        try:
            await outlast(task)
        except asyncio.CancelledError:
            if not task.cancelled() and (lost := task.exception()) is not None:
                _log.error("the password reset went on after its caller was cancelled, and failed: %s", lost)
            raise
        finally:
            engine.reset = None
        return task.result()

    async def _reset_password(self, on_new_password: Callable[[Secret], Awaitable[None] | None] | None) -> Secret:
        engine, old = self._engine, self._engine.credentials
        patient = attrs.evolve(self._caller.limits, answer=_RESET_WITHIN)
        management = self._management(_NO_RETRY, patient)
        # Nobody else logs in meanwhile: the platform may have changed the password already, and would count a refusal.
        async with AsyncExitStack() as others:
            async with engine.session.exclusive():
                # In this order: who has a token fetched for this session waits for those of others.
                await others.enter_async_context(engine.store.exclusive())
                password = await management.reset_password(old)
                engine.known = old.with_password(password)
            try:
                async with asyncio.timeout(_RESET_WITHIN):
                    if on_new_password is not None and inspect.isawaitable(kept := on_new_password(password)):
                        await kept
            except BaseException as error:
                error.add_note(
                    "thingspace_async: the password HAS been changed and the old one is dead; "
                    "the new one is session.credentials.password: store it before you leave the session"
                )
                raise
            finally:
                await management.changed_password(old, engine.credentials)
        return password

    def _management(self, policy: RetryPolicy, limits: Limits | None = None) -> SessionManagement:
        # Loaded here like the products: a session that is built at import time should cost no more than it must.
        from thingspace_async.session_management.calls import SessionManagement

        return SessionManagement(Caller(self._engine, limits or self._caller.limits, policy))

    @property
    def credentials(self) -> Credentials:
        """What the session logs in with, a password included that was reset meanwhile."""
        return self._engine.credentials

    async def revoke_oauth_token(self) -> None:
        """Make the platform forget the OAuth token, for every process that uses the same key.

        The next call gets another one.

        https://thingspace.verizon.com/documentation/apis/connectivity-management/getting-started/getting-credentials.html
        """
        engine = self._engine
        engine.check_usable()
        token = await engine.oauth.get()
        await self._management(self._caller.policy).revoke_oauth_token(token)
        engine.oauth.reject(token)

    # Calls

    def with_options(self, *, timeout: float | None = None, retries: int | None = None) -> Self:
        """Return a light clone with other limits for its calls; tokens and connections are shared.

        `timeout` in seconds bounds each exchange, `retries` counts the tries after the first.
        """
        caller = self._caller
        limits, policy = caller.limits, caller.policy
        if timeout is not None:
            limits = attrs.evolve(limits, answer=_positive("timeout", timeout))
        if retries is not None:
            policy = attrs.evolve(policy, retries=_whole("retries", retries, least=0))
        clone = object.__new__(type(self))
        clone._engine = self._engine
        clone._caller = Caller(self._engine, limits, policy)
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
        engine = self._engine
        engine.check_usable()
        if method not in get_args(Method):
            raise InvalidRequest(f"request: the method must be one of {', '.join(get_args(Method))}")
        checked = _checked_path(path)
        if query is not None and not _is_texts(query):
            raise InvalidRequest("request: query must map names to texts")
        name = f"{method} {checked.partition('?')[0]}"
        operation = Operation(name, method, checked, NoneType, NoneType, repeatable=repeatable)
        wire = self._caller.wire(operation, None if json is None else _codec.dump(json), query=query)
        answer, _ = await engine.perform(wire, engine.tokens, self._caller.policy, repeatable=repeatable)
        return Response(status=answer.status, headers=answer.headers, body=answer.body)

    def listen(
        self,
        account_name: str,
        receiver: Receiver,
        *,
        base_url: str,
        services: Iterable[CallbackService | str] | None = None,
        replace: bool = False,
        restore: bool = False,
    ) -> AbstractAsyncContextManager[Outcomes]:
        """Register a receiver for what requests come to, with credentials that it makes up, and await their outcomes.

            async with Session(credentials) as session, session.listen(account, receiver, base_url=url) as outcomes:
                accepted = await session.devices.activate(request)
                async for outcome in outcomes.of(accepted, devices=request.devices):
                    print(outcome.device, outcome.status, outcome.fault)

        `base_url` is where the platform reaches the receiver, which your application serves. `services` are all that
        tell of this package's requests unless some are named; they bring the SMS messages of devices, too, which then
        no longer wait for `session.sms.queued`. A listener at the same URL is taken over with its credentials, so that
        processes may share it. One at another URL raises ListenersTaken, or goes with `replace`.

        What is registered stays so on leaving, for late messages, unless `restore` puts back what was there; if that
        fails, it is ListenersLeft, or a note on the body's own error. If registering fails, all is put back. Raises
        InvalidRequest for a URL that the platform would not take.
        """
        from thingspace_async.callbacks.listening import Listening

        return Listening(
            self.callbacks,
            account_name,
            receiver,
            base_url=base_url,
            services=services,
            replace=replace,
            restore=restore,
        )

    # Products, each loaded when it is first used

    @cached_property
    def accounts(self) -> Accounts:
        """Accounts, their service plans, leads, custom states and pending requests."""
        from thingspace_async.accounts.calls import Accounts

        return Accounts(self._caller)

    @cached_property
    def callbacks(self) -> Callbacks:
        """Where the platform sends the results that arrive later."""
        from thingspace_async.callbacks.calls import Callbacks

        return Callbacks(self._caller)

    @cached_property
    def devices(self) -> Devices:
        """The devices of an account."""
        from thingspace_async.devices.calls import Devices

        return Devices(self._caller)

    @cached_property
    def esim(self) -> Esim:
        """The profiles of eSIM devices."""
        from thingspace_async.esim.calls import Esim

        return Esim(self._caller)

    @cached_property
    def groups(self) -> Groups:
        """The groups that an account's devices are in."""
        from thingspace_async.groups.calls import Groups

        return Groups(self._caller)

    @cached_property
    def reachability(self) -> Reachability:
        """Whether devices can be reached, and word when they can be."""
        from thingspace_async.reachability.calls import Reachability

        return Reachability(self._caller)

    @cached_property
    def sms(self) -> Sms:
        """Text messages to devices and from them."""
        from thingspace_async.sms.calls import Sms

        return Sms(self._caller)


def _checked_path(path: str) -> str:
    if not isinstance(path, str):
        raise InvalidRequest(f"request: the path must be a str, not {type(path).__name__}")
    plain = path.partition("?")[0]
    if not path.startswith("/") or path.startswith("//"):
        raise InvalidRequest("request: the path must begin with one slash, as in /m2m/v1/...")
    if path.startswith("/api/"):
        raise InvalidRequest("request: the path begins below /api, as in /m2m/v1/...: leave /api out")
    if not path.isprintable() or not path.isascii() or " " in path or "#" in path:
        raise InvalidRequest("request: percent-encode spaces, control characters, # and what is not ASCII in the path")
    if {".", ".."} & set(unquote(plain).replace("\\", "/").split("/")):
        raise InvalidRequest("request: the path must hold no `.` or `..` segment")
    return path


def _is_texts(query: object) -> bool:
    return isinstance(query, Mapping) and all(isinstance(text, str) for pair in query.items() for text in pair)


def _positive(name: str, value: float) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < float("inf"):
        raise ConfigurationError(f"{name} must be a number above 0, not {value!r}")
    return value


def _whole(name: str, value: int, *, least: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise ConfigurationError(f"{name} must be a whole number from {least}, not {value!r}")
    return value


def _checked_proxy(proxy: str) -> str:
    try:
        parts = urlsplit(proxy)
        sound = isinstance(proxy, str) and parts.scheme in ("http", "https") and bool(parts.hostname)
    except (ValueError, AttributeError):
        sound = False
    if not sound:  # Not shown: it may hold a password.
        raise ConfigurationError("proxy must be a URL such as http://host:3128")
    return proxy
