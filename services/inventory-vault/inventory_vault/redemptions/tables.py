"""What was redeemed, and what was given back.

Redemptions and rollbacks are only ever added. The database itself books them into `unit_balance`,
whose checks refuse more than there is; nobody else may change a balance.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    ForeignKey,
    Index,
    Integer,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    func,
)

from inventory_vault.metadata import metadata

MOMENT = DateTime(timezone=True)

redemption = Table(
    "redemption",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("merchant_id", Uuid, nullable=False),
    Column("merchant_reference", Text, nullable=False),
    Column("unit_id", Uuid, nullable=False),
    Column("lot_id", Uuid, nullable=False),
    Column("seq", Integer, nullable=False),
    # Null when the unit has no face value: it is redeemed whole, once.
    Column("amount", BigInteger),
    Column("currency", Text),
    Column("balance_after", BigInteger),
    # The caller asked for all there was instead of naming an amount.
    Column("is_whole", Boolean, nullable=False),
    Column("state_before", Text, nullable=False),
    Column("buyer_id", Text),
    Column("shop_id", Text),
    Column("redeemed_by", Text, nullable=False),
    Column("redeemed_at", MOMENT, nullable=False, server_default=func.clock_timestamp()),
    UniqueConstraint("merchant_id", "merchant_reference"),
    CheckConstraint("amount >= 1 AND balance_after >= 0", name="amount"),
    CheckConstraint(
        "(amount IS NULL) = (currency IS NULL) AND (amount IS NULL) = (balance_after IS NULL)",
        name="money",
    ),
    CheckConstraint("state_before IN ('sold', 'opened')", name="state_before"),
    Index("ix_redemption_merchant_id_id", "merchant_id", "id"),
    Index("ix_redemption_unit_id_id", "unit_id", "id"),
)

# The primary key is the promise that an amount is given back once at most.
redemption_rollback = Table(
    "redemption_rollback",
    metadata,
    Column("redemption_id", Uuid, ForeignKey("redemption.id"), primary_key=True),
    Column("merchant_id", Uuid, nullable=False),
    Column("reason", Text, nullable=False),
    Column("rolled_back_by", Text, nullable=False),
    Column("rolled_back_at", MOMENT, nullable=False, server_default=func.clock_timestamp()),
)

# One row per unit that was ever redeemed. `redeemed` and `standing` are the sum and the number of
# what was not rolled back; the face value is as it was at the first redemption.
unit_balance = Table(
    "unit_balance",
    metadata,
    Column("lot_id", Uuid, primary_key=True),
    Column("seq", Integer, primary_key=True),
    Column("merchant_id", Uuid, nullable=False),
    Column("face_value", BigInteger),
    Column("currency", Text),
    Column("redeemed", BigInteger, nullable=False),
    Column("standing", Integer, nullable=False),
    # Where the unit goes back to when it was used up and a part is rolled back.
    Column("state_before", Text, nullable=False),
    CheckConstraint("redeemed BETWEEN 0 AND coalesce(face_value, 0)", name="redeemed"),
    CheckConstraint("standing >= 0 AND (face_value IS NOT NULL OR standing <= 1)", name="standing"),
    CheckConstraint("state_before IN ('sold', 'opened')", name="state_before"),
    postgresql_with={"fillfactor": "70"},
)

# How many vouchers of a lot a buyer or a shop has in use, where the lot limits it.
voucher_use = Table(
    "voucher_use",
    metadata,
    Column("lot_id", Uuid, primary_key=True),
    Column("party", Text, primary_key=True),
    Column("party_id", Text, primary_key=True),
    Column("merchant_id", Uuid, nullable=False),
    Column("vouchers", Integer, nullable=False),
    CheckConstraint("party IN ('buyer', 'shop')", name="party"),
    CheckConstraint("vouchers >= 0", name="vouchers"),
    postgresql_with={"fillfactor": "70"},
)

# Who asked for codes that do not exist: when the next wrong one is free again. Unlogged: after a
# crash of the database everybody begins anew, which costs a guesser's handicap and nothing else.
wrong_code = Table(
    "wrong_code",
    metadata,
    Column("subject", Text, primary_key=True),
    Column("free_at", MOMENT, nullable=False),
    Index("ix_wrong_code_free_at", "free_at"),
    prefixes=["UNLOGGED"],
)
