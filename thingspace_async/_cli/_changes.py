"""Options of commands that change or bill something."""

from __future__ import annotations

from typing import Annotated

import attrs
import typer

from thingspace_async._cli._run import confirm

__all__ = ["Change", "number"]


@attrs.frozen(kw_only=True)
class Change:
    """Whether to ask, and whether to change anything."""

    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check everything, and change nothing.")] = False
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask. Scripts need it.")] = False

    async def allowed(self, what: str) -> bool:
        """Return whether to go on. A dry run prints the change instead. Raises typer.Abort if the answer is no."""
        if self.dry_run:
            typer.echo(f"would {what}", err=True)
        elif not self.yes:
            await confirm(f"This will {what}. Continue?")
        return not self.dry_run


def number(count: int, noun: str) -> str:
    """Return a number with its noun."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
