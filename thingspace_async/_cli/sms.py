"""`thingspace sms`: messages to devices, and messages from devices."""

from __future__ import annotations

import asyncio
import os
import stat
import sys
from collections.abc import AsyncGenerator
from contextlib import aclosing
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Annotated, Any, Final

import typer

from thingspace_async import Session
from thingspace_async._cli._access import Access
from thingspace_async._cli._changes import Change, number
from thingspace_async._cli._devices import Devices
from thingspace_async._cli._groups import with_groups
from thingspace_async._cli._output import Columns, Output, each
from thingspace_async._cli._printing import note
from thingspace_async._cli._results import Results, existing
from thingspace_async._cli._run import WrongUsage, run
from thingspace_async._core.identity import name_of
from thingspace_async._core.types import DeviceIds
from thingspace_async.callbacks import CallbackService
from thingspace_async.callbacks.inbox import BaseInbox
from thingspace_async.callbacks.messages import SmsReceived
from thingspace_async.errors import AnswerLost, ConfigurationError, RateLimited, RequestNotSent, ServerFault
from thingspace_async.sms import SmsMessage, SmsSendRequest

__all__ = ["app"]

app = typer.Typer(help="SMS messages to and from devices.", no_args_is_help=True, add_completion=False)

_MESSAGES: Final[Columns[SmsMessage]] = {
    "time": lambda message: message.timestamp,
    "device": lambda message: message.identifier("mdn") or name_of(DeviceIds(device_ids=message.device_ids)),
    "message": lambda message: message.message,
}


class _Encoding(StrEnum):
    """Character encodings of a message."""

    SEVEN_BIT = "7-bit"
    ASCII = "8-bit-ASCII"
    UTF_8 = "8-bit-UTF-8"
    DATA = "8-bit-DATA"


@app.callback()
def sms() -> None:
    """Send SMS messages to devices, and read their messages."""


@app.command("send", epilog="Example: thingspace sms send 'Can you hear me now?' 353272090079193 --inbox messages.db")
@with_groups
def send(
    access: Access,
    output: Output,
    change: Change,
    results: Results,
    devices: Devices,
    *,
    text: Annotated[str, typer.Argument(help="The message, at most 160 characters.", show_default=False)],
    group: Annotated[str | None, typer.Option(help="Send to the devices of this group.")] = None,
    plan: Annotated[str | None, typer.Option(help="Send to the devices with this service plan.")] = None,
    encoding: Annotated[
        _Encoding | None, typer.Option(help="Character encoding. An 8-bit one allows 140.", show_default="7-bit")
    ] = None,
) -> None:
    """Send a message to up to 100 devices, or to a group or plan of any size. Messages are billed.

    With --inbox, the command waits until the message to each device was sent. The device may receive it up to five days
    later: `thingspace requests follow` prints that message, too.
    """

    async def work() -> None:
        account, chosen = access.required_account, devices.read()
        is_selection = group is not None or plan is not None
        if bool(chosen) is is_selection:
            raise WrongUsage("name the devices of the message, or pass --group or --plan, but not both")
        request = SmsSendRequest(
            account_name=account,
            sms_message=text,
            device_ids=chosen or None,
            group_name=group,
            service_plan=plan,
            data_encoding=encoding,
        )
        async with results.opened(output) as inbox:
            async with access.session() as session:
                count = await _count(session, request) if is_selection else len(chosen)
                what = f"send the message to {number(count, 'device')} of {account}, which is billed"
                if not await change.allowed(what):
                    return
                accepted = await session.sms.send(request)
            await results.show(output, accepted, inbox, count=count if is_selection else None)

    run(work)


async def _count(session: Session, request: SmsSendRequest) -> int:
    """Count the devices that a request selects. Raises ConfigurationError if there are none."""
    selected = session.devices.list(
        account_name=request.account_name, group_name=request.group_name, service_plan=request.service_plan
    )
    async with aclosing(selected) as devices:
        count = sum([1 async for _ in devices])
    if not count:
        raise ConfigurationError("no device matches --group and --plan: nothing was sent")
    return count


# Messages from devices


@app.command("queued", epilog="Example: thingspace sms queued --account 0000123456-00001 --remove --yes > messages.txt")
@with_groups
def show_queued(
    access: Access,
    output: Output,
    change: Change,
    *,
    remove: Annotated[
        bool, typer.Option("--remove", help="Print all messages, and remove them from the queue.")
    ] = False,
) -> None:
    """Print the messages from devices that wait in the queue of the account: the first 100 of them.

    They wait there if the account has no listener for EnhancedConnectivityService. With --remove, the command prints
    all of them, and removes each block of up to 100 messages after printing it. Write them to a file: a program that
    reads them from a pipe and fails may lose some. If the command stops early, its last block remains in the queue.
    """

    async def work() -> None:
        account = access.required_account
        async with access.session() as session:
            if not remove:
                page = await session.sms.queued_page(account)
                await output.rows(each(page.messages), _MESSAGES, at_once=True)
                if page.has_more_data:
                    note("There are more messages: --remove prints and removes all.")
                elif page.messages and page.next is None:  # PROTOCOL.md 5 leaves this open.
                    note("The platform may have removed these messages: it gave no means to acknowledge them.")
            elif await change.allowed(_removal(account)):
                async with aclosing(_walked(session, account)) as messages:
                    await output.rows(messages, _MESSAGES, at_once=True)

    run(work)


