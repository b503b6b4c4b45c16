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
    Credentials come only from the AWS chain. Raises StorageError for any other kind of address, and
    for one that is misspelt: it would become the name of a folder.
    """
    scheme = re.match(r"\s*([A-Za-z][A-Za-z0-9+.\-]*)://", url)
    if scheme is None:
        return LocalStorage(_local_root(url))
    url = url.strip()
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


# `s3:/bucket`, `s3:bucket`, `s3//bucket` and `s3;//bucket` would become folders of that name.
_MISSPELLED = re.compile(
    r"(?i)\s*((s3[an]?|file|gc?s|https?|ftp|az|abfss?|hf|r2|b2|minio):|s3;?//|[a-z][a-z0-9+.\-]*:/)"
)


def _local_root(text: str) -> Path:
    if misspelled := _MISSPELLED.match(text):
        raise StorageError(
            f"{misspelled[1]}…",
            "is neither a folder nor an address",
            "Use s3://bucket/prefix or file:///absolute/path; for a folder of that name ./ before "
            "it.",
        )
    if text.strip():
        return Path(text).expanduser().absolute()
    raise StorageError("storage address", "is empty", "Use a folder or s3://bucket/prefix.")


def _file_url_path(url: str) -> Path:
    parts = urlsplit(url)
    if "?" in url or "#" in url:  # not part of a path there: another folder would be used
        raise StorageError(
            "file://…", "has a '?' or '#'", "Write %3F or %23, or a path without file://."
        )
    if parts.netloc in ("", "localhost") and parts.path.startswith("/"):
        return Path(unquote(parts.path))
    raise StorageError("file://…", "names another machine", "Use file:///absolute/path.")
