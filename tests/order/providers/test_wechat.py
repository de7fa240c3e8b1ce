"""WeChat Pay: the shared rules, its signatures and its sealed callbacks, the published vectors."""

import base64
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.x509.oid import NameOID
from sqlalchemy import text

from order import rsa
from order.orders.domain import OrderStatus
from order.provider import CallbackRefused
from order.providers.wechat import signature
from tests.order.conftest import Consume
from tests.order.factories import placed, state_of
from tests.order.providers.conformance import Conformance
from tests.order.providers.conftest import payments_of
from tests.order.providers.peers.keys import keys_of
from tests.order.providers.peers.serving import Mood
from tests.order.providers.peers.wechat import API_V3_KEY, KEY_ID, WeChatPeer
from tests.order.providers.rules.base import PAY_BACK, Scene

VECTORS: dict[str, Any] = json.loads(Path(__file__).with_name("vectors.json").read_text("utf-8"))
PUBLIC_KEY: str = VECTORS["_rsa_test_public_key_pem"]
OFFICIAL: dict[str, str] = VECTORS["wechat_official_callback"]


class TestWeChat(Conformance):
    provider = "wechat"

    @pytest.fixture
    def wechat(self, peer: WeChatPeer) -> WeChatPeer:
        return peer

    async def test_jsapi_hands_over_signed_parameters_and_needs_the_payer(
        self, scene: Scene, wechat: WeChatPeer
    ) -> None:
        order = await placed(scene.db)

        without = await scene.begin(order, method="jsapi")
        answer = await scene.begin(order, method="jsapi", payer="oUpF8uMuAJO_M2pxb1Q9zNjWeS6o")

        assert (without.status_code, without.json()["code"]) == (422, "checkout_refused")
        given = answer.json()["parameters"]
        text = f"{given['appId']}\n{given['timeStamp']}\n{given['nonceStr']}\n{given['package']}\n"
        private = wechat.account["secrets"]["private_key"]
        assert rsa.sign(private, text.encode()) == given["paySign"]

    async def test_another_app_of_the_same_merchant_is_foreign(
        self, scene: Scene, wechat: WeChatPeer
    ) -> None:
        reference = await scene.begun(order := await placed(scene.db))
        wechat.pay(reference)
        fact = {**wechat._fact(reference), "appid": "wx0000000000000000"}

        answer = await scene.push(wechat.push("TRANSACTION.SUCCESS", fact))

        assert (answer.status_code, answer.json()["code"]) == (400, "FAIL")
        assert await payments_of(scene.db, order.id) == []

    async def test_what_was_sealed_with_another_key_is_refused(
        self, scene: Scene, wechat: WeChatPeer
    ) -> None:
        pushed = wechat.push("TRANSACTION.SUCCESS", {}, key="x" * 32)

        assert (await scene.push(pushed)).status_code == 400

    async def test_the_path_without_an_account_finds_it_by_the_platforms_key(
        self, scene: Scene, wechat: WeChatPeer
    ) -> None:
        reference = await scene.begun(order := await placed(scene.db))

        answer = await scene.push_to("/v1/payment-callbacks/wechat", wechat.pay(reference))

        assert (answer.status_code, answer.json()) == (200, {"code": "SUCCESS", "message": "OK"})
        assert len(await payments_of(scene.db, order.id)) == 1

    async def test_an_answer_that_is_not_signed_is_not_believed(
        self, scene: Scene, wechat: WeChatPeer
    ) -> None:
        wechat.signs_answers = False

        answer = await scene.begin(await placed(scene.db))

        assert (answer.status_code, answer.json()["code"]) == (503, "provider_silent")

    async def test_an_answer_about_another_refund_is_not_believed(
        self, scene: Scene, wechat: WeChatPeer, consume: Consume
    ) -> None:
        order = await self.refunding(scene, consume)
        wechat.mixes_refunds_up = True

        await scene.run(PAY_BACK)
        assert (await state_of(scene.db, order)).status is OrderStatus.REFUNDING

        wechat.mixes_refunds_up = False
        await scene.run(PAY_BACK)
        assert (await state_of(scene.db, order)).status is OrderStatus.REFUNDED

    @pytest.mark.parametrize(
        ("status", "code"),
        [(400, "INVALID_REQUEST"), (401, "SIGN_ERROR"), (403, "NOT_ENOUGH"), (404, "NO_AUTH")],
    )
    async def test_a_no_to_a_refund_that_was_made_before_is_not_believed(
        self, scene: Scene, wechat: WeChatPeer, consume: Consume, status: int, code: str
    ) -> None:
        order = await self.refunding(scene, consume)
        wechat.moods = [Mood.DONE_SILENT]

        await scene.run(PAY_BACK)
        wechat.refund_refusals = [(status, code)]
        await scene.run(PAY_BACK)

        assert (await state_of(scene.db, order)).status is OrderStatus.REFUNDED
        assert len(wechat.refunds) == 1

    async def test_who_is_not_known_over_there_is_refused_no_refund(
        self, scene: Scene, wechat: WeChatPeer, consume: Consume
    ) -> None:
        """A key or a certificate that ran out says nothing about the money."""
        order = await self.refunding(scene, consume)
        wechat.knows_nobody = True

        await scene.run(PAY_BACK)
        assert await refund_statuses(scene) == ["unknown"]

        wechat.knows_nobody = False
        await scene.run(PAY_BACK)
        assert (await state_of(scene.db, order)).status is OrderStatus.REFUNDED

    @pytest.mark.parametrize(
        ("status", "code", "then"),
        [
            (403, "NOT_ENOUGH", "manual"),
            (404, "RESOURCE_NOT_EXISTS", "manual"),
            (401, "SIGN_ERROR", "unknown"),
            (403, "FREQUENCY_LIMITED", "unknown"),
        ],
    )
    async def test_only_a_no_to_the_refund_itself_that_was_never_made_needs_somebody(
        self, scene: Scene, wechat: WeChatPeer, consume: Consume, status: int, code: str, then: str
    ) -> None:
        await self.refunding(scene, consume)
        wechat.refund_refusals = [(status, code)]

        await scene.run(PAY_BACK)

        assert await refund_statuses(scene) == [then]
        assert wechat.refunds == {}

    async def test_a_no_is_not_definite_while_what_was_made_cannot_be_asked(
        self, scene: Scene, wechat: WeChatPeer, consume: Consume
    ) -> None:
        await self.refunding(scene, consume)
        wechat.refund_refusals = [(403, "NOT_ENOUGH")]
        wechat.moods = [None, Mood.FAULT]

        await scene.run(PAY_BACK)

        assert await refund_statuses(scene) == ["unknown"]


