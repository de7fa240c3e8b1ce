"""Products as a CSV file: out, edited and in again; each bad line is refused alone."""

import csv
import io
import os
import tracemalloc
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text

from kit.db import Database
from kit.ids import new_id
from order.product_files.domain import COLUMNS, guarded, plain
from tests.order.catalogue.test_routes import TOP_UP, WHOLE, a_bundle, a_product
from tests.order.conftest import ApiClient
from tests.order.factories import POOL

# LOCKSTOCK_FILE_LINES=20000 is the longest file that is taken.
LINES = int(os.environ.get("LOCKSTOCK_FILE_LINES", "5000"))
TRIES_MAX = 3
HEAD = "sku,name,price_minor,currency,fulfillment"
GOOD = f"{HEAD}\nA,Card,1990,CNY,pool:{POOL}\n"


async def bring_in(
    api: httpx.AsyncClient, content: str | bytes, *, dry_run: bool = False, key: str = ""
) -> httpx.Response:
    data = content.encode() if isinstance(content, str) else content
    return await api.post(
        "/v1/products/csv",
        files={"file": ("products.csv", data)},
        data={"dry_run": "true"} if dry_run else {},
        headers={"Idempotency-Key": key} if key else {},
    )


async def taken_out(api: httpx.AsyncClient) -> list[dict[str, str]]:
    answer = await api.get("/v1/products/csv")
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"].startswith("text/csv")
    return list(csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig"), newline="")))


def as_file(rows: list[dict[str, str]], *columns: str, separator: str = ",") -> str:
    written = io.StringIO(newline="")
    writer = csv.DictWriter(written, columns or COLUMNS, delimiter=separator, extrasaction="ignore")
    writer.writeheader()
    writer.writerows(rows)
    return written.getvalue()


def figures(receipt: Any) -> tuple[int, ...]:
    names = ("lines", "created", "changed", "unchanged", "refused")
    return tuple(receipt[name] for name in names)


async def products(api: httpx.AsyncClient) -> list[Any]:
    found = (await api.get("/v1/products?limit=200")).json()["items"]
    return sorted(found, key=lambda product: product["sku"])


async def test_what_is_taken_out_and_brought_in_again_changes_nothing(
    api: httpx.AsyncClient,
) -> None:
    bodies = [
        a_product(**WHOLE),
        a_product(sku="PHONE", fulfillment=TOP_UP, name="=1+1", instructions='\'=x\n- "quoted"\n'),
        a_bundle(("GAME-100", 2), ("PHONE", 1)),
        a_product(
            sku="SHORT",
            fulfillment=a_shortage(),
            tiers=[{"min_quantity": 10, "price": {"amount": 1800, "currency": "CNY"}}],
            cost={"amount": 900, "currency": "CNY"},
        ),
    ]
    for body in bodies:
        assert (await api.post("/v1/products", json=body)).status_code == 201
    before = await products(api)

    rows = await taken_out(api)
    receipt = (await bring_in(api, as_file(rows))).json()

    assert figures(receipt) == (4, 0, 0, 4, 0), receipt
    assert await products(api) == before
    assert {row["name"] for row in rows if row["sku"] == "PHONE"} == {"'=1+1"}


def a_shortage() -> dict[str, Any]:
    shortage = {"substitutes": ["GAME-100"], "back_order_seconds": 60}
    return {"kind": "pool", "pool_id": str(POOL), "shortage": shortage}


async def test_it_can_be_brought_to_another_merchant(
    api: httpx.AsyncClient, other_api: httpx.AsyncClient
) -> None:
    for body in (a_product(**WHOLE), a_bundle(("GAME-100", 2))):
        await api.post("/v1/products", json=body)
    rows = await taken_out(api)

    receipt = (await bring_in(other_api, as_file(rows))).json()

    assert figures(receipt) == (2, 2, 0, 0, 0)
    assert await taken_out(other_api) == rows


async def test_only_the_columns_of_the_file_change(api: httpx.AsyncClient) -> None:
    await api.post("/v1/products", json=a_product(**WHOLE))
    old = (await products(api))[0]

    receipt = (await bring_in(api, "sku,price_minor,valid_days\nGAME-100,1500,\n")).json()

    assert figures(receipt) == (1, 0, 1, 0, 0)
    new = (await products(api))[0]
    assert new["price"] == {"amount": 1500, "currency": "CNY"}
    assert new["redemption"] == {**old["redemption"], "valid_days": None}
    same = [name for name in old if name not in ("price", "redemption", "version", "updated_at")]
    assert {name: new[name] for name in same} == {name: old[name] for name in same}


BAD_LINES: list[tuple[str, str, str]] = [
    (f"B-1,,1,CNY,pool:{POOL}", "name", "needed"),
    (f"B 2,x,1,CNY,pool:{POOL}", "sku", "string_pattern_mismatch"),
    (f"B-3,x,1.5,CNY,pool:{POOL}", "price_minor", "not_a_number"),
    (f"B-4,x,-1,CNY,pool:{POOL}", "price_minor", "not_a_number"),
    (f"B-5,x,1,cny,pool:{POOL}", "currency", "string_pattern_mismatch"),
    ("B-6,x,1,CNY,pool:no", "fulfillment", "uuid_parsing"),
    ("B-7,x,1,CNY,{no", "fulfillment", "not_json"),
    ('B-8,x,1,CNY,"{""kind"":""magic""}"', "fulfillment", "union_tag_invalid"),
    (f"B-9,x,1,CNY,pool:{POOL},more", "", "cell_count"),
    ("B-10,x,1", "", "cell_count"),
    (f"B\0-10,x,1,CNY,pool:{POOL}", "", "nul_character"),
    (f"A,x,1,CNY,pool:{POOL}", "sku", "sku_twice"),
    (
        'B-11,x,1,CNY,"{""kind"":""bundle"",""policy"":""partial"",""components"":'
        '[{""sku"":""NOPE"",""quantity"":1}]}"',
        "fulfillment",
        "bad_components",
    ),
]


async def test_a_bad_line_is_refused_with_its_reason_and_the_others_are_taken(
    api: httpx.AsyncClient,
) -> None:
    lines = [line for line, _, _ in BAD_LINES]
    content = GOOD + "\n".join(lines) + f"\nZ,last,1,CNY,pool:{POOL}\n"

    receipt = (await bring_in(api, content)).json()

    refused = receipt["refused_lines"]
    assert figures(receipt) == (len(lines) + 2, 2, 0, 0, len(lines)), refused
    assert [(it["line"], it["column"], it["code"]) for it in refused] == [
        (place, column, code) for place, (_, column, code) in enumerate(BAD_LINES, start=3)
    ]
    assert [product["sku"] for product in await products(api)] == ["A", "Z"]


async def test_two_variants_with_the_same_options_are_refused_alone(
    api: httpx.AsyncClient,
) -> None:
    head = f"{HEAD},family,options"
    lines = [
        f'{sku},x,1,CNY,pool:{POOL},GAME,"{{""points"":""{points}""}}"'
        for sku, points in (("A", 1), ("B", 2), ("C", 1), ("D", 3))
    ]

    receipt = (await bring_in(api, "\n".join([head, *lines]))).json()

    assert figures(receipt) == (4, 3, 0, 0, 1)
    assert [(it["sku"], it["code"]) for it in receipt["refused_lines"]] == [("C", "variant_taken")]


async def test_a_bundle_may_stand_before_what_it_is_made_of(api: httpx.AsyncClient) -> None:
    terms = '{""kind"":""bundle"",""policy"":""partial"",""components"":[{""sku"":""A""}]}'
    content = f'{HEAD}\nPACK,x,1,CNY,"{terms}"\nA,x,1,CNY,pool:{POOL}\n'

    assert figures((await bring_in(api, content)).json()) == (2, 2, 0, 0, 0)


async def test_what_a_bundle_is_made_of_may_stand_far_behind_it(api: httpx.AsyncClient) -> None:
    terms = '{""kind"":""bundle"",""policy"":""partial"",""components"":[{""sku"":""LAST""}]}'
    skus = [*(f"S-{number}" for number in range(250)), "LAST"]
    lines = [f'PACK,x,1,CNY,"{terms}"', *(f"{sku},x,1,CNY,pool:{POOL}" for sku in skus)]

    receipt = (await bring_in(api, "\n".join([HEAD, *lines]))).json()

    assert receipt["refused_lines"] == []
    assert figures(receipt) == (252, 252, 0, 0, 0)


async def test_a_dry_run_answers_the_same_and_changes_nothing(
    api: httpx.AsyncClient, db: Database
) -> None:
    await api.post("/v1/products", json=a_product())
    content = f"{HEAD}\nGAME-100,new,1,CNY,pool:{POOL}\nB,x,1,CNY,pool:{POOL}\nC,,1,CNY,x\n"

    tried = (await bring_in(api, content, dry_run=True)).json()
    assert len(await products(api)) == 1
    done = (await bring_in(api, content)).json()

    assert figures(tried) == figures(done) == (3, 1, 1, 0, 1)
    assert (tried["dry_run"], done["dry_run"]) == (True, False)
    assert [product["sku"] for product in await products(api)] == ["B", "GAME-100"]


async def test_the_same_key_gives_the_first_receipt_again(api: httpx.AsyncClient) -> None:
    key = str(new_id())

    first = await bring_in(api, GOOD, key=key)
    again = await bring_in(api, GOOD, key=key)
    other = await bring_in(api, GOOD + "B", key=key)

    assert (first.status_code, first.json()["created"]) == (200, 1)
    assert again.json() == first.json()
    assert again.headers["idempotent-replayed"] == "true"
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030"])
@pytest.mark.parametrize("separator", [",", ";", "\t"])
async def test_what_spreadsheets_save_is_read(
    api: httpx.AsyncClient, encoding: str, separator: str
) -> None:
    row = {
        "sku": "A",
        "name": "黑暗之门; 点卡, 100",
        "price_minor": "1990.0",
        "currency": "CNY",
        "fulfillment": f"pool:{POOL}",
        "instructions": "一\r\n二",
    }

    content = as_file([row], *row, separator=separator).encode(encoding)
    receipt = (await bring_in(api, content)).json()

    assert figures(receipt) == (1, 1, 0, 0, 0), receipt
    product = (await products(api))[0]
    assert (product["name"], product["instructions"]) == (row["name"], row["instructions"])


UNREADABLE = [
    b"",
    b"name,price_minor\nA,1\n",
    b"sku,colour\nA,red\n",
    b"sku,sku\nA,A\n",
    b"\x89PNG\r\n\x1a\n\xff\xff\xff",
    b'sku,name\nA,"open\n',
    b"sku,name\n" + b"".join(b"S-%d,x\n" % number for number in range(20_001)),
]


@pytest.mark.parametrize("content", UNREADABLE, ids=range(len(UNREADABLE)))
async def test_a_file_that_is_none_is_refused_as_a_whole(
    api: httpx.AsyncClient, content: bytes
) -> None:
    answer = await bring_in(api, content)

    assert (answer.status_code, answer.json()["code"]) == (422, "unreadable_file")
    assert await products(api) == []


@pytest.mark.timeout(110)
async def test_a_long_file_is_brought_in_and_taken_out_in_bounded_memory(
    api: httpx.AsyncClient, db: Database
) -> None:
    lines = (f"S-{number},Card {number},1990,CNY,pool:{POOL}" for number in range(LINES))
    content = "\n".join([HEAD, *lines]).encode()

    tracemalloc.start()
    for _ in range(TRIES_MAX):
        answer = await bring_in(api, content)
        # Traced on a slow machine, the database may have waited too long for a chunk: nothing of
        # the file is written then, and the caller is told to try again.
        if answer.status_code != 503:
            break
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert figures(answer.json()) == (LINES, LINES, 0, 0, 0)
    assert peak < 10_000_000 + 2_500 * LINES, peak
    assert len(await taken_out(api)) == LINES
    async with db.read() as tx:
        assert (await tx.execute(text("SELECT count(*) FROM product"))).scalar_one() == LINES


async def test_it_needs_the_scopes_of_the_catalogue(open_api: ApiClient) -> None:
    reader = await open_api(["catalogue:read"])

    assert (await bring_in(reader, GOOD)).status_code == 403
    assert (await reader.get("/v1/products/csv")).status_code == 200
    assert (await (await open_api(["orders:read"])).get("/v1/products/csv")).status_code == 403


@given(st.text("=+-@＝'\t\r\n\u3000 ab1\"", max_size=6))
def test_a_guarded_cell_is_no_formula_and_gives_its_value_back(value: str) -> None:
    cell = guarded(value)

    assert not cell.startswith(("\t", "\r", "\n"))
    assert not cell.lstrip().startswith(("=", "+", "-", "@", "＝"))
    assert plain(cell) == value
