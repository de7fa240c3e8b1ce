from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from kit.db import clock_time
from order.lines.domain import LineStatus
from order.orders.domain import OrderStatus
from order.tables import metadata

_STATUSES = ", ".join(f"'{status}'" for status in OrderStatus)
_LINE_STATUSES = ", ".join(f"'{status}'" for status in LineStatus)
# An order's row is rewritten a few times in its life: leave room for that on its page.
_STORAGE = {"fillfactor": 80}
_EMPTY = text("'{}'::jsonb")
_NONE = text("'[]'::jsonb")

orders = Table(
    "orders",
    metadata,
    Column("id", Uuid, primary_key=True),
    # No foreign keys here: every order of a busy channel would lock the same two rows, and neither
    # merchants nor channels are ever deleted.
    Column("merchant_id", Uuid, nullable=False),
    Column("channel_id", Uuid, nullable=False),
    Column("reference", Text, nullable=False),
    # The trigger orders_transition refuses what LEGAL in domain.py does not allow.
    Column("status", Text, nullable=False),
    Column("total_minor", BigInteger, nullable=False),
    Column("currency", Text, nullable=False),
    Column("reservation_id", Uuid),
    Column("verdict", Text),
    Column("assessment_id", Text, nullable=False, server_default=""),
    # Risk was silent, and its channel's default counts; what risk said when it was too late.
    Column("is_default_verdict", Boolean, nullable=False, server_default=text("false")),
    Column("late_verdict", Text),
    # {"id", "channel", "target"} of an order whose buyer was to show a code.
    Column("challenge", JSONB(none_as_null=True)),
    Column("reason", Text, nullable=False, server_default=""),
    Column("customer_id", Text, nullable=False),
    Column("customer_email", Text),
    Column("customer_phone", Text),
    Column("customer_ip", Text),
    Column("customer_device_id", Text),
    Column("customer_registered_at", DateTime(timezone=True)),
    Column("customer_locale", Text),
    Column("customer_region", Text),
    Column("contact_hash", Text),
    Column("recipient_public_key", LargeBinary),
    # The payment that paid it. order_payment has the key that makes it the only one.
    Column("payment_id", Uuid),
    Column("payment_via", Text),
    Column("payment_provider", Text),
    Column("payment_reference", Text),
    # [[payment id, via, provider, reference, amount, surplus], ...] of an order that took other
    # than one exact payment; before it is paid, the parts that came.
    Column("parts", JSONB, nullable=False, server_default=text("'[]'::jsonb")),
    # What came in the order's currency and pays nothing of it, and what of that went back.
    Column("surplus_minor", BigInteger, nullable=False, server_default="0"),
    Column("returned_minor", BigInteger, nullable=False, server_default="0"),
    # The event of its end was published; money that goes back later is told by itself.
    Column("is_closed", Boolean, nullable=False, server_default=text("false")),
    # It had ended unpaid when its whole price came: its goods were held anew, once.
    Column("revived_at", DateTime(timezone=True)),
    Column("pay_until", DateTime(timezone=True), nullable=False),
    Column("placed_at", DateTime(timezone=True), nullable=False),
    Column("paid_at", DateTime(timezone=True)),
    # What the books need to know of the channel's fee and the buyer's groups, where it is not the
    # usual.
    Column("terms", JSONB, nullable=False, server_default=_EMPTY),
    clock_time("updated_at"),
    # A channel belongs to one merchant, so this makes the reference unique in its channel; in this
    # order the index also finds a merchant's orders by reference.
    UniqueConstraint("merchant_id", "reference", "channel_id"),
    CheckConstraint(f"status IN ({_STATUSES})", name="status_known"),
    CheckConstraint("total_minor >= 0", name="total_not_negative"),
    CheckConstraint("returned_minor BETWEEN 0 AND surplus_minor", name="returned_came"),
    CheckConstraint("octet_length(recipient_public_key) = 32", name="public_key_size"),
    CheckConstraint(
        "(status IN ('pending_payment', 'cancelled', 'expired')) = (payment_id IS NULL)",
        name="paid_has_payment",
    ),
    CheckConstraint("(payment_id IS NULL) = (paid_at IS NULL)", name="payment_has_time"),
    # What searches go by and what changes: the rest is in order_search.
    Index("ix_orders_merchant_id_placed_at_id", "merchant_id", "placed_at", "id"),
    Index("ix_orders_merchant_id_status_placed_at_id", "merchant_id", "status", "placed_at", "id"),
    Index(
        "ix_orders_merchant_id_paid_at_id",
        "merchant_id",
        "paid_at",
        "id",
        postgresql_where=text("paid_at IS NOT NULL"),
    ),
    Index(
        "ix_orders_open",
        "merchant_id",
        "id",
        postgresql_where=text("status IN ('paid', 'on_hold', 'fulfilling', 'refunding')"),
    ),
    Index(
        "ix_orders_undecided",
        "paid_at",
        postgresql_where=text("status = 'paid' AND verdict IS NULL"),
    ),
    Index("ix_orders_unpaid", "pay_until", postgresql_where=text("status = 'pending_payment'")),
    postgresql_with=_STORAGE,
)

