"""The connection to a bucket, or to a prefix in one: keys, errors, and how checksums are sent."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http import HTTPStatus
from typing import Any

from botocore import exceptions as aws
from botocore.parsers import ResponseParserError
from s3transfer.exceptions import RetriesExceededError

from warehouse.storage.protocol import MissingObjectError, StorageError, check_key
from warehouse.storage.s3_client import client, split_url
from warehouse.storage.s3_errors import (
    MISSING,
    NO_BUCKET,
    UNSUPPORTED,
    code_of,
    no_response_error,
    response_error,
    without_user,
)


class Connection:
    """A boto3 client for one bucket. `address` is the server's."""

    def __init__(self, url: str, endpoint: str | None) -> None:
        self.bucket, self._prefix = split_url(url)
        self.url = f"s3://{self.bucket}/{self._prefix}".rstrip("/")
        self.address, self._endpoint = "AWS", endpoint
        self._bucket_seen = self._accepted = False
        self.client = self._connect()
        self.address = without_user(self.client.meta.endpoint_url)
        wish = self.client.meta.config.request_checksum_calculation
        self._sends_checksums = wish != "when_required"

    def _connect(self, *, checksums: bool = True) -> Any:  # noqa: ANN401 - boto3 has no types
        try:
            with self.translate_errors(""):
                made = client(self._endpoint, checksums=checksums)
        except ValueError as error:
            todo = "Use http://host:port."
            raise StorageError("AWS_ENDPOINT_URL_S3", "invalid address", todo) from error
        made.meta.events.register("after-call.s3", self._note_success)
        return made

    def _note_success(self, http_response: Any, **_: object) -> None:  # noqa: ANN401
        self._accepted |= http_response.status_code < HTTPStatus.MULTIPLE_CHOICES

    def with_checksum(
        self, send: Callable[[dict[str, str]], None], checksum: dict[str, str]
    ) -> None:
        """Sends with the checksum, and again without one if the server does not support it."""
        if not self._sends_checksums:
            send({})
            return
        try:
            send(checksum)
        except aws.ClientError as error:
            if code_of(error) not in UNSUPPORTED:
                raise
            self._send_without(send)

    def _send_without(self, send: Callable[[dict[str, str]], None]) -> None:
        before, self.client = self.client, self._connect(checksums=False)
        try:
            send({})
        except aws.ClientError:
            self.client = before
            raise
        self._sends_checksums = False

    @property
    def base(self) -> str:
        """The prefix of every key."""
        return f"{self._prefix}/" if self._prefix else ""

    def at(self, key: str) -> dict[str, str]:
        """Bucket and key of an object, as boto3 takes them."""
        return {"Bucket": self.bucket, "Key": self.base + check_key(key)}

    @contextmanager
    def translate_errors(self, key: str) -> Iterator[None]:
        """Turns errors of boto3 into a StorageError, without secrets."""
        where = f"{self.url}/{key}".rstrip("/")
        try:
            yield
        except aws.ClientError as error:
            if code_of(error) in MISSING:
                self._require_bucket()
                raise MissingObjectError(where) from error
            place = self._bucket_at if code_of(error) == NO_BUCKET else where
            raise response_error(place, error, accepted=self._accepted) from error
        except (aws.BotoCoreError, ResponseParserError) as error:
            raise no_response_error(where, self.address, error) from error
        except RetriesExceededError as error:
            raise no_response_error(where, self.address, error.last_exception) from error
        except OSError as error:
            todo = "Check the local disk and its free space."
            raise StorageError(where, error.strerror or str(error), todo) from error

    def _require_bucket(self) -> None:
        """Raises StorageError if the bucket is missing: the 404 of a HEAD does not say so."""
        if self._bucket_seen:
            return
        try:
            self.client.head_bucket(Bucket=self.bucket)
        except aws.ClientError as error:
            if code_of(error) in {*MISSING, NO_BUCKET}:
                raise response_error(self._bucket_at, error) from error
        self._bucket_seen = True

    @property
    def _bucket_at(self) -> str:
        return f"s3://{self.bucket} on {self.address}"
