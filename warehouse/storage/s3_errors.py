"""Readable errors, without secrets, for what S3 servers and boto3 report."""

from __future__ import annotations

import re

from botocore import exceptions as aws

from warehouse.storage.protocol import RefusedError, StorageError

NO_BUCKET = "NoSuchBucket"
# A response that started and was cut off.
BROKEN_OFF = (
    aws.ConnectionClosedError,
    aws.IncompleteReadError,
    aws.ReadTimeoutError,
    aws.ResponseStreamingError,
)
_RETRY = "Run again; objects that were stored are not sent again."
MISSING = {"NoSuchKey", "404", "NotFound"}
_ADVICE = {
    "NoSuchBucket": ("the bucket does not exist", "Create it, or correct its name."),
    "InvalidAccessKeyId": ("unknown access key", ""),
    "SignatureDoesNotMatch": ("the secret key does not match the access key", ""),
    "ExpiredToken": ("the session token has expired", ""),
    "InvalidToken": ("the session token is not valid", ""),
    "AccessDenied": (
        "access denied",
        "Give these credentials one of the policies in infra/s3/policies: publisher, cleaner or "
        "reader.",
    ),
    "RequestTimeTooSkewed": ("the clock of this machine is wrong", "Set the clock and run again."),
    "PermanentRedirect": ("the bucket is in another region", "Set AWS_REGION to it."),
    "AuthorizationHeaderMalformed": ("the bucket is in another region", "Set AWS_REGION to it."),
    "SlowDown": ("the server limits the rate of requests", "Wait a minute and run again."),
    "ConditionalRequestConflict": (
        "another publisher is writing the same object",
        "Run again when it has finished.",
    ),
    "InsufficientStorage": (
        "the server is out of disk space",
        "Free space (`observatory releases clean` removes old releases) and run again.",
    ),
    "InternalError": (
        "internal error of the server",
        f"Check its log and its free disk space. {_RETRY}",
    ),
    "BadDigest": ("the bytes were damaged in transfer", "Run again."),
}
_CREDENTIALS = "Check AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or the AWS profile."
_ADVICE["403"] = _ADVICE["Forbidden"] = _ADVICE["AccessDenied"]
_ADVICE["507"] = _ADVICE["XMinioStorageFull"] = _ADVICE["InsufficientStorage"]
_ADVICE["301"] = _ADVICE["PermanentRedirect"]
_ADVICE["404"] = _ADVICE["NotFound"] = _ADVICE[NO_BUCKET]


def response_error(where: str, error: aws.ClientError) -> StorageError:
    """The server responded with an error."""
    code = code_of(error)
    message = str(error.response.get("Error", {}).get("Message", ""))[:200]
    what, todo = _ADVICE.get(
        code, (f"the server reported {code}: {message}", "Check the server's log, or run again.")
    )
    kind = RefusedError if what == _ADVICE["AccessDenied"][0] else StorageError
    return kind(where, what, todo or _CREDENTIALS)


def no_response_error(where: str, server: str, error: Exception) -> StorageError:
    """There was no response, or an incomplete one."""
    if isinstance(error, (aws.NoCredentialsError, aws.PartialCredentialsError)):
        return StorageError(where, "no AWS credentials found", _CREDENTIALS)
    if isinstance(error, (aws.ReadTimeoutError, aws.ConnectTimeoutError)):
        todo = f"Check whether the server is overloaded. {_RETRY}"
        return StorageError(where, f"{server} did not respond in time", todo)
    if isinstance(error, BROKEN_OFF):
        return StorageError(where, f"{server} closed the connection early", _RETRY)
    if isinstance(error, (aws.ConnectionError, aws.HTTPClientError)):
        todo = "Check that it is running, AWS_ENDPOINT_URL_S3 and the network, then run again."
        return StorageError(where, f"{server} cannot be reached", todo)
    if isinstance(error, aws.FlexibleChecksumError):
        return StorageError(where, "the bytes do not match the server's checksum", "Run again.")
    what = f"{type(error).__name__}: {without_user(str(error))[:200]}"
    return StorageError(where, what, "Check the AWS settings (environment, profile).")


def code_of(error: aws.ClientError) -> str:
    """The error's code, such as `NoSuchKey`; a HEAD request gives only the status."""
    return str(error.response.get("Error", {}).get("Code", ""))


def without_user(text: str) -> str:
    """An address without user name and password."""
    return re.sub(r"(?<=://)[^/@\s]*@", "", text)
