import httpx
import pytest

from kit.ids import new_id
from tests.inventory_vault.factories import OTHER_MERCHANT, Recipient, Vault

SOME_POOL = "0193a3f0-5b1e-7c44-9d57-0f4d3c1b2a10"


async def test_units_are_held_claimed_and_opened_by_the_recipient_only(vault: Vault):
    pool_id = await vault.stocked(5)
    answer = await vault.reserve(pool_id, 2, reference="order-1")
    assert answer.status_code == 201, answer.text
    held = answer.json()
    assert held["status"] == "held"
    assert held["expires_at"].endswith("Z")
    assert (await vault.levels(pool_id))["reserved"] == 2

    shop = Recipient()
    claimed = await vault.claim(held["id"], shop)

    assert claimed.status_code == 200, claimed.text
    units = claimed.json()["units"]
    assert [shop.open(unit["box"])["code"] for unit in units] == ["CODE-000001", "CODE-000002"]
    assert {unit["mask"] for unit in units} == {"CO****01", "CO****02"}
    levels = await vault.levels(pool_id)
    assert (levels["available"], levels["sold"], levels["total"]) == (3, 2, 5)
    assert await vault.conserved(pool_id)


async def test_the_same_reference_and_lines_answer_the_same_hold(vault: Vault):
    pool_id = await vault.stocked(5)
    first = await vault.reserve(pool_id, 2, reference="again")
    second = await vault.reserve(pool_id, 2, reference="again", hold_seconds=60)

    assert second.json() == first.json()
    assert (await vault.levels(pool_id))["reserved"] == 2


async def test_a_hold_is_answered_again_when_nothing_is_left(vault: Vault):
    pool_id = await vault.stocked(2)
    first = await vault.reserve(pool_id, 2, reference="again")

    answers = [await vault.reserve(pool_id, 2, reference=name) for name in ("again", "late")]

    assert answers[0].json() == first.json()
    assert answers[1].json()["code"] == "out_of_stock"


async def test_a_repeat_takes_nothing_from_a_wish_it_is_served_with(vault: Vault):
    pool_id = await vault.stocked(4)
    await vault.held(pool_id, 2, reference="again")
    items = [
        {"reference": name, "lines": [{"pool_id": pool_id, "quantity": 2}]}
        for name in ("again", "fresh", "late")
    ]

    answer = await vault.client.post("/v1/reservations/batch", json={"items": items})

    results = [item["result"] for item in answer.json()["items"]]
    assert results == ["held", "held", "out_of_stock"]
    assert await vault.conserved(pool_id)


async def test_a_refusal_is_not_given_to_another_wish_of_the_same_reference(vault: Vault):
    """Both are served by one transaction; the history checker saw a false sell-out here."""
    scarce, plenty = await vault.stocked(1, prefix="S"), await vault.stocked(9, prefix="P")
    items = [
        {"reference": "twin", "lines": [{"pool_id": scarce, "quantity": 2}]},
        {"reference": "twin", "lines": [{"pool_id": plenty, "quantity": 3}]},
        {"reference": "twin", "lines": [{"pool_id": plenty, "quantity": 4}]},
    ]
    answer = await vault.client.post("/v1/reservations/batch", json={"items": items})
    results = [item["result"] for item in answer.json()["items"]]
    assert results == ["out_of_stock", "held", "reference_reused"]


async def test_the_same_reference_with_other_lines_is_refused(vault: Vault):
    pool_id = await vault.stocked(5)
    await vault.held(pool_id, 2, reference="again")

    answer = await vault.reserve(pool_id, 3, reference="again")

    assert answer.status_code == 422
    assert answer.json()["code"] == "reference_reused"


async def test_out_of_stock_names_the_short_lines_and_holds_nothing(vault: Vault):
    plenty, scarce = await vault.stocked(10), await vault.stocked(3, prefix="SCARCE")
    answer = await vault.client.post(
        "/v1/reservations",
        json={
            "reference": "bundle",
            "lines": [
                {"pool_id": plenty, "quantity": 1},
                {"pool_id": scarce, "quantity": 2},
                {"pool_id": scarce, "quantity": 2, "line_no": 7},
            ],
        },
    )

    assert answer.status_code == 409
    problem = answer.json()
    assert problem["code"] == "out_of_stock"
    assert problem["lines"] == [{"line_no": 7, "pool_id": scarce, "requested": 2, "available": 1}]
    assert (await vault.levels(plenty))["available"] == 10
    assert (await vault.levels(scarce))["available"] == 3
    assert (await vault.reserve(scarce, 3, reference="bundle")).status_code == 201