order_line = Table(
    "order_line",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("order_id", Uuid, ForeignKey("orders.id"), nullable=False),
    Column("line_no", Integer, nullable=False),
    Column("product_id", Uuid, nullable=False),
    # Everything about the product is as it was when the order was placed.
    Column("sku", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("pool_id", Uuid),
    Column("quantity", Integer, nullable=False),
    Column("unit_price_minor", BigInteger, nullable=False),
    Column("total_minor", BigInteger, nullable=False),
    Column("currency", Text, nullable=False),
    Column("instructions", Text, nullable=False, server_default=""),
    # What the buyer entered (a phone number to top up); checked against the product's form.
    Column("inputs", JSONB, nullable=False, server_default=text("'{}'::jsonb")),
    Column("status", Text, nullable=False, server_default="pending"),
    # [[lot id, quantity, unit cost, currency, supplier, purchase id, and of a voucher its face
    # value and currency], ...] of what was delivered.
    Column("costs", JSONB, nullable=False, server_default=text("'[]'::jsonb")),
    # The product's fulfillment document; empty in lines older than this column.
    Column("terms", JSONB, nullable=False, server_default=_EMPTY),
    # The fields that asked for the inputs.
    Column("form", JSONB, nullable=False, server_default=_NONE),
    Column("template", Text, nullable=False, server_default=""),
    Column("region", JSONB, nullable=False, server_default=_EMPTY),
    Column("redemption", JSONB, nullable=False, server_default=_EMPTY),
    Column("image_url", Text, nullable=False, server_default=""),
    Column("options", JSONB, nullable=False, server_default=_EMPTY),
    # [{"rule": ..., ...}, ...]: how the price came about, step by step.
    Column("price_derivation", JSONB, nullable=False, server_default=_NONE),
    # The bundle it was sold in; bundle_no tells two bundles of one order apart.
    Column("bundle_sku", Text),
    Column("bundle_no", Integer),
    Column("bundle_policy", Text),
    # What of its price was asked back, and is back. Kept by the trigger order_refund_count.
    Column("refund_minor", BigInteger, nullable=False, server_default="0"),
    Column("refunded_minor", BigInteger, nullable=False, server_default="0"),
    # Its part of the channel's fee on the order.
    Column("fee_minor", BigInteger, nullable=False, server_default="0"),
    # Of the ladder for lines that stock ran out for: the round that fulfilment works on, the rungs
    # that were tried, and the substitute ({} for none). order_line_round guards them.
    Column("round", Integer, nullable=False, server_default="1"),
    Column("tried", JSONB, nullable=False, server_default=text("'[]'::jsonb")),
    Column("instead", JSONB, nullable=False, server_default=text("'{}'::jsonb")),
    UniqueConstraint("order_id", "line_no"),
    CheckConstraint("kind IN ('pool', 'top_up', 'manual')", name="kind_known"),
    CheckConstraint("(kind = 'pool') = (pool_id IS NOT NULL)", name="pool_of_kind"),
    CheckConstraint("num_nonnulls(bundle_sku, bundle_no, bundle_policy) IN (0, 3)", name="bundle"),
    CheckConstraint("bundle_policy IN ('all_or_nothing', 'partial')", name="bundle_policy_known"),
    CheckConstraint("quantity > 0", name="quantity_positive"),
    CheckConstraint("refund_minor BETWEEN 0 AND total_minor", name="refund_was_paid"),
    CheckConstraint("refunded_minor BETWEEN 0 AND refund_minor", name="refunded_was_due"),
    CheckConstraint("fee_minor >= 0", name="fee_not_negative"),
    CheckConstraint("unit_price_minor >= 0 AND total_minor >= 0", name="price_not_negative"),
    CheckConstraint(f"status IN ({_LINE_STATUSES})", name="status_known"),
    postgresql_with=_STORAGE,
)

# What an order is found by and what never changes, one row for each (`sku:GAME-100`). Apart from
# orders, whose indexes are written anew with every state: these are written once.
order_search = Table(
    "order_search",
    metadata,
    Column("merchant_id", Uuid, primary_key=True),
    Column("term", Text, primary_key=True),
    Column("placed_at", DateTime(timezone=True), primary_key=True),
    Column("order_id", Uuid, primary_key=True),
)
