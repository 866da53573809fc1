"""Repositories of GitHub, of its own service or of an enterprise server."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import field_validator

from trunkline import Config, Field, Secret
from trunkline.config import MULTILINE
from trunkline.errors import BadGateway, InternalError
from trunkline_scm import Asked, File, Listing, ScmService, Wanted
from trunkline_scm.provider import Query

_API = "https://api.github.com"


class GithubConfig(Config):
    """Whose repositories, and who asks (connectors 9)."""

    vendor: str = Field(title="Account/Organization", description="Owner of the repositories: a user or organisation.")
    username: str | None = Field(default=None, title="Username", description="Who asks; the token alone is enough.")
    password: Secret | None = Field(
        default=None, title="Password", description="Kept, but not used: GitHub takes none."
    )
    token: Annotated[Secret | None, MULTILINE] = Field(
        default=None, title="GitHub Token", description="Access token; it must be given.", validate_default=True
    )
    base_url: str | None = Field(
        default=None,
        title="Base URL",
        description="API of an enterprise server, such as https://git.example.com/api/v3.",
    )

    @field_validator("token")
    @classmethod
    def _is_given(cls, token: Secret | None) -> Secret | None:
        if token is None or not token.get_secret_value():
            raise ValueError("a token must be given")
        return token


class Github(ScmService):
    """Reads repositories of one owner."""

    label = "GitHub Service"
    description = "Reads folders and files of repositories on GitHub."
    config: GithubConfig

    def connected(self) -> Asked:
        """Answer the API, asked by the token."""
        if not self.config.vendor:
            raise InternalError("No account/organization name provided for GitHub client.")
        headers = {"Accept": "application/json", "X-GitHub-Api-Version": "2022-11-28"}
        if self.config.token is not None:
            headers["Authorization"] = f"Bearer {self.config.token.get_secret_value()}"
        return Asked(self.app, self.config.base_url or _API, headers)

    async def repositories(self, page: int, per_page: int) -> list[dict[str, Any]]:
        """List those of the owner by their names."""
        query: Query = {"page": page, "per_page": per_page, "sort": "full_name"}
        return _listed(await self.provider.get("users", self.config.vendor, "repos", query=query))

    async def read(self, wanted: Wanted) -> Listing | File:
        """Ask the contents API, which knows itself whether a path is a folder."""
        place = ("repos", self.config.vendor, wanted.repo, "contents", *filter(None, wanted.path.split("/")))
        told = await self.provider.get(*place, query={"ref": wanted.ref})
        return File(told) if isinstance(told, dict) else Listing(_listed(told))


def _listed(told: Any) -> list[dict[str, Any]]:
    if not isinstance(told, list) or not all(isinstance(one, dict) for one in told):
        raise BadGateway("GitHub did not answer with a list.")
    return told
