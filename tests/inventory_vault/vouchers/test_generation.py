"""Orders for vouchers: from the call to codes that buyers open."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text

from inventory_vault.custody.service import CustodyService
from inventory_vault.imports.service import ImportService
from inventory_vault.lots.domain import NewLot
from inventory_vault.lots.service import LotService
from inventory_vault.opener.client import OpenerClient
from inventory_vault.pools.service import PoolService
from inventory_vault.settings import Settings
from inventory_vault.vouchers.domain import CodeForm, Generation, Terms, compact, is_valid
from inventory_vault.vouchers.service import VoucherService, seal_vouchers
from kit.clock import SystemClock
from kit.db import Database
from kit.ids import new_id
from kit.money import Money
from kit.service import Service
from sealing import Box, BoxOpener, Fingerprinter, Header, Sealer, new_key_pair
from tests.inventory_vault.conftest import OpenClient
from tests.inventory_vault.factories import OTHER_MERCHANT, Recipient, Vault
from tests.inventory_vault.tills import FACE_VALUE, Till, money, refused

Rows = Callable[..., Awaitable[list[Any]]]


@pytest.fixture
async def vouchers(settings: Settings, db: Database, opener: None) -> AsyncIterator[VoucherService]:
    """As app.py builds it, without its desk: a test works on an order itself."""
    client = OpenerClient(settings.opener_socket, timeout_seconds=10)
    pools, lots, custody = PoolService(), LotService(), CustodyService(client)

    def fingerprinter_for(merchant_id: UUID) -> Fingerprinter:
        return Fingerprinter(b"f" * 32, merchant_id)

    imports = ImportService(pools, lots, SystemClock(), b"f" * 32, resume_hours_max=24)
    yield VoucherService(db, pools, lots, imports, custody, fingerprinter_for)
    await client.close()


def an_order(
    kind: type[Generation],
    merchant: UUID,
    pool_id: UUID,
    *,
    quantity: int,
    guess_odds: int = 10**12,
) -> Generation:
    return kind(
        merchant_id=merchant,
        pool_id=pool_id,
        lot_id=new_id(),
        quantity=quantity,
        terms=Terms(Money(100, "CNY")),
        expires_at=None,
        supplier="own",
        unit_cost=Money(0, "CNY"),
        prefix="VC",
        guess_odds=guess_odds,
        needs_activation=False,
        note=None,
        requested_by="key:test",
    )


async def test_generated_vouchers_are_sold_and_opened_like_any_other_stock(till: Till):
    pool_id, lot_id = await till.stocked(5, prefix="VC", note="a campaign")

    lot = (await till.vault.client.get(f"/v1/lots/{lot_id}")).json()
    units = await till.vault.sold(pool_id, 5)
    codes = [await till.code_of(unit["unit_id"]) for unit in units]

    assert (lot["supplier"], lot["note"], lot["unit_cost"]) == ("own", "a campaign", money(0))
    assert {unit["mask"] for unit in units} == {"VC****"}
    assert len(set(codes)) == 5
    for code in codes:
        assert code.startswith("VC-")
        assert is_valid(code)
        # 5 vouchers at one to 10^12: nine random symbols; two of the prefix, one to check.
        assert len(compact(code)) == 2 + 9 + 1
    assert await till.vault.conserved(pool_id)


async def test_a_lot_has_the_terms_it_was_ordered_with(till: Till):
    _, lot_id = await till.stocked(
        1, valid_from="2026-01-01T00:00:00Z", limits={"per_buyer": 2, "per_shop": 9}
    )

    terms = (await till.vault.client.get(f"/v1/lots/{lot_id}/voucher-terms")).json()

    assert terms == {
        "lot_id": lot_id,
        "face_value": money(60),
        "valid_from": "2026-01-01T00:00:00Z",
        "limits": {"per_buyer": 2, "per_shop": 9},
    }


async def test_the_same_call_again_generates_nothing_more(till: Till):
    pool_id = await till.vault.pool("voucher")
    till.vault.client.headers["Idempotency-Key"] = str(new_id())

    first = await till.generate(pool_id, 3)
    again = await till.generate(pool_id, 3)

    assert first.json() == again.json()
    await till.vault.receipt(first.json()["import_id"])
    assert (await till.vault.levels(pool_id))["total"] == 3


@pytest.mark.parametrize("kind", ["code", "card", "link", "reusable", "image"])
async def test_vouchers_are_only_for_pools_of_vouchers(till: Till, kind: str):
    pool_id = await till.vault.pool(kind)

    assert refused(await till.generate(pool_id)) == (422, "not_a_voucher_pool")


async def test_a_foreign_pool_takes_no_vouchers(till: Till, api: OpenClient):
    pool_id = await till.vault.pool("voucher")
    client = await api("stock:write", "stock:read", merchant_id=OTHER_MERCHANT)
    other = Till(Vault(client, OTHER_MERCHANT))

    assert refused(await other.generate(pool_id)) == (404, "pool_not_found")


@pytest.mark.parametrize(
    ("fields", "pointer"),
    [
        ({"quantity": 0}, "/quantity"),
        ({"quantity": 1_000_001}, "/quantity"),
        ({"face_value": money(0)}, "/face_value/amount"),
        ({"face_value": money(-5)}, "/face_value/amount"),
        ({"face_value": {"amount": 5, "currency": "yuan"}}, "/face_value/currency"),
        ({"prefix": "TOOLONGXX"}, "/prefix"),
        ({"prefix": "GIFT"}, "/prefix"),
        ({"prefix": "-"}, "/prefix"),
        ({"prefix": "vc"}, "/prefix"),
        ({"guess_odds": 10**6 - 1}, "/guess_odds"),
        ({"guess_odds": 10**15 + 1}, "/guess_odds"),
        ({"limits": {"per_buyer": 0}}, "/limits/per_buyer"),
        ({"codes": ["MINE"]}, "/codes"),
    ],
)
async def test_a_bad_order_is_refused_with_the_field_named(
    till: Till, fields: dict[str, Any], pointer: str
):
    pool_id = await till.vault.pool("voucher")

    answer = await till.generate(pool_id, **{"quantity": 1, **fields})

    assert refused(answer) == (422, "validation_failed")
    assert [item["pointer"] for item in answer.json()["errors"]] == [pointer]


@pytest.mark.parametrize(
    "fields",
    [
        {"expires_at": "2020-01-01T00:00:00Z"},
        {"expires_at": "2199-01-01T00:00:00Z", "valid_from": "2199-01-01T00:00:00Z"},
        {"expires_at": "2199-01-01T00:00:00Z", "valid_from": "2199-06-01T00:00:00Z"},
    ],
)
async def test_vouchers_nobody_could_use_are_not_made(till: Till, fields: dict[str, Any]):
    pool_id = await till.vault.pool("voucher")

    assert refused(await till.generate(pool_id, **fields)) == (422, "never_valid")


async def test_an_expiry_is_the_lots(till: Till):
    pool_id, lot_id = await till.stocked(1, expires_at="2199-01-01T00:00:00Z")

    assert (await till.vault.client.get(f"/v1/lots/{lot_id}")).json()["expires_at"]
    assert (await till.vault.levels(pool_id))["available"] == 1


async def test_the_lot_is_announced_and_no_code_is_in_any_row(till: Till, rows: Rows):
    pool_id, lot_id = await till.stocked(3)
    codes = [await till.code_of(unit["unit_id"]) for unit in await till.vault.sold(pool_id, 3)]

    events = await rows("SELECT type FROM event_log WHERE key = :key", key=pool_id)

    assert "lockstock.inventory_vault.v1.StockImported" in [row.type for row in events]
    units = await rows("SELECT u::text AS line FROM unit u WHERE lot_id = :lot", lot=lot_id)
    for code in codes:
        for row in units:
            assert code not in row.line
            assert compact(code) not in row.line


class Tiny(Generation):
    """An order for codes of so few symbols that draws meet."""

    @property
    def form(self) -> CodeForm:
        return CodeForm(self.prefix, self.guess_odds)


async def _order(db: Database, vouchers: VoucherService, wanted: Generation) -> UUID:
    async with db.transaction() as tx:
        import_id = await vouchers.begin(tx, wanted)
    await vouchers.work_on(import_id, wanted)
    return import_id


async def test_a_code_the_vault_holds_already_is_drawn_again(
    till: Till, db: Database, vouchers: VoucherService, rows: Rows
):
    """841 codes are possible, 300 are made: the lots are full and distinct all the same.

    The last code's draw meets a known one with odds of 299/841: 16 times in a row, 1 in 10^7.
    """
    pool_id = await till.vault.pool("voucher")
    for _ in range(2):
        wanted = an_order(Tiny, till.vault.merchant, UUID(pool_id), quantity=150, guess_odds=2)
        receipt = await till.vault.receipt(str(await _order(db, vouchers, wanted)))
        assert (receipt["status"], receipt["accepted"]) == ("completed", 150), receipt

    found = await rows(
        "SELECT count(DISTINCT fingerprint) AS codes, count(*) AS units FROM unit WHERE "
        "merchant_id = :merchant",
        merchant=till.vault.merchant,
    )
    assert (found[0].codes, found[0].units) == (300, 300)
    assert await till.vault.conserved(pool_id)


async def test_an_order_that_cannot_be_filled_fails_and_leaves_nothing(
    till: Till, db: Database, vouchers: VoucherService, service: Service, rows: Rows
):
    pool_id = await till.vault.pool("voucher")
    wanted = an_order(Tiny, till.vault.merchant, UUID(pool_id), quantity=30, guess_odds=1)
    receipt = await till.vault.receipt(str(await _order(db, vouchers, wanted)))

    assert (receipt["status"], receipt["lot_id"]) == ("failed", None)
    assert (await till.vault.levels(pool_id))["total"] == 0
    await _taken_back(service, rows, wanted.lot_id)
    assert await rows("SELECT 1 FROM unit WHERE lot_id = :lot", lot=wanted.lot_id) == []
    assert await rows("SELECT 1 FROM voucher_terms WHERE lot_id = :lot", lot=wanted.lot_id) == []


async def test_an_order_whose_process_ended_is_taken_back_whole(
    till: Till, db: Database, vouchers: VoucherService, service: Service, rows: Rows
):
    """The process dies after a chunk: nobody says any more that the order is alive."""
    pool_id = await till.vault.pool("voucher")
    wanted = an_order(Generation, till.vault.merchant, UUID(pool_id), quantity=50_000)
    async with db.transaction() as tx:
        import_id = await vouchers.begin(tx, wanted)
    work = asyncio.create_task(vouchers.work_on(import_id, wanted))
    while not await rows("SELECT 1 FROM unit WHERE lot_id = :lot LIMIT 1", lot=wanted.lot_id):  # noqa: ASYNC110 - a row has no event
        await asyncio.sleep(0.01)
    work.cancel()
    await asyncio.gather(work, return_exceptions=True)
    async with db.transaction() as tx:
        await tx.execute(
            text(
                "UPDATE stock_import SET alive_at = clock_timestamp() - interval '3 minutes' "
                "WHERE id = :id"
            ),
            {"id": import_id},
        )

    await _taken_back(service, rows, wanted.lot_id)

    assert (await till.vault.receipt(str(import_id)))["status"] == "failed"
    assert await rows("SELECT 1 FROM unit WHERE lot_id = :lot", lot=wanted.lot_id) == []
    assert (await till.vault.levels(pool_id))["total"] == 0


async def _taken_back(service: Service, rows: Rows, lot_id: UUID) -> None:
    """One round of the worker's job, as long as it finds work."""
    job = next(job for job in service.jobs if job.name == "take-back-failed-imports")
    while await job._run():
        pass
    assert await rows("SELECT 1 FROM lot WHERE id = :lot", lot=lot_id) == []


