"""`thingspace request`: call any endpoint with the tokens of a session."""

from __future__ import annotations

import sys
from contextlib import suppress
from pathlib import Path
from types import NoneType
from typing import Annotated, Any, get_args

import orjson
import typer

from thingspace_async import Response
from thingspace_async._cli._access import Access
from thingspace_async._cli._groups import with_groups
from thingspace_async._cli._run import WrongUsage, confirm, run
from thingspace_async._core.operation import Method, Operation, Server, check_headers, check_path
from thingspace_async.errors import ApiError

__all__ = ["request"]


@with_groups
def request(
    access: Access,
    *,
    method: Annotated[str, typer.Argument(help="GET, POST, PUT, PATCH or DELETE.", show_default=False)],
    path: Annotated[
        str, typer.Argument(help="Path below the server's base URL, such as /m2m/v1/accounts.", show_default=False)
    ],
    data: Annotated[
        str | None, typer.Option("--data", "-d", help="The body as JSON; @FILE reads a file, and - reads stdin.")
    ] = None,
    header: Annotated[list[str] | None, typer.Option(help="A header, such as 'VendorID: 42'.")] = None,
    server: Annotated[str, typer.Option(help="The API's server, such as software_management_v3.")] = "thingspace",
    include: Annotated[bool, typer.Option("--include", "-i", help="Print the status and the headers first.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the request, and send nothing.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask. Scripts need it.")] = False,
) -> None:
    """Call any endpoint with the tokens of a session, and print the answer.

    The tokens are sent to the environment's own servers only. All methods but GET ask first, and are never repeated. A
    JSON answer is indented on a terminal. If the platform refuses the request, its answer is printed, too, and the exit
    status is 1.
    """

    async def work() -> None:
        verb, host = _checked(method, server)
        base, headers, body = access.place.bases[host], _headers(header or ()), _body(data)
        operation = _operation(verb, path, host, base, headers)
        if dry_run:
            _show(operation, base, headers, body)
            return
        if verb != "GET" and not yes:
            await confirm(f"This will send {verb} {path} to {access.place.name}. Continue?")
        if body is not None:
            headers = {"Content-Type": "application/json", **headers}
        async with access.session() as session:
            options: dict[str, Any] = {"headers": headers, "server": host, "repeatable": verb == "GET"}
            try:
                answer = await session.request(verb, path, content=body, **options)
            except ApiError as error:
                if error.operation == operation.name:  # Otherwise a login was refused.
                    if include:
                        typer.echo(f"HTTP {error.status}\n")
                    _print(error.body or b"")
                raise
        if include:
            _print_head(answer)
        _print(answer.body)

    run(work)


def _checked(method: str, server: str) -> tuple[Method, Server]:
    """Return the method in capitals, and the server. Raises ConfigurationError for an unknown one."""
    verb = next((one for one in get_args(Method) if one == method.upper()), None)
    if verb is None:
        raise WrongUsage(f"{method} is not a method: choose from {', '.join(get_args(Method))}")
    host = next((one for one in get_args(Server) if one == server), None)
    if host is None:
        raise WrongUsage(f"--server {server} does not exist: choose from {', '.join(get_args(Server))}")
    return verb, host


def _operation(method: Method, path: str, server: Server, base: str, headers: dict[str, str]) -> Operation[None, None]:
    """Return the operation, as errors name it. Raises InvalidRequest if it cannot be sent."""
    check_path(path, base)
    name = f"{method} {path.partition('?')[0]}"
    check_headers(name, headers)
    return Operation(name, method, path, NoneType, NoneType, server=server)


def _headers(given: list[str] | tuple[()]) -> dict[str, str]:
    headers: dict[str, str] = {}
    for line in given:
        name, separator, value = line.partition(":")
        if not separator:
            raise WrongUsage(f"--header {line} is not a header: write a name, a colon and a value")
        headers[name.strip()] = value.strip()
    return headers


def _body(data: str | None) -> bytes | None:
    """Return the body. Raises ConfigurationError unless it is JSON."""
    if data is None:
        return None
    try:
        if data == "-":
            body = sys.stdin.buffer.read()
        elif data.startswith("@"):
            body = Path(data[1:]).read_bytes()
        else:
            body = data.encode()
        orjson.loads(body)
    except OSError as error:
        raise WrongUsage(f"--data {data} cannot be read: {error.strerror}") from None
    except orjson.JSONDecodeError as error:
        raise WrongUsage(f"--data is not JSON: {error}") from None
    return body


def _show(operation: Operation[None, None], base: str, headers: dict[str, str], body: bytes | None) -> None:
    """Print a request. The tokens do not exist yet."""
    typer.echo(f"{operation.method} {base}{operation.path}")
    for name, value in {"Authorization": "***", operation.session_header: "***", **headers}.items():
        typer.echo(f"{name}: {value}")
    if body is not None:
        typer.echo(f"\n{body.decode()}")


def _print_head(answer: Response) -> None:
    typer.echo(f"HTTP {answer.status}")
    for name, value in answer.headers.items():
        typer.echo(f"{name}: {value}")
    typer.echo()


def _print(body: bytes) -> None:
    """Print an answer: JSON indented for people, and everything else as it is."""
    if sys.stdout.isatty():
        with suppress(orjson.JSONDecodeError):
            body = orjson.dumps(orjson.loads(body), option=orjson.OPT_INDENT_2)
    sys.stdout.flush()
    sys.stdout.buffer.write(body + b"\n" if body and sys.stdout.isatty() else body)
    sys.stdout.buffer.flush()
