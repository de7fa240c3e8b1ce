"""SMS gateways: what is sent, and what is made of answers that nobody should believe."""

from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, timedelta
from email.utils import format_datetime
from typing import Any
from urllib.parse import parse_qsl
from uuid import UUID
from zoneinfo import ZoneInfo

import orjson
import pytest

from fulfillment.outside import Outside
from fulfillment.sender import (
    Doubt,
    Later,
    Letter,
    Refused,
    Sender,
    SenderAccount,
    Sent,
    SettingsRefused,
    Unclear,
)
from fulfillment.senders.aliyun.sender import AliyunSender
from fulfillment.senders.tencent.sender import TencentSender
from fulfillment.senders.twilio.sender import TwilioSender
from kit.ids import new_id
from tests.fulfillment.gateway import HTML, Gateway, running_gateway

ID = UUID("0193a3f0-5b1e-7c44-9d57-0f4d3c1b2a31")
LETTER = Letter(
    ID,
    new_id(),
    new_id(),
    "buyer-7",
    "+8613812345678",
    body="Your order is ready.\n",
    gateway_template="SMS_1",
    parameters=(("order", "10001"), ("code", "1234")),
)
SHANGHAI = ZoneInfo("Asia/Shanghai")
NAMES = ("aliyun", "tencent", "twilio")
SETTINGS: dict[str, dict[str, Any]] = {
    "aliyun": {"access_key_id": "id", "sign_name": "测试"},
    "tencent": {"secret_id": "id", "sdk_app_id": "1400", "sign_name": "测试"},
    "twilio": {"account_sid": "AC1", "from_number": "+15005550006"},
}
TAKEN = {
    "aliyun": (200, b'{"Code":"OK","BizId":"4711"}'),
    "tencent": (200, b'{"Response":{"SendStatusSet":[{"Code":"Ok","SerialNo":"4711"}]}}'),
    "twilio": (201, b'{"sid":"4711","status":"queued","error_code":null}'),
}


@pytest.fixture
async def gateway() -> AsyncIterator[Gateway]:
    async with running_gateway() as gateway:
        yield gateway


@pytest.fixture
async def outside() -> AsyncIterator[Outside]:
    outside = Outside(allow_private=True)
    yield outside
    await outside.close()


def sender_of(name: str, outside: Outside) -> Sender:
    senders: dict[str, Sender] = {
        "aliyun": AliyunSender(outside),
        "tencent": TencentSender(outside),
        "twilio": TwilioSender(outside, str),
    }
    return senders[name]


def account_of(name: str, gateway: Gateway, sender: Sender, **given: Any) -> SenderAccount:
    settings = {**SETTINGS[name], "endpoint": gateway.url, "timeout_seconds": 10.0, **given}
    return SenderAccount(name, sender.check(settings, "secret"), "secret")


@pytest.mark.parametrize("name", NAMES)
async def test_what_the_gateway_took_is_sent_with_its_number(
    name: str, gateway: Gateway, outside: Outside
):
    sender = sender_of(name, outside)
    gateway.answers = [TAKEN[name]]

    outcome = await sender.send(account_of(name, gateway, sender), LETTER)

    assert outcome == Sent("4711")


async def test_aliyun_is_told_number_text_and_our_id(gateway: Gateway, outside: Outside):
    sender = sender_of("aliyun", outside)
    gateway.answers = [TAKEN["aliyun"]]

    await sender.send(account_of("aliyun", gateway, sender), LETTER)

    [call] = gateway.calls
    assert call.query == {
        "PhoneNumbers": "13812345678",
        "SignName": "测试",
        "TemplateCode": "SMS_1",
        "TemplateParam": '{"order":"10001","code":"1234"}',
        "OutId": ID.hex,
    }
    assert call.headers["authorization"].startswith("ACS3-HMAC-SHA256 Credential=id,SignedHeaders=")
    assert "secret" not in str(call.headers)


