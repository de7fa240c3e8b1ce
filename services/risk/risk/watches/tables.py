from sqlalchemy import Column, MetaData, Table, Text, Uuid

from kit.db import clock_time


def watch_tables(metadata: MetaData) -> None:
    # What a merchant's rules ever counted by: kinds of keys, and 'key:value' for pairs.
    Table(
        "velocity_watch",
        metadata,
        Column("merchant_id", Uuid, primary_key=True),
        Column("what", Text, primary_key=True),
        clock_time("since"),
    )
