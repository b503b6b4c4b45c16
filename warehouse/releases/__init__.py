"""A release: what it may hold, its files, and the metadata that describes it."""
