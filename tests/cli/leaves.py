"""All commands of the command line."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from typer.main import get_command

from thingspace_async._cli import COMMANDS, app

__all__ = ["leaves"]


def leaves() -> dict[tuple[str, ...], Any]:
    """Return each command that does something, by its words, such as `("fleet", "suspend")`."""
    group: Any = get_command(app)
    return {words: command for name in COMMANDS for words, command in _below((name,), group.get_command(None, name))}


def _below(words: tuple[str, ...], command: Any) -> Iterator[tuple[tuple[str, ...], Any]]:
    if not hasattr(command, "commands"):
        yield words, command
        return
    for name, found in command.commands.items():
        if not found.hidden:
            yield from _below((*words, name), found)
