"""Model Context Protocol servers over the services of a gateway (connectors 12)."""

from __future__ import annotations

from trunkline_mcp.service import Mcp, McpConfig

__all__ = ["Mcp", "McpConfig"]