@app.command("follow", epilog="Example: thingspace sms follow --inbox messages.db --format jsonl")
@with_groups
def follow(
    access: Access,
    output: Output,
    change: Change,
    *,
    inbox: Annotated[
        str | None,
        typer.Option(
            envvar="THINGSPACE_INBOX",
            help="Read this inbox, which a receiver fills: a file, redis://HOST or postgresql://HOST/DATABASE. Keep a "
            "URL with a password in the variable.",
            show_default="the queue of the account",
        ),
    ] = None,
    stored: Annotated[bool, typer.Option("--stored", help="Print the messages in the inbox first.")] = False,
    limit: Annotated[int | None, typer.Option(min=1, help="Stop after this number of messages.")] = None,
    every: Annotated[float, typer.Option(min=0.01, help="Seconds between two reads of the queue.")] = 10.0,
) -> None:
    """Print messages from devices as they arrive, until interrupted.

    With --inbox, nothing is sent or changed, and no credentials are needed. Without it, the command reads the queue of
    the account, and removes messages from it after printing them, as `queued --remove` does.
    """

    async def from_inbox(where: str) -> None:
        async with existing(where) as held, aclosing(_first(_arriving(held, stored=stored), limit)) as messages:
            await output.rows(messages, _MESSAGES, at_once=True)

    async def from_queue() -> None:
        account = access.required_account
        async with access.session() as session:
            if not await change.allowed(_removal(account)):
                return
            await _warn_of_listener(session, account)
            async with aclosing(_first(_polled(session, account, every), limit)) as messages:
                await output.rows(messages, _MESSAGES, at_once=True)

    run(from_queue if inbox is None else lambda: from_inbox(inbox))


def _removal(account: str) -> str:
    """Describe the change of the queue."""
    if sys.stdout is None:
        raise ConfigurationError("stdout is closed: the messages would be lost, so none was read")
    return f"remove messages from the queue of {account} after printing them"


async def _warn_of_listener(session: Session, account: str) -> None:
    for one in await session.callbacks.list(account):
        if one.service_name == CallbackService.ENHANCED_CONNECTIVITY:
            note(f"New messages go to {one.url}: pass the --inbox of its receiver to print them")


async def _first(messages: AsyncGenerator[SmsMessage], most: int | None) -> AsyncGenerator[SmsMessage]:
    """Yield the first messages."""
    async with aclosing(messages) as found:
        count = 0
        async for message in found:
            yield message
            count += 1
            if count == most:
                return


async def _walked(session: Session, account: str) -> AsyncGenerator[SmsMessage]:
    """Walk the queue. The next step may remove the present message, so it must be on the disk before."""
    async with aclosing(session.sms.queued(account)) as messages:
        async for message in messages:
            yield message
            _save()


def _save() -> None:
    """Wait until the system has written stdout to the disk, if it is a file."""
    number_of_file = sys.stdout.fileno()
    if stat.S_ISREG(os.fstat(number_of_file).st_mode):
        os.fsync(number_of_file)


async def _polled(session: Session, account: str, every: float) -> AsyncGenerator[SmsMessage]:
    """Walk the queue again and again. Messages that the platform returns a second time are dropped."""
    before: set[tuple[Any, ...]] = set()
    is_in_trouble = False
    while True:
        found: set[tuple[Any, ...]] = set()
        try:
            async with aclosing(_walked(session, account)) as messages:
                async for message in messages:
                    found.add(key := (message.device_ids, message.timestamp, message.message))
                    if key not in before:
                        yield message
            before, is_in_trouble = found, False
        except (AnswerLost, RateLimited, RequestNotSent, ServerFault) as error:
            before |= found
            if not is_in_trouble:
                note(f"The queue cannot be read, trying again: {error}")
            is_in_trouble = True
        await asyncio.sleep(every)


_INTERVAL: Final = 0.5
"""Seconds between two reads of an inbox. It cannot wake those who wait for messages without a request."""

_MARGIN: Final = timedelta(minutes=5)
"""How far the clocks of receivers with the same inbox may differ."""


async def _arriving(inbox: BaseInbox, *, stored: bool) -> AsyncGenerator[SmsMessage]:
    """Yield messages as they arrive in an inbox."""
    seen: dict[int, datetime] = {}
    latest = datetime.now(UTC) - timedelta(days=1)  # In case that the clock of the inbox is behind.
    since = None if stored else latest
    is_new = stored
    while True:
        async with aclosing(inbox.read(service=CallbackService.ENHANCED_CONNECTIVITY, since=since)) as read:
            async for one in read:
                if one.number in seen:
                    continue
                seen[one.number] = one.received_at
                latest = max(latest, one.received_at)
                if is_new and isinstance(one.message, SmsReceived):
                    message = one.message
                    yield SmsMessage(device_ids=message.device_ids, message=message.text, timestamp=one.received_at)
        since, is_new = latest - _MARGIN, True
        seen = {number: time for number, time in seen.items() if time >= since}
        await asyncio.sleep(_INTERVAL)
