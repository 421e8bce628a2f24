"""The ports that commands listen on unless the user names others."""

from __future__ import annotations

from tests.cli.leaves import leaves
from thingspace_async.callbacks.models import _PORTS

LEAVES = leaves()


def test_no_two_servers_have_the_same_default_port() -> None:
    """A simulator, a receiver and a fleet command run on one machine at the same time."""
    ports = {
        f"{' '.join(words)} {option.name}": option.default
        for words, command in LEAVES.items()
        for option in command.params
        if option.name is not None and option.name.endswith("port")
    }
    of_fleet = {place: port for place, port in ports.items() if place.startswith("fleet ")}
    assert len(of_fleet) == 5
    assert len(set(of_fleet.values())) == 1
    others = [port for place, port in ports.items() if place not in of_fleet]
    assert len({*others, *of_fleet.values()}) == len(others) + 1 == 4


def test_the_platform_posts_to_the_default_ports_of_receivers() -> None:
    for words in (("receiver",), ("fleet", "suspend")):
        (port,) = [option.default for option in LEAVES[words].params if option.name == "port"]
        assert any(port in allowed for allowed in _PORTS)
