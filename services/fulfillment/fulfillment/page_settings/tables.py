"""One row per merchant that wants anything else than the defaults, and one per product for which
it wants anything else than for its others."""

from sqlalchemy import (
    CheckConstraint,
    Column,
    MetaData,
    Table,
    Text,
    Uuid,
)

from fulfillment.page_settings.domain import StepUp
from kit.db import clock_time


def page_setting_tables(metadata: MetaData) -> None:
    """Adds this slice's tables to the service's metadata."""
    step_ups = ", ".join(f"'{it.value}'" for it in StepUp)
    Table(
        "page_setting",
        metadata,
        Column("merchant_id", Uuid, primary_key=True),
        Column("step_up", Text, nullable=False),
        Column("shop_name", Text, nullable=False),
        Column("shop_url", Text, nullable=False),
        Column("product_url", Text, nullable=False),
        clock_time("changed_at"),
        CheckConstraint(f"step_up IN ({step_ups})", name="step_up_known"),
    )
    Table(
        "page_product_setting",
        metadata,
        Column("merchant_id", Uuid, primary_key=True),
        Column("sku", Text, primary_key=True),
        Column("step_up", Text, nullable=False),
        CheckConstraint(f"step_up IN ({step_ups})", name="step_up_known"),
    )
