"""SQL of what merchants decide about their buyers' pages."""

from uuid import UUID

from sqlalchemy import text

from fulfillment.page_settings.domain import PageSettings, StepUp
from kit.db import Transaction


class PageSettingsRepository:
    async def find(self, tx: Transaction, merchant_id: UUID) -> PageSettings | None:
        row = (await tx.execute(_FIND, {"merchant_id": merchant_id})).one_or_none()
        if row is None:
            return None
        return PageSettings(
            merchant_id, StepUp(row.step_up), row.shop_name, row.shop_url, row.product_url
        )

    async def put(self, tx: Transaction, settings: PageSettings) -> None:
        await tx.execute(
            _PUT,
            {
                "merchant_id": settings.merchant_id,
                "step_up": settings.step_up.value,
                "shop_name": settings.shop_name,
                "shop_url": settings.shop_url,
                "product_url": settings.product_url,
            },
        )


_FIND = text(
    """
    SELECT step_up, shop_name, shop_url, product_url FROM page_setting
    WHERE merchant_id = :merchant_id
    """
)

_PUT = text(
    """
    INSERT INTO page_setting (merchant_id, step_up, shop_name, shop_url, product_url)
    VALUES (:merchant_id, :step_up, :shop_name, :shop_url, :product_url)
    ON CONFLICT (merchant_id) DO UPDATE
    SET step_up = excluded.step_up, shop_name = excluded.shop_name, shop_url = excluded.shop_url,
        product_url = excluded.product_url, changed_at = clock_timestamp()
    """
)
