"""SQL of what merchants decide about their buyers' pages."""

from collections.abc import Sequence
from uuid import UUID

import orjson
from sqlalchemy import text

from fulfillment.page_settings.domain import PageSettings, StepUp
from kit.db import Transaction


class PageSettingsRepository:
    async def find(
        self, tx: Transaction, merchant_id: UUID, skus: Sequence[str] | None
    ) -> PageSettings | None:
        """`skus`: of the products only these; None: of all."""
        values = {"merchant_id": merchant_id, "skus": None if skus is None else list(skus)}
        row = (await tx.execute(_FIND, values)).one_or_none()
        if row is None:
            return None
        products = orjson.loads(row.products)
        return PageSettings(
            merchant_id,
            StepUp(row.step_up),
            row.shop_name,
            row.shop_url,
            row.product_url,
            {sku: StepUp(step_up) for sku, step_up in products.items()},
        )

    async def put(self, tx: Transaction, settings: PageSettings) -> None:
        """The row of the merchant is written first: of two who set them at once one waits."""
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
        products = settings.step_up_products
        values = {
            "merchant_id": settings.merchant_id,
            "sku": list(products),
            "step_up": [step_up.value for step_up in products.values()],
        }
        await tx.execute(_DROP_PRODUCTS, {key: values[key] for key in ("merchant_id", "sku")})
        if products:
            await tx.execute(_PUT_PRODUCTS, values)


_FIND = text(
    """
    SELECT step_up, shop_name, shop_url, product_url, (
        SELECT CAST(coalesce(jsonb_object_agg(p.sku, p.step_up), '{}') AS text)
        FROM page_product_setting p
        WHERE p.merchant_id = s.merchant_id AND (CAST(:skus AS text[]) IS NULL
              OR p.sku = ANY(CAST(:skus AS text[])))) AS products
    FROM page_setting s WHERE s.merchant_id = :merchant_id
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

_DROP_PRODUCTS = text(
    """
    DELETE FROM page_product_setting
    WHERE merchant_id = :merchant_id AND NOT (sku = ANY(CAST(:sku AS text[])))
    """
)

_PUT_PRODUCTS = text(
    """
    INSERT INTO page_product_setting (merchant_id, sku, step_up)
    SELECT :merchant_id, own.* FROM unnest(CAST(:sku AS text[]), CAST(:step_up AS text[])) AS own
    ON CONFLICT (merchant_id, sku) DO UPDATE SET step_up = excluded.step_up
    """
)
