"""Redis at another time: its scripts, with a fixed clock."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from thingspace_async.redis._scripts import Script

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def timed(script: Script, now: datetime) -> Script:
    """Return a copy of a script that sees `now` as the time of Redis."""
    seconds, rest = divmod(now - _EPOCH, timedelta(seconds=1))
    text = script.text.replace("redis.call('TIME')", f"{{'{seconds}', '{rest.microseconds}'}}")
    assert text != script.text
    return Script(text, writes=script.writes)
