"""`thingspace locate`: locate the devices of an account, and write a map, GeoJSON and CSV."""

from thingspace_async._cli.locate.command import locate

__all__ = ["locate"]
