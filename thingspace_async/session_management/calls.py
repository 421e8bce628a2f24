"""Logging in, logging out, the password, and the OAuth token.

Called through the session, which holds the tokens: `session.log_in()`, `log_out()`, `reset_password()` and
`revoke_oauth_token()`.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from types import NoneType
from typing import Any, Final
from urllib.parse import urlencode

from thingspace_async import _codec
from thingspace_async._auth import LOCKOUT, header_safe, not_sent, refuses_password
from thingspace_async._caller import ApplicationKey, Caller, Tokens, read_answer
from thingspace_async._environment import Credentials
from thingspace_async._operation import Operation
from thingspace_async._store import Refusal, Token
from thingspace_async._transport import Answer, Wire
from thingspace_async._types import Secret
from thingspace_async.errors import (
    AnswerUnreadable,
    ApiError,
    BadRequest,
    LoginRefused,
    RequestNotSent,
    Unauthorized,
    retyped,
)
from thingspace_async.session_management.models import (
    LogInRequest,
    LogInResult,
    LogOutResult,
    OAuthToken,
    SessionResetPasswordRequest,
    SessionResetPasswordResult,
)

__all__ = ["OPERATIONS", "SessionManagement"]

OAUTH_TOKEN: Final = Operation(
    "oauth.token", "POST", "/oauth2/token", NoneType, OAuthToken, repeatable=True, server="oauth"
)
OAUTH_REVOKE: Final = Operation(
    "oauth.revoke", "POST", "/oauth2/revoke", NoneType, NoneType, repeatable=True, server="oauth"
)
# Not repeatable: a login that was refused counts towards the lock-out even when its answer was lost.
LOG_IN: Final = Operation("session.log_in", "POST", "/m2m/v1/session/login", LogInRequest, LogInResult)
LOG_OUT: Final = Operation("session.log_out", "POST", "/m2m/v1/session/logout", NoneType, LogOutResult, repeatable=True)
RESET_PASSWORD: Final = Operation(
    "session.reset_password",
    "PUT",
    "/m2m/v1/session/password/actions/reset",
    SessionResetPasswordRequest,
    SessionResetPasswordResult,
)

OPERATIONS: Final = (OAUTH_TOKEN, OAUTH_REVOKE, LOG_IN, LOG_OUT, RESET_PASSWORD)

_KEY_REFUSALS: Final = frozenset({"invalid_client", "unauthorized_client", "access_denied", "900901", "900902"})


class SessionManagement:
    """The calls that the tokens come from."""

    def __init__(self, caller: Caller) -> None:
        self._caller = caller
        self._engine = caller.engine

    async def fetch_oauth_token(self) -> Token:
        """Get the gateway's token; within the hour of its first issue, every process with the key gets the same."""
        wire = self._caller.wire(OAUTH_TOKEN, b"grant_type=client_credentials", urgent=True)
        refusal: ApiError
        try:
            answer, tries = await self._perform(wire, ApplicationKey(self._engine), OAUTH_TOKEN.repeatable)
        except (BadRequest, Unauthorized) as error:
            if error.status != 401 and error.code not in _KEY_REFUSALS:
                raise
            refusal = error
        else:
            token = read_answer(OAUTH_TOKEN, answer, tries)
            _check_token(OAUTH_TOKEN, "access_token", token.access_token, answer)
            return Token(token.access_token, token.expires_in)
        advice = "check client_id and client_secret against the portal's Key Management"
        raise retyped(refusal, Unauthorized, f"{refusal.message.rstrip('.')}; {advice}")

    async def revoke_oauth_token(self, token: Secret) -> None:
        """Make the gateway forget the token."""
        form = Secret(urlencode({"grant_type": "client_credentials", "token": token.reveal()}))
        wire = self._caller.wire(OAUTH_REVOKE, form.reveal().encode())
        await self._perform(wire, ApplicationKey(self._engine), OAUTH_REVOKE.repeatable)

    async def log_in(self, known: Credentials, *, force: bool = False) -> Token:
        """Get a session token, unless the password was refused before."""
        refusal: ApiError
        async with self._turn(known):
            await self._admit(known, force=force)
            try:
                answer, tries = await self._send_login(known)
            except RequestNotSent:
                await self._answered(known)
                raise
            except ApiError as error:
                # The OAuth token that the login needs has refusals of its own.
                if error.operation != LOG_IN.name or not refuses_password(error):
                    await self._answered(known)
                    raise
                refusal = error
                await self._answered(known, refusal=_noted(refusal))
            else:
                await self._answered(known, accepted=True)
                token = read_answer(LOG_IN, answer, tries).session_token
                _check_token(LOG_IN, "sessionToken", token, answer)
                return Token(token)
        advice = "check username and password: five refusals in a row lock the user"
        raise retyped(refusal, LoginRefused, f"{refusal.message.rstrip('.')}; {advice}")

    async def _admit(self, known: Credentials, *, force: bool) -> None:
        """Note that a password is about to be sent, unless it must not be; raises LoginRefused."""
        engine, who = self._engine, self._who(known)
        if force:
            LOCKOUT.forgive(*who)
            await engine.store.forgive(known.password)
        LOCKOUT.check(*who)
        # First the OAuth token, so that whatever happens to that is nothing of the login's.
        await engine.oauth.get()
        if (refusal := await engine.store.may_send(known.password)) is not None:
            raise not_sent(refusal)
        LOCKOUT.send(*who)

    async def _answered(self, known: Credentials, *, accepted: bool = False, refusal: Refusal | None = None) -> None:
        """Note, for all sessions of the user, what came of a password that was sent."""
        who = self._who(known)
        LOCKOUT.answer(*who)
        if accepted:
            LOCKOUT.accept(*who)
        if refusal is not None:
            LOCKOUT.refuse(*who, refusal)
        await self._engine.store.answered(known.password, accepted=accepted, refusal=refusal)

    def _who(self, known: Credentials) -> tuple[str, str, Secret]:
        return self._engine.environment.host, known.username, known.password

    async def _send_login(self, known: Credentials) -> tuple[Answer, int]:
        self._engine.secrets.note(known.password)
        asked = LogInRequest(username=known.username, password=known.password)
        # A 401 may mean either token or password: to send the password again could be the fifth time.
        return await self._engine.perform(
            self._caller.wire(LOG_IN, _codec.dump(asked), urgent=True),
            Tokens(self._engine, session=False),
            self._caller.policy,
            repeatable=LOG_IN.repeatable,
            final=refuses_password,
        )

    @asynccontextmanager
    async def _turn(self, known: Credentials) -> AsyncGenerator[None]:
        async with AsyncExitStack() as stack:
            try:
                await stack.enter_async_context(LOCKOUT.turn(self._engine.environment.host, known.username))
            except TimeoutError:
                raise RequestNotSent(
                    "another log-in of the same user does not end; nothing was sent", operation=LOG_IN.name
                ) from None
            yield

    async def log_out(self, token: Secret) -> LogOutResult:
        """End the platform session of a token."""
        wire = self._caller.wire(LOG_OUT, urgent=True)
        answer, tries = await self._perform(wire, Tokens(self._engine, ending=token), LOG_OUT.repeatable)
        return read_answer(LOG_OUT, answer, tries)

    async def reset_password(self, known: Credentials) -> Secret:
        """Have the platform choose a new password; the old one is worth nothing from then on."""
        # A wrong old password may count towards the lock-out (protocol.md 1.3 does not know).
        LOCKOUT.check(*self._who(known))
        self._engine.secrets.note(known.password)
        asked = SessionResetPasswordRequest(old_password=known.password)
        wire = self._caller.wire(RESET_PASSWORD, _codec.dump(asked), urgent=True)
        try:
            answer, tries = await self._perform(wire, self._engine.tokens, RESET_PASSWORD.repeatable)
        except BadRequest as error:
            if "password" in f"{error.code} {error.message}".casefold():
                await self._answered(known, refusal=_noted(error))
            raise
        new = read_answer(RESET_PASSWORD, answer, tries).new_password
        if not new.reveal():
            raise AnswerUnreadable(
                "empty", operation=RESET_PASSWORD.name, path="newPassword", status=answer.status, body=answer.body
            )
        return new

    async def changed_password(self, old: Credentials, new: Credentials) -> None:
        """Note, for all sessions of the user, that a password was reset, so that none of them sends the old one."""
        await self._answered(new, accepted=True)
        await self._answered(old, refusal=Refusal(message="the password was reset", status=0))

    async def _perform(
        self,
        wire: Wire,
        proof: Tokens | ApplicationKey,
        repeatable: bool,  # noqa: FBT001 - the operation's
    ) -> tuple[Answer, int]:
        return await self._engine.perform(wire, proof, self._caller.policy, repeatable=repeatable)


def _noted(error: ApiError) -> Refusal:
    return Refusal(message=error.message, status=error.status, code=error.code, request_id=error.request_id)


def _check_token(operation: Operation[Any, Any], field: str, token: Secret, answer: Answer) -> None:
    if not header_safe(token.reveal()):
        raise AnswerUnreadable(
            "expected a token that can travel in a header, found an empty one or one with spaces or control characters",
            operation=operation.name,
            path=field,
            status=answer.status,
            body=answer.body,
        )
