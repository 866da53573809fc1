"""The databases of a CouchDB server as tables."""

from trunkline_couchdb.service import Couchdb, CouchdbConfig

__all__ = ["Couchdb", "CouchdbConfig"]
