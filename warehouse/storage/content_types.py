"""What a published file is, for whoever fetches it over HTTP."""

from __future__ import annotations

from pathlib import PurePosixPath

# A browser shows a page and runs its scripts only under their own types; S3 tells what it was told.
CONTENT_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".md": "text/markdown; charset=utf-8",
    ".parquet": "application/vnd.apache.parquet",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
}


def content_type(key: str) -> str:
    """The media type of an object, by the ending of its key."""
    return CONTENT_TYPES.get(PurePosixPath(key).suffix, "application/octet-stream")
