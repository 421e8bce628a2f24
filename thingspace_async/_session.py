"""Session: the client of the platform."""

from __future__ import annotations

import logging
import ssl as ssl_module
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Mapping
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from functools import cached_property
from types import NoneType, TracebackType
from typing import TYPE_CHECKING, Final, NoReturn, Self, get_args
from urllib.parse import urlsplit

import attrs

from thingspace_async._core import codec
from thingspace_async._core.caller import Caller
from thingspace_async._core.engine import Engine
from thingspace_async._core.environment import Credentials, CredentialsProvider, Environment
from thingspace_async._core.hooks import Hooks
from thingspace_async._core.login import Login
from thingspace_async._core.operation import Method, Operation, Query, Server, check_path
from thingspace_async._core.retry import RetryPolicy
from thingspace_async._core.secrets import Secrets
from thingspace_async._core.sending import Sender
from thingspace_async._core.store import LocalStore, LogOut, TokenStore
from thingspace_async._core.transport import Limits, Transport
from thingspace_async._core.values import Secret
from thingspace_async.errors import (
    ConfigurationError,
    InvalidRequest,
    SessionMisused,
)

if TYPE_CHECKING:
    import aiohttp

    from thingspace_async._core.exchange import Exchange, Response
    from thingspace_async._core.registrar import Registrar
    from thingspace_async.accounts import Accounts
    from thingspace_async.billing import Billing
    from thingspace_async.callbacks import Callbacks, CallbackService
    from thingspace_async.callbacks.outcomes import Outcomes
    from thingspace_async.callbacks.receiver import Receiver
    from thingspace_async.cloud_connector import CloudConnector
    from thingspace_async.devices import Device, Devices
    from thingspace_async.diagnostics import Diagnostics
    from thingspace_async.esim import Esim
    from thingspace_async.groups import Groups
    from thingspace_async.hyper_precise import HyperPrecise
    from thingspace_async.intelligence import Intelligence
    from thingspace_async.location import Locations
    from thingspace_async.nidd import Nidd
    from thingspace_async.private_network import PrivateNetwork
    from thingspace_async.qos import Qos
    from thingspace_async.reachability import Reachability
    from thingspace_async.sensor_insights import SensorInsights
    from thingspace_async.session_management.models import LogInResult, LogOutResult
    from thingspace_async.sim_secure import SimSecure
    from thingspace_async.sms import Sms
    from thingspace_async.software import Software
    from thingspace_async.triggers import Triggers
    from thingspace_async.v2x import V2x

__all__ = ["Session"]

_log: Final = logging.getLogger("thingspace_async")

_MIB: Final = 1024 * 1024