async def refund_statuses(scene: Scene) -> list[str]:
    async with scene.db.read() as tx:
        return list((await tx.execute(text("SELECT status FROM order_refund"))).scalars())


def official(**changed: str) -> tuple[dict[str, str], dict[str, str], bytes]:
    """Settings, headers and body of the vendor's own callback."""
    headers = {
        "wechatpay-timestamp": OFFICIAL["timestamp"],
        "wechatpay-nonce": OFFICIAL["nonce"],
        "wechatpay-serial": OFFICIAL["serial"],
        "wechatpay-signature": OFFICIAL["signature"],
    }
    return {"certificates": OFFICIAL["cert_pem"]}, headers | changed, OFFICIAL["body"].encode()


def at(seconds: int = 0) -> datetime:
    return datetime.fromtimestamp(int(OFFICIAL["timestamp"]) + seconds, UTC)


def refusal(
    settings: Mapping[str, str], headers: Mapping[str, str], body: bytes, now: datetime
) -> str:
    with pytest.raises(CallbackRefused) as refused:
        signature.verify(settings, headers, body, now)
    return refused.value.why


def test_the_vendors_callback_is_verified_and_opened():
    signature.verify(*official(), at())
    resource = json.loads(OFFICIAL["body"])["resource"]

    opened = signature.decrypt(OFFICIAL["api_key"], resource)

    assert opened.decode() == OFFICIAL["plaintext"]


def test_one_changed_byte_of_the_vendors_callback_is_a_forgery():
    settings, headers, body = official()

    assert refusal(settings, headers, body.replace(b"3", b"4", 1), at()) == "forged"
    for name in ("wechatpay-nonce", "wechatpay-signature"):
        value = headers[name]
        spoiled = ("A" if value[0] != "A" else "B") + value[1:]
        assert refusal(settings, headers | {name: spoiled}, body, at()) == "forged"
    later = str(int(OFFICIAL["timestamp"]) + 1)
    assert refusal(settings, headers | {"wechatpay-timestamp": later}, body, at()) == "forged"
    probe = {"wechatpay-signature": "WECHATPAY/SIGNTEST/" + headers["wechatpay-signature"]}
    assert refusal(settings, headers | probe, body, at()) == "forged"