async def test_what_is_sealed_is_what_is_found_by_its_fingerprint():
    """Without a database: the box, the mask and the fingerprint are of one code."""
    pair, merchant = new_key_pair(), new_id()
    sealer = Sealer(pair.public_key)
    wanted = an_order(Generation, merchant, new_id(), quantity=50)
    lot = NewLot(
        id=wanted.lot_id,
        merchant_id=merchant,
        pool_id=wanted.pool_id,
        unit_cost=wanted.unit_cost,
        expires_at=None,
        supplier="own",
        note=None,
        key_id=new_id(),
        sender_public_key=sealer.public_key,
        seal_proof=b"",
    )
    fingerprint = Fingerprinter(b"f" * 32, merchant)

    units = seal_vouchers(sealer, lot, fingerprint, wanted.form, 50)

    assert len({unit.fingerprint for unit in units}) == len(units) == 50
    opener = BoxOpener(pair.private_key)
    for unit in units:
        header = Header(merchant, lot.id, unit.unit_id, lot.key_id)
        fields = (
            opener.open(Box(sealer.public_key, unit.nonce, unit.box), header).secret().disclose()
        )
        assert is_valid(fields["code"])
        assert fingerprint(fields) == unit.fingerprint


@pytest.mark.timeout(120)
async def test_a_hundred_thousand_vouchers_are_all_different_and_a_sample_is_used(
    till: Till, rows: Rows
):
    quantity, sample = 100_000, 40
    pool_id = await till.vault.pool("voucher")
    answer = await till.generate(pool_id, quantity, prefix="K")
    for _ in range(100):
        receipt = await till.vault.receipt(answer.json()["import_id"])
        if receipt["status"] != "running":
            break
    assert (receipt["status"], receipt["accepted"]) == ("completed", quantity), receipt

    found = await rows(
        "SELECT count(DISTINCT fingerprint) AS codes, count(DISTINCT unit_id) AS ids, "
        "max(seq) AS last, count(DISTINCT mask) AS masks FROM unit WHERE lot_id = :lot",
        lot=answer.json()["lot_id"],
    )
    assert tuple(found[0]) == (quantity, quantity, quantity, 1)
    units = [unit["unit_id"] for unit in await till.vault.sold(pool_id, sample)]
    codes = [await till.code_of(unit_id) for unit_id in units]
    # 10^5 vouchers at one to 10^12: twelve random symbols.
    assert {len(compact(code)) for code in codes} == {1 + 12 + 1}
    done = await asyncio.gather(*(till.redeemed(code=code.lower()) for code in codes))

    assert [each["unit_id"] for each in done] == units
    levels = await till.vault.levels(pool_id)
    assert (levels["redeemed"], levels["available"]) == (sample, quantity - sample)
    assert await till.vault.conserved(pool_id)


