"""Login: credentials, both tokens, the guard against lock-out, and the password. It sends through a given function."""

from __future__ import annotations

import asyncio
import base64
import inspect
import logging
import os
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from typing import Any, Final, Protocol
from urllib.parse import urlencode

import attrs

from thingspace_async import __version__
from thingspace_async._core import codec
from thingspace_async._core.environment import Credentials, CredentialsProvider, Environment
from thingspace_async._core.guard import WITHDRAWN, Accepted, Refusal, Retired, Verdict, not_sent
from thingspace_async._core.operation import SESSION_HEADER, Operation
from thingspace_async._core.reading import read_answer
from thingspace_async._core.refusals import (
    TokenKind,
    ends_login,
    header_safe,
    login_refusal,
    refuses_password,
    retyped,
)
from thingspace_async._core.retry import RetryPolicy
from thingspace_async._core.secrets import Secrets
from thingspace_async._core.sending import Authorization, prepare
from thingspace_async._core.store import Fetch, Identity, LogOut, Token, TokenStore, UserStore
from thingspace_async._core.tasks import wait_shielded
from thingspace_async._core.tokens import TokenKeeper
from thingspace_async._core.transport import Answer, HiddenHeaders, HttpRequest, Limits
from thingspace_async._core.values import Secret
from thingspace_async.errors import (
    AnswerUnreadable,
    ApiError,
    BadRequest,
    ConfigurationError,
    LoginRefused,
    RateLimited,
    RequestNotSent,
    SessionClosed,
    SessionMisused,
    Unauthorized,
    UserLocked,
)

__all__ = ["Login", "Send", "Tokens"]

_log: Final = logging.getLogger("thingspace_async")

_RESET_WITHIN: Final = 120.0
"""Seconds to wait for the answer to a password reset. The new password is lost with the answer."""

_PROVIDER_WITHIN: Final = 60.0
"""Seconds for the provider to return credentials."""

_PROVIDER_PAUSE: Final = 30.0
"""Seconds before calling the provider again if its credentials had not changed."""

_MOST_UNPROVEN: Final[Mapping[TokenKind, int]] = {"oauth": 5, "session": 1}
"""Tokens in a row that may replace a rejected token before the platform accepts one.

Other processes may revoke OAuth tokens. Logins are expensive.
"""

_TOKEN_ANSWER: Final = 1024 * 1024
"""Largest answer to a login or a token request, in bytes."""

_NO_RETRY: Final = RetryPolicy(retries=0)
_ONE_RETRY: Final = RetryPolicy(retries=1, first_delay=0.2)

# The secret that a refusal is about, and its error. A login also needs the key, but a refused key has already made the
# OAuth token's fetch call the provider.
_REFUSALS: Final[Mapping[TokenKind, tuple[str, type[Unauthorized]]]] = {
    "oauth": ("client_secret", Unauthorized),
    "session": ("password", LoginRefused),
}

# The operations and models of logins are imported at the first login, so that making a Session stays cheap.
_LOG_IN: Final = "session.log_in"

_KEY_REFUSALS: Final = frozenset({"invalid_client", "unauthorized_client", "access_denied", "900901", "900902"})


class Send(Protocol):
    """Sends a request until it succeeds or must stop: `Sender.send`."""

    def __call__(
        self,
        request: HttpRequest,
        authorization: Authorization,
        policy: RetryPolicy,
        *,
        final: Callable[[ApiError], bool] | None = None,
    ) -> Awaitable[tuple[Answer, int]]: ...


