"""The addresses of buyers' pages: unguessable, signed, with an end. A link of one sort opens no
page of another.

token = base64url(page id, 16 bytes | end in unix seconds, 4 | keyed BLAKE2b MAC, 16).
36 bytes are exactly 48 characters, so a token has one spelling only.
"""

import base64
import hmac
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import blake2b
from uuid import UUID

from kit.errors import DomainError, ErrorKind

_ID_BYTES = 16
_END_BYTES = 4
_MAC_BYTES = 16
TOKEN_LENGTH = 48
_TOKEN = re.compile(rf"[A-Za-z0-9_\-]{{{TOKEN_LENGTH}}}")
_END_MAX = 2**32 - 1


class PageNotFound(DomainError):
    """There is no such page."""

    code = "page_not_found"
    kind = ErrorKind.NOT_FOUND


class PageEnded(PageNotFound):
    """The link has ended; the seller can send a fresh one."""

    code = "page_ended"


@dataclass(frozen=True, slots=True)
class PageLink:
    """A page's id and the moment its link ends."""

    page_id: UUID
    ends_at: datetime

    def has_ended(self, now: datetime) -> bool:
        return now >= self.ends_at


class PageLinks:
    """Makes and reads the addresses of buyers' pages. Whoever has the secret can make them."""

    def __init__(
        self, public_url: str, secret: str, *, path: str = "d", sort: bytes = b"lockstock-page"
    ) -> None:
        self._start = f"{public_url.rstrip('/')}/{path}/"
        self._sort = sort
        # BLAKE2b takes keys of at most 64 bytes: a secret of any length is brought to 32 first.
        self._key = blake2b(secret.encode(), digest_size=32, person=b"lockstock-links").digest()

    def url(self, link: PageLink) -> str:
        """The page's full address."""
        return self._start + self.token(link)

    def token(self, link: PageLink) -> str:
        end = min(int(link.ends_at.timestamp()), _END_MAX)
        content = link.page_id.bytes + end.to_bytes(_END_BYTES, "big")
        return base64.urlsafe_b64encode(content + self._mac(content)).decode()

    def find(self, token: str) -> PageLink | None:
        """The link a token was made for; None when it was not made with this secret."""
        if not _TOKEN.fullmatch(token):
            return None
        raw = base64.urlsafe_b64decode(token)
        content, mac = raw[:-_MAC_BYTES], raw[-_MAC_BYTES:]
        if not hmac.compare_digest(mac, self._mac(content)):
            return None
        end = int.from_bytes(content[_ID_BYTES:], "big")
        return PageLink(UUID(bytes=content[:_ID_BYTES]), datetime.fromtimestamp(end, UTC))

    def open(self, token: str, now: datetime) -> PageLink:
        """The link a token was made for. Raises PageNotFound, or PageEnded when it has ended."""
        link = self.find(token)
        if link is None:
            raise PageNotFound
        if link.has_ended(now):
            raise PageEnded
        return link

    def _mac(self, content: bytes) -> bytes:
        return blake2b(content, key=self._key, digest_size=_MAC_BYTES, person=self._sort).digest()