async def test_every_buyer_opens_a_code_of_his_own(till: Till):
    pool_id, _ = await till.stocked(2)
    one, two = await till.vault.sold(pool_id, 2)

    first = await till.vault.reveal(one["unit_id"], Recipient())
    codes = {await till.code_of(one["unit_id"]), await till.code_of(two["unit_id"])}

    assert first.status_code == 200
    assert len(codes) == 2


async def test_the_terms_of_imported_vouchers_are_put_afterwards(till: Till):
    pool_id = await till.vault.pool("voucher")
    receipt = await till.vault.add_lot(pool_id, 1, prefix="SUP")
    path = f"/v1/lots/{receipt['lot_id']}/voucher-terms"
    client = till.vault.client

    assert refused(await client.get(path)) == (404, "no_voucher_terms")
    put = await client.put(path, json={"face_value": money(500), "limits": {"per_buyer": 1}})
    again = await client.put(path, json={"face_value": money(700)})

    assert put.status_code == again.status_code == 200
    assert (await client.get(path)).json() == again.json()
    assert again.json()["limits"] == {"per_buyer": None, "per_shop": None}
    unit_id = (await till.vault.sold(pool_id))[0]["unit_id"]
    assert await till.left(unit_id) == 700


async def test_terms_stay_from_the_first_sale_on(till: Till):
    """What was sold is worth what its buyer was told, and what the books were told of it."""
    pool_id, lot_id = await till.stocked(2, limits={"per_buyer": 1})
    unit_id = (await till.vault.sold(pool_id))[0]["unit_id"]
    path = f"/v1/lots/{lot_id}/voucher-terms"
    put = till.vault.client.put

    less = await put(path, json={"face_value": money(1), "limits": {"per_buyer": 1}})
    without = await put(path, json={"face_value": money(FACE_VALUE)})
    same = await put(path, json={"face_value": money(FACE_VALUE), "limits": {"per_buyer": 1}})

    assert refused(less) == refused(without) == (409, "voucher_terms_in_use")
    assert same.status_code == 200, same.text
    assert same.json() == (await till.vault.client.get(path)).json()
    assert await till.left(unit_id) == FACE_VALUE


