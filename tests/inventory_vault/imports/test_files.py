"""The suppliers' sample files give their known answers, whatever their encoding and separators."""

import json
import tempfile
from collections import Counter
from pathlib import Path

import pytest
from sqlalchemy import text

from kit.service import Service
from tests.inventory_vault.factories import Recipient, Vault, run_job

CARDS = Path(__file__).parents[3] / "examples" / "cards"
KINDS = {
    "youku-month-gbk.csv": "card",
    "game-points.txt": "card",
    "steam-keys.txt": "code",
    "coffee-links.csv": "link",
    "jd-giftcards.xlsx": "card",
}
ANSWERS = json.loads((CARDS / "answers.json").read_text())


@pytest.mark.parametrize("name", KINDS)
async def test_a_sample_file_gives_its_known_answer(vault: Vault, name: str):
    answer = ANSWERS[name]
    pool_id = await vault.pool(KINDS[name])

    receipt = await vault.imported(pool_id, (CARDS / name).read_bytes(), name=name)

    reasons = Counter(line["code"] for line in receipt["lines"])
    duplicates = reasons.pop("duplicate_in_file", 0)
    assert receipt["status"] == "completed"
    assert receipt["accepted"] == answer["accepted"]
    assert receipt["duplicates"] == duplicates == answer["duplicates"]
    assert reasons == answer["rejected"]
    assert receipt["rejected"] == sum(answer["rejected"].values())
    if "separator" in answer:
        assert receipt["separator"] == answer["separator"]
    levels = await vault.levels(pool_id)
    assert (levels["available"], levels["total"]) == (answer["accepted"],) * 2
    assert await vault.conserved(pool_id)


async def test_a_dry_run_gives_the_same_receipt_and_stocks_nothing(vault: Vault, rows):
    name = "youku-month-gbk.csv"
    pool_id = await vault.pool("card")
    data = (CARDS / name).read_bytes()

    tried = await vault.imported(pool_id, data, name=name, dry_run="true")

    assert (tried["status"], tried["lot_id"]) == ("dry_run", None)
    assert (tried["accepted"], tried["rejected"], tried["duplicates"]) == (500, 9, 7)
    assert (await vault.levels(pool_id))["total"] == 0
    [row] = await rows("SELECT count(*) AS n FROM unit WHERE merchant_id = :m", m=vault.merchant)
    assert row.n == 0
    real = await vault.imported(pool_id, data, name=name)
    assert real["lines"] == tried["lines"]


async def test_a_second_upload_finds_every_code_in_the_vault(vault: Vault):
    pool_id, other = await vault.pool(), await vault.pool()
    await vault.add_lot(pool_id, 30)

    again = await vault.imported(other, "CODE-000001\nｃｏｄｅ-new\n CODE 000002 \nCODE–000003\n")

    assert (again["accepted"], again["duplicates"], again["rejected"]) == (1, 3, 0)
    assert {line["code"] for line in again["lines"]} == {"duplicate_in_vault"}
    assert [line["line"] for line in again["lines"]] == [1, 3, 4]
    assert (await vault.levels(other))["total"] == 1


async def test_a_file_without_a_new_code_leaves_no_lot(vault: Vault):
    pool_id = await vault.stocked(3)
    again = await vault.imported(pool_id, "CODE-000001\nCODE-000002\n")
    assert (again["status"], again["accepted"], again["lot_id"]) == ("completed", 0, None)
    assert len((await vault.client.get(f"/v1/pools/{pool_id}")).json()["lots"]) == 1


async def test_codes_are_kept_to_the_letter(vault: Vault):
    pool_id = await vault.pool()
    odd = ["Ａbc－ｄｅｆ 12345", "aB-cD eF/9:€", "0000123400005678"]
    await vault.imported(pool_id, "\n".join(odd))
    shop = Recipient()
    claimed = await vault.claim(await vault.held(pool_id, 3), shop)
    assert [shop.open(unit["box"])["code"] for unit in claimed.json()["units"]] == odd


async def test_per_line_cost_and_expiry_win_over_the_form(vault: Vault):
    pool_id = await vault.pool("card")
    table = (
        "卡号,卡密,成本,有效期\n"
        "1111222233334444,a,12.34,2199-01-01\n"
        "5555666677778888,b,,2198年1月1日\n"
        "9999000011112222,c,1,\n"
    )
    receipt = await vault.imported(pool_id, table.encode("gb18030"))
    lot = (await vault.client.get(f"/v1/lots/{receipt['lot_id']}")).json()
    assert lot["total_cost"] == {"amount": 1234 + 500 + 100, "currency": "CNY"}

    shop = Recipient()
    claimed = (await vault.claim(await vault.held(pool_id, 3), shop)).json()["units"]

    assert [shop.open(unit["box"])["password"] for unit in claimed] == ["b", "a", "c"]
    assert [unit["unit_cost"]["amount"] for unit in claimed] == [500, 1234, 100]


async def test_a_file_that_cannot_be_read_fails_as_a_whole_and_says_why(vault: Vault):
    pool_id = await vault.pool("card")
    for data, word in (
        (b"\xff\x00\x81", "UTF-8"),
        (b"   \n ", "empty"),
        ("卡号,面值\n123,4\n".encode(), "password"),
        (b"PK\x03\x04 not a zip", "spreadsheet"),
    ):
        receipt = await vault.imported(pool_id, data)
        assert receipt["status"] == "failed"
        assert word in receipt["failure"]
    assert (await vault.levels(pool_id))["total"] == 0