async def test_tencent_is_told_number_text_and_our_id(gateway: Gateway, outside: Outside):
    sender = sender_of("tencent", outside)
    gateway.answers = [TAKEN["tencent"]]

    await sender.send(account_of("tencent", gateway, sender), LETTER)

    [call] = gateway.calls
    assert orjson.loads(call.body) == {
        "PhoneNumberSet": ["+8613812345678"],
        "SmsSdkAppId": "1400",
        "SignName": "测试",
        "TemplateId": "SMS_1",
        "TemplateParamSet": ["10001", "1234"],
        "SessionContext": ID.hex,
    }
    assert call.headers["x-tc-action"] == "SendSms"


async def test_twilio_is_told_the_words_themselves(gateway: Gateway, outside: Outside):
    sender = sender_of("twilio", outside)
    gateway.answers = [TAKEN["twilio"]]

    await sender.send(account_of("twilio", gateway, sender), LETTER)

    [call] = gateway.calls
    assert dict(parse_qsl(call.body.decode())) == {
        "To": "+8613812345678",
        "From": "+15005550006",
        "Body": "Your order is ready.",
    }
    assert call.path == "/2010-04-01/Accounts/AC1/Messages.json"


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    "answer",
    [
        (200, HTML),
        (200, b""),
        (200, b"[]"),
        (200, b"{}"),
        (200, b'{"Code":7,"Response":[],"status":{}}'),
        (200, b'{"Response":{"SendStatusSet":[]}}'),
        (200, b'{"status":"purple","Code":""}'),
        (500, b'{"Code":"OK"}'),
        (502, HTML),
        (404, HTML),
        (200, b"x" * 100_000),
        None,
        "silence",
    ],
)
async def test_an_answer_that_says_nothing_leaves_it_unclear(
    name: str, answer: Any, gateway: Gateway, outside: Outside
):
    sender = sender_of(name, outside)
    gateway.answers = [answer]
    # Silence lasts as long as it is waited for; a slow machine must still get through by then.
    seconds = 3.0 if answer == "silence" else 10.0

    outcome = await sender.send(account_of(name, gateway, sender, timeout_seconds=seconds), LETTER)

    assert isinstance(outcome, Unclear), outcome


@pytest.mark.parametrize(
    ("name", "answer", "expected"),
    [
        (
            "aliyun",
            (200, b'{"Code":"isv.MOBILE_NUMBER_ILLEGAL"}'),
            Refused("aliyun_isv.MOBILE_NUMBER_ILLEGAL"),
        ),
        (
            "aliyun",
            (200, b'{"Code":"isv.BUSINESS_LIMIT_CONTROL"}'),
            Later("aliyun_isv.BUSINESS_LIMIT_CONTROL"),
        ),
        ("aliyun", (200, b'{"Code":"isp.SYSTEM_ERROR"}'), Unclear("aliyun_isp.SYSTEM_ERROR")),
        (
            "aliyun",
            (400, b'{"Code":"SignatureDoesNotMatch"}'),
            Refused("aliyun_SignatureDoesNotMatch"),
        ),
        (
            "tencent",
            (200, b'{"Response":{"Error":{"Code":"AuthFailure.SignatureFailure"}}}'),
            Refused("tencent_AuthFailure.SignatureFailure"),
        ),
        (
            "tencent",
            (200, b'{"Response":{"Error":{"Code":"InternalError.Timeout"}}}'),
            Unclear("tencent_InternalError.Timeout"),
        ),
        (
            "tencent",
            (200, b'{"Response":{"SendStatusSet":[{"Code":"FailedOperation.X"}]}}'),
            Refused("tencent_FailedOperation.X"),
        ),
        ("twilio", (400, b'{"code":21211,"message":"x"}'), Refused("twilio_21211")),
        ("twilio", (400, b'{"code":20429}'), Later("gateway_busy")),
        ("twilio", (201, b'{"status":"failed","error_code":30003}'), Refused("twilio_30003")),
        ("twilio", (429, HTML), Later("gateway_busy")),
    ],
)
async def test_definite_answers_are_kept_apart(
    name: str, answer: Any, expected: Any, gateway: Gateway, outside: Outside
):
    sender = sender_of(name, outside)
    gateway.answers = [answer]

    assert await sender.send(account_of(name, gateway, sender), LETTER) == expected