class Login:
    """Everything about being logged in, for one session and its `with_options` clones."""

    def __init__(
        self,
        send: Send,
        secrets: Secrets,
        environment: Environment,
        credentials: Credentials | CredentialsProvider,
        *,
        stores: TokenStore,
        log_out: LogOut,
        limits: Limits,
        policy: RetryPolicy,
    ) -> None:
        self._send = send
        self._secrets = secrets
        self._environment = environment
        self._provider = None if isinstance(credentials, Credentials) else credentials
        self._ask_again_at = 0.0
        self._known = credentials if isinstance(credentials, Credentials) else None
        self._stores = stores
        self._log_out: LogOut = log_out
        self._limits = limits
        self._policy = policy
        self._mark = ""
        self._store: UserStore | None = None
        self.reset: asyncio.Task[Secret] | None = None
        """The password reset that is in progress."""
        self.oauth: TokenKeeper = self._keeper("oauth", self._fetch_oauth_token)
        self.session: TokenKeeper = self._keeper("session", lambda: self._with_latest("session", self._log_in))
        self.tokens: Tokens = Tokens(self)
        """Both tokens, as calls use them."""

    def _keeper(self, kind: TokenKind, fetch: Fetch) -> TokenKeeper:
        async def share(fetch: Fetch, **what: Any) -> Token:
            return await self.store.token(kind, fetch, **what)

        return TokenKeeper(fetch, share, most_unproven=_MOST_UNPROVEN[kind])

    # The user

    @property
    def credentials(self) -> Credentials:
        """The credentials to log in with."""
        if self._known is None:
            raise SessionClosed("the credentials are not known yet: open the session, which calls their provider")
        return self._known

    @property
    def store(self) -> UserStore:
        """The store of the user's sessions."""
        if self._store is None:
            raise SessionClosed("the session is not open: use `async with Session(...) as session`")
        return self._store

    async def join(self) -> None:
        """Get the credentials, and join the user's other sessions."""
        if self._provider is not None:
            self._known = await _credentials_from(self._provider)
        known = self.credentials
        identity = Identity(host=self._environment.host, client_id=known.client_id, username=known.username)
        self._store = self._stores.of(identity)
        await self._store.enter()

    async def leave(self, *, log_out: bool) -> None:
        """Leave the user's other sessions, and log out if the store and `log_out` ask for it."""
        if self._store is None:
            return
        # Wait for a login in progress: it would leave an open session on the platform.
        if log_out:
            await self.session.settle()
        token = self.session.token if log_out else None
        if await self._store.leave(token, self._log_out if log_out else "never") and token is not None:
            await self.log_out(token.secret, _ONE_RETRY)

    async def end(self) -> None:
        """Cancel fetches in progress, and forget both tokens."""
        await self.session.end()
        await self.oauth.end()
        self.session.forget()
        self.oauth.forget()

    async def _with_latest(
        self, kind: TokenKind, work: Callable[[Credentials], Awaitable[Token]], *, pause: bool = True
    ) -> Token:
        """Get a token with the known credentials. If they are refused, call the provider and try new ones once."""
        secret, refusal = _REFUSALS[kind]
        try:
            return await work(self.credentials)
        except refusal as error:
            refused = error.with_traceback(None)
        try:
            if not await self._have_changed(secret, refused, pause=pause):
                raise refused
        finally:
            del refused
        return await work(self.credentials)

    async def _have_changed(self, secret: str, refused: Unauthorized, *, pause: bool) -> bool:
        """Call the provider again, and return whether its secret has changed."""
        if self._provider is None or (pause and time.monotonic() < self._ask_again_at):
            return False
        old = self.credentials
        try:
            new = await _credentials_from(self._provider)
        except Exception as error:  # noqa: BLE001 - the caller must get the refusal
            for known in (old.password, old.client_secret):  # The error of a secret manager's client may quote them.
                self._secrets.note(known)
            reason = self._secrets.redact(f"{type(error).__name__}: {error}")
            refused.add_note(f"thingspace_async: the credentials provider failed, too: {reason}")
            self._ask_again_at = time.monotonic() + _PROVIDER_PAUSE
            return False
        if (new.client_id, new.username) != (old.client_id, old.username):
            refused.add_note(
                "thingspace_async: the provider now returns another user's credentials: open a new Session"
            )
            return False
        self._known = new
        if changed := bool(getattr(new, secret) != getattr(old, secret)):
            return changed
        self._ask_again_at = time.monotonic() + _PROVIDER_PAUSE
        return False

    # The OAuth token

    def _prepare(self, operation: Operation[Any, Any], data: bytes | None, limits: Limits | None = None) -> HttpRequest:
        request = prepare(self._environment, operation, data, limits or self._limits, urgent=True)
        request.most = _TOKEN_ANSWER
        return request

    async def _fetch_oauth_token(self) -> Token:
        return await self._with_latest("oauth", lambda _: self._get_oauth_token())

    async def _get_oauth_token(self) -> Token:
        from thingspace_async.session_management.calls import OAUTH_TOKEN

        request = self._prepare(OAUTH_TOKEN, b"grant_type=client_credentials")
        try:
            answer, tries = await self._send(request, ApplicationKey(self, self._secrets), self._policy)
        except (BadRequest, Unauthorized) as error:
            if error.status != 401 and error.code not in _KEY_REFUSALS:
                raise
            refusal = error.with_traceback(None)
        else:
            token = read_answer(OAUTH_TOKEN, answer, tries)
            _check_token(OAUTH_TOKEN, "access_token", token.access_token, answer)
            return Token(token.access_token, token.seconds)
        advice = "check client_id and client_secret against the portal's Key Management"
        raise retyped(refusal, Unauthorized, f"{refusal.message.rstrip('.')}; {advice}")

    async def revoke_oauth_token(self) -> None:
        """Revoke the OAuth token."""
        from thingspace_async.session_management.calls import OAUTH_REVOKE

        token = await self.oauth.get()
        form = Secret(urlencode({"grant_type": "client_credentials", "token": token.reveal()}))
        request = self._prepare(OAUTH_REVOKE, form.reveal().encode())
        await self._send(request, ApplicationKey(self, self._secrets), self._policy)
        self.oauth.reject(token)

    # The session token

    async def start(self, password: Secret | None, *, force: bool) -> Secret:
        """Log in even if there is a token. A given password replaces the known one once it is accepted."""

        async def fetch() -> Token:
            if password is None:
                return await self._with_latest("session", lambda known: self._log_in(known, force=force), pause=False)
            # Read only now, because this fetch may have waited for a reset that changed them.
            known = attrs.evolve(self.credentials, password=password)
            token = await self._log_in(known, force=force)
            self._known = known
            return token

        return await self.session.replace(fetch)

    async def _log_in(self, known: Credentials, *, force: bool = False) -> Token:
        """Get a session token, unless the guard withholds the password."""
        from thingspace_async.session_management.calls import LOG_IN
        from thingspace_async.session_management.models import LogInRequest

        guard = self.store.guard
        async with AsyncExitStack() as stack:
            try:
                await stack.enter_async_context(guard.turn())
            except TimeoutError:
                raise RequestNotSent(
                    "another login of the same user did not end in time; nothing was sent: try again later",
                    operation=LOG_IN.name,
                ) from None
            mark = self._mark = self._mark or os.urandom(8).hex()  # Reused until a login is sent.
            verdict: Verdict | None = WITHDRAWN
            request = self._prepare(LOG_IN, codec.dump(LogInRequest(username=known.username, password=known.password)))
            try:
                await self._admit(known.password, mark, force=force)
                self._mark = ""
                answer, tries = await self._send_login(request, known)
            except ApiError as error:
                verdict = _verdict_of(error)
                refusal = error.with_traceback(None)
            except BaseException as error:
                verdict = _verdict_on_no_answer(error, request)
                raise
            else:
                verdict = Accepted()  # Even if the body cannot be read.
                token = read_answer(LOG_IN, answer, tries).session_token
                _check_token(LOG_IN, "sessionToken", token, answer)
                return Token(token)
            finally:
                if verdict is not None and not self._mark:
                    await guard.settle(known.password, mark, verdict)
        try:
            raise _login_error(refusal, verdict)
        finally:
            del refusal

    async def _admit(self, password: Secret, mark: str, *, force: bool = False) -> None:
        if (withheld := await self.store.guard.admit(password, mark, force=force)) is not None:
            raise not_sent(withheld)

    async def _send_login(self, request: HttpRequest, known: Credentials) -> tuple[Answer, int]:
        self._secrets.note(known.password)
        # Fetch the OAuth token first, so that its failures do not count as failures of the login.
        await self.oauth.get()
        return await self._send(request, Tokens(self, session=False), self._policy, final=ends_login)

    async def log_out(self, token: Secret, policy: RetryPolicy = _NO_RETRY) -> Secret | None:
        """End the platform session of a token."""
        from thingspace_async.session_management.calls import LOG_OUT

        self.session.reject(token)
        answer, tries = await self._send(self._prepare(LOG_OUT, None), Tokens(self, ending=token), policy)
        return read_answer(LOG_OUT, answer, tries).session_token

    # The password

    async def reset_password(self, on_new_password: Callable[[Secret], Awaitable[None] | None] | None) -> Secret:
        """Have the platform choose a new password. The reset continues if the caller is cancelled."""
        if self.reset is not None:
            raise SessionMisused("another reset_password of this session is in progress: wait for its password")
        task = self.reset = asyncio.get_running_loop().create_task(self._reset_password(on_new_password))
        try:
            await wait_shielded(task)
        except asyncio.CancelledError:
            if not task.cancelled() and (lost := task.exception()) is not None:
                _log.error("the password reset continued after its caller was cancelled, and failed: %s", lost)
            raise
        finally:
            self.reset = None
        return task.result()

    async def _reset_password(self, on_new_password: Callable[[Secret], Awaitable[None] | None] | None) -> Secret:
        old = self.credentials
        # Block the logins of other sessions: the platform may have changed the password already.
        async with AsyncExitStack() as others:
            async with self.session.exclusive():
                # Second, because a task that fetches for this session may wait for other sessions.
                await others.enter_async_context(self.store.exclusive())
                password = await self._send_reset(old)
                self._known = old.with_password(password)
            try:
                async with asyncio.timeout(_RESET_WITHIN):
                    if on_new_password is not None and inspect.isawaitable(kept := on_new_password(password)):
                        await kept
            except BaseException as error:
                error.add_note(
                    "thingspace_async: the password HAS been changed, and the old one no longer works: store the new "
                    "one, session.credentials.password, before you leave the session"
                )
                raise
            finally:
                guard = self.store.guard
                await guard.settle(password, "", Accepted())
                await guard.settle(old.password, "", Retired())
        return password

    async def _send_reset(self, known: Credentials) -> Secret:
        from thingspace_async.session_management.calls import RESET_PASSWORD
        from thingspace_async.session_management.models import SessionResetPasswordRequest

        guard, mark = self.store.guard, os.urandom(8).hex()
        self._secrets.note(known.password)
        asked = SessionResetPasswordRequest(old_password=known.password)
        request = self._prepare(RESET_PASSWORD, codec.dump(asked), attrs.evolve(self._limits, answer=_RESET_WITHIN))
        # A wrong old password may count towards the lock-out. The platform does not document it.
        await self._admit(known.password, mark)
        verdict: Verdict = WITHDRAWN
        try:
            answer, tries = await self._send(request, self.tokens, _NO_RETRY)
        except BadRequest as error:
            if "password" in f"{error.code} {error.message}".casefold():
                verdict = _refusal_of(error)
            raise
        except asyncio.CancelledError:
            if request.sent:
                _log.error(
                    "session.reset_password: the event loop ended before the answer arrived, so it is unknown whether "
                    "the password was changed: log in with the old one, once, to find out"
                )
            raise
        finally:
            await guard.settle(known.password, mark, verdict)
        new = read_answer(RESET_PASSWORD, answer, tries).new_password
        if not new.reveal():
            raise AnswerUnreadable(
                "is empty", operation=RESET_PASSWORD.name, path="newPassword", status=answer.status, body=answer.body
            )
        return new


