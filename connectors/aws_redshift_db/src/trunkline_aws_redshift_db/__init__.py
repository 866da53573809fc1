"""Amazon Redshift databases as REST services."""

from trunkline_aws_redshift_db.service import Redshift, RedshiftConfig

__all__ = ["Redshift", "RedshiftConfig"]
