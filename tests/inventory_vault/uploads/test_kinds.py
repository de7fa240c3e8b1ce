"""Kinds of units, options of the form, and what a receipt says of other merchants' stock."""

import base64
import io
import json
import zipfile
from collections import Counter
from uuid import UUID

import pytest

from kit.db import Database
from kit.ids import new_id
from sealing import Fingerprinter
from tests.inventory_vault.factories import Recipient, Vault
from tests.inventory_vault.imports.test_files import ANSWERS, CARDS, KINDS

PNG = b"\x89PNG\r\n\x1a\n" + bytes(40)
KEY = b"f" * 32


@pytest.mark.parametrize("name", KINDS)
async def test_a_dry_run_of_a_sample_file_gives_its_known_answer(vault: Vault, name: str):
    answer, pool_id = ANSWERS[name], await vault.pool(KINDS[name])
    data = (CARDS / name).read_bytes()

    receipt = await vault.imported(pool_id, data, name=name, dry_run="true")

    reasons = Counter(line["code"] for line in receipt["lines"])
    assert receipt["status"] == "dry_run"
    assert receipt["accepted"] == answer["accepted"]
    assert receipt["duplicates"] == reasons.pop("duplicate_in_file", 0) == answer["duplicates"]
    assert reasons == answer["rejected"]
    assert (await vault.levels(pool_id))["total"] == 0


async def test_images_are_stored_sealed_and_come_out_as_data_uris(vault: Vault):
    pool_id = await vault.pool("image")
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("a.png", PNG + b"1")
        file.writestr("b.png", PNG + b"2")
        file.writestr("c.txt", b"none")
    encoded = base64.b64encode(PNG + b"2").decode()

    zipped = await vault.imported(pool_id, archive.getvalue(), name="qr.zip")
    table = await vault.imported(pool_id, f"图片\n{encoded}\n{encoded[:-8]}AAAAAAA=\n")

    assert (zipped["accepted"], zipped["rejected"]) == (2, 1)
    assert (table["accepted"], table["duplicates"]) == (1, 1)
    shop = Recipient()
    units = (await vault.claim(await vault.held(pool_id, 3), shop)).json()["units"]
    images = [shop.open(unit["box"])["image"] for unit in units]
    assert images[0] == f"data:image/png;base64,{base64.b64encode(PNG + b'1').decode()}"
    assert {unit["mask"] for unit in units} == {"image ****"}


async def test_a_reusable_unit_is_sold_as_often_as_its_capacity_says(vault: Vault, rows):
    pool_id = await vault.pool("reusable")
    table = "code,次数,成本\nSHARED-1,3,2.00\nSHARED-2,,\nSHARED-1,9,\n"

    receipt = await vault.imported(pool_id, table, capacity="2", unit_cost="100")

    assert (receipt["accepted"], receipt["units"], receipt["duplicates"]) == (2, 5, 1)
    lot = (await vault.client.get(f"/v1/lots/{receipt['lot_id']}")).json()
    assert lot["total_cost"]["amount"] == 3 * 200 + 2 * 100
    shop = Recipient()
    claim = (await vault.claim(await vault.held(pool_id, 5), shop)).json()["units"]
    sold = Counter(shop.open(unit["box"])["code"] for unit in claim)
    assert sold == {"SHARED-1": 3, "SHARED-2": 2}
    assert len({unit["unit_id"] for unit in claim}) == 5
    assert (await vault.reserve(pool_id)).status_code == 409
    again = await vault.imported(pool_id, "SHARED-2\nSHARED-3\n")
    assert (again["accepted"], again["duplicates"]) == (1, 1)
    found = await rows(
        "SELECT fingerprint FROM unit WHERE lot_id = :l ORDER BY seq", l=receipt["lot_id"]
    )
    of = Fingerprinter(KEY, vault.merchant)
    assert [bytes(row.fingerprint) for row in found[:3]] == [
        of.of_slot("code", "SHARED-1", slot) for slot in (1, 2, 3)
    ]
    assert await vault.conserved(pool_id)


async def test_codes_that_others_hold_are_accepted_and_counted(vault: Vault, api):
    scopes = ("stock:read", "stock:write")
    other = Vault(await api(*scopes, merchant_id=new_id()), new_id())
    await other.imported(await other.pool(), "COMMON-1\nCOMMON-2\nTHEIRS\n")
    pool_id = await vault.pool()

    tried = await vault.imported(pool_id, "common-1\nCOMMON 1\nCOMMON-2\nOURS\n", dry_run="true")
    receipt = await vault.imported(pool_id, "common-1\nCOMMON 1\nCOMMON-2\nOURS\n")

    assert (receipt["accepted"], receipt["duplicates_elsewhere"]) == (4, 2)
    assert tried["duplicates_elsewhere"] == 2
    assert receipt["lines"] == []
    own = await vault.imported(pool_id, "OURS\nNEW\n")
    assert (own["duplicates"], own["duplicates_elsewhere"]) == (1, 0)


async def test_a_lot_may_begin_not_yet_active(vault: Vault):
    pool_id = await vault.pool()
    receipt = await vault.imported(pool_id, "A-1\nA-2\n", needs_activation="true")
    assert (await vault.levels(pool_id))["inactive"] == 2
    assert (await vault.reserve(pool_id)).status_code == 409
    url = f"/v1/lots/{receipt['lot_id']}/activate"
    assert (await vault.client.post(url, json={"reason": "paid for"})).status_code == 200
    assert (await vault.levels(pool_id))["available"] == 2


async def test_the_form_may_say_how_to_read_the_file(vault: Vault):
    pool_id = await vault.pool()
    receipt = await vault.imported(
        pool_id,
        "Art|Wert|Schlüssel\nx;y|2,5|K-1\n".encode("gbk", errors="replace"),
        encoding="gbk",
        separator="|",
        columns=json.dumps({"code": 3}),
        has_header="true",
    )
    assert (receipt["encoding"], receipt["separator"]) == ("gbk", "|")
    assert receipt["accepted"] == 1
    for wrong in (
        {"encoding": "latin-1"},
        {"separator": "x"},
        {"columns": "{"},
        {"columns": '{"colour": 1}'},
        {"columns": '{"code": 0}'},
        {"capacity": "1001"},
    ):
        answer = await vault.upload(pool_id, "A\n", **wrong)
        assert answer.status_code == 422, wrong
        assert answer.json()["errors"][0]["pointer"].startswith(f"/{next(iter(wrong))}")


async def test_damaged_lines_are_named_and_the_rest_is_stocked(vault: Vault):
    pool_id = await vault.pool("card")
    lines = [f"{n}00001,密码{n}".encode() for n in range(1, 30)]
    lines[9] += b"\xff"
    receipt = await vault.imported(pool_id, b"\n".join(lines))
    assert (receipt["accepted"], receipt["rejected"]) == (28, 1)
    assert [(line["line"], line["code"]) for line in receipt["lines"]] == [(10, "bad_encoding")]


async def test_an_import_is_in_the_audit_log_with_its_caller(vault: Vault, db: Database, rows):
    receipt = await vault.imported(await vault.pool(), "A-1\nA-1\n")
    failed = await vault.imported(await vault.pool("card"), "卡号,面值\n1,2\n")
    found = await rows(
        "SELECT action, leaf FROM audit_pending WHERE object_id = ANY(CAST(:ids AS uuid[])) "
        "ORDER BY action",
        ids=[UUID(receipt["id"]), UUID(failed["id"])],
    )
    assert [row.action for row in found] == ["import.completed", "import.failed"]
    assert b"key:" in bytes(found[0].leaf)
    assert b"system" in bytes(found[1].leaf)
