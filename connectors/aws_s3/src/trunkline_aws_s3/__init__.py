"""Buckets of Amazon S3, and of what speaks its protocol, as REST services."""

from __future__ import annotations

from trunkline_aws_s3.service import AwsS3, AwsS3Config

__all__ = ["AwsS3", "AwsS3Config"]
