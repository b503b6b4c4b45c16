"""Releases in an S3-compatible bucket, through boto3.

Every object is sent with its SHA-256, which the server checks on receipt. Credentials come from
the AWS chain (environment, profile, role) and never appear in a message.
"""

from __future__ import annotations

import base64
import hashlib
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import boto3
from boto3.s3.transfer import TransferConfig
from botocore import exceptions as aws
from botocore.config import Config

from warehouse.storage import MissingObjectError, StorageError, check_key, is_key, whole_file

PARTS = TransferConfig(
    multipart_threshold=16 << 20, multipart_chunksize=16 << 20, max_concurrency=4
)
# A copy in one request is atomic on the server; S3 takes up to 5 GB that way.
WHOLE_COPY = TransferConfig(multipart_threshold=4 << 30, multipart_chunksize=1 << 30)
_BUCKET = re.compile(r"[a-z0-9][a-z0-9.\-]{1,61}[a-z0-9]")
_MISSING = {"NoSuchKey", "404", "NotFound"}
_ADVICE = {
    "NoSuchBucket": ("the bucket does not exist", "Create it, or correct its name."),
    "InvalidAccessKeyId": ("the server does not know this access key", ""),
    "SignatureDoesNotMatch": ("the secret key does not fit the access key", ""),
    "ExpiredToken": ("the session token has expired", ""),
    "InvalidToken": ("the session token is not valid", ""),
    "AccessDenied": (
        "access was refused",
        "The credentials need s3:GetObject, PutObject, DeleteObject and ListBucket here.",
    ),
    "RequestTimeTooSkewed": ("this machine's clock is wrong", "Set the clock and try again."),
    "PermanentRedirect": ("the bucket is in another region", "Set AWS_REGION to it."),
    "AuthorizationHeaderMalformed": ("the bucket is in another region", "Set AWS_REGION to it."),
    "SlowDown": ("the server asks for fewer requests", "Wait a little and run again."),
    "ConditionalRequestConflict": (
        "another publisher is writing the same object",
        "Wait until it is done and run again.",
    ),
    "BadDigest": ("the bytes were damaged on their way", "Run again."),
}
_ADVICE["403"] = _ADVICE["Forbidden"] = _ADVICE["AccessDenied"]
_ADVICE["301"] = _ADVICE["PermanentRedirect"]
_CREDENTIALS = "Check AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or the AWS profile."