@pytest.mark.parametrize("name", NAMES)
async def test_a_gateway_that_cannot_be_reached_was_sent_nothing(name: str, outside: Outside):
    sender = sender_of(name, outside)
    nowhere = Gateway(url="http://127.0.0.1:1")

    outcome = await sender.send(account_of(name, nowhere, sender), LETTER)

    assert isinstance(outcome, Later)


async def test_aliyun_is_asked_by_our_id(gateway: Gateway, outside: Outside):
    sender = sender_of("aliyun", outside)
    account = account_of("aliyun", gateway, sender)
    ours = f'{{"OutId":"{ID.hex}","SendStatus":3}}'
    listed = '{{"Code":"OK","SmsSendDetailDTOs":{{"SmsSendDetailDTO":[{}]}}}}'
    now, old = since(), since(hours=1)

    async def find(answer: bytes, doubt: Doubt) -> Any:
        # Two days may be asked for, shortly after midnight.
        gateway.answers = [(200, answer)] * 2
        return await sender.find(account, LETTER, doubt)

    assert await find(listed.format(ours).encode(), now) == Sent("found")
    assert isinstance(await find(listed.format("").encode(), now), Unclear)
    assert await find(listed.format("").encode(), old) == Later("not_arrived")
    assert isinstance(await find(HTML, old), Unclear)


async def test_twilio_is_asked_by_number_and_words(gateway: Gateway, outside: Outside):
    sender = sender_of("twilio", outside)
    account = account_of("twilio", gateway, sender)
    ours = b'{"messages":[{"body":"Your order is ready.","status":"sent","sid":"4711"}]}'
    gateway.answers = [(200, ours), (200, b'{"messages":[]}'), (401, b"{}")]
    old = since(hours=1)

    assert await sender.find(account, LETTER, old) == Sent("4711")
    assert await sender.find(account, LETTER, old) == Later("not_arrived")
    assert isinstance(await sender.find(account, LETTER, old), Unclear)


async def test_aliyun_is_asked_for_every_day_on_which_it_may_have_been_sent(
    gateway: Gateway, outside: Outside
):
    sender = sender_of("aliyun", outside)
    account = account_of("aliyun", gateway, sender)
    ours = f'{{"OutId":"{ID.hex}","SendStatus":3}}'
    listed = '{{"Code":"OK","SmsSendDetailDTOs":{{"SmsSendDetailDTO":[{}]}}}}'
    gateway.answers = [(200, listed.format(it).encode()) for it in ("", ours)]
    # It went out the day before, and was asked about a moment ago.
    doubt = Doubt(datetime.now(UTC) - timedelta(days=1), datetime.now(UTC))

    found = await sender.find(account, LETTER, doubt)

    assert found == Sent("found")
    days = [call.query["SendDate"] for call in gateway.calls]
    assert days == [it.strftime("%Y%m%d") for it in doubt.days(SHANGHAI, datetime.now(UTC))][:2]


async def test_aliyun_is_not_believed_before_every_day_was_answered(
    gateway: Gateway, outside: Outside
):
    sender = sender_of("aliyun", outside)
    account = account_of("aliyun", gateway, sender)
    empty = b'{"Code":"OK","SmsSendDetailDTOs":{"SmsSendDetailDTO":[]}}'
    gateway.answers = [(200, empty), (200, HTML)]
    old = Doubt(datetime.now(UTC) - timedelta(days=1), datetime.now(UTC) - timedelta(hours=1))

    assert isinstance(await sender.find(account, LETTER, old), Unclear)


