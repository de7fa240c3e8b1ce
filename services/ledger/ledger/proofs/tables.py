"""The chain. Everything that is hashed and how: repository.py."""

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    UniqueConstraint,
    Uuid,
)

from kit.db import clock_time


def chain_tables(metadata: MetaData) -> None:
    # Filled by a trigger on transaction, emptied by the sequencer.
    Table("unchained", metadata, Column("transaction_id", Uuid, primary_key=True))
    Table(
        "chain_batch",
        metadata,
        Column("batch_no", BigInteger, primary_key=True, autoincrement=False),
        Column("previous", LargeBinary, nullable=False),
        Column("digest", LargeBinary, nullable=False),
        Column("transactions_total", BigInteger, nullable=False),
        clock_time("chained_at"),
        CheckConstraint(
            "octet_length(digest) = 32 AND octet_length(previous) = 32", name="digest_size"
        ),
    )
    Table(
        "chained_transaction",
        metadata,
        Column("transaction_id", Uuid, primary_key=True),
        Column("batch_no", BigInteger, nullable=False),
        Column("position", Integer, nullable=False),
        Column("digest", LargeBinary, nullable=False),
        # Of each posting in the order of line_no, 32 bytes each: they say which one was changed.
        Column("line_digests", LargeBinary, nullable=False),
        UniqueConstraint("batch_no", "position"),
    )
