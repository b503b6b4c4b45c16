"""Imports that every forked process needs."""

import boto3  # noqa: F401
import great_expectations  # noqa: F401

import warehouse.storage.s3  # noqa: F401
