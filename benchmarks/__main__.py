"""`python -m benchmarks [NAME ...]`: run the benchmarks and print one table."""

from __future__ import annotations

import importlib
import importlib.metadata
import os
import platform
import sys
from datetime import UTC, datetime
from pathlib import Path

from benchmarks._measure import Row

_NAMES = (
    "call",
    "gather",
    "decode",
    "encode",
    "messages",
    "startup",
    "rooms",
    "memory",
    "expiry",
    "plugin",
    "inbox",
    "receiver",
    "fleet",
    "redis_store",
    "redis_inbox",
    "postgres_inbox",
)
_LIBRARIES = ("aiohttp", "attrs", "cattrs", "orjson", "pydantic")
_HEADINGS = ("what", "ours", "floor", "median", "min-max", "bar", "met")


def main() -> None:
    """Run the named benchmarks, or all."""
    names = sys.argv[1:] or _NAMES
    if unknown := set(names) - set(_NAMES):
        sys.exit(f"unknown benchmark {', '.join(sorted(unknown))}: use {', '.join(_NAMES)}")
    rows: list[Row] = []
    for name in names:
        print(f"{name} ...", file=sys.stderr, flush=True)
        rows += importlib.import_module(f"benchmarks.{name}").run()
    print(_machine())
    print(_table([_HEADINGS, *(row.cells for row in rows)]))


def _machine() -> str:
    versions = []
    for library in _LIBRARIES:
        try:
            versions.append(f"{library} {importlib.metadata.version(library)}")
        except importlib.metadata.PackageNotFoundError:
            versions.append(f"{library} not installed")
    python = f"{platform.python_implementation()} {platform.python_version()}"
    today = datetime.now(UTC).date()
    return f"{_processor()}, {os.cpu_count()} cores; {python}, {', '.join(versions)}; {today}"


def _processor() -> str:
    known = Path("/proc/cpuinfo")
    lines = known.read_text(encoding="utf-8").splitlines() if known.exists() else []
    return next((line.partition(": ")[2] for line in lines if line.startswith("model name")), platform.processor())


def _table(rows: list[tuple[str, ...]]) -> str:
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    lines.insert(1, "-" * max(map(len, lines)))
    return "\n".join(lines)


if __name__ == "__main__":
    main()
