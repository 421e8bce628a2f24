"""`thingspace usage`: the data and messages that devices have used in a month."""

from thingspace_async._cli.usage.command import usage

__all__ = ["usage"]
