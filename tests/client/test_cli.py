import asyncio
import base64
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from lockstock_client.cli import app
from sealing import Box, BoxOpener, new_key_pair
from tests.client.scripted import ok, problem, serving

POOL = "0193a3f0-5b1e-7c44-9d57-0f4d3c1b2a10"
LEVELS = dict.fromkeys(
    (
        "available",
        "reserved",
        "sold",
        "opened",
        "redeemed",
        "expired",
        "quarantined",
        "void",
        "inactive",
    ),
    0,
)
ORDER_ID = "0193a3f0-5b1e-7c44-9d57-0f4d3c1b2a11"
ORDER = {
    "id": ORDER_ID,
    "reference": "shop-10001",
    "status": "completed",
    "reason": None,
    "placed_at": "2026-11-22T09:00:00.000000Z",
    "total": {"amount": 1990, "currency": "CNY"},
    "lines": [{"id": "l", "line_no": 1, "sku": "S", "quantity": 1, "status": "delivered"}],
    "deliveries": [
        {"line_id": "l", "url": "http://x/d/t", "units": [{"unit_id": "u", "mask": "12****89"}]}
    ],
}


async def lockstock(*arguments: str, env: dict[str, str] | None = None):
    """The command in a thread of its own: it runs a loop itself."""
    runner = CliRunner(env={"COLUMNS": "200", **(env or {})})
    return await asyncio.to_thread(runner.invoke, app, list(arguments))


def at(server) -> dict[str, str]:
    names = ("ORDER", "INVENTORY_VAULT", "FULFILLMENT", "RISK", "LEDGER")
    return {f"LOCKSTOCK_{name}_URL": server.url for name in names} | {"LOCKSTOCK_API_KEY": "key"}


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    path = tmp_path / "keys.txt"
    path.write_text("SECRET-CODE-1\nSECRET-CODE-2\n")
    return path


async def test_import_seals_the_file_and_sends_boxes_only(keys: Path, tmp_path: Path):
    vault_key = new_key_pair()
    key = {
        "key_id": ORDER_ID,
        "merchant_id": POOL,
        "public_key": base64.b64encode(vault_key.public_key).decode(),
    }
    pool = {"id": POOL, "name": "Steam keys", "unit_kind": "code"}
    receipt = {"status": "completed", "accepted": 2, "duplicates": 0, "rejected": 0, "lines": []}
    answers = ok(pool), ok(key), ok({"import_id": "i"}, 202), ok(receipt)
    async with serving(*answers) as server:
        result = await lockstock(
            "import", str(keys), "--pool", POOL, "--supplier", "S", "--unit-cost", "990",
            env={**at(server), "XDG_STATE_HOME": str(tmp_path / "state")},
        )  # fmt: skip

    assert result.exit_code == 0, result.output
    assert "accepted 2" in result.output
    sent = json.loads(server.seen[2].body)
    assert all(b"SECRET-CODE" not in seen.body for seen in server.seen)
    header, plaintext = BoxOpener(vault_key.private_key).open_received(
        Box(
            base64.b64decode(sent["public_key"]),
            base64.b64decode(sent["boxes"][1]["nonce"]),
            base64.b64decode(sent["boxes"][1]["ciphertext"]),
        )
    )
    assert plaintext.secret().disclose() == {"code": "SECRET-CODE-2"}
    assert str(header.lot_id) == sent["lot_id"]
    assert str(header.unit_id) == sent["boxes"][1]["unit_id"]
    assert list((tmp_path / "state" / "lockstock" / "imports").iterdir()) == []


async def test_import_that_is_cut_off_says_how_to_go_on(keys: Path, tmp_path: Path):
    key = {
        "key_id": ORDER_ID,
        "merchant_id": POOL,
        "public_key": base64.b64encode(new_key_pair().public_key).decode(),
    }
    pool = {"id": POOL, "name": "Steam keys", "unit_kind": "code"}
    receipt = {"status": "completed", "accepted": 2, "duplicates": 0, "rejected": 0, "lines": []}
    refused = problem(409, "lot_id_taken")
    answers = ok(pool), ok(key), refused, ok({"import_id": "i"}, 202), ok(receipt)
    async with serving(*answers) as server:
        env = {**at(server), "XDG_STATE_HOME": str(tmp_path / "state")}
        first = await lockstock(
            "import", str(keys), "--pool", POOL, "--supplier", "S", "--unit-cost", "990", env=env
        )
        [spool] = (tmp_path / "state" / "lockstock" / "imports").iterdir()
        again = await lockstock("import", "--resume", spool.name, env=env)

    assert first.exit_code == 1
    assert f"lockstock import --resume {spool.name}" in first.output
    assert again.exit_code == 0, again.output
    assert server.seen[2].body == server.seen[3].body, "the very same boxes"
    assert server.seen[2].headers["idempotency-key"] == server.seen[3].headers["idempotency-key"]
    assert not spool.exists()