def _verdict_of(error: ApiError) -> Verdict | None:
    """Return the verdict of an error answer, or None if the platform may have counted a refusal."""
    if error.operation != _LOG_IN or isinstance(error, RateLimited) or error.status == 503:
        return WITHDRAWN
    if refuses_password(error):
        return _refusal_of(error)
    # If the gateway rejected the OAuth token, the platform never saw the login.
    return None if ends_login(error) else WITHDRAWN


def _verdict_on_no_answer(error: BaseException, request: HttpRequest) -> Verdict | None:
    if isinstance(error, RequestNotSent) or getattr(error, "operation", _LOG_IN) != _LOG_IN:
        return WITHDRAWN
    return None if request.sent else WITHDRAWN


def _refusal_of(error: ApiError) -> Refusal:
    locked = isinstance(login_refusal(error), UserLocked)
    return Refusal(error.message, error.status, error.code, error.request_id, locked)


def _login_error(error: ApiError, verdict: Verdict | None) -> ApiError:
    """Return the error to raise for a failed login."""
    if not isinstance(verdict, Refusal) or isinstance(error, LoginRefused):
        return error
    return login_refusal(error)


async def _credentials_from(provider: CredentialsProvider) -> Credentials:
    """Call the provider for credentials; raises ConfigurationError."""
    limit = asyncio.timeout(_PROVIDER_WITHIN)
    try:
        async with limit:
            known = await provider()
    except TimeoutError:
        if not limit.expired():
            raise
        raise ConfigurationError(f"credentials: the provider returned none within {_PROVIDER_WITHIN:g} s") from None
    if not isinstance(known, Credentials):
        kind = type(known).__name__
        del known  # It may hold a password, and this frame's locals may be shown.
        raise ConfigurationError(f"credentials: the provider must return Credentials, not {kind}")
    return known


