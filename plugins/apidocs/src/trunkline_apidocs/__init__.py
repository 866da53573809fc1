"""OpenAPI documents, true for who asks, and a page to read them and try them."""

from __future__ import annotations

from trunkline_apidocs.service import Swagger

__all__ = ["Swagger"]
