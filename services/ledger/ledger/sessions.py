"""Who looks at the reports page: a cookie that names an API key and ends by itself.

The key itself is shown once, in the form; the cookie holds its id, whose merchant's reports these
are, when it ends, and a keyed hash of all that. The key is looked up with every request, so a
revoked one ends its sessions too.
"""

import hmac
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import blake2b
from uuid import UUID

from kit.errors import Unauthenticated

LASTS = timedelta(hours=12)


@dataclass(frozen=True, slots=True)
class Session:
    key_id: str
    merchant_id: UUID


class Sessions:
    def __init__(self, secret: str) -> None:
        self._key = blake2b(secret.encode(), digest_size=32, person=b"ls-reports").digest()

    def issue(self, session: Session, now: datetime) -> str:
        ends = int((now + LASTS).timestamp())
        body = f"{session.key_id}.{session.merchant_id.hex}.{ends}"
        return f"{body}.{self._mac(body)}"

    def read(self, cookie: str, now: datetime) -> Session:
        """Raises Unauthenticated for a cookie that is forged or at its end."""
        body, _, mac = cookie.rpartition(".")
        if not hmac.compare_digest(mac.encode(), self._mac(body).encode()):
            raise Unauthenticated
        key_id, merchant_hex, ends = body.split(".")
        if int(ends) < now.timestamp():
            raise Unauthenticated
        return Session(key_id, UUID(hex=merchant_hex))

    def _mac(self, body: str) -> str:
        return blake2b(body.encode(), key=self._key, digest_size=20).hexdigest()
