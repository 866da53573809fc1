"""Repositories of Bitbucket, by its API 2.0."""

from __future__ import annotations

import base64
import re
from typing import Annotated, Any
from urllib.parse import unquote

from trunkline import Config, Field, Secret
from trunkline.config import MULTILINE
from trunkline.errors import BadGateway, InternalError
from trunkline_scm import Asked, File, Listing, ScmService, Wanted

_API = "https://api.bitbucket.org/2.0"
_PER_PAGE = 100
_MOST_PAGES = 100
_FOLDER = "commit_directory"


class BitbucketConfig(Config):
    """Whose repositories, and who asks (connectors 9)."""

    vendor: str = Field(title="Account/Organization", description="Workspace that owns the repositories.")
    username: str | None = Field(default=None, title="Username", description="Who asks with a password.")
    password: Secret | None = Field(default=None, title="Password", description="App password.")
    token: Annotated[Secret | None, MULTILINE] = Field(
        default=None, title="Bitbucket Token", description="Access token, instead of a password."
    )
    base_url: str | None = Field(
        default=None, title="Base URL", description="Root of another API 2.0 than that of bitbucket.org."
    )


class Bitbucket(ScmService):
    """Reads repositories of one workspace."""

    label = "Bitbucket Service"
    description = "Reads folders and files of repositories on Bitbucket."
    config: BitbucketConfig

    def connected(self) -> Asked:
        """Answer the API, asked by token, by password, or by nobody."""
        config = self.config
        if not config.vendor:
            raise InternalError("No account/organization name provided for Bitbucket client.")
        headers = {"Accept": "application/json"}
        token, password = (one.get_secret_value() if one else "" for one in (config.token, config.password))
        if token:
            headers["Authorization"] = f"Bearer {token}"
        elif config.username and password:
            known = base64.b64encode(f"{config.username}:{password}".encode()).decode("ascii")
            headers["Authorization"] = f"Basic {known}"
        return Asked(self.app, config.base_url or _API, headers)

    async def repositories(self, page: int, per_page: int) -> list[dict[str, Any]]:
        """List a page; beyond the last one there is nothing."""
        query = {"page": page, "pagelen": per_page}
        return _values(await self.provider.get("repositories", self.config.vendor, query=query))[0]

    async def read(self, wanted: Wanted) -> Listing | File:
        """Ask what is at the path, then for the folder's entries or the file's bytes."""
        place = ("repositories", self.config.vendor, wanted.repo)
        ref = wanted.ref
        if ref is None or "/" in ref:
            ref = await self._commit(place, ref)
        source = (*place, "src", ref, *filter(None, wanted.path.split("/")))
        if wanted.path:
            told = await self.provider.get(*source, query={"format": "meta"})
            if isinstance(told, dict) and told.get("type") != _FOLDER:
                content = await self.provider.raw(*source)
                return File(
                    {
                        "node": _node(told), "path": told.get("path", wanted.path),
                        "content": base64.b64encode(content).decode("ascii"), "encoding": "base64",
                        "size": len(content),
                    }
                )  # fmt: skip
        return await self._folder(source)

    async def _commit(self, place: tuple[str, ...], ref: str | None) -> str:
        """Answer the commit of a branch whose name would not fit into a path, or of the default branch."""
        if ref is None:
            told = await self.provider.get(*place)
            branch = told.get("mainbranch") if isinstance(told, dict) else None
            ref = str(branch["name"]) if isinstance(branch, dict) and branch.get("name") else "HEAD"
            if "/" not in ref:
                return ref
        told = await self.provider.get(*place, "refs", "branches", ref)
        target = told.get("target") if isinstance(told, dict) else None
        if not isinstance(target, dict) or not isinstance(target.get("hash"), str):
            raise BadGateway("Bitbucket did not say which commit a branch is.")
        return str(target["hash"])

    async def _folder(self, source: tuple[str, ...]) -> Listing:
        folders: list[dict[str, Any]] = []
        files: list[dict[str, Any]] = []
        page: str | None = None
        for _ in range(_MOST_PAGES):
            # The API lists the root only with a slash at the end.
            query = {"pagelen": _PER_PAGE, "page": page}
            rows, page = _values(await self.provider.get(*source, "", query=query))
            for one in rows:
                (folders if one.get("type") == _FOLDER else files).append(one)
            if page is None:
                break
        return Listing([*map(_as_folder, folders), *map(_as_file, files)])


def _values(told: Any) -> tuple[list[dict[str, Any]], str | None]:
    """Answer the values of a page, and the name of the next one, which may be no number."""
    values = told.get("values") if isinstance(told, dict) else None
    if values is None and isinstance(told, dict):
        values = []
    if not isinstance(values, list) or not all(isinstance(one, dict) for one in values):
        raise BadGateway("Bitbucket did not answer with a list.")
    following = re.search(r"[?&]page=([^&]+)", str(told.get("next") or ""))
    return values, unquote(following[1]) if following is not None and values else None


def _node(one: dict[str, Any]) -> str | None:
    commit = one.get("commit")
    return commit.get("hash") if isinstance(commit, dict) else None


def _as_folder(one: dict[str, Any]) -> dict[str, Any]:
    parent, _, name = str(one.get("path") or "").strip("/").rpartition("/")
    return {"name": name, "path": f"{parent}/" if parent else "", "type": "dir", "node": _node(one)}


def _as_file(one: dict[str, Any]) -> dict[str, Any]:
    commit = one.get("commit")
    moment = str((commit if isinstance(commit, dict) else {}).get("date") or "")
    plain = f"{moment[:19]}Z" if moment else None
    return {
        "size": one.get("size"), "path": one.get("path"), "timestamp": plain,
        "utctimestamp": f"{moment[:10]} {moment[11:19]}+00:00" if moment else None, "revision": _node(one),
        "name": one.get("path"), "type": "file", "node": _node(one),
    }  # fmt: skip
