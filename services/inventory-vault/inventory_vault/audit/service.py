from uuid import UUID

from inventory_vault.audit.domain import Fact, Note
from kit.db import Transaction

SYSTEM = "system"
"""The actor of what the service does by itself: timers, rotation, events it consumes."""


def note(
    tx: Transaction,
    action: str,
    object_id: UUID,
    *,
    merchant_id: UUID | None,
    actor: str,
    **facts: Fact,
) -> None:
    """Writes an entry into the audit log if and when `tx` commits.

    `action` is a noun and a past participle ("reservation.sold"), `object_id` what it happened to,
    `actor` who did it ("key:<id>", "service:order", SYSTEM). Facts are ids, figures and reasons:
    never a code, a key, a token or a buyer's contact.
    """
    tx.records.append(Note(action, merchant_id, object_id, actor, facts))
