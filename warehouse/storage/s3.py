"""Releases in an S3-compatible bucket, through boto3.

Every object is sent with its SHA-256, which the server checks on receipt, part by part, and which
stays beside the object: no bytes are fetched to know what was stored. Credentials come from the AWS
chain (environment, profile, role) and never appear in a message.
"""

from __future__ import annotations

import base64
import hashlib
import os
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any, TypeVar

import boto3
from boto3.s3.transfer import TransferConfig
from botocore import exceptions as aws
from botocore.config import Config
from s3transfer.exceptions import RetriesExceededError

from warehouse.storage.content_types import content_type
from warehouse.storage.files import file_sha256
from warehouse.storage.local import atomic_writer
from warehouse.storage.protocol import (
    Digest,
    MissingObjectError,
    StorageError,
    Stored,
    Unfinished,
    check_key,
    is_key,
)
from warehouse.storage.s3_errors import (
    BROKEN_OFF,
    MISSING,
    NO_BUCKET,
    code_of,
    refused,
    unreachable,
    without_user,
)

PARTS = TransferConfig(
    multipart_threshold=16 << 20, multipart_chunksize=16 << 20, max_concurrency=4
)
# A copy in one request is atomic on the server; S3 takes up to 5 GB that way.
WHOLE_COPY = TransferConfig(multipart_threshold=4 << 30, multipart_chunksize=1 << 30)
READ = 1 << 20
ATTEMPTS, CONNECT_SECONDS, READ_SECONDS = 4, 5, 60
SHA256 = "sha256"  # of an object's metadata: AWS keeps no whole checksum of what came in parts
T = TypeVar("T")
_CHANGED = {"PreconditionFailed", "412", "ConditionalRequestConflict", "409"}
_BUCKET = re.compile(r"[a-z0-9][a-z0-9.\-]{1,61}[a-z0-9]")