class S3Storage:
    """A bucket, or a prefix in one."""

    def __init__(self, url: str, *, endpoint: str | None = None) -> None:
        self.bucket, self._prefix = _split(url)
        self.url = f"s3://{self.bucket}/{self._prefix}".rstrip("/")
        self._server = "AWS"
        self._bucket_seen = False
        try:
            with self._told(""):
                self._client = client(endpoint)
        except ValueError as error:
            todo = "Write it as http://host:port."
            raise StorageError("AWS_ENDPOINT_URL_S3", "is not an address", todo) from error
        self._server = _without_user(self._client.meta.endpoint_url)

    def put_bytes(self, key: str, data: bytes, if_absent: bool = False) -> bool:
        """Stores an object. False if `if_absent` was asked and one is there; it is untouched."""
        digest = base64.b64encode(hashlib.sha256(data).digest()).decode()
        condition = {"IfNoneMatch": "*"} if if_absent else {}
        at = self._at(key)
        with self._told(key):
            try:
                self._client.put_object(**at, Body=data, ChecksumSHA256=digest, **condition)
            except aws.ClientError as error:
                if _code(error) in ("PreconditionFailed", "412"):
                    return False
                raise
        return True

    def put_file(self, key: str, path: Path) -> None:
        """Stores a local file, in parts where it is large; replaces an object that is there."""
        at = self._at(key)
        checked = {"ChecksumAlgorithm": "SHA256"}
        with path.open("rb") as stream, self._told(key):
            self._client.upload_fileobj(stream, **at, ExtraArgs=checked, Config=PARTS)

    def copy(self, source: str, key: str) -> None:
        """Copies an object on the server. Raises MissingObjectError."""
        origin, at = self._at(source), self._at(key)
        with self._told(source):
            self._client.copy(origin, **at, Config=WHOLE_COPY)

    def get_bytes(self, key: str) -> bytes:
        """A whole (small) object. Raises MissingObjectError."""
        at = self._at(key)
        with self._told(key):
            data: bytes = self._client.get_object(**at)["Body"].read()
            return data

    def download(self, key: str, path: Path) -> None:
        """Writes an object to a local file, whole or not at all. Raises MissingObjectError."""
        at = self._at(key)
        with whole_file(path) as stream, self._told(key):
            self._client.download_fileobj(**at, Fileobj=stream, Config=PARTS)

    def exists(self, key: str) -> bool:
        """Whether there is an object."""
        return self.size(key) is not None

    def size(self, key: str) -> int | None:
        """Bytes of an object, None where there is none."""
        at = self._at(key)
        try:
            with self._told(key):
                return int(self._client.head_object(**at)["ContentLength"])
        except MissingObjectError:
            return None

    def keys(self, prefix: str = "") -> list[str]:
        """Keys that start with `prefix`, sorted; servers differ in the order of a listing."""
        base = f"{self._prefix}/" if self._prefix else ""
        pages = self._client.get_paginator("list_objects_v2")
        with self._told(prefix):
            found = [
                item["Key"].removeprefix(base)
                for page in pages.paginate(Bucket=self.bucket, Prefix=base + prefix)
                for item in page.get("Contents", ())
            ]
        return sorted(filter(is_key, found))

    def delete(self, key: str) -> None:
        """Removes an object; one that is not there is no error."""
        at = self._at(key)
        with self._told(key):
            self._client.delete_object(**at)

    def _at(self, key: str) -> dict[str, str]:
        full = f"{self._prefix}/{check_key(key)}" if self._prefix else check_key(key)
        return {"Bucket": self.bucket, "Key": full}

    @contextmanager
    def _told(self, key: str) -> Iterator[None]:
        """Turns what boto3 raises into a StorageError for people, without secrets."""
        where = f"{self.url}/{key}".rstrip("/")
        try:
            yield
        except aws.ClientError as error:
            if _code(error) in _MISSING:
                self._need_bucket()
                raise MissingObjectError(where) from error
            raise self._refused(where, error) from error
        except aws.BotoCoreError as error:
            raise self._unreachable(where, error) from error
        except OSError as error:
            raise StorageError(where, error.strerror or str(error), "Check the disk.") from error

    def _need_bucket(self) -> None:
        """Raises StorageError when it is the bucket that is missing: a HEAD's 404 does not say."""
        if self._bucket_seen:
            return
        try:
            self._client.head_bucket(Bucket=self.bucket)
        except aws.ClientError as error:
            if _code(error) in {*_MISSING, "NoSuchBucket"}:
                raise StorageError(self._bucket_at, *_ADVICE["NoSuchBucket"]) from error
        self._bucket_seen = True

    @property
    def _bucket_at(self) -> str:
        return f"s3://{self.bucket} on {self._server}"

    def _refused(self, where: str, error: aws.ClientError) -> StorageError:
        code = _code(error)
        if code == "NoSuchBucket":
            where = self._bucket_at
        said = str(error.response.get("Error", {}).get("Message", ""))[:200]
        what, todo = _ADVICE.get(
            code, (f"the server answered {code}: {said}", "See the server's log, or run again.")
        )
        return StorageError(where, what, todo or _CREDENTIALS)

    def _unreachable(self, where: str, error: aws.BotoCoreError) -> StorageError:
        if isinstance(error, (aws.NoCredentialsError, aws.PartialCredentialsError)):
            return StorageError(where, "no AWS credentials were found", _CREDENTIALS)
        if isinstance(error, (aws.ConnectionError, aws.HTTPClientError)):
            todo = "Is it running? Check AWS_ENDPOINT_URL_S3 and the network, then run again."
            return StorageError(where, f"{self._server} cannot be reached", todo)
        if isinstance(error, aws.FlexibleChecksumError):
            return StorageError(where, "the bytes do not fit the server's checksum", "Run again.")
        what = f"{type(error).__name__}: {_without_user(str(error))[:200]}"
        return StorageError(where, what, "Check the AWS settings (environment, profile).")


def client(endpoint: str | None = None) -> Any:  # noqa: ANN401 - boto3 has no types
    """A boto3 S3 client: path-style when an endpoint is set, few retries, short waits.

    boto3 itself reads AWS_DEFAULT_REGION only; AWS_REGION is what every other client reads.
    """
    endpoint = (
        endpoint or os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL")
    )
    region = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")
    style = {"addressing_style": "path"} if endpoint else {}
    config = Config(
        retries={"mode": "standard", "total_max_attempts": 4},
        connect_timeout=5,
        read_timeout=60,
        s3=style,
    )
    if endpoint and region is None:
        region = "us-east-1"  # S3-compatible servers sign with it unless told otherwise
    return boto3.session.Session().client(
        "s3", endpoint_url=endpoint, region_name=region, config=config
    )


def _split(url: str) -> tuple[str, str]:
    """Bucket and prefix of `s3://bucket/prefix`; the message never repeats a user name."""
    bucket, _, prefix = url.removeprefix("s3://").partition("/")
    if not _BUCKET.fullmatch(bucket):
        shown = "s3://…" if "@" in bucket else url
        raise StorageError(shown, "not a bucket's name", "Write s3://bucket or s3://bucket/prefix.")
    prefix = prefix.rstrip("/")
    return bucket, check_key(prefix) if prefix else ""


def _code(error: aws.ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))


def _without_user(text: str) -> str:
    return re.sub(r"(?<=://)[^/@\s]*@", "", text)
