"""`thingspace simulator`: a ThingSpace of your own, for programs in any language."""

from __future__ import annotations

import asyncio
import logging
import shlex
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from functools import partial
from itertools import dropwhile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import orjson
import typer

from thingspace_async._cli import _background
from thingspace_async._cli._run import WrongUsage, listening, run
from thingspace_async._core.environment import Credentials

if TYPE_CHECKING:
    from thingspace_async.simulator import Simulator
    from thingspace_async.simulator.controls import Controls

__all__ = ["simulator"]

_ACCOUNT = "0000123456-00001"
_DEVICES = 2000


class Output(StrEnum):
    """The format of the simulator's URL and credentials."""

    ENV = "env"
    JSON = "json"


def simulator(
    *,
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 picks a free port.")] = 9010,
    host: Annotated[str, typer.Option(help="The address to listen on.")] = "127.0.0.1",
    devices: Annotated[
        int | None,
        typer.Option(min=0, max=1_000_000, help=f"Generated devices; {_DEVICES:,} by default, none with --from."),
    ] = None,
    devices_from: Annotated[
        Path | None,
        typer.Option(
            "--from", help="Read the devices from CSV, in the format of `thingspace devices list --format csv`."
        ),
    ] = None,
    account: Annotated[list[str] | None, typer.Option(help="An account's name; repeat it for more accounts.")] = None,
    seed: Annotated[int, typer.Option(min=0, help="Determines the devices and the credentials.")] = 1,
    start: Annotated[str, typer.Option(help="`now`, or the simulated time to start at.")] = "now",
    speed: Annotated[float, typer.Option(min=0, help="Simulated seconds per real second.")] = 1.0,
    request_time: Annotated[
        float, typer.Option(min=0, help="Simulated seconds until the result of a request arrives.")
    ] = 60.0,
    callback_host: Annotated[list[str] | None, typer.Option(help="Another host to post callbacks to.")] = None,
    requests_per_minute: Annotated[int | None, typer.Option(min=1, help="Throttle requests beyond this limit.")] = None,
    username: Annotated[str | None, typer.Option(help="Replaces the generated username.")] = None,
    password: Annotated[str | None, typer.Option(help="Replaces the generated password.")] = None,
    client_id: Annotated[str | None, typer.Option(help="Replaces the generated client id.")] = None,
    client_secret: Annotated[str | None, typer.Option(help="Replaces the generated client secret.")] = None,
    admin_token: Annotated[
        str | None, typer.Option(envvar="THINGSPACE_ADMIN_TOKEN", help="Require this token for the admin API.")
    ] = None,
    admin: Annotated[
        bool, typer.Option("--admin/--no-admin", help="Serve the admin API and its page at /__admin/.")
    ] = True,
    state: Annotated[
        Path | None, typer.Option(help="Keep the state in this file over restarts with the same options.")
    ] = None,
    log: Annotated[
        bool | None, typer.Option("--log/--no-log", help="Print one line per request; on by default on a terminal.")
    ] = None,
    output: Annotated[
        Output | None, typer.Option("--print", help="Print only the URL and the credentials, in this format.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="The same as --print json.")] = False,
    background: Annotated[bool, typer.Option("--background", help="Run in the background.")] = False,
    stop: Annotated[bool, typer.Option("--stop", help="Stop the simulator in the background at --port.")] = False,
    compare: Annotated[
        Path | None, typer.Option(help="List the differences from recorded answers of the platform, and exit.")
    ] = None,
    record: Annotated[Path | None, typer.Option(hidden=True)] = None,
) -> None:
    """Run a simulated ThingSpace until interrupted. Prints its URL and credentials."""
    form = Output.JSON if as_json else output
    if stop:
        run(lambda: _stop(port))
        return
    if compare is not None:
        run(partial(_compare, compare))
        return
    if background:
        run(lambda: _start_in_background(port, form or Output.ENV))
        return

    def set_up(cloud: Controls) -> None:
        cloud.credentials = _merged(cloud.credentials, client_id, client_secret, username, password)
        for name in (account or [])[1:]:
            cloud.add_account(name)
        if devices_from is not None:
            _import(cloud, devices_from)
        cloud.clock.speed = speed

    async def serve() -> None:
        with listening(host, port):
            from thingspace_async.simulator import Assumptions, Simulator  # Imported late because it is slow.

            generated = devices if devices is not None else 0 if devices_from else _DEVICES
            try:
                cloud = Simulator(
                    devices=generated,
                    account_name=account[0] if account else _ACCOUNT,
                    seed=seed,
                    host=host,
                    port=port,
                    start=_moment(start),
                    assumptions=Assumptions(request_time=timedelta(seconds=request_time)),
                    callback_hosts=callback_host or (),
                    requests_per_minute=requests_per_minute,
                    admin=admin,
                    admin_token=admin_token,
                    set_up=set_up,
                    state=state,
                )
            except ValueError as error:
                raise WrongUsage(f"{error} (--admin-token, --no-admin, --state)") from None
            await cloud.start()
        try:
            with _background.recorded(record, cloud.url):
                _show(cloud, form)
                await asyncio.Event().wait()
        finally:
            await cloud.close()

    with _requests_logged(wanted=sys.stderr.isatty() if log is None else log):
        run(serve)


async def _start_in_background(port: int, output: Output) -> None:
    """Start the same command in the background, and print its URL and credentials."""
    _, *words = dropwhile(lambda word: word != "simulator", sys.argv[1:])  # Options may come before the name.
    words = [word for word in words if word != "--background"]
    _print_exports(await _background.start(port, words), output)


async def _compare(path: Path) -> None:
    from thingspace_async.simulator.comparing import compare

    try:
        found = await compare(path)
    except (OSError, ValueError) as error:
        raise WrongUsage(f"--compare {path}: {error}") from None
    for line in found:
        typer.echo(line)
    typer.echo(f"{len(found)} difference{'' if len(found) == 1 else 's'}")


async def _stop(port: int) -> None:
    await asyncio.to_thread(_background.stop, port)


def _show(cloud: Simulator, output: Output | None) -> None:
    exports = cloud.exports()
    if output is not None:
        _print_exports(exports, output)
        return
    typer.echo(f"ThingSpace simulator with {len(cloud.devices):,} devices in account {cloud.account_name}.")
    if cloud.has_admin:
        typer.echo(f"View and control it at {cloud.url}/__admin/")
    typer.echo("To use it, set these variables:\n")
    _print_exports(exports, Output.ENV)
    typer.echo("\nStop it with Ctrl-C.")


def _print_exports(exports: dict[str, str], output: Output) -> None:
    if output is Output.JSON:
        typer.echo(orjson.dumps(exports).decode())
    else:
        for name, value in exports.items():
            typer.echo(f"export {name}={shlex.quote(value)}")
    sys.stdout.flush()


def _moment(text: str) -> datetime:
    if text == "now":
        return datetime.now(UTC)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise WrongUsage("--start must be now, or a time like 2026-11-01T00:00:00Z") from None
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)


def _merged(
    known: Credentials, client_id: str | None, client_secret: str | None, username: str | None, password: str | None
) -> Credentials:
    return Credentials(
        client_id=client_id or known.client_id,
        client_secret=client_secret or known.client_secret,
        username=username or known.username,
        password=password or known.password,
    )


def _import(cloud: Controls, path: Path) -> None:
    from thingspace_async.simulator.imports import add_csv

    try:
        add_csv(cloud, path.read_text("utf-8-sig"))
    except (OSError, ValueError) as error:
        raise WrongUsage(f"--from {path}: {error}") from None


@contextmanager
def _requests_logged(*, wanted: bool) -> Iterator[None]:
    logger = logging.getLogger("thingspace_async.simulator")
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(asctime)s  %(message)s", "%H:%M:%S"))
    logger.addHandler(handler)
    logger.setLevel(logging.INFO if wanted else logging.WARNING)
    logger.propagate = False  # With -v, each line would be printed twice.
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.propagate = True
