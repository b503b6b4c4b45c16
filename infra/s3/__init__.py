"""An S3-compatible server on loopback, for `make run`, the tests and CI."""

from infra.s3.ports import S3ServerError
from infra.s3.server import SeaweedS3

__all__ = ["S3ServerError", "SeaweedS3"]
