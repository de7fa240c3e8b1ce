import asyncio
import secrets
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from uuid import UUID

from inventory_vault.audit.service import note
from inventory_vault.custody.domain import BegunSeal
from inventory_vault.custody.service import CustodyService
from inventory_vault.imports.domain import ImportsNotSetUp
from inventory_vault.imports.service import CHUNK, ImportService, reason_of
from inventory_vault.lots.domain import Lot, NewLot, SealedUnit
from inventory_vault.lots.service import LotService
from inventory_vault.pools.domain import UnitKind
from inventory_vault.pools.service import PoolService
from inventory_vault.vouchers import repository
from inventory_vault.vouchers.domain import (
    CodeForm,
    Generation,
    NeverValid,
    NotAVoucherPool,
    NoTerms,
    Terms,
    TermsInUse,
)
from kit.db import Database, Transaction
from kit.ids import new_id
from sealing import Fingerprinter, Header, Sealer, Secret

FRUITLESS_ROUNDS_MAX = 16
"""Rounds in a row whose every code the vault holds already, before the order fails."""
SOURCE = "vouchers generated here"


class VoucherService:
    """Vouchers of our own, and what the vouchers of a lot are worth. `work_on` takes many
    transactions, so it has the database; like an import it leaves nothing when it crashes.
    """

    def __init__(
        self,
        db: Database,
        pools: PoolService,
        lots: LotService,
        imports: ImportService,
        custody: CustodyService,
        fingerprinter_for: Callable[[UUID], Fingerprinter] | None,
    ) -> None:
        self._db = db
        self._pools = pools
        self._lots = lots
        self._imports = imports
        self._custody = custody
        self._fingerprinter_for = fingerprinter_for

    async def begin(self, tx: Transaction, wanted: Generation) -> UUID:
        """Notes the order and answers the import to follow. Raises PoolNotFound, NotAVoucherPool,
        NeverValid, ImportsNotSetUp.
        """
        if self._fingerprinter_for is None:
            raise ImportsNotSetUp
        pool = await self._pools.get(tx, wanted.merchant_id, wanted.pool_id)
        if pool.unit_kind is not UnitKind.VOUCHER:
            raise NotAVoucherPool(f"the pool holds units of kind {pool.unit_kind}")
        await _require_validity(tx, wanted.terms.valid_from, wanted.expires_at)
        return await self._imports.begin_without_file(
            tx, wanted.merchant_id, wanted.pool_id, SOURCE
        )

    async def work_on(self, import_id: UUID, wanted: Generation) -> None:
        """From the order to a lot on the shelf; an error ends in a failed import that says why."""
        try:
            await self._work_on(import_id, wanted)
        except Exception as error:
            async with self._db.transaction() as tx:
                await self._imports.fail(tx, import_id, reason_of(import_id, error))

    async def get_terms(self, tx: Transaction, merchant_id: UUID, lot_id: UUID) -> Terms:
        """Raises LotNotFound, NoTerms."""
        await self._lots.get(tx, merchant_id, lot_id)
        terms = await repository.find(tx, lot_id)
        if terms is None:
            raise NoTerms
        return terms

    async def set_terms(
        self, tx: Transaction, merchant_id: UUID, lot_id: UUID, terms: Terms, *, requested_by: str
    ) -> None:
        """For vouchers that came by import, too. The terms that the lot has already are no change.
        Raises LotNotFound, NotAVoucherPool, NeverValid, TermsInUse.
        """
        lot = await self._lots.get(tx, merchant_id, lot_id)
        await self._require_voucher_pool(tx, lot)
        await _require_validity(tx, terms.valid_from, lot.expires_at)
        await repository.lock_lot(tx, lot_id)
        if await repository.find(tx, lot_id) == terms:
            return
        if await repository.is_taken(tx, lot_id):
            raise TermsInUse
        await repository.put(tx, merchant_id, lot_id, terms)
        note(
            tx,
            "voucher_terms.set",
            lot_id,
            merchant_id=merchant_id,
            actor=requested_by,
            face_value=terms.face_value.amount_minor,
            currency=terms.face_value.currency,
            per_buyer=terms.per_buyer,
            per_shop=terms.per_shop,
        )

    async def _require_voucher_pool(self, tx: Transaction, lot: Lot) -> None:
        pool = await self._pools.get(tx, lot.merchant_id, lot.pool_id)
        if pool.unit_kind is not UnitKind.VOUCHER:
            raise NotAVoucherPool(f"the lot holds units of kind {pool.unit_kind}")

    async def _work_on(self, import_id: UUID, wanted: Generation) -> None:
        assert self._fingerprinter_for is not None  # begin() refused otherwise
        fingerprint = self._fingerprinter_for(wanted.merchant_id)
        seal = await self._custody.begin_seal(wanted.merchant_id, wanted.lot_id)
        lot = _lot_of(wanted, seal)
        async with self._db.transaction() as tx:
            await self._lots.begin(tx, lot)
            await repository.put(tx, lot.merchant_id, lot.id, wanted.terms)
            await self._imports.bind(tx, import_id, lot.id)
        stored, fruitless = 0, 0
        while stored < wanted.quantity and fruitless < FRUITLESS_ROUNDS_MAX:
            missing = min(CHUNK, wanted.quantity - stored)
            units = await asyncio.to_thread(
                seal_vouchers, seal.sealer, lot, fingerprint, wanted.form, missing
            )
            new = await self._store(import_id, lot, stored, units)
            stored, fruitless = stored + new, 0 if new else fruitless + 1
        assert stored == wanted.quantity, "new codes do not come up"
        await self._open_for_sale(import_id, lot, wanted)

    async def _store(
        self, import_id: UUID, lot: NewLot, stored: int, units: Sequence[SealedUnit]
    ) -> int:
        """Numbers and copies those the merchant's vault does not hold yet; how many."""
        async with self._db.transaction() as tx:
            await self._imports.require_alone(tx, import_id, lot, stored)
            known = await self._lots.known_fingerprints(
                tx, lot.merchant_id, [unit.fingerprint for unit in units]
            )
            new = [unit for unit in units if unit.fingerprint not in known]
            numbered = [replace(unit, seq=seq) for seq, unit in enumerate(new, stored + 1)]
            await self._lots.add_units(tx, lot, numbered)
            await self._imports.progress(tx, import_id, stored + len(numbered))
        return len(numbered)

    async def _open_for_sale(self, import_id: UUID, lot: NewLot, wanted: Generation) -> None:
        async with self._db.transaction() as tx:
            await self._imports.require_alone(tx, import_id, lot, wanted.quantity)
            await self._lots.put_on_shelf(
                tx,
                lot,
                size=wanted.quantity,
                total_cost=lot.unit_cost * wanted.quantity,
                head_expires_at=lot.expires_at,
                mixed_expiry=False,
            )
            await self._imports.complete(tx, import_id)
            note(
                tx,
                "vouchers.generated",
                lot.id,
                merchant_id=lot.merchant_id,
                actor=wanted.requested_by,
                pool_id=str(lot.pool_id),
                quantity=wanted.quantity,
                face_value=wanted.terms.face_value.amount_minor,
                currency=wanted.terms.face_value.currency,
            )


