from kit.db import Transaction
from ledger.postings.domain import MeasuredPosting, Place, Wanted
from ledger.postings.repository import PostingRepository


class PostingService:
    def __init__(self, repository: PostingRepository) -> None:
        self._repository = repository

    async def list_postings(
        self, tx: Transaction, wanted: Wanted, *, after: Place | None, limit: int
    ) -> list[MeasuredPosting]:
        """Newest first."""
        return await self._repository.list_postings(tx, wanted, after=after, limit=limit)
