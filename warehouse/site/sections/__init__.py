"""The sections of the page, each read from the release's own tables."""
