"""Brings a file of products in, chunk by chunk; a line is taken wholly or refused alone."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from uuid import UUID

from kit.db import Database, Transaction
from kit.errors import DomainError
from order.bundles.domain import BadComponents
from order.catalogue import service as catalogue
from order.catalogue.domain import BundleFulfillment, Listing, Product
from order.product_files.domain import CellRefused, Receipt, Refusal, Row, read_rows

CHUNK_LINES = 200
EXPORT_PAGE = 500

Read = Callable[[Row, Product | None], Listing]
"""The product that a row makes of what is there. Raises CellRefused, or a DomainError."""


@dataclass(frozen=True, slots=True)
class Wanted:
    row: Row
    listing: Listing

    @property
    def is_bundle(self) -> bool:
        return isinstance(self.listing.fulfillment, BundleFulfillment)


async def bring_in(tx: Transaction, merchant_id: UUID, data: bytes, read: Read) -> Receipt:
    """Makes new SKUs, edits known ones; the same file again changes nothing.

    Raises UnreadableFile.
    """
    receipt = Receipt()
    rows = read_rows(data)
    bundles: list[Wanted] = []
    while chunk := await asyncio.to_thread(_next, rows):
        receipt.lines += len(chunk)
        receipt.refused += [row for row in chunk if isinstance(row, Refusal)]
        good = [row for row in chunk if isinstance(row, Row)]
        known = await catalogue.lock_by_sku(tx, merchant_id, [row.sku for row in good])
        wanted = await asyncio.to_thread(_read_all, good, known, read, receipt)
        bundles += [it for it in wanted if it.is_bundle]
        await _write(tx, merchant_id, [it for it in wanted if not it.is_bundle], receipt)
    # What a bundle is made of may stand anywhere in the same file.
    for start in range(0, len(bundles), CHUNK_LINES):
        await _write(tx, merchant_id, bundles[start : start + CHUNK_LINES], receipt)
    receipt.refused.sort(key=lambda refusal: refusal.line)
    return receipt


def _next(rows: Iterator[Row | Refusal]) -> list[Row | Refusal]:
    return list(islice(rows, CHUNK_LINES))


def _read_all(
    rows: Sequence[Row], known: dict[str, Product], read: Read, receipt: Receipt
) -> list[Wanted]:
    """Those that change something; the others are counted or refused."""
    wanted: list[Wanted] = []
    for row in rows:
        existing = known.get(row.sku)
        try:
            listing = read(row, existing)
        except (CellRefused, DomainError) as error:
            receipt.refused.append(_refusal(row, error))
            continue
        if listing == existing:
            receipt.unchanged += 1
        else:
            wanted.append(Wanted(row, listing))
    return wanted


async def _write(
    tx: Transaction, merchant_id: UUID, wanted: list[Wanted], receipt: Receipt
) -> None:
    if not wanted:
        return
    bad = await catalogue.check_bundles(tx, merchant_id, [it.listing for it in wanted])
    receipt.refused += [_refusal(it.row, bad[it.row.sku]) for it in wanted if it.row.sku in bad]
    good = [it for it in wanted if it.row.sku not in bad]
    try:
        async with tx.savepoint():
            await catalogue.put_many(tx, merchant_id, [it.listing for it in good])
    except DomainError:
        good = await _write_singly(tx, merchant_id, good, receipt)
    created = sum(not isinstance(it.listing, Product) for it in good)
    receipt.created += created
    receipt.changed += len(good) - created


async def _write_singly(
    tx: Transaction, merchant_id: UUID, wanted: Sequence[Wanted], receipt: Receipt
) -> list[Wanted]:
    """One of a chunk cannot be written: it alone is refused."""
    written: list[Wanted] = []
    for it in wanted:
        try:
            async with tx.savepoint():
                await catalogue.put_many(tx, merchant_id, [it.listing])
        except DomainError as error:
            receipt.refused.append(_refusal(it.row, error))
        else:
            written.append(it)
    return written


def _refusal(row: Row, error: CellRefused | DomainError) -> Refusal:
    if isinstance(error, CellRefused):
        return Refusal(row.line, row.sku[:64], error.column, error.code, error.detail)
    errors = error.fields.get("errors") or [{}]
    column = str(errors[0].get("pointer", "")).strip("/").partition("/")[0]
    if isinstance(error, BadComponents):
        detail = "; ".join(f"{it['pointer']}: {it['detail']}" for it in errors)
        return Refusal(row.line, row.sku, column, error.code, detail[:500])
    code, detail = errors[0].get("code", error.code), errors[0].get("detail", error.detail)
    return Refusal(row.line, row.sku, column, str(code), str(detail))


async def take_out(db: Database, merchant_id: UUID) -> AsyncIterator[Sequence[Product]]:
    """All products, page by page, each page a short transaction of its own."""
    after: UUID | None = None
    while True:
        async with db.read() as tx:
            page = await catalogue.list_products(tx, merchant_id, after=after, limit=EXPORT_PAGE)
        if page:
            yield page
        if len(page) < EXPORT_PAGE:
            return
        after = page[-1].id