@pytest.mark.parametrize("left_out", ["FILE", "--pool", "--supplier", "--unit-cost"])
async def test_import_says_what_it_needs(keys: Path, left_out: str):
    given = {"FILE": [str(keys)], "--pool": [POOL], "--supplier": ["S"], "--unit-cost": ["1"]}
    del given[left_out]
    arguments = [
        part for name, value in given.items() for part in ([name] if name[0] == "-" else []) + value
    ]

    result = await lockstock("import", *arguments, env={"LOCKSTOCK_API_KEY": "key"})

    assert result.exit_code == 2
    assert left_out in result.output


@pytest.mark.parametrize("column", ["code", "=Key", "code="])
async def test_a_column_that_is_no_pair_is_refused(keys: Path, column: str):
    async with serving(ok({})) as server:
        result = await lockstock(
            "import", str(keys), "--pool", POOL, "--supplier", "S", "--unit-cost", "1",
            "--column", column, env=at(server),
        )  # fmt: skip

    assert result.exit_code == 1
    assert "FIELD=NAME" in result.output


async def test_the_plain_import_sends_the_file_and_prints_the_receipt(keys: Path):
    receipt = {
        "status": "completed",
        "accepted": 1,
        "duplicates": 1,
        "rejected": 2,
        "lines": [{"line": 7, "code": "expired", "detail": "expired in 2024"}],
    }
    async with serving(ok({"import_id": "i"}, 202), ok(receipt)) as server:
        result = await lockstock(
            "import", str(keys), "--pool", POOL, "--supplier", "S", "--unit-cost", "990",
            "--upload-plain", env=at(server),
        )  # fmt: skip

    assert result.exit_code == 0, result.output
    assert "accepted 1, duplicates 1, rejected 2" in result.output
    assert "expired in 2024" in result.output
    assert "SECRET-CODE" not in result.output
    assert server.seen[0].target == f"/v1/pools/{POOL}/lots"
    assert b"SECRET-CODE-1" in server.seen[0].body


async def test_import_finds_the_pool_by_its_name(keys: Path):
    pools = ok({"items": [{"id": POOL, "name": "Steam keys"}], "next_cursor": None})
    receipt = {"status": "failed", "accepted": 0, "duplicates": 0, "rejected": 0, "lines": []}
    async with serving(pools, ok({"import_id": "i"}, 202), ok(receipt)) as server:
        result = await lockstock(
            "import", str(keys), "--pool", "Steam keys", "--supplier", "S", "--unit-cost", "1",
            "--upload-plain", env=at(server),
        )  # fmt: skip

    assert server.seen[1].target == f"/v1/pools/{POOL}/lots"
    assert result.exit_code == 1, "a failed import must be seen by scripts"


async def test_import_into_an_unknown_pool_says_so(keys: Path):
    async with serving(ok({"items": [], "next_cursor": None})) as server:
        result = await lockstock(
            "import", str(keys), "--pool", "Nothing", "--supplier", "S", "--unit-cost", "1",
            env=at(server),
        )  # fmt: skip

    assert result.exit_code == 1
    assert "no pool named 'Nothing'" in result.output


async def test_order_show_tells_lines_masks_and_story():
    entry = {"at": ORDER["placed_at"], "summary": "Placed", "cause": "key:abc", "details": {}}
    story = ok({"items": [entry], "next_cursor": None})
    async with serving(ok(ORDER), story) as server:
        result = await lockstock("order", "show", ORDER_ID, env=at(server))

    assert result.exit_code == 0, result.output
    for text in ("shop-10001", "completed", "19.90 CNY", "12****89", "Placed", "key:abc"):
        assert text in result.output


async def test_orders_stops_at_the_limit():
    page = ok({"items": [ORDER] * 30, "next_cursor": "more"})
    async with serving(page) as server:
        result = await lockstock("orders", "--limit", "5", env=at(server))

    assert result.output.count("shop-10001") == 5
    assert len(server.seen) == 1


async def test_levels_shows_every_pool():
    pool = {"id": POOL, "name": "Steam keys", "unit_kind": "code"}
    levels = {**LEVELS, "available": 17, "total": 18}
    pools = ok({"items": [pool], "next_cursor": None})
    async with serving(pools, ok({**pool, "levels": levels})) as server:
        result = await lockstock("levels", env=at(server))

    assert "Steam keys" in result.output
    assert "17" in result.output


async def test_a_problem_is_one_sentence_and_exit_code_1():
    refused = problem(404, "order_not_found", request_id="r-9")
    async with serving(refused) as server:
        result = await lockstock("order", "show", "nothing", env=at(server))

    assert result.exit_code == 1
    assert "order_not_found: order_not_found!" in result.output
    assert "r-9" in result.output
    assert "Traceback" not in result.output


async def test_the_demo_file_gives_key_and_urls(tmp_path: Path):
    path = tmp_path / "demo.json"
    async with serving(ok({"items": [], "next_cursor": None})) as server:
        document = {
            "api_key": "from-file",
            "merchant_id": "m",
            "channel_id": "c",
            "base_urls": {"order": server.url},
        }
        path.write_text(json.dumps(document))
        result = await lockstock("--demo-file", str(path), "orders")

    assert result.exit_code == 0, result.output
    assert server.seen[0].headers["authorization"] == "Bearer from-file"


