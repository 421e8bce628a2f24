"""The command line: `thingspace`, or `python -m thingspace_async`."""

from __future__ import annotations

import sys

from thingspace_async import __version__


def main() -> None:
    """Run the command line. If its libraries are missing, print what to install."""
    if sys.argv[1:] == ["--version"]:  # Without the libraries, which take longer to load than everything else.
        sys.stdout.write(f"{__version__}\n")
        return
    try:
        from thingspace_async._cli import app

        app(prog_name="thingspace")
    except KeyboardInterrupt:  # While libraries load. Later, the command handles it and logs out.
        sys.exit(130)
    except ModuleNotFoundError as missing:
        package = (missing.name or "").partition(".")[0]
        if package not in ("typer", "rich"):
            raise
        sys.exit(f"thingspace: the command line needs {package}: pip install 'thingspace_async[cli]'")


if __name__ == "__main__":
    main()
