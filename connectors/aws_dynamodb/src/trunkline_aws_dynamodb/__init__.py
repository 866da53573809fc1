"""Amazon DynamoDB."""

from trunkline_aws_dynamodb.service import AwsDynamodb, AwsDynamodbConfig

__all__ = ["AwsDynamodb", "AwsDynamodbConfig"]
