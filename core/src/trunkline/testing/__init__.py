"""Tools for the tests of service types: a running gateway, clients for it, and the suite that every type passes."""

from __future__ import annotations

from trunkline.testing.gateway import Client, Gateway
from trunkline.testing.suite import ServiceSuite

__all__ = ["Client", "Gateway", "ServiceSuite"]
