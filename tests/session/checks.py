"""Checks that every error of the package must pass."""

from __future__ import annotations

import contextlib
import pickle
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Generic, TypeVar

import attrs

import thingspace_async
from thingspace_async import ThingSpaceError

_OURS = str(Path(thingspace_async.__file__).parent)

E = TypeVar("E", bound=ThingSpaceError)


@attrs.define
class Caught(Generic[E]):
    """The error that a block has raised."""

    error: E = attrs.field(init=False)

    def __str__(self) -> str:
        return str(self.error)


@contextmanager
def raises(kind: type[E], *secrets: str) -> Iterator[Caught[E]]:
    """Expect an error of exactly this type, on one line, without any of the platform's secrets in it."""
    caught: Caught[E] = Caught()
    try:
        yield caught
    except kind as error:
        caught.error = error
    else:
        raise AssertionError(f"no {kind.__name__} was raised")
    assert type(caught.error) is kind
    assert str(caught.error).splitlines() == [str(caught.error)]
    assert_keeps_secrets(caught.error, *secrets)


def assert_keeps_secrets(error: BaseException, *secrets: str) -> None:
    """Assert that an error, its chain and our frames in its traceback hold no secret of the fake platform."""
    hidden = ("hush", *secrets)
    for place, text in _everything_shown(error):
        for secret in hidden:
            assert secret not in text, f"{place} shows {secret!r}: {text}"


def _everything_shown(error: BaseException) -> Iterator[tuple[str, str]]:
    for link in _chain(error):
        kind = type(link).__name__
        yield f"str({kind})", str(link)
        yield f"repr({kind})", repr(link)
        yield f"args of {kind}", repr(link.args)
        yield f"notes of {kind}", repr(getattr(link, "__notes__", None))
        for frame, _ in traceback.walk_tb(link.__traceback__):
            if _is_ours(frame):
                yield from _locals(frame)
    yield "traceback", "".join(traceback.format_exception(error))
    yield "pickle", repr(pickle.dumps(error))
    yield "str(unpickled)", str(pickle.loads(pickle.dumps(error)))


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    if error is not None:
        yield error
        yield from _chain(error.__cause__)
        yield from _chain(error.__context__)


def _is_ours(frame: FrameType) -> bool:
    name = frame.f_code.co_filename
    return name.startswith((_OURS, "<attrs generated methods thingspace_async", "<codec of"))


def _locals(frame: FrameType) -> Iterator[tuple[str, str]]:
    for name, value in frame.f_locals.items():
        # Tools that print tracebacks do the same: a half-initialised object may have no repr.
        with contextlib.suppress(AttributeError):
            yield f"local {name} of {frame.f_code.co_name}", repr(value)
