"""Building blocks from which most endpoints are declared."""
