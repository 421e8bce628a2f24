"""`thingspace fleet`: change any number of devices, and continue interrupted runs."""

from __future__ import annotations

import attrs
import typer

from thingspace_async._cli.fleet.change import change
from thingspace_async._cli.fleet.options import ACTIONS
from thingspace_async._cli.fleet.runs import list_runs, show_status

__all__ = ["app"]

app = typer.Typer(no_args_is_help=True, add_completion=False)

_STATUSES = (
    "Exit status: 0, all devices succeeded; 1, the command failed; 2, an option or the file is wrong; 3, nothing was "
    "sent, because the run is finished or the file has no devices; 4, some devices did not succeed; 130 or 143, "
    "interrupted."
)


@app.callback(epilog=_STATUSES)
def fleet() -> None:
    """Change any number of devices. An interrupted command continues when you run it again."""


for _action in ACTIONS:
    _example = (
        f"Example: thingspace fleet {_action.name} --account 0000123456-00001 --from devices.csv {_action.example}"
    )
    app.command(_action.name, epilog=f"{_example.rstrip()}\n\n{_STATUSES}")(_action.command(change))
    if _action.name == "change-plan":  # Keeps its earlier name, which the names of runs contain, working.
        app.command("plan", hidden=True)(attrs.evolve(_action, name="plan").command(change))

app.command("runs", epilog="Example: thingspace fleet runs --inbox messages.db")(list_runs)
app.command("status", epilog="Example: thingspace fleet status 'suspend devices' --json")(show_status)
