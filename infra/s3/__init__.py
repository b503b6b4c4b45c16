"""A real S3-compatible server on loopback, for `make run`, the tests and CI."""

from infra.s3.server import S3ServerError, SeaweedS3

__all__ = ["S3ServerError", "SeaweedS3"]
