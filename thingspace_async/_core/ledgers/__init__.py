"""Runs in the stores that one machine uses: in memory, and in a SQLite file."""
