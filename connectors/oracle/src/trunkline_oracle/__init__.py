"""Oracle databases as REST services."""

from trunkline_oracle.service import Oracle, OracleConfig

__all__ = ["Oracle", "OracleConfig"]