class Session:
    """A session with ThingSpace. It logs in when it opens, renews tokens, and logs out when it closes.

        async with Session(Credentials.from_environment()) as session:
            account = await session.accounts.get("0000123456-00001")

    A session can be opened only once. Tasks may share it, but each event loop needs its own. Expired tokens are renewed
    once for all calls that need them. A call that changes or bills something is sent again only if the platform cannot
    have carried it out.

    `credentials` may also be a coroutine function that returns them, for example from a secret manager. The session
    calls it when it opens, and again if the platform refuses the password or the key. If the secret has changed, the
    session tries it once. By default, credentials and environment come from environment variables: see
    `Credentials.from_environment` and `Environment.from_environment`.

    `store` shares tokens with other processes, for example `thingspace_async.redis.RedisStore`. `log_out` controls
    whether closing ends the platform session: `"last"` if no other session shares it, `"always"`, or `"never"`.

    Times are in seconds. `timeout` limits one exchange, and `connect_timeout` its connection. `deadline` limits a whole
    call, including waiting for a connection, tokens and retries. `retries` is the number of tries after the first.
    `connections` limits the requests in progress, and `requests_per_minute` limits how many start: further calls wait.
    `max_body` limits answers, in bytes. `client_session` or `connector` is used, but never closed. `trust_env` takes
    proxies and netrc from the environment. `before_exchange` and `on_exchange` are called before and after each request
    on the wire, including retries and logins. `around_call` receives the name of each call, and returns a context
    manager that is open during the call, with its retries. Logins are calls of their own.
    """

    def __init__(
        self,
        credentials: Credentials | CredentialsProvider | None = None,
        *,
        environment: Environment | None = None,
        store: TokenStore | None = None,
        log_out: LogOut = "last",
        timeout: float = 60.0,
        deadline: float | None = None,
        connect_timeout: float = 10.0,
        retries: int = 2,
        connections: int = 100,
        requests_per_minute: float | None = None,
        max_body: int = 64 * _MIB,
        client_session: aiohttp.ClientSession | None = None,
        connector: aiohttp.BaseConnector | None = None,
        ssl: ssl_module.SSLContext | bool = True,
        proxy: str | None = None,
        trust_env: bool = False,
        before_exchange: Callable[[Exchange], None] | None = None,
        on_exchange: Callable[[Exchange], None] | None = None,
        around_call: Callable[[str], AbstractContextManager[object]] | None = None,
    ) -> None:
        credentials = Credentials.from_environment() if credentials is None else credentials
        environment = Environment.from_environment() if environment is None else environment
        if not isinstance(credentials, Credentials) and not callable(credentials):
            raise ConfigurationError(
                "credentials must be Credentials, or a coroutine function that returns them, "
                f"not {type(credentials).__name__}"
            )
        if not isinstance(environment, Environment):
            raise ConfigurationError(f"environment must be an Environment, not {type(environment).__name__}")
        if client_session is not None and connector is not None:
            raise ConfigurationError("give either client_session or connector: a client session has its own connector")
        hooks = Hooks()
        hooks.add(before_exchange, on_exchange, around_call)
        if not isinstance(ssl, bool | ssl_module.SSLContext):
            raise ConfigurationError(f"ssl must be an SSLContext or True, not {type(ssl).__name__}")
        if ssl is False and not environment.is_loopback:
            raise ConfigurationError(
                "ssl=False would send tokens to an unverified server: pass an SSLContext that trusts its certificate"
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
        secrets = Secrets()
        sender = Sender(transport, secrets, hooks)
        stores: TokenStore = LocalStore() if store is None else store
        login = Login(
            sender.perform,
            secrets,
            environment,
            credentials,
            stores=stores,
            log_out=log_out,
            limits=limits,
            policy=policy,
        )
        pace = None if requests_per_minute is None else _positive("requests_per_minute", requests_per_minute)
        self._engine = Engine(environment, transport, sender, login, secrets, requests_per_minute=pace)
        self._caller = Caller(
            self._engine, limits, policy, None if deadline is None else _positive("deadline", deadline)
        )

    def __repr__(self) -> str:
        engine: Engine | None = getattr(self, "_engine", None)  # None if an option was refused.
        return "<Session>" if engine is None else f"<Session at {engine.environment.name}, {engine.state}>"

    # Opening and closing

    async def open(self, *, force: bool = False) -> Self:
        """Open connections and log in. Use this with `close` in frameworks with start-up and shut-down hooks.

        `force` is explained in `log_in`. If opening fails, everything is closed again, and you may retry. Raises
        LoginRefused, Unauthorized for a refused key, RequestNotSent, AnswerLost, and SessionMisused if the session was
        opened before.
        """
        await self._engine.open(force=force)
        return self

    async def close(self) -> None:
        """Log out within five seconds and close the connections.

        Calls in progress end with SessionClosed. A second `close` only waits for the first.
        """
        await self._engine.close(None)

    async def __aenter__(self) -> Self:
        return await self.open()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._engine.close(error)

    def __enter__(self) -> NoReturn:
        raise SessionMisused("use `async with` instead of `with`: a session needs the event loop")

    def __exit__(self, *_: object) -> None:
        raise NotImplementedError  # Never reached. Without this method, `with` would not call __enter__ for its advice.

    # Session management

    async def log_in(self, *, password: str | Secret | None = None, force: bool = False) -> LogInResult:
        """Start a new platform session, whose token all further calls use.

        This is only needed after LoginRefused: a session logs in automatically when it opens and when its token
        expires. `password` replaces the password of the session once the platform accepts it. `force` sends a password
        even if it was refused before, but the fifth refusal in a row locks the user. Raises LoginRefused.
        https://thingspace.verizon.com/documentation/apis/connectivity-management/api-reference/start-connectivity-management-session.html
        """
        if password is not None:
            password = Secret(password)  # Hidden before anything can fail, as this frame's locals may be shown.
        self._engine.check_usable()
        from thingspace_async.session_management.models import LogInResult

        return LogInResult(session_token=await self._engine.login.start(password, force=force))

    async def log_out(self) -> LogOutResult:
        """End the platform session; the next call starts a new one.

        This is only needed to log out early: closing the session logs out automatically.
        """
        self._engine.check_usable()
        from thingspace_async.session_management.models import LogOutResult

        token = self._engine.login.session.held
        return LogOutResult() if token is None else LogOutResult(session_token=await self._engine.login.log_out(token))

    async def reset_password(self, on_new_password: Callable[[Secret], Awaitable[None] | None] | None = None) -> Secret:
        """Have the platform choose a new password, which is valid at once, and use it from now on.

        `on_new_password` receives the password before anything else happens, and must store it durably within two
        minutes. If it fails, its error is raised, and the password is in `credentials`.

        The request is sent once and may take two minutes. It continues if its caller is cancelled, because the new
        password is lost with the answer. A lost or unreadable answer raises AnswerLost or AnswerUnreadable, whose
        `body` holds the part that arrived. Then call `log_in()` once to find out whether the old password still works.
        If it does not, Verizon's support must set a new password.
        https://thingspace.verizon.com/documentation/apis/connectivity-management/api-reference/reset-connectivity-management-password.html
        """
        self._engine.check_usable()
        if on_new_password is not None and not callable(on_new_password):
            raise ConfigurationError("on_new_password must be a function or coroutine function that takes the password")
        return await self._engine.login.reset_password(on_new_password)

    @property
    def credentials(self) -> Credentials:
        """Current credentials. After a reset, they have the new password."""
        return self._engine.login.credentials

    @property
    def oauth_seconds_left(self) -> float | None:
        """Seconds until the OAuth token expires, or None if there is none. The session renews it before."""
        return self._engine.login.oauth.seconds_left

    async def revoke_oauth_token(self) -> None:
        """Revoke the OAuth token, for every process that uses the same key. The next call fetches a new one.

        https://thingspace.verizon.com/documentation/apis/connectivity-management/getting-started/getting-credentials.html
        """
        self._engine.check_usable()
        await self._engine.login.revoke_oauth_token()

    # Calls

    def add_hooks(
        self,
        *,
        before_exchange: Callable[[Exchange], None] | None = None,
        on_exchange: Callable[[Exchange], None] | None = None,
        around_call: Callable[[str], AbstractContextManager[object]] | None = None,
    ) -> None:
        """Call more hooks from now on, also for the clones of `with_options`; see `Session`."""
        self._engine.hooks.add(before_exchange, on_exchange, around_call)

    def with_options(
        self, *, timeout: float | None = None, deadline: float | None = None, retries: int | None = None
    ) -> Self:
        """Return a light clone with other limits for its calls. It shares tokens and connections.

        `timeout` limits each exchange and `deadline` each whole call, both in seconds. `retries` is the number of tries
        after the first. Logins keep the limits of the session, because several calls may wait for them.
        """
        caller = self._caller
        limits, policy = caller.limits, caller.policy
        if timeout is not None:
            limits = attrs.evolve(limits, answer=_positive("timeout", timeout))
        if retries is not None:
            policy = attrs.evolve(policy, retries=_whole("retries", retries, least=0))
        within = caller.deadline if deadline is None else _positive("deadline", deadline)
        clone = object.__new__(type(self))
        clone._engine = self._engine
        clone._caller = Caller(self._engine, limits, policy, within)
        return clone

    async def request(
        self,
        method: Method,
        path: str,
        *,
        json: object = None,
        content: bytes | str | None = None,
        query: Query | None = None,
        headers: Mapping[str, str] | None = None,
        server: Server = "thingspace",
        repeatable: bool = False,
    ) -> Response:
        """Send a request for which this package has no method, with the same tokens, retries and errors.

        `path` is relative to the base URL of the server, such as `/m2m/v1/accounts/0000123456-00001`. The base URL ends
        in `/api` unless `server` names another server. Percent-encode values in the path. The body is `json`, a model
        or any value that can be written as JSON, or `content` with its Content-Type in `headers`. Pass
        `repeatable=True` if sending the request twice does no harm: it is then sent again if its answer is lost.
        """
        self._engine.check_usable()
        from thingspace_async._core.exchange import Response

        if method not in get_args(Method):
            raise InvalidRequest(f"request: the method must be one of {', '.join(get_args(Method))}")
        if server not in get_args(Server):
            raise InvalidRequest(f"request: server must be one of {', '.join(get_args(Server))}")
        if json is not None and content is not None:
            raise InvalidRequest("request: give either json or content")
        if content is not None and not isinstance(content, bytes | str):
            raise InvalidRequest(f"request: content must be bytes or a str, not {type(content).__name__}")
        check_path(path, self._engine.environment.bases.get(server, ""))
        if query is not None and not _is_query(query):
            raise InvalidRequest("request: query must map names to strings, or to lists or mappings of strings")
        name = f"{method} {path.partition('?')[0]}"
        operation = Operation(name, method, path, NoneType, NoneType, repeatable=repeatable, server=server)
        data = content.encode() if isinstance(content, str) else content
        if json is not None:
            data = codec.dump(json)
        answer, _ = await self._caller.send(operation, data, query=query, headers=headers)
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
        signature_header: str = "X-Signature",
    ) -> AbstractAsyncContextManager[Outcomes]:
        """Register a receiver for the results of requests, and give access to their outcomes.

            async with Session(credentials) as session, session.listen(account, receiver, base_url=url) as outcomes:
                accepted = await session.devices.activate(request)
                async for outcome in outcomes.of(accepted):
                    print(outcome.device, outcome.status, outcome.fault)

        `base_url` is the public URL of the receiver. Your application or another process serves it. All processes that
        share the receiver's inbox use the same username and password, which the inbox keeps. By default, `services` are
        all services that report on requests of this package. They also deliver SMS messages from devices, which then no
        longer wait for `session.sms.queued`. `LocationService.LOCATION`, `LocationService.DEVICE_LOCATION` and
        `DiagnosticsCallbackService.DIAGNOSTICS` are services, too. The inbox keeps the secrets that sign their
        messages, and `signature_header` names the header of the signatures: its name is not documented.

        If the same URL is registered already, the listener stays with its credentials. If another URL is registered,
        ListenersTaken is raised, unless `replace` is true. Raises InvalidRequest for a URL that the platform would
        refuse. If registering fails, the former listeners are restored.

        When the block ends, the listeners stay registered: other processes may use them, and the platform drops
        messages without a listener. Pass `restore=True` in a program whose URL stops working when it ends: the former
        listeners are then restored, or the new ones deregistered. If that fails, ListenersLeft is raised, or added as a
        note to the error of the block.
        """
        from thingspace_async.callbacks.listening import Listening

        return Listening(
            lambda room: self._registrar(room, account_name),
            receiver,
            base_url=base_url,
            services=services,
            replace=replace,
            restore=restore,
            signature_header=signature_header,
        )

    def _registrar(self, room: str, account_name: str) -> Registrar:
        """Return the listeners of an account at the API of a room."""
        match room:
            case "diagnostics":
                from thingspace_async.diagnostics.registrar import DiagnosticsRegistrar

                return DiagnosticsRegistrar(self.diagnostics.callbacks, account_name)
            case "hyper_precise":
                from thingspace_async.hyper_precise.registrar import HyperPreciseRegistrar

                return HyperPreciseRegistrar(self.hyper_precise.callbacks, account_name)
            case "location":
                from thingspace_async.location.registrar import LocationRegistrar

                return LocationRegistrar(self.location.callbacks, account_name)
            case "software" | "software.v2":
                from thingspace_async.software.registrars import UrlRegistrar

                version = self.software if room == "software" else self.software.v2
                service = "FotaV3" if room == "software" else "FotaV2"
                return UrlRegistrar(version.callbacks, account_name, service)
            case "software.v1":
                from thingspace_async.software.registrars import Version1Registrar

                return Version1Registrar(self.software.v1.callbacks, account_name)
            case _:
                from thingspace_async.callbacks.registrar import CallbackRegistrar

                return CallbackRegistrar(self.callbacks, account_name)

    # Rooms, each imported at its first use

    @cached_property
    def accounts(self) -> Accounts:
        """Accounts: features, service plans, leads, custom states and pending requests of an account."""
        from thingspace_async.accounts.calls import Accounts

        return Accounts(self._caller, self._all_devices)

    def _all_devices(self) -> AsyncGenerator[Device]:
        return self.devices.list()

    @cached_property
    def billing(self) -> Billing:
        """Aggregated billing of location and software services, and triggers on their usage."""
        from thingspace_async.billing.calls import Billing

        return Billing(self._caller)

    @cached_property
    def callbacks(self) -> Callbacks:
        """Callback listeners: the URLs that receive results later."""
        from thingspace_async.callbacks.calls import Callbacks

        return Callbacks(self._caller)

    @cached_property
    def cloud_connector(self) -> CloudConnector:
        """Cloud Connector: events of devices, streamed to a server of yours, to AWS or to Azure, and earlier ones."""
        from thingspace_async.cloud_connector.calls import CloudConnector

        return CloudConnector(self._caller)

    @cached_property
    def devices(self) -> Devices:
        """Devices: inventory, service, usage and history."""
        from thingspace_async.devices.calls import Devices

        return Devices(self._caller)

    @cached_property
    def diagnostics(self) -> Diagnostics:
        """Device Diagnostics: observations of a device's radio, their history, and restarts of its modem."""
        from thingspace_async.diagnostics.calls import Diagnostics

        return Diagnostics(self._caller)

    @cached_property
    def esim(self) -> Esim:
        """Devices with an eSIM, and its profiles."""
        from thingspace_async.esim.calls import Esim

        return Esim(self._caller)

    @cached_property
    def groups(self) -> Groups:
        """Groups of an account's devices."""
        from thingspace_async.groups.calls import Groups

        return Groups(self._caller)

    @cached_property
    def hyper_precise(self) -> HyperPrecise:
        """Hyper precise location: corrections of satellite positions for devices, their credentials and usage."""
        from thingspace_async.hyper_precise.calls import HyperPrecise

        return HyperPrecise(self._caller)

    @cached_property
    def intelligence(self) -> Intelligence:
        """ThingSpace Intelligence: anomalies of usage, the network at places, and scores of devices."""
        from thingspace_async.intelligence.calls import Intelligence

        return Intelligence(self._caller)

    @cached_property
    def location(self) -> Locations:
        """Where devices are: locations, reports, consents and exclusions."""
        from thingspace_async.location.calls import Locations

        return Locations(self._caller)

    @cached_property
    def nidd(self) -> Nidd:
        """Non-IP Data Delivery: small messages to NB-IoT devices without an IP connection."""
        from thingspace_async.nidd.calls import Nidd

        return Nidd(self._caller)

    @cached_property
    def private_network(self) -> PrivateNetwork:
        """Private wireless networks: devices in them, their profiles, and the network's performance."""
        from thingspace_async.private_network.calls import PrivateNetwork

        return PrivateNetwork(self._caller)

    @cached_property
    def qos(self) -> Qos:
        """Quality of Service: a better network service for chosen data flows of devices."""
        from thingspace_async.qos.calls import Qos

        return Qos(self._caller)

    @cached_property
    def reachability(self) -> Reachability:
        """Reachability: monitor whether devices can be reached by data or SMS."""
        from thingspace_async.reachability.calls import Reachability

        return Reachability(self._caller)

    @cached_property
    def sensor_insights(self) -> SensorInsights:
        """Sensor Insights: gateways and LoRaWAN sensors, their readings, rules and alerts."""
        from thingspace_async.sensor_insights.calls import SensorInsights

        return SensorInsights(self._caller)

    @cached_property
    def sim_secure(self) -> SimSecure:
        """SIM-Secure for IoT: licenses that bind SIMs to their devices."""
        from thingspace_async.sim_secure.calls import SimSecure

        return SimSecure(self._caller)

    @cached_property
    def sms(self) -> Sms:
        """Text messages to and from devices."""
        from thingspace_async.sms.calls import Sms

        return Sms(self._caller)

    @cached_property
    def software(self) -> Software:
        """Software management: upgrades of firmware and software. Its `v2` and `v1` are for other devices."""
        from thingspace_async.software.calls import Software

        return Software(self._caller)

    @cached_property
    def triggers(self) -> Triggers:
        """Triggers: alerts about usage, anomalies and promotions, by email, SMS or callback."""
        from thingspace_async.triggers.calls import Triggers

        return Triggers(self._caller)

    @cached_property
    def v2x(self) -> V2x:
        """V2X: clients of Edge Transportation Exchange, their certificates and connections, and maps."""
        from thingspace_async.v2x.calls import V2x

        return V2x(self._caller)


def _is_query(query: object) -> bool:
    return isinstance(query, Mapping) and all(
        isinstance(name, str) and (isinstance(value, str) or _holds_strings(value)) for name, value in query.items()
    )


def _holds_strings(value: object) -> bool:
    if isinstance(value, Mapping):
        return all(isinstance(text, str) for pair in value.items() for text in pair)
    return isinstance(value, list | tuple) and all(isinstance(text, str) for text in value)


def _positive(name: str, value: float) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < float("inf"):
        raise ConfigurationError(f"{name} must be a number above 0, not {value!r}")
    return value


def _whole(name: str, value: int, *, least: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise ConfigurationError(f"{name} must be a whole number of at least {least}, not {value!r}")
    return value


def _checked_proxy(proxy: str) -> str:
    try:
        parts = urlsplit(proxy)
        sound = isinstance(proxy, str) and parts.scheme in ("http", "https") and bool(parts.hostname)
    except (ValueError, AttributeError):
        sound = False
    if not sound:  # The error does not show it, because it may hold a password.
        raise ConfigurationError("proxy must be a URL such as http://host:3128")
    return proxy
