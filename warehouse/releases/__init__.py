"""Releases: their content, files and metadata."""
