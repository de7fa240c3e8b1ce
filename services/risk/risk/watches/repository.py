from collections.abc import Collection, Iterable
from uuid import UUID

from sqlalchemy import text

from kit.db import Transaction
from risk.watches.domain import Watch, Watched

_LOCK_MERCHANTS = text("""
    SELECT pg_advisory_xact_lock_shared(hashtextextended('velocity:' || merchant_id, 0))
    FROM (SELECT DISTINCT unnest(CAST(:merchants AS text[])) AS merchant_id ORDER BY 1) AS given
""")
_LOCK_MERCHANT_ALONE = text(
    "SELECT pg_advisory_xact_lock(hashtextextended('velocity:' || :merchant_id, 0))"
)
_WATCHED = text("""
    SELECT merchant_id, what FROM velocity_watch WHERE merchant_id = ANY(CAST(:merchants AS uuid[]))
""")
_WATCH = text("""
    INSERT INTO velocity_watch (merchant_id, what)
    SELECT :merchant_id, unnest(CAST(:what AS text[])) ON CONFLICT DO NOTHING
""")

WATCHES_MAX = 100_000
"""Merchants of whom it is remembered what is watched, about 500 bytes each."""


class WatchRepository:
    def __init__(self) -> None:
        # Words are only added: as long as their number is the same, so are they.
        self._kept: dict[UUID, tuple[Watch, int]] = {}

    async def lock(self, tx: Transaction, merchants: Collection[UUID]) -> dict[UUID, Watch]:
        """What is counted for each merchant; nobody changes it until this transaction ends."""
        await tx.execute(_LOCK_MERCHANTS, {"merchants": [str(it) for it in merchants]})
        return dict((await self.find(tx, merchants)).of)

    async def find(self, tx: Transaction, merchants: Collection[UUID]) -> Watched:
        """As it is now; kept for `remembered`."""
        what: dict[UUID, list[str]] = {merchant_id: [] for merchant_id in merchants}
        for row in await tx.execute(_WATCHED, {"merchants": list(merchants)}):
            what[row.merchant_id].append(row.what)
        if len(self._kept) + len(what) > WATCHES_MAX:
            self._kept.clear()
        for merchant_id, words in what.items():
            self._kept[merchant_id] = (Watch.of_words(words), len(words))
        return self._watched(what)

    def remembered(self, merchants: Collection[UUID]) -> Watched | None:
        """As it was when it was last looked at, if it was for all of them: `lock_keys` tells
        whether it still is.
        """
        if all(merchant_id in self._kept for merchant_id in merchants):
            return self._watched(merchants)
        return None

    def _watched(self, merchants: Iterable[UUID]) -> Watched:
        kept = {merchant_id: self._kept[merchant_id] for merchant_id in merchants}
        return Watched(
            {merchant_id: watch for merchant_id, (watch, _) in kept.items()},
            sum(words for _, words in kept.values()),
        )

    async def extend(self, tx: Transaction, merchant_id: UUID, watch: Watch) -> None:
        """Waits for every batch that counts without it."""
        await tx.execute(_LOCK_MERCHANT_ALONE, {"merchant_id": str(merchant_id)})
        await tx.execute(_WATCH, {"merchant_id": merchant_id, "what": watch.words()})
