"""What a merchant's buyers see besides their order, and what they must show."""

from collections.abc import Sequence
from uuid import UUID

from fulfillment.page_settings.domain import PageSettings
from fulfillment.page_settings.repository import PageSettingsRepository
from kit.db import Transaction


class PageSettingsService:
    def __init__(self, repository: PageSettingsRepository) -> None:
        self._repository = repository

    async def of_merchant(
        self, tx: Transaction, merchant_id: UUID, skus: Sequence[str] | None = None
    ) -> PageSettings:
        """The defaults for a merchant that never set any. `skus`: of products only what is set for
        these.
        """
        return await self._repository.find(tx, merchant_id, skus) or PageSettings(merchant_id)

    async def put(self, tx: Transaction, settings: PageSettings) -> PageSettings:
        """They hold from the next page that is opened."""
        await self._repository.put(tx, settings)
        return settings
