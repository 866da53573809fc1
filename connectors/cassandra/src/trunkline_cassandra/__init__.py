"""Apache Cassandra."""

from trunkline_cassandra.service import Cassandra, CassandraConfig

__all__ = ["Cassandra", "CassandraConfig"]
