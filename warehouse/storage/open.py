"""Opens the storage at an address."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import unquote, urlsplit

from warehouse.storage.local import LocalStorage
from warehouse.storage.protocol import Storage, StorageError


def open_storage(url: str, *, endpoint: str | None = None) -> Storage:
    """The storage at an address. No connection is made yet.

    `url` is a folder (a path or `file://`) or `s3://bucket/prefix`. `endpoint` is the address of an
    S3-compatible server; default: AWS_ENDPOINT_URL_S3, AWS_ENDPOINT_URL, or AWS itself.
    Credentials come only from the AWS chain. Raises StorageError for any other kind of address.
    """
    scheme = re.match(r"([A-Za-z][A-Za-z0-9+.\-]*)://", url)
    if scheme is None:
        return LocalStorage(_local_root(url))
    if scheme[1] == "file":
        return LocalStorage(_file_url_path(url))
    if scheme[1] == "s3":
        from warehouse.storage.s3 import S3Storage  # noqa: PLC0415 - boto3 is slow to import

        return S3Storage(url, endpoint=endpoint)
    raise StorageError(
        f"{scheme[1]}://…",
        "unsupported kind of storage",
        "Use a folder, file:///absolute/path or s3://bucket/prefix.",
    )


def _local_root(text: str) -> Path:
    if text.strip():
        return Path(text).expanduser().absolute()
    raise StorageError("storage address", "is empty", "Use a folder or s3://bucket/prefix.")


def _file_url_path(url: str) -> Path:
    parts = urlsplit(url)
    if parts.netloc in ("", "localhost") and parts.path.startswith("/"):
        return Path(unquote(parts.path))
    raise StorageError("file://…", "names another machine", "Use file:///absolute/path.")
