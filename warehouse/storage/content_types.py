"""Content types of published files, for HTTP clients."""

from __future__ import annotations

from pathlib import PurePosixPath

# S3 serves the type that was uploaded, and a browser runs scripts only with the right one.
CONTENT_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".jsonl": "application/jsonl",
    ".md": "text/markdown; charset=utf-8",
    ".parquet": "application/vnd.apache.parquet",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
    ".xml": "application/xml",
    ".yaml": "application/yaml",
}


def content_type(key: str) -> str:
    """The content type of an object, from the suffix of its key."""
    return CONTENT_TYPES.get(PurePosixPath(key).suffix, "application/octet-stream")
