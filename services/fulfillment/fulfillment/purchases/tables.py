"""Tables of this slice. A purchase is one reference at one supplier; the trigger
`purchase_transition` refuses what LEGAL in domain.py does not allow."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from fulfillment.purchases.domain import PurchaseState
from kit.db import clock_time


def purchase_tables(metadata: MetaData) -> None:
    """Adds this slice's tables to the service's metadata."""
    states = ", ".join(f"'{state.value}'" for state in PurchaseState)
    Table(
        "purchase",
        metadata,
        # Our reference at the supplier: made from the line and the offer, so a repeat is the same.
        Column("id", Uuid, primary_key=True),
        Column("merchant_id", Uuid, nullable=False),
        # For a line of an order, or for a procurement into a pool.
        Column("order_id", Uuid),
        Column("line_id", Uuid),
        Column("delivery_id", Uuid, ForeignKey("delivery.id")),
        Column("task_id", Uuid, ForeignKey("task.id")),
        Column("procurement_id", Uuid, ForeignKey("procurement.id")),
        Column("pool_id", Uuid),
        Column("generation", SmallInteger, nullable=False),
        Column("supplier", Text, nullable=False),
        Column("supplier_sku", Text, nullable=False),
        Column("quantity", Integer, nullable=False),
        # For the whole quantity.
        Column("cost_max_minor", BigInteger, nullable=False),
        Column("currency", Text, nullable=False),
        Column("state", Text, nullable=False, server_default=PurchaseState.INTENT.value),
        Column("sends", Integer, nullable=False, server_default="0"),
        # Of those, the ones of which not a byte left.
        Column("unsent", Integer, nullable=False, server_default="0"),
        Column("asks", Integer, nullable=False, server_default="0"),
        Column("cost_minor", BigInteger),
        Column("supplier_reference", Text, nullable=False, server_default=""),
        Column("receipt", Text, nullable=False, server_default=""),
        Column("reason", Text, nullable=False, server_default=""),
        # The supplier took more than was agreed: the money is gone, an operator must see it.
        Column("is_dearer", Boolean, nullable=False, server_default=text("false")),
        Column("sent_at", DateTime(timezone=True)),
        Column("settled_at", DateTime(timezone=True)),
        # The supplier says "done" after its definite no: a loss to be claimed.
        Column("late_success_at", DateTime(timezone=True)),
        # Given up without the supplier's word: it is asked a few times more.
        Column("recheck_at", DateTime(timezone=True)),
        Column("rechecks", SmallInteger, nullable=False, server_default="0"),
        clock_time("created_at"),
        # Figures of the offers it was chosen from; null: its offer was next in a list.
        Column("choice", JSONB),
        UniqueConstraint("delivery_id", "generation"),
        UniqueConstraint("procurement_id", "generation"),
        CheckConstraint(
            "(delivery_id IS NULL) = (procurement_id IS NOT NULL) "
            "AND (delivery_id IS NULL) = (task_id IS NULL) "
            "AND (delivery_id IS NULL) = (order_id IS NULL) "
            "AND (delivery_id IS NULL) = (line_id IS NULL) "
            "AND (delivery_id IS NULL OR pool_id IS NULL)",
            name="for_a_line_or_for_stock",
        ),
        CheckConstraint(f"state IN ({states})", name="state_known"),
        CheckConstraint("quantity > 0", name="quantity_positive"),
        CheckConstraint("cost_max_minor >= 0", name="cost_max_not_negative"),
        CheckConstraint("unsent BETWEEN 0 AND sends", name="unsent_is_part_of_sends"),
        CheckConstraint("(state = 'done') = (cost_minor IS NOT NULL)", name="done_has_cost"),
        CheckConstraint("state <> 'failed' OR reason <> ''", name="failed_has_reason"),
        CheckConstraint(
            "(state IN ('done', 'failed')) = (settled_at IS NOT NULL)", name="settled_has_time"
        ),
        CheckConstraint(
            "state IN ('intent', 'failed') OR sent_at IS NOT NULL", name="sent_has_time"
        ),
        # The next offer only after a definite failure, and one success at most: in one index.
        Index(
            "uq_purchase_delivery_id_open",
            "delivery_id",
            unique=True,
            postgresql_where=text("state <> 'failed'"),
        ),
        # A procurement may buy in several parts, one after the other.
        Index(
            "uq_purchase_procurement_id_open",
            "procurement_id",
            unique=True,
            postgresql_where=text("state NOT IN ('done', 'failed')"),
        ),
        Index(
            "ix_purchase_recheck_at",
            "recheck_at",
            postgresql_where=text("recheck_at IS NOT NULL"),
        ),
        # May this account move? `sends > unsent` also keeps the planner from reading all that is
        # open where it has ids.
        Index(
            "ix_purchase_merchant_id_supplier_open",
            "merchant_id",
            "supplier",
            postgresql_where=text("settled_at IS NULL AND sends > unsent"),
        ),
        Index("ix_purchase_task_id", "task_id"),
        Index("ix_purchase_order_id", "order_id"),
        Index("ix_purchase_merchant_id_created_at_id", "merchant_id", "created_at", "id"),
    )
