"""Results that arrive later: in an inbox that `thingspace receiver` fills."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager
from datetime import timedelta
from typing import Annotated, Any, Final

import attrs
import orjson
import typer

from thingspace_async import Accepted
from thingspace_async._cli import _inboxes
from thingspace_async._cli._output import Columns, Output
from thingspace_async._cli._printing import note
from thingspace_async._cli._run import SOME_FAILED, WrongUsage
from thingspace_async._core.identity import name_of
from thingspace_async._core.types import DeviceIds
from thingspace_async.callbacks import Inbox, Outcomes, Received
from thingspace_async.callbacks.inbox import BaseInbox
from thingspace_async.callbacks.messages import Message

__all__ = ["Results", "Shown", "existing", "printed"]

_ACCEPTED: Final[Columns[Accepted]] = {"request id": lambda accepted: accepted.request_id}


@attrs.frozen(kw_only=True)
class Shown:
    """A message of a device, as a row."""

    device: DeviceIds
    received: Received

    @property
    def message(self) -> Message:
        """The message."""
        return self.received.message

    def to_dict(self) -> dict[str, Any]:
        """Return the message as JSON values, without its secrets."""
        return self.message.to_dict()


_COLUMNS: Final[Columns[Shown]] = {
    "device": lambda row: name_of(row.device),
    "status": lambda row: row.message.status or ("failed" if row.message.failed else None),
    "details": lambda row: _details(row.message),
    "reason": lambda row: None if row.message.fault is None else row.message.fault.message,
    "code": lambda row: None if row.message.fault is None else row.message.fault.code,
    "received": lambda row: row.received.received_at,
}

_HAVE_COLUMNS: Final = frozenset(
    {
        *("requestId", "deviceIds", "deviceResponse.deviceIds", "status", "faultResponse"),
        *("callbackCount", "maxCallbackThreshold"),
    }
)


def _details(message: Message) -> str:
    """Return the fields that only some messages have, such as `reachable: true`."""
    rest = {name: value for name, value in message.to_dict().items() if name not in _HAVE_COLUMNS}
    if isinstance(inner := rest.get("deviceResponse"), dict):
        rest = {**rest, **inner}
        del rest["deviceResponse"]
    shown = {name: value if isinstance(value, str) else orjson.dumps(value).decode() for name, value in rest.items()}
    return ", ".join(f"{name}: {value}" for name, value in shown.items())


async def printed(output: Output, rows: AsyncGenerator[Shown]) -> None:
    """Print messages as they arrive. Raises typer.Exit if one of them reports a failure."""
    failed = 0

    async def counted() -> AsyncGenerator[Shown]:
        nonlocal failed
        async for row in rows:
            failed += row.message.failed
            yield row

    async with aclosing(rows), aclosing(counted()) as found:
        await output.rows(found, _COLUMNS, at_once=True)
    if failed:
        raise typer.Exit(SOME_FAILED)


@asynccontextmanager
async def existing(where: str) -> AsyncIterator[BaseInbox]:
    """Open an inbox for the block. Raises ConfigurationError for a file that no receiver has made."""
    if where and not _inboxes.exists(where):
        raise WrongUsage(f"--inbox {where} does not exist: name the inbox of a running `thingspace receiver`")
    async with _inboxes.opened(where) as inbox:
        yield inbox


@attrs.frozen(kw_only=True)
class Results:
    """Options of commands whose results arrive later."""

    inbox: Annotated[
        str | None,
        typer.Option(
            envvar="THINGSPACE_INBOX",
            help="Wait for the results in this inbox: a file, redis://HOST or postgresql://HOST/DATABASE. A receiver "
            "must fill it. Keep a URL with a password in the variable.",
        ),
    ] = None
    minutes: Annotated[float, typer.Option(min=0.01, max=1440, help="How long to wait for the results.")] = 60.0

    @asynccontextmanager
    async def opened(self, output: Output) -> AsyncIterator[Inbox | None]:
        """Open the inbox for the block, if one is given. Use it before anything is sent.

        Raises ConfigurationError if the results could not be printed.
        """
        if self.inbox is None:
            output.check(_ACCEPTED)
            yield None
            return
        output.check(_COLUMNS)
        async with existing(self.inbox) as inbox:
            yield inbox

    async def show(self, output: Output, accepted: Accepted, inbox: Inbox | None, *, count: int | None = None) -> None:
        """Print the outcome of each device as it arrives, or the id of the request if no inbox is given.

        Raises typer.Exit if a device failed, and OutcomesMissing at the timeout.
        """
        if inbox is None:
            output.one(accepted, _ACCEPTED)
            note("The results arrive later: pass --inbox to wait for them.")
            return
        note(f"request {accepted.request_id} was accepted, waiting for its results")
        await printed(output, self._outcomes(accepted, inbox, count))

    async def _outcomes(self, accepted: Accepted, inbox: Inbox, count: int | None) -> AsyncGenerator[Shown]:
        outcomes = Outcomes(inbox).of(accepted, count=count, timeout=timedelta(minutes=self.minutes))
        async with aclosing(outcomes) as found:
            async for one in found:
                yield Shown(device=one.device, received=one.received)
