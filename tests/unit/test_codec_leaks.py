"""An unreadable answer may hold a secret, so no frame of ours in the traceback may show the answer."""

import traceback
from pathlib import Path
from types import TracebackType

import pytest

import thingspace_async
from thingspace_async._core.operation import Operation
from thingspace_async._core.reading import read_answer
from thingspace_async._core.transport import Answer
from thingspace_async.errors import AnswerUnreadable
from thingspace_async.session_management.calls import LOG_IN, OAUTH_TOKEN, RESET_PASSWORD

HIDDEN = "n-hidden-n"
PACKAGE = str(Path(thingspace_async.__file__).parent)


def _frames(trace: TracebackType | None) -> list[str]:
    """Return the local variables of each frame of the package, as error reporters do."""
    shown = []
    while trace is not None:
        code = trace.tb_frame.f_code
        if code.co_filename.startswith((PACKAGE, "<codec of")):
            shown.append(f"{code.co_name}: {trace.tb_frame.f_locals!r}")
        trace = trace.tb_next
    return shown


@pytest.mark.parametrize(
    ("operation", "body"),
    [
        (RESET_PASSWORD, f'{{"newPasswort": "{HIDDEN}"}}'),
        (RESET_PASSWORD, f'{{"newPassword": ["{HIDDEN}"]}}'),
        (RESET_PASSWORD, f'{{"newPassword": "{HIDDEN}"'),
        (RESET_PASSWORD, f"<html>{HIDDEN}</html>"),
        (RESET_PASSWORD, f'["{HIDDEN}"]'),
        (LOG_IN, f'{{"sessionToken": {{"{HIDDEN}": "{HIDDEN}"}}}}'),
        (LOG_IN, f'"{HIDDEN}"'),
        (OAUTH_TOKEN, f'{{"access_token": "{HIDDEN}", "token_type": 5}}'),
    ],
)
def test_no_frame_of_ours_shows_an_unreadable_answer(operation: Operation[object, object], body: str) -> None:
    with pytest.raises(AnswerUnreadable) as caught:
        read_answer(operation, Answer(200, {}, body.encode()), 1)
    error = caught.value
    frames = _frames(error.__traceback__)
    assert frames
    assert HIDDEN not in "".join(frames)
    assert error.__context__ is error.__cause__ is None
    assert error.body == body.encode()
    shown = traceback.TracebackException.from_exception(error, capture_locals=True)
    shown.stack = traceback.StackSummary.from_list(
        [frame for frame in shown.stack if frame.filename.startswith(PACKAGE)]
    )
    assert HIDDEN not in "".join(shown.format()) + str(error) + repr(error)
