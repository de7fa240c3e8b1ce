from collections.abc import Iterable
from uuid import UUID

from kit.db import Transaction
from risk.changes.domain import ChangeKind
from risk.changes.service import ChangeService
from risk.review_policies.domain import ReviewPolicy
from risk.review_policies.repository import ReviewPolicyRepository


class ReviewPolicyService:
    def __init__(self, repository: ReviewPolicyRepository, changes: ChangeService) -> None:
        self._repository = repository
        self._changes = changes

    async def find_many(
        self, tx: Transaction, merchants: Iterable[UUID]
    ) -> dict[UUID, ReviewPolicy]:
        """Merchant -> its policy; who has set none has the default."""
        wanted = set(merchants)
        found = await self._repository.find_many(tx, sorted(wanted)) if wanted else {}
        return {each: found.get(each, ReviewPolicy(each)) for each in wanted}

    async def get(self, tx: Transaction, merchant_id: UUID) -> ReviewPolicy:
        return (await self.find_many(tx, [merchant_id]))[merchant_id]

    async def put(self, tx: Transaction, policy: ReviewPolicy, *, author: str) -> None:
        """The merchant's policy from now on; reviews that wait already keep their time."""
        was = await self._repository.put(tx, policy, author=author)
        kind, whose = ChangeKind.REVIEW_POLICY_CHANGED, policy.merchant_id
        await self._changes.note(tx, whose, kind, [(whose, was)], author=author)