@pytest.mark.parametrize("seconds", [-300, 300])
def test_five_minutes_either_way_are_tolerated_and_not_one_second_more(seconds: int):
    signature.verify(*official(), at(seconds))

    assert refusal(*official(), at(seconds + (1 if seconds > 0 else -1))) == "expired"


@pytest.mark.parametrize("timestamp", ["", "-1624523846", "1624523846000", "soon", "\u0661"])
def test_a_time_that_is_none_is_refused(timestamp: str):
    settings, headers, body = official(**{"wechatpay-timestamp": timestamp})

    assert refusal(settings, headers, body, at()) == "unsigned"


def test_a_certificate_and_a_public_key_are_known_side_by_side():
    settings, headers, body = official()
    both = settings | {"public_key_id": KEY_ID, "public_key": PUBLIC_KEY}

    signature.verify(both, headers, body, at())
    assert refusal(both, headers | {"wechatpay-serial": "00"}, body, at()) == "unknown_key"


@pytest.mark.parametrize("serial", ["0A1B2C", "A1B2C", "0a1b2c"])
def test_a_certificates_number_may_be_written_with_a_nought_in_front(serial: str):
    keys = keys_of("wechat platform")
    certificates = a_certificate(keys.private, 0x0A1B2C)
    headers = {
        "wechatpay-timestamp": "1700000000",
        "wechatpay-nonce": "N",
        "wechatpay-serial": serial,
        "wechatpay-signature": rsa.sign(keys.private, b"1700000000\nN\n{}\n"),
    }
    now = datetime.fromtimestamp(1_700_000_000, UTC)

    signature.verify({"certificates": certificates}, headers, b"{}", now)

    other = headers | {"wechatpay-serial": "0A1B2D"}
    assert refusal({"certificates": certificates}, other, b"{}", now) == "unknown_key"


def a_certificate(private: str, serial: int) -> str:
    key = serialization.load_pem_private_key(private.encode(), None)
    assert isinstance(key, RSAPrivateKey)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Tenpay.com")])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(serial)
        .not_valid_before(datetime(2026, 1, 1, tzinfo=UTC))
        .not_valid_after(datetime(2031, 1, 1, tzinfo=UTC))
        .sign(key, hashes.SHA256())
    )
    return made.public_bytes(serialization.Encoding.PEM).decode()


def test_the_own_callback_vector_is_verified_and_opened():
    body = VECTORS["wxpay_cb_body"].encode()
    headers = {
        "wechatpay-timestamp": "1700000000",
        "wechatpay-nonce": "NONCE1",
        "wechatpay-serial": KEY_ID,
        "wechatpay-signature": VECTORS["wxpay_cb_sig"],
    }
    settings = {"public_key_id": KEY_ID, "public_key": PUBLIC_KEY}

    signature.verify(settings, headers, body, datetime.fromtimestamp(1_700_000_000, UTC))
    resource = json.loads(body)["resource"]

    assert resource["ciphertext"] == VECTORS["wxpay_gcm"]
    assert signature.decrypt(API_V3_KEY, resource) == b'{"trade_state":"SUCCESS"}'


def test_the_vendors_short_cipher_text_opens():
    resource = {
        "nonce": "wCq51qZv4Yfg",
        "associated_data": "Dl56FrqWQJF1t9LtC3vEUsniZKvbqdR8",
        "ciphertext": "FsdXzxryWfKwvLJKf8LG/ToRPTRh8RN9wROC",
    }

    opened = signature.decrypt("testAPIv3Key0000", resource)

    assert opened.decode() == VECTORS["wxpay_off_gcm"] == "Hello World"
    sealed = bytearray(base64.b64decode(resource["ciphertext"]))
    sealed[0] ^= 1
    with pytest.raises(CallbackRefused, match="undecryptable"):
        signature.decrypt(
            "testAPIv3Key0000",
            resource | {"ciphertext": base64.b64encode(bytes(sealed)).decode()},
        )


def test_the_text_that_is_signed_of_a_request_is_that_of_the_vectors():
    get = signature.request_text("GET", "/v3/certificates", "1624523846", "A1B2C3D4E5F6G7", b"")
    body = VECTORS["wxpay_sts"].split("\n")[4].encode()
    nonce = "593BEC0C930BF1AFEB40B4A08C8FB242"
    post = signature.request_text("POST", "/v3/pay/transactions/native", "1700000000", nonce, body)

    assert get == b"GET\n/v3/certificates\n1624523846\nA1B2C3D4E5F6G7\n\n"
    assert post.decode() == VECTORS["wxpay_sts"]
    assert rsa.verifies(PUBLIC_KEY, post, VECTORS["wxpay_req_sig"])
