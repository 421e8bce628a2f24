"""The base of all rooms: codec, transport, login and the typed caller."""
