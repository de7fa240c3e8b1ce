from typing import Annotated, cast

from fastapi import APIRouter, Depends, Path, Query, Request

from kit.db import Database
from kit.http import Caller, caller
from ledger.proofs.schemas import ChainBatchRead, ProofRead
from ledger.proofs.service import BATCHES_CHECKED_MAX, ChainService

router = APIRouter(tags=["proofs"])
BATCH_NO_MAX = 2**53


def _chain(request: Request) -> ChainService:
    return cast(ChainService, request.app.state.chain)


def _db(request: Request) -> Database:
    return cast(Database, request.app.state.db)


Chain = Annotated[ChainService, Depends(_chain)]
Db = Annotated[Database, Depends(_db)]


@router.get(
    "/v1/ledger-proof",
    summary="Check that nothing was changed since it was posted",
    description="Hashes the transactions and postings of some batches anew and holds them against "
    "the chain. Names each of your postings that is not as it was.",
)
async def prove(
    chain: Chain,
    db: Db,
    from_batch: Annotated[int, Query(ge=1, le=BATCH_NO_MAX, description="begin here")] = 1,
    batches: Annotated[
        int, Query(ge=1, le=BATCHES_CHECKED_MAX, description="how many to check")
    ] = BATCHES_CHECKED_MAX,
    who: Caller = caller("ledger:read"),
) -> ProofRead:
    async with db.read() as tx:
        proof = await chain.prove(tx, who.merchant, from_batch=from_batch, batches=batches)
    return ProofRead.from_domain(proof)


@router.get("/v1/ledger-proof/batches/{batch_no}", summary="One batch of the chain")
async def get_batch(
    batch_no: Annotated[int, Path(ge=1, le=BATCH_NO_MAX)],
    chain: Chain,
    db: Db,
    who: Caller = caller("ledger:read"),
) -> ChainBatchRead:
    async with db.read() as tx:
        return ChainBatchRead.from_domain(await chain.batch(tx, batch_no))
