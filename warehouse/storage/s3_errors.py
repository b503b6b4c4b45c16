"""Readable errors, without secrets, for what S3 servers and boto3 report."""

from __future__ import annotations

import re

from botocore import exceptions as aws
from botocore.parsers import ResponseParserError

from warehouse.storage.protocol import RefusedError, StorageError, UnsupportedError

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
UNSUPPORTED = {"NotImplemented", "501", "InvalidArgument", "InvalidRequest", "MethodNotAllowed"}
_WRONG_KEY = "SignatureDoesNotMatch"
_DENIED = (
    "access denied",
    "Give these credentials one of the policies in infra/s3/policies: publisher, cleaner or "
    "reader.",
)
_REDIRECTS = ("PermanentRedirect", "301", "IllegalLocationConstraintException")
_REGION = ("the bucket is in another region", "Set AWS_REGION to it.")
_FULL = (
    "the server is out of disk space",
    "Free space (`observatory releases clean` removes old releases) and run again.",
)
_NO_BUCKET = ("the bucket does not exist", "Create it, or correct its name.")
_CREDENTIALS = "Check AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or the AWS profile."
_ADVICE = {
    NO_BUCKET: _NO_BUCKET,
    **dict.fromkeys(MISSING, _NO_BUCKET),
    "InvalidAccessKeyId": ("unknown access key", _CREDENTIALS),
    _WRONG_KEY: (
        "the secret key does not match the access key, or something on the way changed the request",
        _CREDENTIALS,
    ),
    "ExpiredToken": ("the session token has expired", _CREDENTIALS),
    "InvalidToken": ("the session token is not valid", _CREDENTIALS),
    **dict.fromkeys(("AccessDenied", "403", "Forbidden"), _DENIED),
    "RequestTimeTooSkewed": ("the clock of this machine is wrong", "Set the clock and run again."),
    **dict.fromkeys(_REDIRECTS, _REGION),
    "SlowDown": ("the server limits the rate of requests", "Wait a minute and run again."),
    "ConditionalRequestConflict": (
        "another publisher is writing the same object",
        "Run again when it has finished.",
    ),
    **dict.fromkeys(("InsufficientStorage", "507", "XMinioStorageFull"), _FULL),
    "InternalError": (
        "internal error of the server",
        f"Check its log and its free disk space. {_RETRY}",
    ),
    "BadDigest": ("the bytes were damaged in transfer", "Run again."),
    "400": (
        "the server rejected the request without a reason (HTTP 400)",
        "Check the session token, AWS_REGION and the clock of this machine.",
    ),
}


def response_error(where: str, error: aws.ClientError, *, accepted: bool = False) -> StorageError:
    """The server responded with an error. `accepted`: it accepted other requests before."""
    code, message = code_of(error), _message(error)
    if code == _WRONG_KEY and accepted:
        return UnsupportedError(where, *_changed_on_the_way(message))
    if region := _other_region(error):
        return StorageError(where, f"the bucket is in region {region}", f"Set AWS_REGION={region}.")
    if code in UNSUPPORTED:
        what = f"the server does not support this request ({code}: {message})"
        return UnsupportedError(where, what, "Check AWS_ENDPOINT_URL_S3 and the server's manual.")
    unknown = (f"the server reported {code}: {message}", "Check the server's log, or run again.")
    what, todo = _ADVICE.get(code, unknown)
    if (what, todo) != _DENIED:
        return StorageError(where, what, todo)
    plain = {"", "forbidden", "accessdenied"}
    is_plain = message.lower().replace(" ", "") in plain
    return RefusedError(where, what if is_plain else f"{what} ({message})", todo)


def _changed_on_the_way(message: str) -> tuple[str, str]:
    what = "the server accepts these keys but rejects the signature of this request"
    todo = "The server, or a proxy before it, does not support or changes one of its headers."
    return f"{what} ({message})" if message else what, todo


def _message(error: aws.ClientError) -> str:
    """The server's own words, on one line."""
    return " ".join(str(error.response.get("Error", {}).get("Message", "")).split())[:200].rstrip(
        "."
    )


def _other_region(error: aws.ClientError) -> str:
    """The bucket's region, if the server names another one than the request."""
    if code_of(error) not in {"AuthorizationHeaderMalformed", *_REDIRECTS}:
        return ""
    headers = error.response.get("ResponseMetadata", {}).get("HTTPHeaders", {})
    named = headers.get("x-amz-bucket-region") or error.response.get("Error", {}).get("Region")
    return str(named or "")


def no_response_error(where: str, server: str, error: Exception) -> StorageError:
    """There was no response, or an incomplete one."""
    if isinstance(error, (aws.NoCredentialsError, aws.PartialCredentialsError)):
        return StorageError(where, "no AWS credentials found", _CREDENTIALS)
    if isinstance(error, (aws.ReadTimeoutError, aws.ConnectTimeoutError)):
        todo = f"Check whether the server is overloaded. {_RETRY}"
        return StorageError(where, f"{server} did not respond in time", todo)
    if isinstance(error, BROKEN_OFF):
        return StorageError(where, f"{server} closed the connection early", _RETRY)
    if isinstance(error, aws.SSLError):
        what = f"the TLS certificate of {server} is not trusted, or it does not use TLS"
        return StorageError(where, what, "Check AWS_ENDPOINT_URL_S3, or set AWS_CA_BUNDLE.")
    if isinstance(error, aws.ProxyConnectionError):
        todo = "Check HTTP_PROXY, HTTPS_PROXY and NO_PROXY."
        return StorageError(where, f"the proxy before {server} cannot be reached", todo)
    if isinstance(error, (aws.ConnectionError, aws.HTTPClientError)):
        todo = "Check that it is running, AWS_ENDPOINT_URL_S3 and the network, then run again."
        return StorageError(where, f"{server} cannot be reached", todo)
    if isinstance(error, aws.FlexibleChecksumError):
        return StorageError(where, "the bytes do not match the server's checksum", "Run again.")
    if isinstance(error, ResponseParserError):
        todo = "Check AWS_ENDPOINT_URL_S3 and the proxy."
        return StorageError(where, f"the response of {server} is not one of an S3 server", todo)
    what = f"{type(error).__name__}: {without_user(str(error))[:200]}"
    return StorageError(where, what, "Check the AWS settings (environment, profile).")


def code_of(error: aws.ClientError) -> str:
    """The error's code, such as `NoSuchKey`; a HEAD request gives only the status."""
    return str(error.response.get("Error", {}).get("Code", ""))


def without_user(text: str) -> str:
    """An address without user name and password."""
    return re.sub(r"(?<=://)[^/@\s]*@", "", text)
