"""What all source control services share; connectors say how a provider is asked."""

from __future__ import annotations

from trunkline_scm.provider import Asked, ProviderError
from trunkline_scm.service import DEFAULT_REF, File, Listing, ScmService, Wanted

__all__ = ["DEFAULT_REF", "Asked", "File", "Listing", "ProviderError", "ScmService", "Wanted"]