async def test_imported_vouchers_get_no_terms_after_their_first_sale(till: Till):
    pool_id = await till.vault.pool("voucher")
    receipt = await till.vault.add_lot(pool_id, 2, prefix="SOLD")
    await till.vault.sold(pool_id)

    answer = await till.vault.client.put(
        f"/v1/lots/{receipt['lot_id']}/voucher-terms", json={"face_value": money(5)}
    )

    assert refused(answer) == (409, "voucher_terms_in_use")


async def test_terms_wait_for_holds_that_end_without_a_sale(till: Till):
    pool_id, lot_id = await till.stocked()
    held = await till.vault.held(pool_id)
    path, wanted = f"/v1/lots/{lot_id}/voucher-terms", {"face_value": money(1)}

    meanwhile = await till.vault.client.put(path, json=wanted)
    await till.vault.release(held)
    afterwards = await till.vault.client.put(path, json=wanted)

    assert refused(meanwhile) == (409, "voucher_terms_in_use")
    assert afterwards.status_code == 200, afterwards.text


async def test_terms_stay_from_the_first_redemption_on(till: Till, db: Database):
    pool_id, lot_id = await till.stocked(2)
    unit_id = (await till.vault.sold(pool_id))[0]["unit_id"]
    done = await till.redeemed(unit_id, amount=money(1))
    await till.roll_back(done["id"])
    path = f"/v1/lots/{lot_id}/voucher-terms"

    answer = await till.vault.client.put(path, json={"face_value": money(1)})

    assert refused(answer) == (409, "voucher_terms_in_use")
    for statement in (
        "UPDATE voucher_terms SET face_value = 9 WHERE lot_id = :lot",
        "DELETE FROM voucher_terms WHERE lot_id = :lot",
    ):
        with pytest.raises(Exception, match="the terms of a lot stay"):
            async with db.transaction() as tx:
                await tx.execute(text(statement), {"lot": lot_id})


async def test_terms_are_for_vouchers_of_ones_own(till: Till, api: OpenClient):
    pool_id = await till.vault.stocked(1)
    lot_id = (await till.vault.client.get(f"/v1/pools/{pool_id}")).json()["lots"][0]["id"]
    _, voucher_lot = await till.stocked(1, expires_at="2199-01-01T00:00:00Z")
    other = await api("stock:write", merchant_id=OTHER_MERCHANT)
    body = {"face_value": money(5)}
    late = {**body, "valid_from": "2199-02-01T00:00:00Z"}
    put = till.vault.client.put

    assert refused(await put(f"/v1/lots/{lot_id}/voucher-terms", json=body)) == (
        422,
        "not_a_voucher_pool",
    )
    assert refused(await other.put(f"/v1/lots/{voucher_lot}/voucher-terms", json=body)) == (
        404,
        "lot_not_found",
    )
    assert refused(await put(f"/v1/lots/{voucher_lot}/voucher-terms", json=late)) == (
        422,
        "never_valid",
    )
