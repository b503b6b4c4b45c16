"""An S3-compatible bucket as storage, through boto3.

Every object is sent with its SHA-256 as a header. The server checks it on receipt, part by part,
and stores it as metadata, so no bytes are fetched to check what is stored. A server that does not
know the header still checks the SHA-256 that every request is signed with.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import IO, Any, TypeVar

from boto3.s3.transfer import TransferConfig
from botocore import exceptions as aws

from warehouse.storage.content_types import content_type
from warehouse.storage.files import atomic_writer, file_sha256
from warehouse.storage.files import sha256 as sha256_of
from warehouse.storage.protocol import (
    Digest,
    MissingObjectError,
    StorageError,
    Stored,
    Unfinished,
    is_key,
)
from warehouse.storage.s3_client import ATTEMPTS, as_header
from warehouse.storage.s3_conditions import are_honored
from warehouse.storage.s3_connection import Connection
from warehouse.storage.s3_errors import BROKEN_OFF, MISSING, code_of

PARTS = TransferConfig(
    multipart_threshold=16 << 20, multipart_chunksize=16 << 20, max_concurrency=4
)
# A copy in one request is atomic on the server; S3 allows up to 5 GB.
WHOLE_COPY = TransferConfig(multipart_threshold=4 << 30, multipart_chunksize=1 << 30)
READ = 1 << 20
SHA256 = "sha256"  # metadata key: AWS stores no checksum of the whole object if it came in parts
T = TypeVar("T")
_TOO_LARGE = {"InvalidRequest", "EntityTooLarge"}  # more than 5 GB in one copy
_CHANGED = {"PreconditionFailed", "412", "ConditionalRequestConflict", "409"}


class S3Storage:
    """A bucket, or a prefix in one."""

    def __init__(self, url: str, *, endpoint: str | None = None) -> None:
        self._server = Connection(url, endpoint)
        self.url = self._server.url

    def require_conditions(self) -> None:
        """Raises StorageError if two writers can overwrite each other unnoticed here."""
        self._has_conditions()

    def _has_conditions(self) -> bool:
        return are_honored(self, f"{self.url} on {self._server.address}")

    def put_bytes(self, key: str, data: bytes, if_absent: bool = False) -> bool:
        """Stores an object. With `if_absent`, returns False and changes nothing if one exists."""
        return self._put(key, data, sha256_of(data), {"IfNoneMatch": "*"} if if_absent else {})

    def put_if(self, key: str, data: bytes, condition: dict[str, str]) -> bool:
        """Stores an object under a condition. False if the server reports that it is not met."""
        return self._put_once(key, data, sha256_of(data), condition)

    def _put(
        self, key: str, body: bytes | IO[bytes], sha256: str, condition: dict[str, str]
    ) -> bool:
        """Stores an object in one request. False if the condition is not met.

        If the server ignores conditions, and that was allowed, the existing object is checked
        before: that is not atomic.
        """
        if condition and not self._has_conditions():
            if not self._is_met(key, condition):
                return False
            condition = {}
        return self._put_once(key, body, sha256, condition)

    def _is_met(self, key: str, condition: dict[str, str]) -> bool:
        head = self._head(key)
        return head["ETag"] == condition.get("IfMatch") if head else "IfNoneMatch" in condition

    def _put_once(
        self, key: str, body: bytes | IO[bytes], sha256: str, condition: dict[str, str]
    ) -> bool:
        sent = {"Metadata": {SHA256: sha256}, "ContentType": content_type(key), **condition}
        at = self._server.at(key)

        def send(checksum: dict[str, str]) -> None:
            if not isinstance(body, bytes):
                body.seek(0)
            self._server.client.put_object(**at, Body=body, **sent, **checksum)

        with self._server.translate_errors(key):
            try:
                self._server.with_checksum(send, {"ChecksumSHA256": as_header(sha256)})
            except aws.ClientError as error:
                missing = "IfMatch" in condition and code_of(error) in MISSING
                if condition and (missing or code_of(error) in _CHANGED):
                    return False
                raise
        return True

    def put_file(
        self, key: str, path: Path, sha256: str | None = None, if_absent: bool = False
    ) -> bool:
        """Stores a local file, in parts if it is large.

        With `if_absent`, returns False and changes nothing if an object exists. The file is then
        sent in one request of up to 5 GB, since boto3 supports no condition on parts.
        """
        sha256 = sha256 or file_sha256(path)
        how = {"Metadata": {SHA256: sha256}, "ContentType": content_type(key)}
        at = self._server.at(key)
        with path.open("rb") as stream:
            if if_absent or path.stat().st_size < PARTS.multipart_threshold:
                return self._put(key, stream, sha256, {"IfNoneMatch": "*"} if if_absent else {})

            def send(checksum: dict[str, str]) -> None:
                stream.seek(0)
                self._server.client.upload_fileobj(
                    stream, **at, ExtraArgs=how | checksum, Config=PARTS
                )

            with self._server.translate_errors(key):
                self._server.with_checksum(send, {"ChecksumAlgorithm": "SHA256"})
        return True

    def copy(self, source: str, key: str) -> None:
        """Copies an object on the server. Raises MissingObjectError."""
        origin, at = self._server.at(source), self._server.at(key)
        with self._server.translate_errors(source):
            try:  # one request; the managed copy below asks for the source's size first
                self._server.client.copy_object(CopySource=origin, **at)
            except aws.ClientError as error:
                if error.response["Error"].get("Code") not in _TOO_LARGE:
                    raise
                self._server.client.copy(origin, **at, Config=WHOLE_COPY)

    def get_bytes(self, key: str) -> bytes:
        """A whole (small) object. Raises MissingObjectError."""
        return self._read(key, b"".join)[0]

    def get_version(self, key: str) -> tuple[bytes, str] | None:
        """A whole (small) object and its ETag; None if there is none."""
        try:
            return self._read(key, b"".join)
        except MissingObjectError:
            return None

    def _read(self, key: str, take: Callable[[Iterable[bytes]], T]) -> tuple[T, str]:
        """The result of `take` on an object's bytes, and the ETag.

        boto3 does not retry once a response has started, so this does.
        """
        at = self._server.at(key)
        with self._server.translate_errors(key):
            for _ in range(ATTEMPTS - 1):
                with suppress(*BROKEN_OFF):
                    return self._read_once(at, take)
            return self._read_once(at, take)

    def _read_once(self, at: dict[str, str], take: Callable[[Iterable[bytes]], T]) -> tuple[T, str]:
        answer = self._server.client.get_object(**at)
        return take(answer["Body"].iter_chunks(READ)), answer["ETag"]

    def swap(self, key: str, data: bytes, version: str | None) -> bool:
        """Stores an object only if the existing one still has this version (None: is absent).

        boto3 repeats a request whose response was lost, and may then find its own bytes stored.
        """
        condition = {"IfNoneMatch": "*"} if version is None else {"IfMatch": version}
        try:
            if self._put(key, data, sha256_of(data), condition):
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
        """Writes an object to a local file, atomically. Raises MissingObjectError."""
        at = self._server.at(key)
        with atomic_writer(path, durable=durable) as stream, self._server.translate_errors(key):
            self._server.client.download_fileobj(**at, Fileobj=stream, Config=PARTS)

    def rehash(self, key: str) -> Digest:
        """Reads and hashes every byte of an object. Raises MissingObjectError."""
        return self._read(key, _digest)[0]

    def holds(self, key: str, digest: Digest) -> bool:
        """Whether the object was stored with these bytes; reads it only without a checksum."""
        head = self._head(key)
        if head is None or head["ContentLength"] != digest.bytes:
            return False
        stored = head.get("Metadata", {}).get(SHA256)
        return bool(stored == digest.sha256) if stored else self.rehash(key) == digest

    def size(self, key: str) -> int | None:
        """Size of an object in bytes, None if there is none."""
        head = self._head(key)
        return None if head is None else int(head["ContentLength"])

    def _head(self, key: str) -> dict[str, Any] | None:
        at = self._server.at(key)
        try:
            with self._server.translate_errors(key):
                head: dict[str, Any] = self._server.client.head_object(**at)
                return head
        except MissingObjectError:
            return None

    def listing(self, prefix: str = "") -> list[Stored]:
        """Objects whose keys start with `prefix`, sorted: servers list in different orders."""
        pages = self._server.client.get_paginator("list_objects_v2")
        with self._server.translate_errors(prefix):
            found = [
                Stored(
                    item["Key"].removeprefix(self._server.base), item["Size"], item["LastModified"]
                )
                for page in pages.paginate(
                    Bucket=self._server.bucket, Prefix=self._server.base + prefix
                )
                for item in page.get("Contents", ())
            ]
        return sorted(stored for stored in found if is_key(stored.key))

    def keys(self, prefix: str = "") -> list[str]:
        """Keys that start with `prefix`, sorted."""
        return [stored.key for stored in self.listing(prefix)]

    def delete(self, key: str) -> None:
        """Removes an object; a missing one is not an error. Raises RefusedError."""
        at = self._server.at(key)
        with self._server.translate_errors(key):
            self._server.client.delete_object(**at)

    def unfinished(self) -> list[Unfinished]:
        """Multipart uploads that were neither completed nor aborted."""
        pages = self._server.client.get_paginator("list_multipart_uploads")
        with self._server.translate_errors(""):
            found = [
                Unfinished(u["Key"].removeprefix(self._server.base), u["Initiated"], u["UploadId"])
                for page in pages.paginate(Bucket=self._server.bucket, Prefix=self._server.base)
                for u in page.get("Uploads", ())
            ]
        return sorted(upload for upload in found if is_key(upload.key))

    def abort(self, upload: Unfinished) -> None:
        """Aborts a multipart upload; a missing one is not an error."""
        at = self._server.at(upload.key)
        with self._server.translate_errors(upload.key):
            try:
                self._server.client.abort_multipart_upload(**at, UploadId=upload.handle)
            except aws.ClientError as error:
                if code_of(error) not in {"NoSuchUpload", *MISSING}:
                    raise


def _digest(pieces: Iterable[bytes]) -> Digest:
    whole, size = hashlib.sha256(), 0
    for piece in pieces:
        whole.update(piece)
        size += len(piece)
    return Digest(size, whole.hexdigest())
