"""Session tokens: signed JWTs that are verified once and then remembered until something changes."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cachetools import LRUCache
from joserfc import jwt
from joserfc.errors import BadSignatureError, JoseError
from joserfc.jwk import OctKey

from trunkline.call import Session
from trunkline.errors import Forbidden, NotFound, TrunklineError, Unauthorized
from trunkline.revisions import CONFIG, SESSIONS
from trunkline.threads import in_thread

if TYPE_CHECKING:
    from trunkline.app import App
    from trunkline.db.records import User

_ALGORITHM = "HS256"
_REQUIRED = ("iat", "exp", "sub", "user_id", "forever")
_REVOKED = "revoked:"
_BLACKLISTED = "The token has been blacklisted: Session terminated. Please re-login."


@dataclass(frozen=True, slots=True)
class _Verified:
    """A token that was found good, and the revisions at which it was."""

    session: Session
    user: User
    stamp: tuple[int, int]


class Sessions:
    """Issues, verifies, refreshes and revokes session tokens."""

    def __init__(self, app: App) -> None:
        """Derive the signing key; ``JWT_SECRET`` wins over the one derived from ``APP_KEY``."""
        self._app = app
        secret = app.settings.jwt_secret
        raw = secret.get_secret_value().encode() if secret is not None else app.vault.signing_key()
        # Short secrets of older installations are stretched; HS256 wants 32 bytes.
        self._secret = raw if len(raw) >= 32 else hashlib.sha256(raw).digest()
        self._key = OctKey.import_key(self._secret)
        self._verified: LRUCache[str, _Verified] = LRUCache(10_000)

    def issue(
        self,
        user: User,
        *,
        forever: bool = False,
        issued: int | None = None,
        audience: str | None = None,
        token_id: str | None = None,
        seconds: int | None = None,
    ) -> str:
        """Issue a token; ``issued`` keeps the time of the first login through refreshes (system-api 9.2).

        With an ``audience`` it is no session but a token for that one alone, which this API does not take.
        """
        settings = self._app.settings
        now = int(time.time())
        claims = {
            "iss": settings.app_url,
            "iat": now if issued is None else issued,
            "nbf": now,
            "exp": now + (settings.jwt_ttl * 60 if seconds is None else seconds),
            "jti": token_id or secrets.token_hex(16),
            "sub": self._subject(user),
            "user_id": user.id,
            "forever": forever,
            "epoch": user.token_epoch,
            **({"aud": audience} if audience is not None else {}),
        }
        return jwt.encode({"typ": "JWT", "alg": _ALGORITHM}, claims, self._key)

    async def verify(self, token: str, audience: str | None = None) -> tuple[Session, User]:
        """Answer session and user of a good token; raises the errors of system-api 2.3.

        It is a session token, or one that was issued for ``audience``; ``Session.audience`` says which.
        """
        revisions = self._app.database.revisions
        stamp = (revisions[CONFIG], revisions[SESSIONS])
        known = self._verified.get(token)
        if known is not None and known.stamp == stamp and time.time() < known.session.expires:
            _check_audience(known.session.audience, audience)
            return known.session, known.user
        claims = self._claims(token)
        _check_audience(claims.get("aud"), audience)
        if claims["exp"] <= time.time():
            raise Unauthorized(
                "Token has expired: Session expired. "
                "Please refresh your token (if still within refresh window) or re-login."
            )
        session, user = await self._judge(token, claims)
        self._verified[token] = _Verified(session, user, stamp)
        return session, user

    async def refresh(self, token: str | None) -> tuple[str, User]:
        """Exchange a token, even an expired one within the refresh window, for a new one; the old one dies at once."""
        try:
            if not token:
                raise Unauthorized("Token not provided")
            claims = self._claims(token)
            _check_audience(claims.get("aud"), None)
            ends = claims["iat"] + self._app.settings.jwt_refresh_ttl * 60
            if ends <= time.time():
                raise Unauthorized("Token has expired and can no longer be refreshed")
            session, user = await self._judge(token, claims)
        except TrunklineError as error:
            reason = error.message.removeprefix("Invalid token: ")
            reason = "The token has been blacklisted" if error.message == _BLACKLISTED else reason
            raise Unauthorized(f"Token refresh failed. {reason}") from None
        if not await self._revoke(session):
            raise Unauthorized("Token refresh failed. The token has been blacklisted")
        forever = session.forever and self._app.settings.forever_sessions
        return self.issue(user, forever=session.forever, issued=None if forever else session.issued), user

    async def revoke(self, session: Session) -> None:
        """Log out: from the next request on, every worker refuses the token."""
        await self._revoke(session)

    async def _revoke(self, session: Session) -> bool:
        """Put the token on the blacklist until its refresh window ends; says False when it was there already."""
        ttl = max(session.issued + self._app.settings.jwt_refresh_ttl * 60, session.expires) - time.time()
        first = await self.revoke_id(session.jti, ttl)
        self._verified.pop(session.token, None)
        return first

    async def revoke_id(self, token_id: str, seconds: float) -> bool:
        """Put the id of tokens on the blacklist for at least a minute; says False when it was there already."""
        first = await in_thread(self._app.cache.add, _REVOKED + token_id, 1, max(seconds, 60.0))
        await in_thread(self._app.database.revoke_sessions)
        return first

    async def is_revoked(self, token_id: str) -> bool:
        """Say whether an id is on the blacklist."""
        return await in_thread(self._app.cache.get, _REVOKED + token_id) is not None

    def _claims(self, token: str) -> dict[str, Any]:
        """Check signature and shape; the algorithm is fixed, whatever the header says (checklist 16)."""
        if token.count(".") != 2:
            raise Unauthorized("Invalid token: Wrong number of segments")
        try:
            claims = jwt.decode(token, self._key, algorithms=[_ALGORITHM]).claims
        except BadSignatureError:
            raise Unauthorized("Invalid token: Token Signature could not be verified.") from None
        except (JoseError, ValueError):
            raise Unauthorized("Invalid token: Malformed token") from None
        numbers = ("iat", "exp", "user_id")
        if not all(name in claims for name in _REQUIRED) or not all(type(claims[name]) is int for name in numbers):
            raise Unauthorized("Invalid token: JWT payload does not contain the required claims")
        if claims.get("nbf", 0) > time.time() + 60:
            raise Unauthorized("Invalid token: Cannot handle token prior to its time")
        return claims

    async def _judge(self, token: str, claims: dict[str, Any]) -> tuple[Session, User]:
        """Check blacklist and user."""
        jti = str(claims.get("jti") or hashlib.sha256(token.encode()).hexdigest())
        if await self.is_revoked(jti):
            raise Forbidden(_BLACKLISTED)
        user = await self._app.directory.user(claims["user_id"])
        if user is None:
            raise NotFound("User not found.")
        if not user.is_active:
            raise Forbidden("User is not active.")
        if not hmac.compare_digest(str(claims["sub"]), self._subject(user)):
            raise Unauthorized("Invalid token: User verification failed.")
        if claims.get("epoch") != user.token_epoch:
            raise Forbidden(_BLACKLISTED)
        forever, audience = bool(claims["forever"]), claims.get("aud")
        return Session(token, user.id, jti, claims["iat"], claims["exp"], forever, audience), user

    def _subject(self, user: User) -> str:
        """Tie a token to the user's e-mail address: a changed address ends it (system-api 9.3)."""
        return hmac.new(self._secret, user.email.lower().encode(), "sha256").hexdigest()[:32]


def _check_audience(found: object, wanted: str | None) -> None:
    if found is not None and found != wanted:
        raise Unauthorized("Invalid token: It was issued for something else.")
