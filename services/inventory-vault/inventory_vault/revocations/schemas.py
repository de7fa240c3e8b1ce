from datetime import datetime
from typing import Self
from uuid import UUID

from pydantic import ConfigDict

from inventory_vault.revocations.domain import Revocation
from kit.http import Model, Name


class RevocationCreate(Model):
    model_config = ConfigDict(json_schema_extra={"examples": [{"reason": "replaced: claim 17"}]})

    reason: Name


class RevocationRead(Model):
    """Since when the unit is out of use, and why; of a repeat what the first call said."""

    unit_id: UUID
    lot_id: UUID
    reason: str
    revoked_at: datetime

    @classmethod
    def from_domain(cls, found: Revocation) -> Self:
        return cls(
            unit_id=found.unit_id,
            lot_id=found.lot_id,
            reason=found.reason,
            revoked_at=found.revoked_at,
        )