async def test_a_pool_that_is_not_there_or_not_yours_is_not_found(vault: Vault, api):
    pool_id = await vault.stocked(1)
    stranger = Vault(await api("reservations:write", merchant_id=OTHER_MERCHANT), OTHER_MERCHANT)

    for answer in (await vault.reserve(str(new_id())), await stranger.reserve(pool_id)):
        assert answer.status_code == 404
        assert answer.json()["code"] == "pool_not_found"


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"lines": []}, "/lines"),
        ({"lines": [{"pool_id": SOME_POOL, "quantity": 0}]}, "/lines/0/quantity"),
        ({"lines": [{"pool_id": SOME_POOL, "quantity": 10_001}]}, "/lines/0/quantity"),
        ({"lines": [{"pool_id": SOME_POOL, "quantity": 1}] * 51}, "/lines"),
        ({"hold_seconds": 9}, "/hold_seconds"),
        ({"hold_seconds": 86_401}, "/hold_seconds"),
        ({"reference": "a\x00b"}, "/reference"),
        ({"surprise": 1}, "/surprise"),
    ],
)
async def test_bad_input_names_the_field(vault: Vault, change, pointer):
    body = {"reference": "r", "lines": [{"pool_id": SOME_POOL, "quantity": 1}], **change}
    answer = await vault.client.post("/v1/reservations", json=body)
    assert answer.status_code == 422
    assert [error["pointer"] for error in answer.json()["errors"]] == [pointer]


async def test_a_line_number_comes_once(vault: Vault):
    lines = [{"pool_id": SOME_POOL, "quantity": 1, "line_no": 4}] * 2
    answer = await vault.client.post("/v1/reservations", json={"reference": "r", "lines": lines})
    assert answer.json()["code"] == "line_no_repeated"


async def test_an_idempotency_key_replays_the_first_answer(vault: Vault):
    pool_id = await vault.stocked(5)
    body = {"reference": "keyed", "lines": [{"pool_id": pool_id, "quantity": 1}]}
    headers = {"Idempotency-Key": "key-1"}

    first = await vault.client.post("/v1/reservations", json=body, headers=headers)
    second = await vault.client.post("/v1/reservations", json=body, headers=headers)

    assert (first.status_code, second.status_code) == (201, 201)
    assert second.headers["Idempotent-Replayed"] == "true"
    assert second.json() == first.json()
    assert (await vault.levels(pool_id))["reserved"] == 1


async def test_a_repeated_claim_answers_the_same_units(vault: Vault):
    pool_id = await vault.stocked(5)
    reservation_id = await vault.held(pool_id, 2)

    first, second = await vault.claim(reservation_id), await vault.claim(reservation_id)

    assert first.json() == second.json()
    assert (await vault.levels(pool_id))["sold"] == 2


async def test_a_release_gives_the_units_back_once(vault: Vault):
    pool_id = await vault.stocked(5)
    reservation_id = await vault.held(pool_id, 2)

    for _ in range(2):
        answer = await vault.release(reservation_id)
        assert answer.status_code == 200
        assert answer.json()["status"] == "released"

    assert (await vault.levels(pool_id))["available"] == 5
    late = await vault.claim(reservation_id)
    assert (late.status_code, late.json()["code"]) == (409, "reservation_released")
    assert await vault.conserved(pool_id)


async def test_what_is_sold_cannot_be_released(vault: Vault):
    pool_id = await vault.stocked(1)
    reservation_id = await vault.held(pool_id)
    await vault.claim(reservation_id)

    answer = await vault.release(reservation_id)

    assert (answer.status_code, answer.json()["code"]) == (409, "reservation_sold")
    assert (await vault.levels(pool_id))["sold"] == 1


async def test_units_given_back_are_sold_before_new_ones(vault: Vault):
    pool_id = await vault.stocked(5)
    first = await vault.held(pool_id, 2)
    await vault.held(pool_id, 1)
    await vault.release(first)

    shop = Recipient()
    claimed = await vault.claim(await vault.held(pool_id, 3), shop)

    opened = [shop.open(unit["box"])["code"] for unit in claimed.json()["units"]]
    assert opened == ["CODE-000001", "CODE-000002", "CODE-000004"]
    assert await vault.conserved(pool_id)


