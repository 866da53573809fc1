"""Amazon's notification service."""

from trunkline_aws_sns.service import AwsSns

__all__ = ["AwsSns"]
