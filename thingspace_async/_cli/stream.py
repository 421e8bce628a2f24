"""`thingspace stream`: stream the events of devices to a receiver, and print them."""

from __future__ import annotations

from contextlib import aclosing
from typing import Annotated

import typer

from thingspace_async import Session
from thingspace_async._cli._access import Access
from thingspace_async._cli._changes import Change
from thingspace_async._cli._groups import with_groups
from thingspace_async._cli._inboxes import DEFAULT, InboxOption, opened
from thingspace_async._cli._printing import note
from thingspace_async._cli._run import WrongUsage, run
from thingspace_async.callbacks import Inbox, Outcomes, Receiver
from thingspace_async.callbacks.messages import STREAMED, EventMessage
from thingspace_async.cloud_connector import CreateTargetRequest, Stream, StreamSettings
from thingspace_async.errors import ConfigurationError

__all__ = ["stream"]

_SERVICE = "CloudConnector"


@with_groups
def stream(
    access: Access,
    change: Change,
    *,
    url: Annotated[
        str | None, typer.Option(help="Public URL of the receiver, such as https://example.com:9001/CloudConnector.")
    ] = None,
    kind: Annotated[str, typer.Option(help="ts.event for all events, or a more specific kind.")] = "ts.event",
    inbox: InboxOption = DEFAULT,
    events: Annotated[int | None, typer.Option(min=1, help="Stop after this number of events.")] = None,
    stop: Annotated[bool, typer.Option("--stop", help="End the account's stream of this kind.")] = False,
) -> None:
    """Stream the events of devices to a receiver, and print them, as JSON, until interrupted.

    The receiver, such as `thingspace receiver`, uses the same inbox. The stream goes on when the command ends. It asks
    before it creates or ends a stream. With a stream that exists, it asks nothing.
    """

    async def work() -> None:
        if stop is (url is not None):
            raise WrongUsage("pass --url to stream events, or --stop to end a stream")
        account = access.required_account
        if url is None:
            async with access.session() as session:
                await _end(session, account, kind, change)
            return
        async with opened(inbox) as held:
            latest = await _latest(held)
            async with access.session() as session:
                listed = await session.cloud_connector.subscriptions.list(account)
                is_new = all(one.stream_kind != kind for one in listed)
                if (is_new or change.dry_run) and not await change.allowed(f"stream {kind} of {account} to {url}"):
                    return
                found = await _begin(session, held, account, url, kind)
            note(f"the subscription {found.subscription.id} streams {kind} to {found.target.address}")
            await _print(held, found, latest, events)

    run(work)


async def _begin(session: Session, inbox: Inbox, account: str, url: str, kind: str) -> Stream:
    username, password = await Receiver(inbox).credentials_for(_SERVICE)
    target = CreateTargetRequest.to_server(account, url, username=username, password=password)
    return await session.cloud_connector.streaming(target, StreamSettings(stream_kind=kind))


async def _latest(inbox: Inbox) -> int:
    """Return the number of the last event in the inbox, or -1."""
    return max([one.number async for one in inbox.read(request_id=STREAMED)], default=-1)


async def _print(inbox: Inbox, found: Stream, latest: int, most: int | None) -> None:
    """Print new events, up to a number of them."""
    count = 0
    async with aclosing(Outcomes(inbox).stream(found.accepted, after=latest)) as messages:
        async for received in messages:
            if isinstance(received.message, EventMessage):
                typer.echo(received.message.event.to_json())
                count += 1
            if count == most:
                return


async def _end(session: Session, account: str, kind: str, change: Change) -> None:
    """Delete the subscription of a kind, and its target unless another subscription uses it."""
    calls = session.cloud_connector
    listed = await calls.subscriptions.list(account)
    found = next((one for one in listed if one.stream_kind == kind and one.id), None)
    if found is None or found.id is None:
        raise ConfigurationError(f"the account streams no events of kind {kind}")
    if not await change.allowed(f"end the stream of {kind}"):
        return
    await calls.subscriptions.delete(account_name=account, subscription_id=found.id)
    others = [one for one in listed if one.target_id == found.target_id and one is not found]
    if found.target_id is not None and not others:
        await calls.targets.delete(account_name=account, target_id=found.target_id)
    note(f"the stream of {kind} has ended")
