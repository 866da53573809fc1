"""Remote HTTP APIs as services."""

from __future__ import annotations

from trunkline_rws.config import RwsConfig
from trunkline_rws.service import Rws

__all__ = ["Rws", "RwsConfig"]
