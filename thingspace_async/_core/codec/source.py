"""Generated Python source."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final, cast

from thingspace_async._core.codec.kinds import Mismatch

__all__ = ["Source", "nested"]


class Source:
    """Python source under construction, and the objects that it refers to."""

    def __init__(self) -> None:
        self._lines: list[str] = []
        self._names: dict[str, object] = {"Mismatch": Mismatch}
        self._indent = ""
        self._fresh = 0

    def add(self, line: str) -> None:
        """Append a line to the open block."""
        self._lines.append(self._indent + line)

    @contextmanager
    def block(self, head: str) -> Iterator[None]:
        """Append a compound statement. Lines added within the block are its body."""
        self.add(head)
        outer, self._indent = self._indent, self._indent + "    "
        yield
        self._indent = outer

    def fresh(self, prefix: str) -> str:
        """Return an unused name for a local variable."""
        self._fresh += 1
        return f"{prefix}_{self._fresh}"

    def name(self, prefix: str, value: object) -> str:
        """Return a name for an object in the generated code."""
        name = f"{prefix}_{len(self._names)}"
        self._names[name] = value
        return name

    def build(self, function: str, label: str) -> Callable[..., Any]:
        """Compile the source and return one of its functions."""
        exec(compile("\n".join(self._lines), f"<codec of {label}>", "exec"), self._names)  # noqa: S102
        return cast("Callable[..., Any]", self._names[function])


_building: Final[set[tuple[str, type]]] = set()


def nested(work: str, cls: type, find: Callable[[type], Callable[..., Any]]) -> Callable[..., Any]:
    """Return the function of a class, or a function that finds it when called, if a model contains itself."""
    if (work, cls) in _building:
        return lambda value: find(cls)(value)  # noqa: PLW0108 - it exists when it is called
    _building.add((work, cls))
    try:
        return find(cls)
    finally:
        _building.discard((work, cls))
