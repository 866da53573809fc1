"""MongoDB databases: collections as tables, declared or of any shape."""

from trunkline_mongodb.service import Mongodb

__all__ = ["Mongodb"]
