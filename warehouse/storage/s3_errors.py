"""What S3 servers and boto3 answer when something fails, told to people, without secrets."""

from __future__ import annotations

import re

from botocore import exceptions as aws

from warehouse.storage.protocol import RefusedError, StorageError

NO_BUCKET = "NoSuchBucket"
# An answer that began and did not end.
BROKEN_OFF = (
    aws.ConnectionClosedError,
    aws.IncompleteReadError,
    aws.ReadTimeoutError,
    aws.ResponseStreamingError,
)
_AGAIN = "Run again; what was stored is not sent twice."
MISSING = {"NoSuchKey", "404", "NotFound"}
_ADVICE = {
    "NoSuchBucket": ("the bucket does not exist", "Create it, or correct its name."),
    "InvalidAccessKeyId": ("the server does not know this access key", ""),
    "SignatureDoesNotMatch": ("the secret key does not fit the access key", ""),
    "ExpiredToken": ("the session token has expired", ""),
    "InvalidToken": ("the session token is not valid", ""),
    "AccessDenied": (
        "access was refused",
        "Give these credentials the rights of infra/s3/policies: publisher, cleaner or reader.",
    ),
    "RequestTimeTooSkewed": ("this machine's clock is wrong", "Set the clock and try again."),
    "PermanentRedirect": ("the bucket is in another region", "Set AWS_REGION to it."),
    "AuthorizationHeaderMalformed": ("the bucket is in another region", "Set AWS_REGION to it."),
    "SlowDown": ("the server asks for fewer requests", "Wait a little and run again."),
    "ConditionalRequestConflict": (
        "another publisher is writing the same object",
        "Wait until it is done and run again.",
    ),
    "InsufficientStorage": (
        "there is no room left on the server",
        "Make room (`observatory clean --apply` removes old releases) and run again.",
    ),
    "InternalError": (
        "the server failed inside",
        f"See its log and the room left on its disks. {_AGAIN}",
    ),
    "BadDigest": ("the bytes were damaged on their way", "Run again."),
}
_CREDENTIALS = "Check AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or the AWS profile."
_ADVICE["403"] = _ADVICE["Forbidden"] = _ADVICE["AccessDenied"]
_ADVICE["507"] = _ADVICE["XMinioStorageFull"] = _ADVICE["InsufficientStorage"]
_ADVICE["301"] = _ADVICE["PermanentRedirect"]
_ADVICE["404"] = _ADVICE["NotFound"] = _ADVICE[NO_BUCKET]


def refused(where: str, error: aws.ClientError) -> StorageError:
    """The server answered, and said no."""
    code = code_of(error)
    said = str(error.response.get("Error", {}).get("Message", ""))[:200]
    what, todo = _ADVICE.get(
        code, (f"the server answered {code}: {said}", "See the server's log, or run again.")
    )
    kind = RefusedError if what == _ADVICE["AccessDenied"][0] else StorageError
    return kind(where, what, todo or _CREDENTIALS)


def unreachable(where: str, server: str, error: Exception) -> StorageError:
    """There was no answer, or none that could be used."""
    if isinstance(error, (aws.NoCredentialsError, aws.PartialCredentialsError)):
        return StorageError(where, "no AWS credentials were found", _CREDENTIALS)
    if isinstance(error, (aws.ReadTimeoutError, aws.ConnectTimeoutError)):
        todo = f"Is the server overloaded? {_AGAIN}"
        return StorageError(where, f"{server} did not answer in time", todo)
    if isinstance(error, BROKEN_OFF):
        return StorageError(where, f"{server} broke the connection off", _AGAIN)
    if isinstance(error, (aws.ConnectionError, aws.HTTPClientError)):
        todo = "Is it running? Check AWS_ENDPOINT_URL_S3 and the network, then run again."
        return StorageError(where, f"{server} cannot be reached", todo)
    if isinstance(error, aws.FlexibleChecksumError):
        return StorageError(where, "the bytes do not fit the server's checksum", "Run again.")
    what = f"{type(error).__name__}: {without_user(str(error))[:200]}"
    return StorageError(where, what, "Check the AWS settings (environment, profile).")


def code_of(error: aws.ClientError) -> str:
    """The error's code, such as `NoSuchKey`; a HEAD has only its status."""
    return str(error.response.get("Error", {}).get("Code", ""))


def without_user(text: str) -> str:
    """An address without user name and password."""
    return re.sub(r"(?<=://)[^/@\s]*@", "", text)
