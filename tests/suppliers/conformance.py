"""What every connector must do, whatever its wire: a list of checks, each against a local peer.

A check judges a connector by what our rules would make of its answer: `settled` says whether a
buyer would be told "done", get the money back, or wait.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from fulfillment.connector import (
    NOT_OFFERED,
    Access,
    Article,
    Connector,
    Done,
    Failed,
    Forged,
    HearsCallbacks,
    ListsArticles,
    NotFound,
    NotSent,
    Pushed,
    Report,
    TakesOptions,
    TellsBalance,
    Terms,
    Unknown,
    Wanted,
)
from fulfillment.exchange import faults_of
from fulfillment.outside import Outside
from fulfillment.purchases.domain import Limits, Purchase, PurchaseState, settle
from kit.money import Money
from tests.suppliers.peer import SILENT, UNIT_COST, Does, Order, Peer, running

_HANGS = {Does.TIMEOUT_DONE, Does.TIMEOUT_NOT_DONE}
CALLBACK_URL = "https://shop.example/v1/supplier-callbacks/0193a3f0-5b1e-7c44-9d57-0f4d3c1b2a31"
PATIENCE = timedelta(seconds=20)
"""Of a call that will be answered: nothing here hangs on how fast the machine is."""
IMPATIENCE = timedelta(seconds=1.2)
"""Of a call that will not."""
LIMITS = Limits(unsent=timedelta(minutes=10), pause=timedelta(hours=1))
DONE, FAILED, UNKNOWN = PurchaseState.DONE, PurchaseState.FAILED, PurchaseState.UNKNOWN


@dataclass(slots=True)
class Bench:
    """A connector before its peer."""

    connector: Connector
    peer: Peer

    @property
    def access(self) -> Access:
        return Access(
            self.peer.base_url,
            self.peer.account_id,
            self.peer.secret,
            IMPATIENCE if self.peer.does in _HANGS else PATIENCE,
            options=self.peer.options,
            callback_secret=self.peer.callback_secret,
            callback_url=CALLBACK_URL,
        )

    @property
    def terms(self) -> Terms:
        if isinstance(self.connector, TakesOptions):
            return self.connector.terms_for(self.peer.options)
        return self.connector.terms

    @property
    def buys_codes(self) -> bool:
        return self.peer.sells_codes and not self.peer.tops_up

    def wanted(self, *, codes: bool | None = None, quantity: int = 1, **given: Any) -> Wanted:
        codes = self.buys_codes if codes is None else codes
        peer = self.peer
        values: dict[str, Any] = {
            "reference": uuid4(),
            "sku": peer.code_sku if codes else peer.top_up_sku,
            "account": "" if codes else peer.account,
            "quantity": quantity,
            "cost_max": Money(UNIT_COST * quantity, peer.currency),
        }
        return Wanted(**{**values, **given})

    async def purchase(self, wanted: Wanted) -> Report:
        return await self.connector.purchase(self.access, wanted)

    async def query(self, wanted: Wanted) -> Report:
        """Asking: by a question, or by the same again where there are no questions."""
        if self.terms.query_by_ref:
            return await self.connector.query(self.access, wanted.reference)
        return await self.purchase(replace(wanted, is_repeat=True))

    def settled(self, wanted: Wanted, report: Report, *, tries: int = 1) -> PurchaseState:
        """What our rules make of it, with the call just made."""
        if isinstance(report, Done) and report.codes:
            fault = faults_of(report.codes, wanted.quantity, datetime.now(UTC))
            report = Unknown(fault) if fault else report
        purchase = replace(_SENT, cost_max=wanted.cost_max, quantity=wanted.quantity, sends=tries)
        return settle(purchase, report, self.terms, LIMITS).state

    def reference_of(self, order: Order) -> UUID:
        return UUID(order.reference)

    def order(self, wanted: Wanted) -> Order:
        found = [it for it in self.peer.orders.values() if UUID(it.reference) == wanted.reference]
        assert found, "the supplier does not know the purchase by our reference"
        return found[0]


_ID = uuid4()
_SENT = Purchase(
    _ID, _ID, _ID, _ID, _ID, _ID, 0, "peer", "X", 1, Money(1, "CNY"), PurchaseState.SENT, sends=1
)
Check = Callable[[Bench], Awaitable[None]]


async def buys_and_says_what_it_cost(bench: Bench) -> None:
    wanted = bench.wanted()
    report = await bench.purchase(wanted)
    assert isinstance(report, Done), report
    assert report.cost == Money(UNIT_COST, bench.peer.currency)
    assert len(bench.peer.charges) == 1
    again = await bench.query(wanted)
    assert again == report, "asking answers otherwise than buying did"


async def brings_every_code_once(bench: Bench) -> None:
    if not bench.peer.sells_codes:
        return
    wanted = bench.wanted(codes=True, quantity=3 if bench.peer.many_at_once else 1)
    report = await bench.purchase(wanted)
    assert isinstance(report, Done), report
    order = bench.order(wanted)
    expected = {part for pair in order.codes for part in pair}
    assert len(report.codes) == wanted.quantity
    for (number, password), code in zip(order.codes, report.codes, strict=True):
        together = " ".join(code.fields.values())
        assert number in together, "another code"
        assert password in together, "half a code"
    assert all(set(it.fields) <= {"code", "number", "password", "url"} for it in report.codes)
    assert not any(part in repr(report) for part in expected), "a code shows in the repr"
    asked = await bench.query(wanted)
    assert isinstance(asked, Done), asked
    assert asked.codes == report.codes


async def says_a_listed_no(bench: Bench) -> None:
    listed = bench.peer.refusals
    assert listed <= bench.terms.definite_failures, "the peer refuses what is not listed"
    for code in sorted(listed):
        bench.peer.behave(Does.REFUSES, code)
        wanted = bench.wanted()
        report = await bench.purchase(wanted)
        assert isinstance(report, Failed), (code, report)
        assert report.code == code, (code, report)
        assert bench.settled(wanted, report) is FAILED
        assert bench.peer.charges == []


async def takes_no_unlisted_code_for_a_no(bench: Bench) -> None:
    bench.peer.behave(Does.REFUSES, None)
    wanted = bench.wanted()
    report = await bench.purchase(wanted)
    assert bench.settled(wanted, report) is UNKNOWN, report
    assert not isinstance(report, NotSent), report


async def takes_nothing_garbled_for_an_answer(bench: Bench) -> None:
    for does in sorted(SILENT):
        bench.peer.behave(does)
        wanted = bench.wanted()
        report = await asyncio.wait_for(bench.purchase(wanted), 30)
        assert isinstance(report, Unknown), (does, report)
        assert bench.settled(wanted, report) is UNKNOWN, (does, report)
        assert len(bench.peer.posts) == 1, f"{does}: sent {len(bench.peer.posts)} times"


async def finds_out_what_a_lost_answer_was(bench: Bench) -> None:
    for does in sorted(SILENT - {Does.TIMEOUT_NOT_DONE, Does.ERROR_NOT_DONE}):
        bench.peer.behave(does)
        wanted = bench.wanted()
        await bench.purchase(wanted)
        bench.peer.does = Does.OK
        report = await bench.query(wanted)
        assert bench.settled(wanted, report, tries=2) is DONE, (does, report)
        assert len(bench.peer.charges) == 1, f"{does}: bought {len(bench.peer.charges)} times"


async def waits_for_a_slow_answer(bench: Bench) -> None:
    bench.peer.behave(Does.SLOW)
    bench.peer.slow_seconds = 0.05
    assert isinstance(await bench.purchase(bench.wanted()), Done)


async def follows_progress_to_its_end(bench: Bench) -> None:
    for does, state, end in (
        (Does.IN_PROGRESS, "succeeded", DONE),
        (Does.FAILS_LATER, "failed", FAILED),
    ):
        bench.peer.behave(does)
        wanted = bench.wanted()
        report = await bench.purchase(wanted)
        assert isinstance(report, Unknown), report
        asked = await bench.query(wanted)
        assert isinstance(asked, Unknown), asked
        bench.peer.settle(bench.order(wanted).reference, state)
        report = await bench.query(wanted)
        assert bench.settled(wanted, report, tries=2) is end, report


async def believes_a_failed_order(bench: Bench) -> None:
    bench.peer.behave(Does.FAILS)
    wanted = bench.wanted()
    assert bench.settled(wanted, await bench.purchase(wanted)) is FAILED
    assert bench.settled(wanted, await bench.query(wanted)) is FAILED


async def sees_a_success_after_a_failed_order(bench: Bench) -> None:
    bench.peer.behave(Does.FAILS)
    wanted = bench.wanted()
    await bench.purchase(wanted)
    bench.peer.settle(bench.order(wanted).reference, "succeeded")
    assert isinstance(await bench.query(wanted), Done)


async def takes_a_strange_state_for_unknown(bench: Bench) -> None:
    bench.peer.behave(Does.STRANGE_STATE)
    wanted = bench.wanted()
    for report in (await bench.purchase(wanted), await bench.query(wanted)):
        assert isinstance(report, Unknown), report


async def never_buys_dearer_than_agreed(bench: Bench) -> None:
    wanted = bench.wanted(cost_max=Money(UNIT_COST - 1, bench.peer.currency))
    report = await bench.purchase(wanted)
    assert bench.settled(wanted, report) is FAILED, report
    assert bench.peer.charges == []
    assert isinstance(await bench.purchase(bench.wanted()), Done), "the very limit is enough"


async def states_what_was_taken_and_not_what_was_agreed(bench: Bench) -> None:
    bench.peer.behave(Does.DEARER)
    report = await bench.purchase(bench.wanted())
    if isinstance(report, Done):
        assert report.cost.amount_minor == UNIT_COST * 3, report
    else:
        assert isinstance(report, Unknown), report


async def sells_no_foreign_currency_as_ours(bench: Bench) -> None:
    foreign = bench.wanted(cost_max=Money(UNIT_COST * 100, "XTS"))
    report = await bench.purchase(foreign)
    assert bench.settled(foreign, report) is not DONE, report
    if not bench.peer.tells_currency:
        assert bench.peer.charges == [], "bought in a currency that was not agreed"
        return
    bench.peer.behave(Does.OTHER_CURRENCY)
    wanted = bench.wanted()
    report = await bench.purchase(wanted)
    assert bench.settled(wanted, report) is UNKNOWN, report


async def takes_no_other_purchase_for_ours(bench: Bench) -> None:
    if not bench.peer.echoes_reference:
        return
    bench.peer.behave(Does.OTHER_REFERENCE)
    wanted = bench.wanted()
    for report in (await bench.purchase(wanted), await bench.query(wanted)):
        assert isinstance(report, Unknown), report


async def sells_no_faulty_codes(bench: Bench) -> None:
    if not bench.peer.sells_codes:
        return
    faults = {Does.EXPIRED_CODE} if bench.peer.tells_expiry else set()
    if bench.peer.many_at_once:
        faults |= {Does.TOO_FEW_CODES, Does.SAME_CODE_TWICE}
    for does in sorted(faults):
        bench.peer.behave(does)
        wanted = bench.wanted(codes=True, quantity=2 if bench.peer.many_at_once else 1)
        for report in (await bench.purchase(wanted), await bench.query(wanted)):
            assert bench.settled(wanted, report) is UNKNOWN, (does, report)


async def buys_once_under_one_reference(bench: Bench) -> None:
    wanted = bench.wanted()
    await bench.purchase(wanted)
    repeat = await bench.purchase(replace(wanted, is_repeat=True))
    assert bench.settled(wanted, repeat, tries=2) in (DONE, UNKNOWN), repeat
    assert len(bench.peer.charges) == 1, "bought twice"


async def takes_no_refused_repeat_for_a_no(bench: Bench) -> None:
    if bench.terms.query_by_ref:
        return  # A repeat comes only after questions have found nothing.
    for code in sorted(bench.peer.refusals):
        bench.peer.behave(Does.ERROR_DONE)
        wanted = bench.wanted()
        await bench.purchase(wanted)
        bench.peer.does, bench.peer.refusal = Does.REFUSES, code
        repeat = await bench.purchase(replace(wanted, is_repeat=True))
        assert bench.settled(wanted, repeat, tries=2) is UNKNOWN, (code, repeat)


async def says_plainly_that_a_reference_is_not_there(bench: Bench) -> None:
    if not bench.terms.query_by_ref:
        return
    nobody = bench.wanted()
    assert await bench.query(nobody) == NotFound()
    bench.peer.behave(Does.SEEN_LATE)
    late = bench.wanted()
    await bench.purchase(late)
    report = await bench.query(late)
    assert report == NotFound()
    assert bench.settled(late, report) is UNKNOWN, "no proof before the visibility delay"
    bench.peer.does = Does.OK
    assert isinstance(await bench.query(late), Done)


async def takes_a_refused_question_for_no_refused_purchase(bench: Bench) -> None:
    if not bench.terms.query_by_ref:
        return
    for does in (Does.QUERY_REFUSED, Does.QUERY_GARBLED):
        bench.peer.behave(does)
        wanted = bench.wanted()
        await bench.purchase(wanted)
        report = await bench.query(wanted)
        assert isinstance(report, Unknown), (does, report)


async def asks_without_buying(bench: Bench) -> None:
    if not bench.terms.query_by_ref:
        return
    await bench.query(bench.wanted())
    assert bench.peer.posts == []


async def knows_that_nothing_was_sent(bench: Bench) -> None:
    wanted, access = bench.wanted(), bench.access
    gone = replace(access, base_url="http://127.0.0.1:1" + bench.peer.base_path)
    report = await bench.connector.purchase(gone, wanted)
    assert isinstance(report, NotSent), report


async def sends_nothing_under_a_wrong_secret(bench: Bench) -> None:
    wanted, access = bench.wanted(), bench.access
    wrong = replace(access, secret="wrong-secret-0123456789abcdef012")
    report = await bench.connector.purchase(wrong, wanted)
    assert bench.settled(wanted, report) is not DONE, report
    assert bench.peer.charges == [], "the peer did not check the signature"
    assert bench.peer.unsigned > 0


async def tells_its_balance(bench: Bench) -> None:
    connector = bench.connector
    assert isinstance(connector, TellsBalance) or not bench.peer.tells_balance
    if bench.peer.tells_balance and isinstance(connector, TellsBalance):
        assert await connector.balance(bench.access) == Money(123_456, bench.peer.currency)
        bench.peer.url = "http://127.0.0.1:1"
        assert isinstance(await connector.balance(bench.access), Unknown | NotSent)


async def lists_what_is_for_sale(bench: Bench) -> None:
    connector = bench.connector
    assert isinstance(connector, ListsArticles) or not bench.peer.lists_articles
    if not (bench.peer.lists_articles and isinstance(connector, ListsArticles)):
        if isinstance(connector, ListsArticles):
            page = await connector.articles(bench.access, None)
            assert page == Unknown(NOT_OFFERED), "an account without a list is no failing one"
        return
    found: list[Article] = []
    cursor: str | None = None
    for _ in range(10):
        page = await connector.articles(bench.access, cursor)
        assert not isinstance(page, Unknown | NotSent), page
        found += page.articles
        cursor = page.next_cursor
        if cursor is None:
            break
    sku = bench.peer.code_sku if bench.buys_codes else bench.peer.top_up_sku
    mine = [article for article in found if article.sku == sku]
    assert len(mine) == 1, f"{sku} is not among {[it.sku for it in found]}"
    assert mine[0].cost == Money(UNIT_COST, bench.peer.currency)


async def hears_genuine_callbacks(bench: Bench) -> None:
    if not _hears(bench):
        return
    wanted = bench.wanted()
    await bench.purchase(wanted)
    order = bench.order(wanted)
    pushed = _pushed(bench, order)
    first = bench.connector.hear(bench.access, pushed)  # type: ignore[attr-defined]  # _hears
    again = [bench.connector.hear(bench.access, pushed) for _ in range(2)]  # type: ignore[attr-defined]
    assert again == [first, first]
    assert (first.reference, first.is_success) == (wanted.reference, True)
    assert first.reply == bench.peer.answers
    order.state = "failed"
    failed = bench.connector.hear(bench.access, _pushed(bench, order))  # type: ignore[attr-defined]
    assert not failed.is_success
    early = Order(9, str(uuid4()), "X", bench.peer.account, 1, 1, "processing", [])
    early.reference = wanted.reference.hex if "-" not in order.reference else early.reference
    heard = bench.connector.hear(bench.access, _pushed(bench, early))  # type: ignore[attr-defined]
    assert not heard.is_success


async def believes_no_forged_callback(bench: Bench) -> None:
    if not _hears(bench):
        return
    wanted = bench.wanted()
    await bench.purchase(wanted)
    order = bench.order(wanted)
    for name, pushed in _forgeries(bench, order).items():
        try:
            told = bench.connector.hear(bench.access, pushed)  # type: ignore[attr-defined]  # _hears
        except Forged:
            continue
        raise AssertionError(f"{name} was believed: {told}")


def _hears(bench: Bench) -> bool:
    hears = isinstance(bench.connector, HearsCallbacks)
    assert hears or not bench.peer.calls_back
    return hears and bench.peer.calls_back


def _pushed(bench: Bench, order: Order, at: float | None = None) -> Pushed:
    now = time.time() if at is None else at
    headers, body = bench.peer.callback(order, CALLBACK_URL, now)
    return Pushed({name.lower(): value for name, value in headers.items()}, {}, body)


def _forgeries(bench: Bench, order: Order) -> dict[str, Pushed]:
    peer, good = bench.peer, _pushed(bench, order)
    forgeries = {
        "an empty body": replace(good, body=b""),
        "HTML": replace(good, body=b"<html></html>"),
        "a list": replace(good, body=b"[]"),
        "a deep body": replace(good, body=b"[" * 60_000),
        "bytes that are no text": replace(good, body=b"\xff\xfe" + good.body),
        "a body cut short": replace(good, body=good.body[:-1]),
        "a changed digit": replace(good, body=_changed(good.body)),
        "no headers and no signature": Pushed({}, {}, b'{"reference":"x","status":"succeeded"}'),
    }
    secret = "callback_secret" if peer.callback_secret else "secret"
    kept = getattr(type(peer), secret)
    try:
        setattr(type(peer), secret, "another-secret-0123456789abcdef0")
        forgeries["another's signature"] = _pushed(bench, order)
    finally:
        setattr(type(peer), secret, kept)
    for name, value in good.headers.items():
        if "sign" in name:
            forgeries["no signature"] = replace(good, headers={**good.headers, name: ""})
            longer = {**good.headers, name: value + "0"}
            forgeries["a longer signature"] = replace(good, headers=longer)
    window = peer.callback_window_seconds
    if window is not None:
        forgeries["an old one"] = _pushed(bench, order, time.time() - window - 5)
        forgeries["one of the future"] = _pushed(bench, order, time.time() + window + 60)
    return forgeries


def _changed(body: bytes) -> bytes:
    """Another digit in place of the first."""
    for place, byte in enumerate(body):
        if chr(byte).isdigit():
            return body[:place] + (b"7" if byte != ord("7") else b"3") + body[place + 1 :]
    return body + b"1"


CHECKS: Mapping[str, Check] = {
    check.__name__: check
    for check in (
        buys_and_says_what_it_cost,
        brings_every_code_once,
        says_a_listed_no,
        takes_no_unlisted_code_for_a_no,
        takes_nothing_garbled_for_an_answer,
        finds_out_what_a_lost_answer_was,
        waits_for_a_slow_answer,
        follows_progress_to_its_end,
        believes_a_failed_order,
        sees_a_success_after_a_failed_order,
        takes_a_strange_state_for_unknown,
        never_buys_dearer_than_agreed,
        states_what_was_taken_and_not_what_was_agreed,
        sells_no_foreign_currency_as_ours,
        takes_no_other_purchase_for_ours,
        sells_no_faulty_codes,
        buys_once_under_one_reference,
        takes_no_refused_repeat_for_a_no,
        says_plainly_that_a_reference_is_not_there,
        takes_a_refused_question_for_no_refused_purchase,
        asks_without_buying,
        knows_that_nothing_was_sent,
        sends_nothing_under_a_wrong_secret,
        tells_its_balance,
        lists_what_is_for_sale,
        hears_genuine_callbacks,
        believes_no_forged_callback,
    )
}


@asynccontextmanager
async def bench_of(create: Callable[[Outside], Connector], peer: Peer) -> AsyncIterator[Bench]:
    outside = Outside(allow_private=True)
    try:
        async with running(peer):
            yield Bench(create(outside), peer)
    finally:
        await outside.close()


async def failures_of(
    create: Callable[[Outside], Connector], make_peer: Callable[[], Peer]
) -> dict[str, str]:
    """Check -> what it found wrong; empty for a connector that conforms."""
    found = {}
    for name, check in CHECKS.items():
        async with bench_of(create, make_peer()) as bench:
            try:
                await check(bench)
            except AssertionError as error:
                found[name] = str(error)
    return found
