"""Three forges in one, over the same repositories, in the forms that their makers publish; run with a port, it serves.

It stands for GitHub, GitLab and Bitbucket where a test needs files, branches and tokens that fit together.
"""

from __future__ import annotations

import asyncio
import base64
import sys
from typing import Any
from urllib.parse import unquote

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route

TOKEN, OWNER = "t0ken", "acme"
COMMIT = "0123456789abcdef0123456789abcdef01234567"
DATE = "2026-01-02T03:04:05+00:00"
_BASE = {"README.md": b"# Demo\n", "src/app.py": b"print('hi')\n", "src/lib/util.py": b"x = 1\n", "b \xe4.bin": b"\0\1"}
_MANY = {f"many/{number:03}.txt": b"x" for number in range(230)}
REPOS: dict[str, dict[str, dict[str, bytes]]] = {
    "demo": {"main": {**_BASE, **_MANY}, "feature/x": {**_BASE, "new.txt": b"new"}},
    "old": {"master": {"old.txt": b"old"}, "main": {"young.txt": b"young"}},
}


def files_of(repo: str, ref: str | None) -> dict[str, bytes] | None:
    """Answer the files of a branch, of the default one unless named; None where there is no such thing."""
    branches = REPOS.get(repo, {})
    return branches.get("main") if ref in (None, "", "HEAD", COMMIT) else branches.get(ref or "")


def below(files: dict[str, bytes], path: str) -> tuple[list[str], list[str]]:
    """Answer the folders and files right below a path."""
    head = f"{path}/" if path else ""
    inside = [name.removeprefix(head) for name in files if name.startswith(head)]
    return sorted({one.partition("/")[0] for one in inside if "/" in one}), [one for one in inside if "/" not in one]


def paged(request: Request, rows: list[Any], size: str) -> list[Any]:
    """Answer the page that is asked for."""
    page, most = int(request.query_params.get("page", 1)), int(request.query_params.get(size, 30))
    return rows[(page - 1) * most : page * most]


# GitHub.


def github_missing() -> Response:
    """Answer as GitHub does."""
    return JSONResponse({"message": "Not Found", "documentation_url": "x", "status": "404"}, 404)


async def github_repos(request: Request) -> Response:
    """List repositories."""
    if request.headers.get("authorization") != f"Bearer {TOKEN}":
        return JSONResponse({"message": "Bad credentials", "status": "401"}, 401)
    if request.path_params["owner"] != OWNER:
        return github_missing()
    rows = [{"id": 1, "name": one, "full_name": f"{OWNER}/{one}", "default_branch": "main"} for one in sorted(REPOS)]
    return JSONResponse(paged(request, rows, "per_page"))


async def github_contents(request: Request) -> Response:
    """Answer a folder's list or a file."""
    files = files_of(request.path_params["repo"], request.query_params.get("ref"))
    path = request.path_params.get("path", "").strip("/")
    if files is None:
        return github_missing()
    if path in files:
        content = base64.encodebytes(files[path]).decode()
        name = path.rpartition("/")[2]
        return JSONResponse(
            {"name": name, "path": path, "type": "file", "size": len(files[path]), "encoding": "base64", "sha": "s",
             "content": content, "_links": {}}
        )  # fmt: skip
    folders, names = below(files, path)
    if not folders and not names:
        return github_missing()
    head = f"{path}/" if path else ""
    rows = [{"name": one, "path": head + one, "type": "dir", "sha": "s"} for one in folders]
    return JSONResponse([*rows, *({"name": one, "path": head + one, "type": "file", "sha": "s"} for one in names)])


# GitLab.


async def gitlab(request: Request) -> Response:
    """Answer any call; projects and files are one segment each, however many slashes they have."""
    if request.headers.get("private-token") != TOKEN:
        return JSONResponse({"message": "401 Unauthorized"}, 401)
    raw_path = request.scope["raw_path"].partition(b"?")[0].decode()
    parts = [unquote(one) for one in raw_path.partition("/api/v4/")[2].split("/")]
    match parts:
        case ["user"]:
            return JSONResponse({"id": 1, "username": OWNER})
        case ["groups", "guild", "projects"]:
            return JSONResponse([{"id": 9, "name": "g", "path_with_namespace": "guild/g"}])
        case ["users", name, "projects"] if name == OWNER:
            rows = [{"id": 1, "name": one, "path_with_namespace": f"{OWNER}/{one}"} for one in sorted(REPOS)]
            return JSONResponse(paged(request, rows, "per_page"))
        case ["projects", project, "repository", "tree"]:
            return gitlab_tree(request, project)
        case ["projects", project, "repository", "files", path]:
            return gitlab_file(request, project, path)
    return JSONResponse({"message": "404 Not found"}, 404)


def gitlab_tree(request: Request, project: str) -> Response:
    """List a folder; since version 15.0 a path that is none is a 404."""
    files = files_of(project.removeprefix(f"{OWNER}/"), request.query_params.get("ref"))
    path = request.query_params.get("path", "")
    folders, names = below(files or {}, path)
    if not folders and not names:
        return JSONResponse({"message": "404 Tree Not Found"}, 404)
    head = f"{path}/" if path else ""
    rows = [{"id": "i", "name": one, "type": "tree", "path": head + one, "mode": "040000"} for one in folders]
    rows += [{"id": "i", "name": one, "type": "blob", "path": head + one, "mode": "100644"} for one in names]
    return JSONResponse(paged(request, rows, "per_page"))


