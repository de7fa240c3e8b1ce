"""The vault has no way out: while it imports, sells and shows, it talks to its database, the broker
and the opener's socket, and to nothing else; the opener to its database only.
"""

import asyncio
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

import pytest

from onebox.supervisor import Onebox
from tests.stack.proc import Connection, family_of, sockets_of
from tests.stack.shop import Shop, fresh

EVERY_SECONDS = 0.02


class Watch:
    """Everything that a process and its children had open at any moment we looked."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._stopping = threading.Event()
        self.looks = 0
        self.seen: set[Connection] = set()

    def look(self) -> None:
        while not self._stopping.wait(EVERY_SECONDS):
            for pid in family_of(self._pid):
                self.seen.update(sockets_of(pid))
            self.looks += 1

    def stop(self) -> None:
        self._stopping.set()

    @property
    def listening(self) -> set[tuple[str, int] | str | None]:
        return {one.path if one.family == "unix" else one.local for one in self.seen if one.listens}

    def called(self) -> set[tuple[str, int]]:
        """The far ends of what was not accepted by one of its own listening ports."""
        own = {one.local[1] for one in self.seen if one.listens and one.local is not None}
        return {
            one.remote
            for one in self.seen
            if one.remote is not None and one.local is not None and one.local[1] not in own
        }


@contextmanager
def _watched(box: Onebox, name: str) -> Iterator[Watch]:
    watch = Watch(box.pids[name])
    thread = threading.Thread(target=watch.look)
    thread.start()
    try:
        yield watch
    finally:
        watch.stop()
        thread.join()


def _port(url: str) -> int:
    return int(urlsplit(url if "//" in url else f"//{url}").port or 0)


@pytest.mark.timeout(120)
async def test_vault_and_opener_talk_to_their_database_the_broker_and_the_socket_only(
    shop: Shop, box: Onebox
):
    database, broker = _port(box.wiring.admin_url), _port(box.wiring.kafka_bootstrap)
    own = _port(box.base_urls["inventory-vault"])
    socket = str(box.wiring.opener_socket())
    with _watched(box, "inventory-vault") as vault, _watched(box, "opener") as opener:
        for _ in range(3):
            product = await shop.stocked_product([fresh("CODE") for _ in range(200)])
            orders = [await shop.place([(product.sku, 2)]) for _ in range(5)]
            for order in orders:
                await shop.pay(order)
                done = await shop.settled(order["id"], "completed")
                for unit in done["deliveries"][0]["units"]:
                    await shop.reveal(unit["unit_id"])
        await asyncio.sleep(1.5)

    assert vault.looks > 20
    assert {port for _, port in vault.called()} == {database, broker}
    assert {address for address, _ in vault.called()} == {"127.0.0.1"}
    assert {one[1] for one in vault.listening if isinstance(one, tuple)} == {own}
    assert not [one for one in vault.seen if one.family.startswith("udp")]
    assert {one.path for one in vault.seen if one.family == "unix"} <= {None}

    # A process that may not be dumped shows its files to root only.
    if os.geteuid() == 0:
        assert {port for _, port in opener.called()} == {database}
        assert opener.listening == {socket}
        assert {one.path for one in opener.seen if one.family == "unix"} <= {None, socket}
        assert not [one for one in opener.seen if one.family.startswith("udp")]
