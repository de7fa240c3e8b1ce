from uuid import UUID

from pydantic import Field

from kit.http import Model


class SealingKeyRead(Model):
    key_id: UUID
    public_key: str = Field(description="X25519, base64")
    merchant_id: UUID | None = Field(
        description="Yours, as the header of a box names it; null for a service without one."
    )
