"""Repositories of GitLab, wherever it runs."""

from __future__ import annotations

from typing import Annotated, Any

from trunkline import Config, Field, Secret
from trunkline.config import MULTILINE
from trunkline.errors import BadGateway, InternalError
from trunkline_scm import Asked, File, Listing, ProviderError, ScmService, Wanted

_PER_PAGE = 100
_MOST_PAGES = 100
_NOT_FOUND = 404


class GitlabConfig(Config):
    """Where GitLab is, and whose projects are read (connectors 9)."""

    base_url: str = Field(title="Base URL", description="Root of the API, such as https://gitlab.com/api/v4/.")
    token: Annotated[Secret, MULTILINE] = Field(title="GitLab Token", description="Access token.")
    namespace: str | None = Field(
        default=None, title="Namespace/Group", description="Group or user; those of the token's user unless given."
    )


class Gitlab(ScmService):
    """Reads projects of one namespace."""

    label = "GitLab Service"
    description = "Reads folders and files of repositories on GitLab."
    config: GitlabConfig
    _owner: str | None = None

    def connected(self) -> Asked:
        """Answer the API, asked by the token."""
        if not self.config.base_url:
            raise InternalError("No base url provided for GitLab client.")
        token = self.config.token.get_secret_value()
        if not token:
            raise InternalError("No token provided for GitLab client.")
        return Asked(self.app, self.config.base_url, {"Accept": "application/json", "PRIVATE-TOKEN": token})

    async def _namespace(self) -> str:
        """Answer the namespace; that of the token's user is asked for once."""
        if self.config.namespace:
            return self.config.namespace.strip("/")
        if self._owner is None:
            told = await self.provider.get("user")
            if not isinstance(told, dict) or not isinstance(told.get("username"), str):
                raise BadGateway("GitLab did not say whose token it is.")
            self._owner = told["username"]
        return self._owner

    async def repositories(self, page: int, per_page: int) -> list[dict[str, Any]]:
        """List the projects of the group, or of the user where there is no such group."""
        query = {"page": page, "per_page": per_page}
        namespace = await self._namespace()
        if self.config.namespace:
            try:
                return _listed(await self.provider.get("groups", namespace, "projects", query=query))
            except ProviderError as error:
                if error.status != _NOT_FOUND:
                    raise
        return _listed(await self.provider.get("users", namespace, "projects", query=query))

    async def read(self, wanted: Wanted) -> Listing | File:
        """Try a folder, then a file, since GitLab has a call for each."""
        place = ("projects", f"{await self._namespace()}/{wanted.repo}", "repository")
        try:
            entries = await self._tree(place, wanted)
        except ProviderError as error:
            if error.status != _NOT_FOUND or not wanted.path:
                raise
            entries = []
        if entries or not wanted.path:
            return Listing(entries)
        told = await self.provider.get(*place, "files", wanted.path, query={"ref": wanted.ref or "HEAD"})
        if not isinstance(told, dict):
            raise BadGateway("GitLab did not answer with a file.")
        return File({**told, "path": told.get("file_path", wanted.path), "name": told.get("file_name")})

    async def _tree(self, place: tuple[str, ...], wanted: Wanted) -> list[dict[str, Any]]:
        """List a folder, page after page."""
        found: list[dict[str, Any]] = []
        for page in range(1, _MOST_PAGES + 1):
            query = {"path": wanted.path or None, "ref": wanted.ref, "per_page": _PER_PAGE, "page": page}
            rows = _listed(await self.provider.get(*place, "tree", query=query))
            found += rows
            if len(rows) < _PER_PAGE:
                break
        return found


def _listed(told: Any) -> list[dict[str, Any]]:
    if not isinstance(told, list) or not all(isinstance(one, dict) for one in told):
        raise BadGateway("GitLab did not answer with a list.")
    return told
