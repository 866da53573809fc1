"""Who somebody is, told as vendors tell it by their references; run with a port and a provider's, it serves there.

It stands for the vendors' APIs where their users' profiles are wanted. Access tokens are those of a real provider,
which is asked whose they are; the name of the account says what is special about it.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import sys
from collections.abc import Awaitable, Callable
from typing import Any

import httpx2
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

SECRET = "a secret of the tests"
GROUPS = {"ann": ["staff@example.org", "Admins@example.org"], "bob": ["staff@example.org"]}
Answer = Callable[[Request, str], Any]


def number_of(account: str) -> int:
    """Make the number that an account has at vendors that count."""
    return int(hashlib.sha256(account.encode()).hexdigest()[:12], 16)


def is_verified(account: str) -> bool:
    """Say whether the vendor has verified the address of an account."""
    return not account.startswith("unverified")


def github_user(_request: Request, account: str) -> Any:
    """Tell as GitHub does (REST API, users); the address is null where it is private."""
    return {
        "login": account, "id": number_of(account), "node_id": "MDQ6", "type": "User", "site_admin": False,
        "name": f"{account} of the Tests", "email": None, "two_factor_authentication": True,
    }  # fmt: skip


def github_emails(_request: Request, account: str) -> Any:
    """Tell as GitHub does (REST API, emails)."""
    verified = is_verified(account)
    return [
        {"email": "other@example.net", "verified": True, "primary": False, "visibility": None},
        {"email": f"{account}@example.org", "verified": verified, "primary": True, "visibility": "private"},
    ]


def claims(_request: Request, account: str) -> Any:
    """Tell as Google and LinkedIn do, by the standard claims."""
    return {
        "sub": str(number_of(account)), "name": f"{account} of the Tests", "given_name": account,
        "family_name": "of the Tests", "picture": "https://example.org/p.png", "locale": "en-US",
        "email": f"{account}@example.org", "email_verified": is_verified(account),
    }  # fmt: skip


def google_groups(request: Request, account: str) -> Any:
    """Tell as Cloud Identity does, a group a page."""
    if request.query_params["query"] != f"member_key_id == '{account}@example.org'":
        return JSONResponse({"error": {"code": 403, "status": "PERMISSION_DENIED"}}, 403)
    groups, at = GROUPS.get(account, []), int(request.query_params.get("pageToken", 0))
    told: dict[str, Any] = {
        "memberships": [
            {"membership": "groups/1/memberships/2", "group": "groups/1", "groupKey": {"id": one}, "roles": []}
            for one in groups[at : at + 1]
        ]
    }
    return told | ({"nextPageToken": str(at + 1)} if at + 1 < len(groups) else {})


def facebook_me(request: Request, account: str) -> Any:
    """Tell as the Graph API does; it wants the proof that goes with the token."""
    token = request.headers["authorization"].removeprefix("Bearer ")
    proof = hmac.new(SECRET.encode(), token.encode(), hashlib.sha256).hexdigest()
    if request.query_params.get("appsecret_proof") != proof:
        return JSONResponse({"error": {"message": "Invalid appsecret_proof", "code": 100}}, 400)
    full = {
        "id": str(number_of(account)), "name": f"{account} of the Tests", "first_name": account,
        "last_name": "of the Tests", "email": f"{account}@example.org",
    }  # fmt: skip
    return {name: full[name] for name in request.query_params["fields"].split(",")}


def graph_me(_request: Request, account: str) -> Any:
    """Tell as Microsoft Graph does."""
    guest = account.startswith("guest")
    name = f"{account}_elsewhere.example#EXT#@example.onmicrosoft.com" if guest else f"{account}@example.org"
    return {
        "@odata.context": "https://graph.microsoft.com/v1.0/$metadata#users/$entity", "businessPhones": [],
        "displayName": f"{account} of the Tests", "givenName": account, "surname": "of the Tests", "mail": None,
        "userPrincipalName": name, "id": hashlib.md5(account.encode()).hexdigest(),
    }  # fmt: skip


def bitbucket_user(_request: Request, account: str) -> Any:
    """Tell as Bitbucket Cloud does (REST 2.0, current user)."""
    return {
        "type": "user", "display_name": f"{account} of the Tests", "nickname": account, "links": {},
        "uuid": f"{{{hashlib.md5(account.encode()).hexdigest()}}}", "account_id": "1:2", "account_status": "active",
    }  # fmt: skip


def bitbucket_emails(_request: Request, account: str) -> Any:
    """Tell as Bitbucket Cloud does (REST 2.0, e-mail addresses)."""
    confirmed = is_verified(account)
    rows = [
        {"type": "email", "email": "other@example.net", "is_primary": False, "is_confirmed": True},
        {"type": "email", "email": f"{account}@example.org", "is_primary": True, "is_confirmed": confirmed},
    ]
    return {"pagelen": 10, "size": 2, "page": 1, "values": rows}


def guarded(provider: str, answer: Answer) -> Callable[[Request], Awaitable[Response]]:
    """Ask the provider whose an access token is, and answer for that account."""

    async def endpoint(request: Request) -> Response:
        token = request.headers.get("authorization", "").removeprefix("Bearer ")
        async with httpx2.AsyncClient(auth=("profiles", "of the stand-in")) as client:
            told = (await client.post(f"{provider}/token/introspection", data={"token": token})).json()
        if not told.get("active"):
            return JSONResponse({"message": "Bad credentials"}, 401)
        found = answer(request, told["sub"])
        return found if isinstance(found, Response) else JSONResponse(found)

    return endpoint


ANSWERS: dict[str, Answer] = {
    "/github/user": github_user,
    "/github/user/emails": github_emails,
    "/google/userinfo": claims,
    "/google/groups": google_groups,
    "/linkedin/userinfo": claims,
    "/facebook/me": facebook_me,
    "/graph/me": graph_me,
    "/bitbucket/user": bitbucket_user,
    "/bitbucket/user/emails": bitbucket_emails,
}


if __name__ == "__main__":
    from hypercorn.asyncio import serve
    from hypercorn.config import Config

    port, behind = sys.argv[1:3]
    application = Starlette(
        routes=[Route(path, guarded(f"http://127.0.0.1:{behind}", one)) for path, one in ANSWERS.items()]
    )
    config = Config()
    config.bind = [f"127.0.0.1:{port}"]
    asyncio.run(serve(application, config))  # type: ignore[arg-type]