async def test_the_form_is_checked_field_by_field(vault: Vault):
    pool_id = await vault.pool()
    answer = await vault.upload(pool_id, "A\n", unit_cost="-1", currency="yuan", surprise="1")
    assert answer.status_code == 422
    pointers = {error["pointer"] for error in answer.json()["errors"]}
    assert pointers == {"/unit_cost", "/currency", "/surprise"}

    url = f"/v1/pools/{pool_id}/lots"
    fields = {"supplier": "s", "unit_cost": "1", "currency": "CNY"}
    missing = await vault.client.post(url, files={"other": ("f", b"A")}, data=fields)
    assert [error["pointer"] for error in missing.json()["errors"]][-1] == "/file"
    empty = {"content-type": "multipart/form-data"}
    for answer in (
        await vault.client.post(url, content=b"A", headers={"content-type": "text/csv"}),
        await vault.client.post(url, content=b"", headers=empty),
    ):
        assert (answer.status_code, answer.json()["code"]) == (422, "not_multipart")


async def test_an_upload_over_the_limit_is_refused(vault: Vault, service: Service):
    pool_id = await vault.pool()
    length = {"content-length": str(service.settings.import_bytes_max + 1)}  # type: ignore[attr-defined]
    answer = await vault.client.post(f"/v1/pools/{pool_id}/lots", content=b"x", headers=length)
    assert (answer.status_code, answer.json()["code"]) == (413, "body_too_large")


async def test_an_upload_never_touches_a_disk(vault: Vault, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(tempfile, "tempdir", "/nonexistent")
    pool_id = await vault.pool()
    large = "".join(f"{number:08}" + "x" * 300 + "\n" for number in range(8_000))

    receipt = await vault.imported(pool_id, large)

    assert len(large) > 2 * 1_048_576
    assert receipt["accepted"] == 8_000


async def test_the_same_upload_with_its_idempotency_key_is_imported_once(vault: Vault):
    pool_id = await vault.pool()
    vault.client.headers["Idempotency-Key"] = "upload-1"
    first = await vault.upload(pool_id, "A-1\nA-2\n")
    second = await vault.upload(pool_id, "A-1\nA-2\n")
    other = await vault.upload(pool_id, "A-1\nA-3\n")
    assert second.json() == first.json()
    assert second.headers["Idempotent-Replayed"] == "true"
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")


async def test_two_uploads_of_one_file_at_once_stock_each_code_once(vault: Vault):
    pool_id = await vault.pool()
    table = "".join(f"TWIN-{number:06}\n" for number in range(3_000))
    first, second = await vault.upload(pool_id, table), await vault.upload(pool_id, table)

    receipts = [await vault.receipt(answer.json()["import_id"]) for answer in (first, second)]

    assert sum(receipt["accepted"] for receipt in receipts) == 3_000
    assert sum(receipt["duplicates"] for receipt in receipts) == 3_000
    assert (await vault.levels(pool_id))["available"] == 3_000


async def test_an_import_that_nobody_resumes_is_taken_back_whole(
    vault: Vault, service: Service, rows
):
    pool_id = await vault.stocked(5, prefix="CRASH")
    async with service.db.transaction() as tx:
        # As a process leaves it that was killed between its last chunk and the end.
        await tx.execute(
            text(
                "UPDATE stock_import SET status = 'running', finished_at = NULL, "
                "alive_at = now() - interval '1 hour' WHERE merchant_id = :m"
            ),
            {"m": vault.merchant},
        )
        await tx.execute(text("ALTER TABLE lot DISABLE TRIGGER USER"))
        await tx.execute(
            text("UPDATE lot SET state = 'importing' WHERE merchant_id = :m"),
            {"m": vault.merchant},
        )
        await tx.execute(text("ALTER TABLE lot ENABLE TRIGGER USER"))

    await run_job(service, "take-back-failed-imports")
    [row] = await rows(
        "SELECT status, lot_id FROM stock_import WHERE merchant_id = :m", m=vault.merchant
    )
    assert row.status == "interrupted"
    assert row.lot_id is not None

    async with service.db.transaction() as tx:
        await tx.execute(
            text(
                "UPDATE stock_import SET interrupted_at = now() - interval '25 hours' "
                "WHERE merchant_id = :m"
            ),
            {"m": vault.merchant},
        )
    await run_job(service, "take-back-failed-imports")

    [row] = await rows(
        "SELECT status, lot_id, failure FROM stock_import WHERE merchant_id = :m", m=vault.merchant
    )
    assert (row.status, row.lot_id) == ("failed", None)
    for table in ("unit", "lot", "lot_seal", "lot_tally"):
        [left] = await rows(
            f"SELECT count(*) AS n FROM {table} WHERE merchant_id = :m",  # noqa: S608 - our names
            m=vault.merchant,
        )
        assert left.n == 0, table
    assert (await vault.imported(pool_id, "CRASH-000001\n"))["accepted"] == 1


async def test_receipts_are_read_in_pages_and_by_their_owner_only(vault: Vault, api):
    pool_id = await vault.pool("card")
    receipt = await vault.imported(pool_id, "card,pin\n" + "1,\n" * 5)
    url = f"/v1/imports/{receipt['id']}"
    first = (await vault.client.get(url, params={"lines": 2})).json()
    second = (
        await vault.client.get(url, params={"lines": 3, "after_line": first["next_line"]})
    ).json()
    assert [line["line"] for line in first["lines"]] == [2, 3]
    assert [line["line"] for line in second["lines"]] == [4, 5, 6]
    assert second["next_line"] is None
    stranger = await api("stock:read", merchant_id=pool_id)
    assert (await stranger.get(url)).status_code == 404


async def test_a_lot_whose_time_is_over_is_refused(vault: Vault):
    pool_id = await vault.pool()
    answer = await vault.upload(pool_id, "A\n", expires_at="2020-01-01T00:00:00Z")
    assert (answer.status_code, answer.json()["code"]) == (422, "expires_at_in_the_past")