def seal_vouchers(
    sealer: Sealer, lot: NewLot, fingerprint: Fingerprinter, form: CodeForm, count: int
) -> list[SealedUnit]:
    """Runs in a thread. Up to `count` fresh vouchers, all different; their codes are in clear
    inside of this function only.
    """
    sealed: dict[bytes, SealedUnit] = {}
    for code in form.codes(secrets.token_bytes(form.bytes_for(count))):
        fields = {"code": code}
        mark = fingerprint(fields)
        if mark in sealed:
            continue
        unit_id = new_id()
        box = sealer.seal(Header(lot.merchant_id, lot.id, unit_id, lot.key_id), Secret(fields))
        sealed[mark] = SealedUnit(
            seq=0,
            unit_id=unit_id,
            nonce=box.nonce,
            box=box.ciphertext,
            mask=form.mask,
            fingerprint=mark,
            unit_cost_minor=None,
            expires_at=None,
        )
        if len(sealed) == count:
            break
    return list(sealed.values())


def _lot_of(wanted: Generation, seal: BegunSeal) -> NewLot:
    return NewLot(
        id=wanted.lot_id,
        merchant_id=wanted.merchant_id,
        pool_id=wanted.pool_id,
        unit_cost=wanted.unit_cost,
        expires_at=wanted.expires_at,
        supplier=wanted.supplier,
        note=wanted.note,
        key_id=seal.key_id,
        sender_public_key=seal.sealer.public_key,
        seal_proof=seal.proof,
        needs_activation=wanted.needs_activation,
    )


async def _require_validity(
    tx: Transaction, valid_from: datetime | None, expires_at: datetime | None
) -> None:
    if expires_at is None:
        return
    is_empty = valid_from is not None and valid_from >= expires_at
    if is_empty or not await repository.is_future(tx, expires_at):
        raise NeverValid
