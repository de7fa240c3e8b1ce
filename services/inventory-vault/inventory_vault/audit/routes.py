from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query

from inventory_vault.audit.schemas import (
    AuditCheckpointRead,
    AuditConsistencyRead,
    AuditEntryRead,
    AuditProofRead,
)
from inventory_vault.audit.service import AuditService
from kit.db import Database
from kit.http import Caller, caller
from kit.paging import Page, PageRequest, page_of, page_request

SIZE_MAX = 2**63 - 1
ACTION_CHARACTERS_MAX = 100


def place_in_log(value: object) -> int:
    """Of a cursor. Raises ValueError."""
    if isinstance(value, int) and 0 <= value <= SIZE_MAX:
        return value
    raise ValueError("no place in a log")


def audit_routes(db: Database, audit: AuditService) -> APIRouter:
    router = APIRouter(prefix="/v1/audit", tags=["audit"])

    @router.get("/entries")
    async def list_entries(
        page: Annotated[PageRequest, Depends(page_request)],
        who: Caller = caller("stock:read"),
        object_id: Annotated[UUID | None, Query(description="what it happened to")] = None,
        action: Annotated[
            str | None, Query(max_length=ACTION_CHARACTERS_MAX, description="reservation.sold, ...")
        ] = None,
        after_seq: Annotated[
            int | None, Query(ge=0, le=SIZE_MAX, description="begin behind this place")
        ] = None,
    ) -> Page[AuditEntryRead]:
        """What happened to your stock, in the order of the log. Entries come into the log about a
        second after they happen.
        """
        after = page.after_as(place_in_log)
        async with db.read() as tx:
            found = await audit.list_entries(
                tx,
                who.merchant,
                object_id=object_id,
                action=action,
                after=after[0] if after else after_seq,
                limit=page.limit + 1,
            )
        return page_of(
            found, page, read=AuditEntryRead.from_domain, position=lambda entry: [entry.seq]
        )

    @router.get("/checkpoint")
    async def get_checkpoint(
        who: Caller = caller("stock:read"),
        size: Annotated[int | None, Query(ge=1, le=SIZE_MAX, description="not the newest")] = None,
    ) -> AuditCheckpointRead:
        """The log's signed head. Keep it: with it you find out if the log is changed later."""
        async with db.read() as tx:
            return AuditCheckpointRead.from_domain(await audit.head(tx, size))

    @router.get("/proofs/{entry_id}")
    async def get_proof(
        entry_id: UUID,
        who: Caller = caller("stock:read"),
        size: Annotated[
            int | None, Query(ge=1, le=SIZE_MAX, description="of a checkpoint; else the newest")
        ] = None,
    ) -> AuditProofRead:
        """That an entry of yours is in the log: `lockstock audit prove` makes a file of it."""
        async with db.read() as tx:
            proof = await audit.prove_entry(tx, who.merchant, entry_id, size)
        return AuditProofRead.from_domain(proof)

    @router.get("/consistency")
    async def get_consistency(
        older: Annotated[
            int, Query(alias="from", ge=1, le=SIZE_MAX, description="size of a checkpoint you kept")
        ],
        who: Caller = caller("stock:read"),
        newer: Annotated[
            int | None, Query(alias="to", ge=1, le=SIZE_MAX, description="size; else the newest")
        ] = None,
    ) -> AuditConsistencyRead:
        """That the log at one checkpoint begins with the log at an earlier one, to the letter."""
        async with db.read() as tx:
            return AuditConsistencyRead.from_domain(await audit.prove_growth(tx, older, newer))

    return router
