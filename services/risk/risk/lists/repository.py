from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import text

from kit.db import Transaction
from kit.ids import LAST_ID, new_id
from kit.statements import Read
from risk.lists.domain import Entry, EntryKind, EntryText, digest_of
from risk.velocity.domain import Purchase, normal_address

_FIELDS = ("id", "list", "kind", "value", "reason", "author", "added_at", "expires_at")
_COLUMNS = ", ".join(_FIELDS)
# None of them when nothing was there.
_WAS = ", ".join(f"old.{name} AS was_{name}" for name in _FIELDS)
_PUT = text(f"""
    INSERT INTO list_entry AS held (id, merchant_id, list, kind, value, digest, network, reason,
        author, expires_at)
    SELECT id, :merchant_id, :list, kind, value, digest, CAST(network AS cidr), reason, :author,
        expires_at
    FROM unnest(CAST(:ids AS uuid[]), CAST(:kinds AS text[]), CAST(:values AS text[]),
        CAST(:digests AS uuid[]), CAST(:networks AS text[]), CAST(:reasons AS text[]),
        CAST(:expiries AS timestamptz[]))
        AS given(id, kind, value, digest, network, reason, expires_at)
    ORDER BY kind, value
    ON CONFLICT (merchant_id, list, kind, value) DO UPDATE SET reason = excluded.reason,
        author = excluded.author, added_at = clock_timestamp(), expires_at = excluded.expires_at
    RETURNING {_COLUMNS}, {_WAS}
""")  # noqa: S608 - made of constants above
_LIST = text(f"""
    SELECT {_COLUMNS} FROM list_entry
    WHERE merchant_id = :merchant_id AND list = :list
        AND (CAST(:kind AS text) IS NULL OR kind = :kind)
        AND (:with_expired OR expires_at IS NULL OR expires_at > clock_timestamp())
        AND id < :before
    ORDER BY id DESC LIMIT :limit
""")  # noqa: S608 - made of constants above
# By itself: plans are generic, and a filter that may be absent finds no index. A value is there
# once of each kind.
_LIST_OF_VALUE = text(f"""
    WITH said AS MATERIALIZED (
        SELECT {_COLUMNS} FROM list_entry
        WHERE merchant_id = :merchant_id AND list = :list
            AND kind = ANY(CAST(:kinds AS text[])) AND value = :value
    )
    SELECT {_COLUMNS} FROM said
    WHERE (:with_expired OR expires_at IS NULL OR expires_at > clock_timestamp())
        AND id < :before
    ORDER BY id DESC LIMIT :limit
""")  # noqa: S608 - made of constants above
_DROP = text(f"""
    DELETE FROM list_entry WHERE merchant_id = :merchant_id AND list = :list AND id = :id
    RETURNING {_COLUMNS}
""")  # noqa: S608 - made of constants above
_MEET = text("""
    SELECT given.n, entry.list
    FROM unnest(CAST(:digest_ns AS int[]), CAST(:merchants AS uuid[]), CAST(:digests AS uuid[]))
        AS given(n, merchant_id, digest)
    JOIN list_entry AS entry ON entry.digest = given.digest
        AND entry.merchant_id = given.merchant_id
        AND (entry.expires_at IS NULL OR entry.expires_at > clock_timestamp())
    UNION
    SELECT given.n, entry.list
    FROM unnest(CAST(:address_ns AS int[]), CAST(:address_merchants AS uuid[]),
        CAST(:addresses AS text[])) AS given(n, merchant_id, address)
    JOIN list_entry AS entry ON entry.network >>= CAST(given.address AS inet)
        AND entry.merchant_id = given.merchant_id
        AND (entry.expires_at IS NULL OR entry.expires_at > clock_timestamp())
""")
_DIGESTED = [kind for it in EntryKind if (kind := it.key_kind) is not None]


class ListRepository:
    async def put(
        self,
        tx: Transaction,
        merchant_id: UUID,
        name: str,
        entries: Sequence[EntryText],
        *,
        author: str,
    ) -> tuple[list[Entry], list[Entry]]:
        """Adds, or replaces what was said of a value before; answers the entries as they are, and
        those that were replaced, as they were.
        """
        addresses = (EntryKind.IP, EntryKind.NETWORK)
        result = await tx.execute(
            _PUT,
            {
                "merchant_id": merchant_id,
                "list": name,
                "author": author,
                "ids": [new_id() for _ in entries],
                "kinds": [it.kind.value for it in entries],
                "values": [it.value for it in entries],
                "digests": [digest_of(merchant_id, it.kind, it.value) for it in entries],
                "networks": [it.value if it.kind in addresses else None for it in entries],
                "reasons": [it.reason for it in entries],
                "expiries": [it.expires_at for it in entries],
            },
        )
        rows = result.all()
        replaced = [_to_domain(row, "was_") for row in rows if row.was_id is not None]
        return [_to_domain(row) for row in rows], replaced

    async def list_entries(
        self,
        tx: Transaction,
        merchant_id: UUID,
        name: str,
        *,
        kind: EntryKind | None,
        value: str | None,
        with_expired: bool,
        before: UUID | None,
        limit: int,
    ) -> list[Entry]:
        """Newest first."""
        values = {
            "merchant_id": merchant_id,
            "list": name,
            "with_expired": with_expired,
            "before": before or LAST_ID,
            "limit": limit,
        }
        if value is None:
            rows = await tx.execute(_LIST, values | {"kind": None if kind is None else kind.value})
        else:
            kinds = [it.value for it in EntryKind] if kind is None else [kind.value]
            rows = await tx.execute(_LIST_OF_VALUE, values | {"kinds": kinds, "value": value})
        return [_to_domain(row) for row in rows]

    async def drop(
        self, tx: Transaction, merchant_id: UUID, name: str, entry_id: UUID
    ) -> Entry | None:
        """The entry as it was; None when there is no such entry."""
        values = {"merchant_id": merchant_id, "list": name, "id": entry_id}
        row = (await tx.execute(_DROP, values)).one_or_none()
        return None if row is None else _to_domain(row)

    def meet(self, purchases: Sequence[Purchase]) -> Read:
        """(Place of the purchase, name of a list that it is on)."""
        keys = [
            (number, it.merchant_id, key.digest)
            for number, it in enumerate(purchases)
            for kind in _DIGESTED
            for key in it.keys_of(kind)
        ]
        # Counts go by the first contact; a list means whichever was given.
        keys += [
            (number, it.merchant_id, digest)
            for number, it in enumerate(purchases)
            for digest in it.other_contacts
        ]
        addresses = [
            (number, it.merchant_id, address.split("%", 1)[0])
            for number, it in enumerate(purchases)
            if (address := normal_address(it.ip))
        ]
        return Read(
            _MEET,
            {
                "digest_ns": [number for number, _, _ in keys],
                "merchants": [merchant_id for _, merchant_id, _ in keys],
                "digests": [digest for *_, digest in keys],
                "address_ns": [number for number, _, _ in addresses],
                "address_merchants": [merchant_id for _, merchant_id, _ in addresses],
                "addresses": [address for *_, address in addresses],
            },
        )


def _to_domain(row: Any, prefix: str = "") -> Entry:
    cells = {name: getattr(row, prefix + name) for name in _FIELDS}
    return Entry(**cells | {"kind": EntryKind(cells["kind"])})