# Headers

_PLAIN_HEADERS: Final = {
    # Required even without a body. Without Accept, the gateway may answer in XML (PROTOCOL.md 1.4, 2.2).
    "Accept": "application/json",
    "Content-Type": "application/json",
    "User-Agent": f"thingspace_async/{__version__}",
}


class Tokens:
    """Authorizes calls with both tokens, with the OAuth token only, or with it and the session token to log out."""

    def __init__(self, login: Login, *, session: bool = True, ending: Secret | None = None) -> None:
        self._login = login
        self._follows_session = session and ending is None
        self._ending = ending
        self._made: HiddenHeaders | None = None
        self._renamed: dict[str, HiddenHeaders] = {}

    @property
    def ready(self) -> HiddenHeaders | None:
        """The last headers, or None if one of their tokens is no longer current."""
        made, login = self._made, self._login
        if made is None or made.oauth is not login.oauth.current:
            return None
        return made if not self._follows_session or made.session is login.session.current else None

    async def headers(self) -> HiddenHeaders:
        """Return the headers. Fetch missing tokens first."""
        login = self._login
        oauth = await login.oauth.get()
        session = await login.session.get() if self._follows_session else self._ending
        made = HiddenHeaders(_PLAIN_HEADERS)
        made.oauth, made.session = oauth, session
        login._secrets.note(oauth)  # noqa: SLF001 - same module
        made["Authorization"] = f"Bearer {oauth.reveal()}"
        if session is not None:
            login._secrets.note(session)  # noqa: SLF001
            made[SESSION_HEADER] = session.reveal()
        self._made = made
        return made

    def adapt(self, made: HiddenHeaders, request: HttpRequest) -> HiddenHeaders:
        """Return the headers with the changes that a request needs."""
        if (name := request.session_header) != SESSION_HEADER:
            renamed = self._renamed.get(name)
            if renamed is None or renamed.oauth is not made.oauth or renamed.session is not made.session:
                renamed = made.twin()
                if (token := renamed.pop(SESSION_HEADER, None)) is not None:
                    renamed[name] = token
                self._renamed[name] = renamed
            made = renamed
        return made if request.extra is None else made.twin(request.extra)

    def rejected(self, kind: TokenKind, headers: HiddenHeaders) -> bool:
        """Forget a token that an answer rejected, and return whether to try again."""
        if kind == "oauth":
            return headers.oauth is not None and self._login.oauth.reject(headers.oauth)
        return self._follows_session and headers.session is not None and self._login.session.reject(headers.session)

    def accepted(self) -> None:
        """Record that the platform accepted the tokens."""
        login = self._login
        login.oauth.accepted()
        if self._follows_session:
            login.session.accepted()