async def test_without_a_key_it_says_what_to_do(tmp_path: Path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = await lockstock("orders", env={"LOCKSTOCK_API_KEY": ""})

    assert result.exit_code == 1
    assert "LOCKSTOCK_API_KEY" in result.output


async def test_a_broken_demo_file_is_named(tmp_path: Path):
    path = tmp_path / "demo.json"
    path.write_text("{}")
    result = await lockstock("--demo-file", str(path), "orders")

    assert result.exit_code == 1
    assert "is not a demo file" in result.output


REDEEMED = {
    "id": "r-1",
    "status": "redeemed",
    "amount": {"amount": 300, "currency": "CNY"},
    "balance": {"amount": 200, "currency": "CNY"},
    "is_used_up": False,
}


async def redeem(server, stdin: str, *arguments: str):
    runner = CliRunner(env={"COLUMNS": "200", **at(server)})
    return await asyncio.to_thread(
        runner.invoke, app, ["redeem", "--reference", "till-4/0042", *arguments], input=stdin
    )


async def test_a_voucher_is_redeemed_by_a_code_from_standard_input():
    async with serving(ok(REDEEMED, 201)) as server:
        result = await redeem(server, "CODE-1234-SECRET\n", "--amount", "300", "--shop", "s-1")

    assert result.exit_code == 0, result.output
    assert "redeemed 300 CNY" in result.output
    assert "left 200 CNY" in result.output
    assert "SECRET" not in result.output
    assert json.loads(server.seen[0].body) == {
        "merchant_reference": "till-4/0042",
        "own_code": False,
        "code": "CODE-1234-SECRET",
        "amount": {"amount": 300, "currency": "CNY"},
        "shop_id": "s-1",
    }


@pytest.mark.parametrize("stdin", ["", "\n", "  \n", "x" * 500 + "\n"])
async def test_without_a_code_nothing_is_sent(stdin):
    async with serving(ok(REDEEMED, 201)) as server:
        result = await redeem(server, stdin)

    assert result.exit_code == 2
    assert server.seen == []


async def test_a_code_in_the_arguments_is_not_taken():
    async with serving(ok(REDEEMED, 201)) as server:
        result = await redeem(server, "", "CODE-1234-SECRET")

    assert result.exit_code == 2
    assert server.seen == []


async def test_a_voucher_that_is_used_up_is_told():
    refused = problem(409, "voucher_used_up")
    async with serving(refused) as server:
        result = await redeem(server, "CODE-1234-SECRET\n")

    assert result.exit_code == 1
    assert "voucher_used_up" in result.output
    assert "SECRET" not in result.output


@pytest.mark.parametrize("end", ["\n", "\r\n", " "])
async def test_a_key_saved_with_the_end_of_its_line_is_the_key(end: str):
    async with serving(ok({"items": [], "next_cursor": None})) as server:
        found = await lockstock("levels", env={**at(server), "LOCKSTOCK_API_KEY": f"key{end}"})
    assert found.exit_code == 0, found.output
    assert server.seen[0].headers["authorization"] == "Bearer key"


async def test_a_damaged_key_is_never_shown():
    async with serving(ok({})) as server:
        found = await lockstock("levels", env={**at(server), "LOCKSTOCK_API_KEY": "lsk_S\rECRET"})
    assert (found.exit_code, type(found.exception)) == (1, SystemExit)
    assert "ECRET" not in found.output
    assert "copy it once more" in found.output


async def test_a_page_that_is_no_services_is_one_sentence():
    async with serving((200, b"<html>log in</html>", {})) as server:
        found = await lockstock("levels", env=at(server))
    assert (found.exit_code, type(found.exception)) == (1, SystemExit)
    assert "is the address right?" in found.output


@pytest.mark.parametrize("body", [[], "x", None, {"items": ["x"]}, {}])
@pytest.mark.parametrize("command", [["levels"], ["orders"]])
async def test_an_answer_of_another_shape_is_told_in_a_sentence(body: object, command: list[str]):
    async with serving(ok(body)) as server:
        result = await lockstock(*command, env=at(server))

    assert result.exit_code == 1
    assert isinstance(result.exception, SystemExit)
    assert "is the address right?" in result.output


@pytest.mark.parametrize("url", ["http://[", "http://127.0.0.1:port", "127.0.0.1", "nothing:"])
async def test_an_address_that_is_none_is_told_in_a_sentence(url: str):
    names = ("ORDER", "INVENTORY_VAULT", "FULFILLMENT", "RISK", "LEDGER")
    env = {f"LOCKSTOCK_{name}_URL": url for name in names} | {"LOCKSTOCK_API_KEY": "key"}

    result = await lockstock("orders", env=env)

    assert result.exit_code == 1
    assert isinstance(result.exception, SystemExit)
