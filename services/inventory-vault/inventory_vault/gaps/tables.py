from sqlalchemy import CheckConstraint, Column, Integer, Table, Uuid

from inventory_vault.metadata import metadata

# A signpost, not the truth: no unit from first_seq to last_seq is on the shelf, so that nobody
# walks over what was taken ahead of the cursor. What is missing here is only walked over.
gap_run = Table(
    "gap_run",
    metadata,
    Column("lot_id", Uuid, primary_key=True),
    Column("first_seq", Integer, primary_key=True),
    Column("last_seq", Integer, nullable=False),
    Column("merchant_id", Uuid, nullable=False),
    CheckConstraint("last_seq >= first_seq", name="run"),
)
