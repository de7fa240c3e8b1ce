"""One row per merchant that wants anything else than the defaults."""

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
    """Adds this slice's table to the service's metadata."""
    Table(
        "page_setting",
        metadata,
        Column("merchant_id", Uuid, primary_key=True),
        Column("step_up", Text, nullable=False),
        Column("shop_name", Text, nullable=False),
        Column("shop_url", Text, nullable=False),
        Column("product_url", Text, nullable=False),
        clock_time("changed_at"),
        CheckConstraint(
            "step_up IN (" + ", ".join(f"'{it.value}'" for it in StepUp) + ")",
            name="step_up_known",
        ),
    )
