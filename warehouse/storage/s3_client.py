"""The boto3 client. Credentials come from the AWS chain: environment, profile or role."""

from __future__ import annotations

import base64
import hashlib
import os
import re
from typing import Any
from urllib.parse import urlsplit

import boto3
import botocore.session
from botocore.config import Config

from warehouse.storage.protocol import StorageError, check_key

ATTEMPTS, CONNECT_SECONDS, READ_SECONDS = 4, 5, 60
_BUCKET = re.compile(r"[a-z0-9][a-z0-9.\-]{1,61}[a-z0-9]")
_AWS = (".amazonaws.com", ".amazonaws.com.cn")


def client(endpoint: str | None = None, *, checksums: bool = True) -> Any:  # noqa: ANN401 - boto3 has no types
    """A boto3 S3 client with few retries and short timeouts, path-style on other servers than AWS.

    Region, server and addressing style come from the environment or the profile; boto3 itself does
    not read AWS_REGION. Without `checksums`, boto3 sends none.
    """
    endpoint = (
        endpoint or os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL")
    )
    core = botocore.session.get_session()
    session = boto3.session.Session(botocore_session=core)
    region = os.environ.get("AWS_REGION") or core.get_config_variable("region")
    if not endpoint:
        made = _make(session, None, region, checksums=checksums)
        if (urlsplit(made.meta.endpoint_url).hostname or "").endswith(_AWS):
            return made
    # The default region of S3-compatible servers is us-east-1.
    return _make(session, endpoint, region or "us-east-1", _style(core), checksums=checksums)


def _style(core: botocore.session.Session) -> dict[str, str]:
    """Path-style addresses, unless the profile has a style of its own."""
    own = core.get_scoped_config().get("s3") or {}
    return {} if "addressing_style" in own else {"addressing_style": "path"}


def _make(
    session: boto3.session.Session,
    endpoint: str | None,
    region: str | None,
    style: dict[str, str] | None = None,
    *,
    checksums: bool,
) -> Any:  # noqa: ANN401
    config = Config(
        retries={"mode": "standard", "total_max_attempts": ATTEMPTS},
        connect_timeout=CONNECT_SECONDS,
        read_timeout=READ_SECONDS,
        s3=style or None,
        request_checksum_calculation=None if checksums else "when_required",
    )
    made = session.client("s3", endpoint_url=endpoint, region_name=region, config=config)
    made.meta.events.register("before-parameter-build.s3.UploadPart", _checksum_as_header)
    return made


def _checksum_as_header(params: dict[str, Any], **_: object) -> None:
    """The checksum of a part as a header: boto3 would send a trailer, which many servers refuse."""
    if params.pop("ChecksumAlgorithm", None):
        body, start = params["Body"], params["Body"].tell()
        params["ChecksumSHA256"] = as_header(hashlib.sha256(body.read()).hexdigest())
        body.seek(start)


def as_header(sha256: str) -> str:
    """A hex digest as S3 writes it."""
    return base64.b64encode(bytes.fromhex(sha256)).decode()


def split_url(url: str) -> tuple[str, str]:
    """Bucket and prefix of `s3://bucket/prefix`. Errors never repeat a user name."""
    bucket, _, prefix = url.removeprefix("s3://").partition("/")
    if not _BUCKET.fullmatch(bucket):
        shown = "s3://…" if "@" in bucket else url
        raise StorageError(shown, "invalid bucket name", "Use s3://bucket or s3://bucket/prefix.")
    prefix = prefix.rstrip("/")
    return bucket, check_key(prefix) if prefix else ""
