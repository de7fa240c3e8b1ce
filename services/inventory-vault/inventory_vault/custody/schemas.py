from uuid import UUID

from kit.http import Model
from pydantic import Field


class SealingKeyRead(Model):
    key_id: UUID
    public_key: str = Field(description="X25519, base64")