async def test_twilio_is_asked_from_the_day_of_the_first_sending_on(
    gateway: Gateway, outside: Outside
):
    sender = sender_of("twilio", outside)
    account = account_of("twilio", gateway, sender)
    gateway.answers = [(200, b'{"messages":[]}')]
    doubt = Doubt(datetime.now(UTC) - timedelta(days=1), datetime.now(UTC))

    await sender.find(account, LETTER, doubt)

    [call] = gateway.calls
    assert call.query["DateSent>"] == doubt.earliest.date().isoformat()


async def test_twilio_takes_no_earlier_text_of_the_same_words_for_ours(
    gateway: Gateway, outside: Outside
):
    sender = sender_of("twilio", outside)
    account = account_of("twilio", gateway, sender)
    old = since(hours=1)
    before = format_datetime(old.earliest - timedelta(minutes=1))
    ours = format_datetime(old.first)
    text = '{{"messages":[{{"body":"Your order is ready.","status":"sent","sid":"{}",{}}}]}}'
    gateway.answers = [
        (200, text.format("1", f'"date_created":"{before}"').encode()),
        (200, text.format("2", f'"date_created":"{ours}"').encode()),
        (200, text.format("3", '"date_created":"yesterday"').encode()),
    ]

    answers = [await sender.find(account, LETTER, old) for _ in range(3)]

    assert answers == [Later("not_arrived"), Sent("2"), Sent("3")]


async def test_what_was_sent_again_a_moment_ago_is_not_taken_for_lost(
    gateway: Gateway, outside: Outside
):
    sender = sender_of("twilio", outside)
    account = account_of("twilio", gateway, sender)
    gateway.answers = [(200, b'{"messages":[]}')]
    doubt = Doubt(datetime.now(UTC) - timedelta(hours=1), datetime.now(UTC))

    assert isinstance(await sender.find(account, LETTER, doubt), Unclear)


def test_the_days_of_a_doubt_reach_over_midnight_and_over_clocks_that_differ():
    night = datetime(2026, 11, 28, 0, 5, tzinfo=SHANGHAI)
    noon = datetime(2026, 11, 28, 12, tzinfo=SHANGHAI)

    assert Doubt(noon, noon).days(SHANGHAI, noon) == [noon.date()]
    assert Doubt(night, night).days(SHANGHAI, noon) == [noon.date(), date(2026, 11, 27)]
    # Noon in Shanghai is four in the morning of the same day in UTC.
    assert Doubt(night, night).days(UTC, noon) == [date(2026, 11, 28), date(2026, 11, 27)]


def since(**ago: float) -> Doubt:
    """Sent once, so long ago."""
    moment = datetime.now(UTC) - timedelta(**ago)
    return Doubt(moment, moment)


@pytest.mark.parametrize("name", ["aliyun", "tencent"])
async def test_a_gateway_with_texts_of_its_own_needs_one(name: str, outside: Outside):
    sender = sender_of(name, outside)
    letter = Letter(ID, new_id(), new_id(), "buyer-7", "+8613812345678", body="words")

    outcome = await sender.send(account_of(name, Gateway(url="http://127.0.0.1:1"), sender), letter)

    assert outcome == Refused("no_gateway_template")


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    "wrong",
    [
        {"endpoint": "file:///etc/passwd"},
        {"timeout_seconds": 0},
        {"unknown": 1},
        {"endpoint": "https://gateway.example/path?x=1"},
    ],
)
async def test_settings_that_are_not_as_needed_are_refused_at_once(
    name: str, wrong: dict[str, Any], outside: Outside
):
    sender = sender_of(name, outside)

    with pytest.raises(SettingsRefused):
        sender.check({**SETTINGS[name], **wrong}, "secret")
    with pytest.raises(SettingsRefused):
        sender.check(SETTINGS[name], "")
