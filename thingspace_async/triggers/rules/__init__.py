"""Rules of triggers: the usage that they watch, their conditions, and their actions."""
