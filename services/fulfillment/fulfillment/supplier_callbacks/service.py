"""Hears suppliers' callbacks: believes the signature, then asks; decides nothing twice."""

import hashlib
from uuid import UUID

from fulfillment.connector import Forged, HearsCallbacks, Pushed, Told
from fulfillment.purchases.service import PurchaseService
from fulfillment.supplier_callbacks.domain import REPEATS_MAX, CallbackForged
from fulfillment.supplier_callbacks.repository import CallbackRepository
from fulfillment.suppliers.domain import Account, Supplier, SupplierNotFound
from fulfillment.suppliers.service import SupplierService
from kit.db import Database
from kit.logging import get_logger

log = get_logger(__name__)


class CallbackService:
    def __init__(
        self, repository: CallbackRepository, suppliers: SupplierService, purchases: PurchaseService
    ) -> None:
        self._repository = repository
        self._suppliers = suppliers
        self._purchases = purchases

    async def receive(self, db: Database, supplier_id: UUID, pushed: Pushed) -> Told:
        """What the supplier waits to hear. The same again, early or late, is harmless. Raises
        SupplierNotFound, CallbackForged.
        """
        async with db.read() as tx:
            found = await self._suppliers.find_called(tx, supplier_id)
        if found is None:
            raise SupplierNotFound
        supplier, account = found
        told = _heard(supplier, account, pushed)
        digest = hashlib.sha256(pushed.body).digest()
        await self._note(db, supplier, told, digest, can_be_asked=account.terms.query_by_ref)
        return told

    async def _note(
        self, db: Database, supplier: Supplier, told: Told, digest: bytes, *, can_be_asked: bool
    ) -> None:
        owner = supplier.merchant_id, supplier.name
        async with db.transaction() as tx:
            times = await self._repository.note(tx, *owner, told.reference, digest)
            if times is None:
                # Signed, and about nothing of ours: the supplier need not repeat it.
                log.warning("callback_of_nothing", supplier_id=str(supplier.id))
            elif times <= REPEATS_MAX:
                await self._purchases.hear(tx, told, can_be_asked=can_be_asked)


def _heard(supplier: Supplier, account: Account, pushed: Pushed) -> Told:
    """By the secret of now, or by the one before while that is believed."""
    connector = account.connector
    if not isinstance(connector, HearsCallbacks):
        raise SupplierNotFound
    why: Forged | None = None
    for access in account.hearing:
        try:
            return connector.hear(access, pushed)
        except Forged as error:
            why = why or error
    log.warning("callback_forged", supplier_id=str(supplier.id), why=str(why))
    raise CallbackForged from why
