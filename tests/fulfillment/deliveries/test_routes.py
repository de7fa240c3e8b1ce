from kit.ids import new_id
from tests.fulfillment.conftest import Accept, ApiClient
from tests.fulfillment.factories import OTHER_MERCHANT, a_line, a_request


async def _list(api: ApiClient, **params: str | int) -> list[dict[str, object]]:
    answer = await (await api("deliveries:read")).get("/v1/deliveries", params=params)
    assert answer.status_code == 200, answer.text
    items: list[dict[str, object]] = answer.json()["items"]
    return items


async def test_a_delivery_is_read_by_its_id(accept: Accept, api: ApiClient) -> None:
    event = a_request()
    await accept(event)
    listed = (await _list(api))[0]
    answer = await (await api("deliveries:read")).get(f"/v1/deliveries/{listed['id']}")
    assert answer.json() == listed
    assert answer.json()["order_id"] == event.message.order_id
    assert answer.json()["url"].startswith("http://fulfillment/d/")


async def test_another_merchants_delivery_does_not_exist(accept: Accept, api: ApiClient) -> None:
    await accept(a_request())
    delivery_id = (await _list(api))[0]["id"]
    other = await api("deliveries:read", merchant_id=OTHER_MERCHANT)
    answer = await other.get(f"/v1/deliveries/{delivery_id}")
    assert answer.status_code == 404
    assert answer.json()["code"] == "delivery_not_found"
    assert (await other.get("/v1/deliveries")).json()["items"] == []


async def test_reading_needs_its_scope(api: ApiClient) -> None:
    assert (await (await api()).get("/v1/deliveries")).status_code == 401
    answer = await (await api("orders:read")).get("/v1/deliveries")
    assert answer.status_code == 403
    assert answer.json()["scope"] == "deliveries:read"


async def test_pages_follow_each_other_without_a_gap(accept: Accept, api: ApiClient) -> None:
    await accept(*(a_request(lines=[a_line(line_no=n) for n in (1, 2, 3)]) for _ in range(5)))
    client = await api("deliveries:read")
    seen: list[str] = []
    cursor: str | None = None
    while True:
        params = {"limit": "4", **({"cursor": cursor} if cursor else {})}
        document = (await client.get("/v1/deliveries", params=params)).json()
        seen += [item["id"] for item in document["items"]]
        cursor = document["next_cursor"]
        if cursor is None:
            break
    assert len(seen) == len(set(seen)) == 15
    assert seen == sorted(seen, reverse=True)


async def test_bad_ids_and_limits_name_their_place(api: ApiClient) -> None:
    client = await api("deliveries:read")
    for path, pointer in (
        ("/v1/deliveries/seven", "path/delivery_id"),
        ("/v1/deliveries?limit=0", "query/limit"),
        ("/v1/deliveries?order_id=x", "query/order_id"),
    ):
        answer = await client.get(path)
        assert answer.status_code == 422
        assert answer.json()["errors"][0]["pointer"] == pointer
    assert (await client.get(f"/v1/deliveries/{new_id()}")).status_code == 404
    assert (await client.get("/v1/deliveries?cursor=zzzz")).json()["code"] == "bad_cursor"
