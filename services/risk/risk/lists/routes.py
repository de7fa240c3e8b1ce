import json
from collections.abc import Sequence
from typing import Annotated, cast
from uuid import UUID

from fastapi import APIRouter, Depends, Path, Query, Request, Response

from kit.db import Database, Transaction
from kit.http import Caller, Once, caller, once
from kit.paging import Page, PageRequest, page_of, page_request
from risk.lists.domain import VALUE_LENGTH_MAX, EntryKind, EntryText
from risk.lists.schemas import EntriesPut, EntriesRead, EntryRead, EntryWanted
from risk.lists.service import ListService

router = APIRouter(tags=["lists"])


def _lists(request: Request) -> ListService:
    return cast(ListService, request.app.state.lists)


def _db(request: Request) -> Database:
    return cast(Database, request.app.state.db)


Lists = Annotated[ListService, Depends(_lists)]
Db = Annotated[Database, Depends(_db)]
ListName = Annotated[
    str,
    Path(
        pattern=r"^[a-z0-9][a-z0-9_-]{0,39}$",
        description="block and allow are judged by rules that every merchant starts with; watch, "
        "and any other name, means what a rule makes of it",
        examples=["watch"],
    ),
]


@router.get("/v1/lists/{name}/entries", summary="What is on a list, newest first")
async def list_entries(
    name: ListName,
    lists: Lists,
    db: Db,
    page: Annotated[PageRequest, Depends(page_request)],
    kind: Annotated[EntryKind | None, Query(description="only these")] = None,
    value: Annotated[
        str | None,
        Query(
            max_length=VALUE_LENGTH_MAX,
            pattern=r"^[^\x00-\x1f\x7f]*$",
            description="only this value, as the list has it",
        ),
    ] = None,
    with_expired: Annotated[bool, Query(description="also what counts no more")] = False,  # noqa: FBT002 - a query parameter
    who: Caller = caller("risk:read"),
) -> Page[EntryRead]:
    before = page.after_as(UUID)
    async with db.read() as tx:
        found = await lists.list_entries(
            tx,
            who.merchant,
            name,
            kind=kind,
            value=value,
            with_expired=with_expired,
            before=before[0] if before else None,
            limit=page.limit + 1,
        )
    return page_of(found, page, read=EntryRead.from_domain, position=lambda entry: [entry.id])


@router.post(
    "/v1/lists/{name}/entries",
    status_code=201,
    response_model=EntriesRead,
    summary="Put values on a list",
    description="All or none. A value that is on the list already gets the new reason and end.",
)
async def put_entries(
    name: ListName,
    body: EntriesPut,
    lists: Lists,
    run: Once = once(),
    who: Caller = caller("risk:write"),
) -> Response:
    given = [it.to_domain() for it in body.entries]
    entries = await lists.hashed(given)
    # A contact in clear is kept nowhere, not as part of a hash without a key either.
    fingerprint = None if entries is given else _fingerprint(entries)

    async def work(tx: Transaction) -> EntriesRead:
        put = await lists.put(tx, who.merchant, name, entries, author=who.id)
        return EntriesRead(entries=[EntryRead.from_domain(it) for it in put])

    return await run(who, work, fingerprint=fingerprint)


@router.post(
    "/v1/lists/{name}/entries/find",
    response_model=EntriesRead,
    summary="What a list says of one value",
    description="For a contact in clear, which belongs in a body and in no address. One entry or "
    "none. It changes nothing and takes no Idempotency-Key.",
)
async def find_entry(
    name: ListName, body: EntryWanted, lists: Lists, db: Db, who: Caller = caller("risk:read")
) -> EntriesRead:
    (wanted,) = await lists.hashed([body.to_domain()])
    async with db.read() as tx:
        found = await lists.find(tx, who.merchant, name, wanted)
    return EntriesRead(entries=[EntryRead.from_domain(found)] if found else [])


def _fingerprint(entries: Sequence[EntryText]) -> bytes:
    return json.dumps(
        [
            [it.kind, it.value, it.reason, it.expires_at and it.expires_at.isoformat()]
            for it in entries
        ]
    ).encode()


@router.delete(
    "/v1/lists/{name}/entries/{entry_id}", status_code=204, summary="Take a value off a list"
)
async def drop_entry(
    name: ListName, entry_id: UUID, lists: Lists, db: Db, who: Caller = caller("risk:write")
) -> None:
    async with db.transaction() as tx:
        await lists.drop(tx, who.merchant, name, entry_id, author=who.id)