class S3Storage:
    """A bucket, or a prefix in one."""

    def __init__(self, url: str, *, endpoint: str | None = None) -> None:
        self.bucket, self._prefix = _split(url)
        self.url = f"s3://{self.bucket}/{self._prefix}".rstrip("/")
        self._server = "AWS"
        self._bucket_seen = False
        try:
            with self._translate_errors(""):
                self._client = client(endpoint)
        except ValueError as error:
            todo = "Write it as http://host:port."
            raise StorageError("AWS_ENDPOINT_URL_S3", "is not an address", todo) from error
        self._server = without_user(self._client.meta.endpoint_url)

    def put_bytes(self, key: str, data: bytes, if_absent: bool = False) -> bool:
        """Stores an object. False if `if_absent` was asked and one is there; it is untouched."""
        condition = {"IfNoneMatch": "*"} if if_absent else {}
        return self._put(key, data, hashlib.sha256(data).hexdigest(), condition)

    def _put(self, key: str, body: bytes | IO[bytes], sha256: str, asked: dict[str, str]) -> bool:
        """One request; False where the condition that was asked does not hold."""
        sent = {
            "ChecksumSHA256": base64.b64encode(bytes.fromhex(sha256)).decode(),
            "Metadata": {SHA256: sha256},
            "ContentType": content_type(key),
        }
        at = self._at(key)
        with self._translate_errors(key):
            try:
                self._client.put_object(**at, Body=body, **sent, **asked)
            except aws.ClientError as error:
                missing = "IfMatch" in asked and code_of(error) in MISSING
                if asked and (missing or code_of(error) in _CHANGED):
                    return False
                raise
        return True

    def put_file(
        self, key: str, path: Path, sha256: str | None = None, if_absent: bool = False
    ) -> bool:
        """Stores a local file, in parts where it is large.

        False if `if_absent` was asked and an object is there; it is untouched. Asked so, the file
        goes in one request, of which S3 takes up to 5 GB: boto3 sets no condition on parts.
        """
        sha256 = sha256 or file_sha256(path)
        at = self._at(key)
        with path.open("rb") as stream, self._translate_errors(key):
            if if_absent:
                return self._put(key, stream, sha256, {"IfNoneMatch": "*"})
            how = {"ChecksumAlgorithm": "SHA256", "Metadata": {SHA256: sha256}}
            how["ContentType"] = content_type(key)
            self._client.upload_fileobj(stream, **at, ExtraArgs=how, Config=PARTS)
        return True

    def copy(self, source: str, key: str) -> None:
        """Copies an object on the server. Raises MissingObjectError."""
        origin, at = self._at(source), self._at(key)
        with self._translate_errors(source):
            self._client.copy(origin, **at, Config=WHOLE_COPY)

    def get_bytes(self, key: str) -> bytes:
        """A whole (small) object. Raises MissingObjectError."""
        return self._read(key, b"".join)[0]

    def get_version(self, key: str) -> tuple[bytes, str] | None:
        """A whole (small) object and its ETag; None where there is none."""
        try:
            return self._read(key, b"".join)
        except MissingObjectError:
            return None

    def _read(self, key: str, take: Callable[[Iterable[bytes]], T]) -> tuple[T, str]:
        """What `take` makes of an object's bytes, and its ETag.

        boto3 does not try again once an answer has begun, so that is done here.
        """
        at = self._at(key)
        with self._translate_errors(key):
            for _ in range(ATTEMPTS - 1):
                with suppress(*BROKEN_OFF):
                    return self._read_once(at, take)
            return self._read_once(at, take)

    def _read_once(self, at: dict[str, str], take: Callable[[Iterable[bytes]], T]) -> tuple[T, str]:
        answer = self._client.get_object(**at)
        return take(answer["Body"].iter_chunks(READ)), answer["ETag"]

    def swap(self, key: str, data: bytes, version: str | None) -> bool:
        """Stores an object only where the one there is still of this version (None: absent).

        A put whose answer was lost is sent again by boto3, and then meets its own bytes.
        """
        condition = {"IfNoneMatch": "*"} if version is None else {"IfMatch": version}
        try:
            if self._put(key, data, hashlib.sha256(data).hexdigest(), condition):
                return True
        except StorageError:
            if not self._is_now(key, data):
                raise
        return self._is_now(key, data)

    def _is_now(self, key: str, data: bytes) -> bool:
        try:
            return self.get_bytes(key) == data
        except StorageError:
            return False

    def download(self, key: str, path: Path, durable: bool = True) -> None:
        """Writes an object to a local file, whole or not at all. Raises MissingObjectError."""
        at = self._at(key)
        with atomic_writer(path, durable=durable) as stream, self._translate_errors(key):
            self._client.download_fileobj(**at, Fileobj=stream, Config=PARTS)

    def rehash(self, key: str) -> Digest:
        """Reads every byte of an object and says what they are. Raises MissingObjectError."""
        return self._read(key, _digest)[0]

    def holds(self, key: str, digest: Digest) -> bool:
        """Whether the object was stored with these bytes; read only where nothing says so."""
        head = self._head(key)
        if head is None or head["ContentLength"] != digest.bytes:
            return False
        kept = head.get("Metadata", {}).get(SHA256)
        return bool(kept == digest.sha256) if kept else self.rehash(key) == digest

    def size(self, key: str) -> int | None:
        """Bytes of an object, None where there is none."""
        head = self._head(key)
        return None if head is None else int(head["ContentLength"])

    def _head(self, key: str) -> dict[str, Any] | None:
        at = self._at(key)
        try:
            with self._translate_errors(key):
                head: dict[str, Any] = self._client.head_object(**at)
                return head
        except MissingObjectError:
            return None

    def listing(self, prefix: str = "") -> list[Stored]:
        """Objects whose keys start with `prefix`, sorted; servers differ in a listing's order."""
        pages = self._client.get_paginator("list_objects_v2")
        with self._translate_errors(prefix):
            found = [
                Stored(item["Key"].removeprefix(self._base), item["Size"], item["LastModified"])
                for page in pages.paginate(Bucket=self.bucket, Prefix=self._base + prefix)
                for item in page.get("Contents", ())
            ]
        return sorted(stored for stored in found if is_key(stored.key))

    def keys(self, prefix: str = "") -> list[str]:
        """Keys that start with `prefix`, sorted."""
        return [stored.key for stored in self.listing(prefix)]

    def delete(self, key: str) -> None:
        """Removes an object; one that is not there is no error. Raises RefusedError."""
        at = self._at(key)
        with self._translate_errors(key):
            self._client.delete_object(**at)

    def unfinished(self) -> list[Unfinished]:
        """Multipart uploads that were neither completed nor aborted."""
        pages = self._client.get_paginator("list_multipart_uploads")
        with self._translate_errors(""):
            found = [
                Unfinished(u["Key"].removeprefix(self._base), u["Initiated"], u["UploadId"])
                for page in pages.paginate(Bucket=self.bucket, Prefix=self._base)
                for u in page.get("Uploads", ())
            ]
        return sorted(upload for upload in found if is_key(upload.key))

    def abort(self, upload: Unfinished) -> None:
        """Aborts a multipart upload; one that is gone is no error."""
        at = self._at(upload.key)
        with self._translate_errors(upload.key):
            try:
                self._client.abort_multipart_upload(**at, UploadId=upload.handle)
            except aws.ClientError as error:
                if code_of(error) not in {"NoSuchUpload", *MISSING}:
                    raise

    @property
    def _base(self) -> str:
        return f"{self._prefix}/" if self._prefix else ""

    def _at(self, key: str) -> dict[str, str]:
        return {"Bucket": self.bucket, "Key": self._base + check_key(key)}

    @contextmanager
    def _translate_errors(self, key: str) -> Iterator[None]:
        """Turns what boto3 raises into a StorageError for people, without secrets."""
        where = f"{self.url}/{key}".rstrip("/")
        try:
            yield
        except aws.ClientError as error:
            if code_of(error) in MISSING:
                self._need_bucket()
                raise MissingObjectError(where) from error
            place = self._bucket_at if code_of(error) == NO_BUCKET else where
            raise refused(place, error) from error
        except aws.BotoCoreError as error:
            raise unreachable(where, self._server, error) from error
        except RetriesExceededError as error:
            raise unreachable(where, self._server, error.last_exception) from error
        except OSError as error:
            raise StorageError(where, error.strerror or str(error), "Check the disk.") from error

    def _need_bucket(self) -> None:
        """Raises StorageError when it is the bucket that is missing: a HEAD's 404 does not say."""
        if self._bucket_seen:
            return
        try:
            self._client.head_bucket(Bucket=self.bucket)
        except aws.ClientError as error:
            if code_of(error) in {*MISSING, NO_BUCKET}:
                raise refused(self._bucket_at, error) from error
        self._bucket_seen = True

    @property
    def _bucket_at(self) -> str:
        return f"s3://{self.bucket} on {self._server}"


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
        retries={"mode": "standard", "total_max_attempts": ATTEMPTS},
        connect_timeout=CONNECT_SECONDS,
        read_timeout=READ_SECONDS,
        s3=style,
    )
    if endpoint and region is None:
        region = "us-east-1"  # S3-compatible servers sign with it unless told otherwise
    return boto3.session.Session().client(
        "s3", endpoint_url=endpoint, region_name=region, config=config
    )


def _digest(pieces: Iterable[bytes]) -> Digest:
    whole, size = hashlib.sha256(), 0
    for piece in pieces:
        whole.update(piece)
        size += len(piece)
    return Digest(size, whole.hexdigest())


def _split(url: str) -> tuple[str, str]:
    """Bucket and prefix of `s3://bucket/prefix`; the message never repeats a user name."""
    bucket, _, prefix = url.removeprefix("s3://").partition("/")
    if not _BUCKET.fullmatch(bucket):
        shown = "s3://…" if "@" in bucket else url
        raise StorageError(shown, "not a bucket's name", "Write s3://bucket or s3://bucket/prefix.")
    prefix = prefix.rstrip("/")
    return bucket, check_key(prefix) if prefix else ""
