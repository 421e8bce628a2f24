"""The simulator's admin API at `/__admin`, its description at `/__admin/openapi.json`, and its page at `/__admin/`."""
