"""Region, server and addressing style come from the profile; errors are named for what they are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.support.s3_places import forget_aws
from warehouse.storage.protocol import RefusedError, StorageError, UnsupportedError
from warehouse.storage.s3_client import client
from warehouse.storage.s3_errors import response_error

PROFILE = """[profile garage]
region = garage
endpoint_url = http://127.0.0.1:3900
aws_access_key_id = a
aws_secret_access_key = b
[profile virtual]
region = nl-ams
endpoint_url = https://s3.example.org
s3 =
  addressing_style = virtual
[profile aws]
region = eu-central-1
"""


@pytest.fixture
def env(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> pytest.MonkeyPatch:
    forget_aws(monkeypatch, tmp_path)
    (tmp_path / "config").write_text(PROFILE)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    return monkeypatch


def settings(endpoint: str | None = None) -> tuple[str, str, str | None]:
    """Region, server and addressing style of a new client."""
    meta = client(endpoint).meta
    return meta.region_name, meta.endpoint_url, (meta.config.s3 or {}).get("addressing_style")


def test_region_and_server_come_from_the_profile(env: pytest.MonkeyPatch) -> None:
    env.setenv("AWS_PROFILE", "garage")
    assert settings() == ("garage", "http://127.0.0.1:3900", "path")
    assert settings("http://127.0.0.1:9000") == ("garage", "http://127.0.0.1:9000", "path")


def test_the_environment_wins_over_the_profile(env: pytest.MonkeyPatch) -> None:
    env.setenv("AWS_PROFILE", "garage")
    env.setenv("AWS_REGION", "auto")
    env.setenv("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:9000")
    assert settings() == ("auto", "http://127.0.0.1:9000", "path")


def test_the_addressing_style_of_the_profile_is_kept(env: pytest.MonkeyPatch) -> None:
    env.setenv("AWS_PROFILE", "virtual")
    assert settings() == ("nl-ams", "https://s3.example.org", "virtual")


def test_aws_itself_and_servers_without_a_region(env: pytest.MonkeyPatch) -> None:
    assert settings("http://127.0.0.1:9000") == ("us-east-1", "http://127.0.0.1:9000", "path")
    env.setenv("AWS_PROFILE", "aws")
    assert settings() == ("eu-central-1", "https://s3.eu-central-1.amazonaws.com", None)


def error(code: str, message: str = "", status: int = 403, **more: Any) -> ClientError:
    answer = {
        "Error": {"Code": code, "Message": message, **more},
        "ResponseMetadata": {"HTTPStatusCode": status, "HTTPHeaders": {}},
    }
    return ClientError(answer, "PutObject")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("found", "accepted", "kind", "expected"),
    [
        (error("SignatureDoesNotMatch"), False, StorageError, "secret key does not match"),
        (
            error("SignatureDoesNotMatch", "Invalid argument."),
            True,
            UnsupportedError,
            r"accepts these keys but rejects the signature of this request \(Invalid argument\)",
        ),
        (error("AccessDenied", "Access Denied"), False, RefusedError, "access denied. Give these"),
        (
            error("AccessDenied", "Cannot upload files, storage cap exceeded"),
            False,
            RefusedError,
            r"access denied \(Cannot upload files, storage cap exceeded\)",
        ),
        (
            error("AuthorizationHeaderMalformed", "wrong region", 400, Region="eu-west-1"),
            False,
            StorageError,
            "the bucket is in region eu-west-1. Set AWS_REGION=eu-west-1",
        ),
        (
            error("AuthorizationHeaderMalformed", "a non-empty Access Key must be provided", 400),
            False,
            StorageError,
            "reported AuthorizationHeaderMalformed: a non-empty Access Key",
        ),
        (
            error("NotImplemented", "aws-chunked is not\nsupported.", 501),
            False,
            UnsupportedError,
            r"does not support this request \(NotImplemented: aws-chunked is not supported\)",
        ),
        (error("400", "Bad Request", 400), False, StorageError, "session token, AWS_REGION and"),
    ],
)
def test_an_error_is_named_for_what_it_is(
    found: ClientError, accepted: bool, kind: type[StorageError], expected: str
) -> None:
    told = response_error("s3://bucket/key", found, accepted=accepted)
    assert type(told) is kind
    assert "\n" not in str(told)
    with pytest.raises(kind, match=expected):
        raise told