async def test_a_batch_answers_each_item_by_itself(vault: Vault):
    pool_id = await vault.stocked(5)
    items = [
        {"reference": "b-1", "lines": [{"pool_id": pool_id, "quantity": 3}]},
        {"reference": "b-2", "lines": [{"pool_id": pool_id, "quantity": 3}]},
        {"reference": "b-1", "lines": [{"pool_id": pool_id, "quantity": 3}]},
        {"reference": "b-3", "lines": [{"pool_id": str(new_id()), "quantity": 1}]},
        {"reference": "b-4", "lines": [{"pool_id": pool_id, "quantity": 2}]},
    ]

    answer = await vault.client.post("/v1/reservations/batch", json={"items": items})

    assert answer.status_code == 200, answer.text
    results = answer.json()["items"]
    assert [item["result"] for item in results] == [
        "held",
        "out_of_stock",
        "held",
        "pool_not_found",
        "held",
    ]
    assert results[0] == results[2]
    assert results[1]["reservation"] is None
    assert results[1]["problem"]["status"] == 409
    assert results[1]["problem"]["lines"] == [
        {"line_no": 1, "pool_id": pool_id, "requested": 3, "available": 2}
    ]


async def test_claims_answer_each_item_by_itself(vault: Vault):
    pool_id = await vault.stocked(5)
    good, released = await vault.held(pool_id, 2), await vault.held(pool_id, 1)
    await vault.release(released)
    shop = Recipient()
    items = [
        {"reservation_id": good, "recipient_public_key": shop.public_key},
        {"reservation_id": released},
        {"reservation_id": str(new_id())},
        {"reservation_id": good},
        {"reservation_id": good, "recipient_public_key": "A" * 43 + "="},
    ]

    answer = await vault.client.post("/v1/reservations/claims", json={"items": items})

    results = answer.json()["items"]
    assert [item["result"] for item in results] == [
        "sold",
        "reservation_released",
        "reservation_not_found",
        "sold",
        "bad_recipient_public_key",
    ]
    assert [shop.open(unit["box"])["code"] for unit in results[0]["units"]] == [
        "CODE-000001",
        "CODE-000002",
    ]
    assert [unit["box"] for unit in results[3]["units"]] == [None, None]
    assert results[0]["units"][0]["unit_cost"] == {"amount": 500, "currency": "CNY"}
    assert (await vault.levels(pool_id))["sold"] == 2


async def test_a_service_acts_for_the_merchants_it_names(
    vault: Vault, as_service: httpx.AsyncClient
):
    pool_id = await vault.stocked(2)
    lines = [{"pool_id": pool_id, "quantity": 1}]
    items = [
        {"reference": "s-1", "lines": lines, "merchant_id": str(vault.merchant)},
        {"reference": "s-1", "lines": lines, "merchant_id": str(OTHER_MERCHANT)},
    ]

    answer = await as_service.post("/v1/reservations/batch", json={"items": items})

    results = [item["result"] for item in answer.json()["items"]]
    assert results == ["held", "pool_not_found"]


async def test_a_shop_cannot_act_for_another(vault: Vault):
    pool_id = await vault.stocked(1)
    item = {
        "reference": "s-1",
        "lines": [{"pool_id": pool_id, "quantity": 1}],
        "merchant_id": str(OTHER_MERCHANT),
    }
    answer = await vault.client.post("/v1/reservations/batch", json={"items": [item]})
    assert answer.json()["items"][0]["result"] == "denied"


async def test_reservations_are_read_by_their_owner_only(vault: Vault, api):
    pool_id = await vault.stocked(1)
    reservation_id = await vault.held(pool_id)
    stranger = await api("stock:read", merchant_id=OTHER_MERCHANT)

    mine = await vault.client.get(f"/v1/reservations/{reservation_id}")
    theirs = await stranger.get(f"/v1/reservations/{reservation_id}")

    assert mine.json()["lines"] == [
        {
            "line_no": 1,
            "pool_id": pool_id,
            "quantity": 1,
            "sold_quantity": 0,
            "min_valid_seconds": 0,
        }
    ]
    assert theirs.status_code == 404


async def test_scopes_are_asked_for(vault: Vault, api):
    reader = Vault(await api("stock:read"), vault.merchant)
    answer = await reader.reserve(str(new_id()))
    assert (answer.status_code, answer.json()["scope"]) == (403, "reservations:write")


async def test_a_large_claim_is_handed_out_whole(vault: Vault):
    pool_id = await vault.stocked(1_200)
    shop = Recipient()
    claimed = await vault.claim(await vault.held(pool_id, 1_200), shop)
    opened = {shop.open(unit["box"])["code"] for unit in claimed.json()["units"]}
    assert len(opened) == 1_200
