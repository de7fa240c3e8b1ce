"""SQL of suppliers' callbacks."""

from uuid import UUID

from sqlalchemy import text

from kit.db import Transaction


class CallbackRepository:
    async def note(
        self, tx: Transaction, merchant_id: UUID, supplier: str, purchase_id: UUID, digest: bytes
    ) -> int | None:
        """How often these words have come now; None when it is no purchase of this account."""
        rows = await tx.execute(
            _NOTE,
            {
                "merchant_id": merchant_id,
                "supplier": supplier,
                "purchase_id": purchase_id,
                "digest": digest,
            },
        )
        return rows.scalar_one_or_none()


# FOR UPDATE: the foreign key's own lock is a shared one, which two callbacks would both hold while
# each waits to make it more.
_NOTE = text(
    """
    INSERT INTO supplier_callback (purchase_id, digest)
    SELECT p.id, :digest FROM purchase p
    WHERE p.id = :purchase_id AND p.merchant_id = :merchant_id AND p.supplier = :supplier
    FOR UPDATE
    ON CONFLICT (purchase_id, digest) DO UPDATE SET times = supplier_callback.times + 1
    RETURNING times
    """
)