def gitlab_file(request: Request, project: str, path: str) -> Response:
    """Answer a file."""
    if "ref" not in request.query_params:
        return JSONResponse({"error": "ref is missing"}, 400)
    files = files_of(project.removeprefix(f"{OWNER}/"), request.query_params["ref"])
    if files is None or path not in files:
        return JSONResponse({"message": "404 File Not Found"}, 404)
    content = base64.b64encode(files[path]).decode()
    name = path.rpartition("/")[2]
    return JSONResponse(
        {"file_name": name, "file_path": path, "size": len(files[path]), "encoding": "base64", "content": content,
         "ref": request.query_params["ref"], "blob_id": "b", "commit_id": COMMIT, "last_commit_id": COMMIT}
    )  # fmt: skip


# Bitbucket.


def bitbucket_missing() -> Response:
    """Answer as Bitbucket does."""
    return JSONResponse({"type": "error", "error": {"message": "No such commit or path"}}, 404)


async def bitbucket_repos(request: Request) -> Response:
    """List repositories."""
    basic = base64.b64encode(f"ana:{TOKEN}".encode()).decode()
    if request.headers.get("authorization") not in (f"Bearer {TOKEN}", f"Basic {basic}"):
        return JSONResponse({"type": "error", "error": {"message": "Invalid credentials"}}, 401)
    rows = [{"name": one, "full_name": f"{OWNER}/{one}", "type": "repository"} for one in sorted(REPOS)]
    return JSONResponse({"values": paged(request, rows, "pagelen"), "page": 1, "size": len(rows)})


async def bitbucket_repo(request: Request) -> Response:
    """Answer a repository."""
    if request.path_params["repo"] not in REPOS:
        return bitbucket_missing()
    return JSONResponse({"name": request.path_params["repo"], "mainbranch": {"type": "branch", "name": "main"}})


async def bitbucket_branch(request: Request) -> Response:
    """Answer a branch."""
    name = request.path_params["name"]
    if name not in REPOS.get(request.path_params["repo"], {}):
        return bitbucket_missing()
    # Commits that have no files of their own here are named by the branch.
    return JSONResponse({"name": name, "target": {"hash": name.replace("/", "-")}})


async def bitbucket_src(request: Request) -> Response:
    """Answer a folder's page, what is known of a path, or a file's bytes."""
    ref = request.path_params["ref"].replace("feature-x", "feature/x")
    files = files_of(request.path_params["repo"], ref)
    path = request.path_params["path"].strip("/")
    if files is None:
        return bitbucket_missing()
    commit = {"hash": COMMIT, "date": DATE}
    is_meta = request.query_params.get("format") == "meta"
    if path in files:
        row = {"type": "commit_file", "path": path, "size": len(files[path]), "commit": commit}
        return JSONResponse(row) if is_meta else Response(files[path])
    folders, names = below(files, path)
    if not folders and not names:
        return bitbucket_missing()
    if is_meta:
        return JSONResponse({"type": "commit_directory", "path": path, "commit": commit})
    head = f"{path}/" if path else ""
    rows: list[dict[str, Any]] = [
        {"type": "commit_file", "path": head + one, "size": len(files[head + one]), "commit": commit} for one in names
    ]
    rows += [{"type": "commit_directory", "path": head + one, "commit": commit} for one in folders]
    page, size = request.query_params.get("page", "p=0"), int(request.query_params.get("pagelen", 10))
    start = int(page.removeprefix("p="))
    found: dict[str, Any] = {"values": rows[start : start + size], "pagelen": size}
    if start + size < len(rows):
        found["next"] = f"{request.url.replace(query='')}?pagelen={size}&page=p%3D{start + size}"
    return JSONResponse(found)


app = Starlette(
    routes=[
        Route("/github/users/{owner}/repos", github_repos),
        Route(f"/github/repos/{OWNER}/{{repo}}/contents", github_contents),
        Route(f"/github/repos/{OWNER}/{{repo}}/contents/{{path:path}}", github_contents),
        Mount("/gitlab/api/v4", routes=[Route("/{rest:path}", gitlab)]),
        Route(f"/bitbucket/repositories/{OWNER}", bitbucket_repos),
        Route(f"/bitbucket/repositories/{OWNER}/{{repo}}", bitbucket_repo),
        Route(f"/bitbucket/repositories/{OWNER}/{{repo}}/refs/branches/{{name:path}}", bitbucket_branch),
        Route(f"/bitbucket/repositories/{OWNER}/{{repo}}/src/{{ref}}/{{path:path}}", bitbucket_src),
    ]
)

if __name__ == "__main__":
    from hypercorn.asyncio import serve
    from hypercorn.config import Config

    config = Config()
    config.bind = [f"127.0.0.1:{sys.argv[1]}"]
    asyncio.run(serve(app, config))  # type: ignore[arg-type]
