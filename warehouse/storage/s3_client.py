"""The boto3 client. Credentials come from the AWS chain: environment, profile or role."""

from __future__ import annotations

import os
import re
from typing import Any

import boto3
from botocore.config import Config

from warehouse.storage.protocol import StorageError, check_key

ATTEMPTS, CONNECT_SECONDS, READ_SECONDS = 4, 5, 60
_BUCKET = re.compile(r"[a-z0-9][a-z0-9.\-]{1,61}[a-z0-9]")


def client(endpoint: str | None = None) -> Any:  # noqa: ANN401 - boto3 has no types
    """A boto3 S3 client, path-style if an endpoint is set, with few retries and short timeouts.

    boto3 itself reads only AWS_DEFAULT_REGION; other clients read AWS_REGION.
    """
    endpoint = (
        endpoint or os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL")
    )
    region = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")
    style = {"addressing_style": "path"} if endpoint else {}
    config = Config(
        retries={"mode": "standard", "total_max_attempts": ATTEMPTS},
        connect_timeout=CONNECT_SECONDS,
        read_timeout=READ_SECONDS,
        s3=style,
    )
    if endpoint and region is None:
        region = "us-east-1"  # the default region of S3-compatible servers
    return boto3.session.Session().client(
        "s3", endpoint_url=endpoint, region_name=region, config=config
    )


def split_url(url: str) -> tuple[str, str]:
    """Bucket and prefix of `s3://bucket/prefix`. Errors never repeat a user name."""
    bucket, _, prefix = url.removeprefix("s3://").partition("/")
    if not _BUCKET.fullmatch(bucket):
        shown = "s3://…" if "@" in bucket else url
        raise StorageError(shown, "invalid bucket name", "Use s3://bucket or s3://bucket/prefix.")
    prefix = prefix.rstrip("/")
    return bucket, check_key(prefix) if prefix else ""
