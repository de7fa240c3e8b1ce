"""What the database says of units on the shelf, in words that several repositories use."""

from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

from sqlalchemy.exc import IntegrityError

from inventory_vault.lots.domain import LotExposed
from kit.db import constraint_of

ON_SHELF = "l.size - l.next_seq + 1 - l.gaps_ahead + l.free_count"
"""How many units of a `lot l` stand on the shelf, by its counters."""
LIVES = """
    NOT (l.state = 'on_shelf'
      AND coalesce(coalesce(u.expires_at, l.expires_at) <= clock_timestamp(), false))
"""
"""Of a `unit u` of a `lot l`: what has expired on the shelf stays expired, also before it is
withdrawn, for the books were told.
"""


@contextmanager
def exposure_told(lot_id: UUID) -> Iterator[None]:
    """The database keeps a lot off the shelf whose key was compromised: raises LotExposed."""
    try:
        yield
    except IntegrityError as error:
        if constraint_of(error) == "lot_of_unexposed_key":
            raise LotExposed(lot_id=str(lot_id)) from error
        raise
