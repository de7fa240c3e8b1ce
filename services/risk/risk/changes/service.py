from collections.abc import Mapping, Sequence
from uuid import UUID

from kit.db import Transaction
from risk.changes.domain import Change, ChangeKind
from risk.changes.repository import ChangeRepository


class ChangeService:
    """Each change is noted in the transaction that makes it."""

    def __init__(self, repository: ChangeRepository) -> None:
        self._repository = repository

    async def note(
        self,
        tx: Transaction,
        merchant_id: UUID,
        kind: ChangeKind,
        were: Sequence[tuple[UUID, Mapping[str, object] | None]],
        *,
        author: str,
    ) -> None:
        """The same change of each of these: its id, and what of it is so no more."""
        if were:
            await self._repository.add(tx, merchant_id, kind, were, author=author)

    async def list_changes(
        self,
        tx: Transaction,
        merchant_id: UUID,
        *,
        kind: ChangeKind | None,
        about: UUID | None,
        before: UUID | None,
        limit: int,
    ) -> list[Change]:
        """Newest first."""
        return await self._repository.list_changes(
            tx, merchant_id, kind=kind, about=about, before=before, limit=limit
        )