class ApplicationKey:
    """Authorizes token requests with the application's key and secret."""

    ready: HiddenHeaders | None = None

    def __init__(self, login: Login, secrets: Secrets) -> None:
        self._login = login
        self._secrets = secrets

    async def headers(self) -> HiddenHeaders:
        """Return the headers with key and secret."""
        known = self._login.credentials
        pair = Secret(f"{known.client_id}:{known.client_secret.reveal()}")
        encoded = Secret(base64.b64encode(pair.reveal().encode()).decode())
        self._secrets.note(known.client_secret)
        self._secrets.note(encoded)
        headers = HiddenHeaders(_PLAIN_HEADERS)
        headers["Content-Type"] = "application/x-www-form-urlencoded"
        headers["Authorization"] = f"Basic {encoded.reveal()}"
        return headers

    def adapt(self, made: HiddenHeaders, request: HttpRequest) -> HiddenHeaders:
        """Return the headers with the additions that a request needs."""
        return made if request.extra is None else made.twin(request.extra)

    def rejected(self, kind: TokenKind, headers: HiddenHeaders) -> bool:
        """Return False, because there is no other key to try."""
        del kind, headers
        return False

    def accepted(self) -> None:
        """Do nothing, because a key is not a token."""


def _check_token(operation: Operation[Any, Any], field: str, token: Secret, answer: Answer) -> None:
    if not header_safe(token.reveal()):
        raise AnswerUnreadable(
            "expected a token for a header, found one that is empty or has spaces or control characters",
            operation=operation.name,
            path=field,
            status=answer.status,
            body=answer.body,
        )
