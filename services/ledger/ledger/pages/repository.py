from uuid import UUID

from sqlalchemy import text

from kit.db import Transaction

_MERCHANT = text("""
    SELECT merchant_id, allowed_ips FROM api_key
    WHERE key_id = :key_id AND revoked_at IS NULL AND suspended_at IS NULL
        AND (expires_at IS NULL OR expires_at > clock_timestamp())
        AND scopes && ARRAY['ledger:read', '*']
""")


class PageRepository:
    async def find_key(self, tx: Transaction, key_id: str) -> tuple[UUID | None, list[str]] | None:
        """Whose reports a key may read now, and from which networks; None: no longer any."""
        row = (await tx.execute(_MERCHANT, {"key_id": key_id})).one_or_none()
        return None if row is None else (row.merchant_id, list(row.allowed_ips))
