"""Print the operations of a group, or one operation or model, and everything that is known of it.

python -m tests.facts                      every group, with its number of operations
python -m tests.facts sms                  a group
python -m tests.facts sms.send_sms         an operation
python -m tests.facts SmssendRequest       a model
"""

from __future__ import annotations

import re
import sys
from collections import Counter
from collections.abc import Iterator

from tests.facts import FACTS, operations

NAMES = re.compile(r"\w+")


def show(name: str) -> Iterator[str]:
    """Yield the lines of all files about a group, an operation or a model, and about the models that it uses."""
    models: dict[str, list[str]] = {}
    for line in _lines("models", "enums", "page_models"):
        models.setdefault(_key(line), []).append(line)
    found = [line for line in _lines("operations", "page_operations") if f"{_key(line)}.".startswith(f"{name}.")]
    if not found:
        found = models.pop(name, [])
    for line in found:  # The list grows by the models that each line uses.
        yield line
        for used in NAMES.findall(line.partition(":")[2]):
            found += models.pop(used, [])
    shown = {_key(line) for line in found}
    for line in _lines("constraints", "examples", "differences"):
        if shown & {_key(line), _key(line).rpartition(".")[0]}:
            yield line


def _key(line: str) -> str:
    return line.removeprefix('{"name":').split('"')[1]


def _lines(*files: str) -> list[str]:
    return [
        line.rstrip(",")
        for file in files
        for line in (FACTS / f"{file}.json").read_text(encoding="utf-8").splitlines()[1:-1]
    ]


def main() -> None:
    if len(sys.argv) == 1:
        for group, count in sorted(Counter(operation.group for operation in operations()).items()):
            sys.stdout.write(f"{count:4} {group}\n")
    elif shown := list(show(sys.argv[1])):
        sys.stdout.write("\n".join(shown) + "\n")
    else:
        sys.exit(f"no group, operation or model is named {sys.argv[1]!r}: run it without arguments for the groups")


if __name__ == "__main__":
    main()
