"""Every published vector of the signature families, and what must not pass for one."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from fulfillment import signatures
from fulfillment.signatures import Digest, Material, Output, Recipe, SecretAs, sign, verifies

VECTORS: dict[str, Any] = json.loads(
    Path(__file__).with_name("signature_vectors.json").read_text(encoding="utf-8")
)
TOP = {
    "method": "taobao.item.seller.get",
    "app_key": "12345678",
    "session": "test",
    "timestamp": "2016-01-01 12:00:00",
    "format": "json",
    "v": "2.0",
    "sign_method": "md5",
    "fields": "num_iid,title,nick,price,num",
    "num_iid": "11223344",
}
DUMMY_SEND = {
    "method": "taobao.logistics.dummy.send",
    "app_key": "12345678",
    "session": "test",
    "timestamp": "2026-01-01 12:00:00",
    "format": "json",
    "v": "2.0",
    "sign_method": "hmac-sha256",
    "tid": "1234567890",
}
PDD = {
    "access_token": "asd78172s8ds9a921j9qqwda12312w1w21211",
    "client_id": "1",
    "data_type": "XML",
    "order_status": "1",
    "page": "1",
    "page_size": "10",
    "timestamp": "1480411125",
    "type": "pdd.order.number.list.get",
}
PDD_NOTIFY = {
    "type": "pdd.virtual.mobile.charge.notify",
    "client_id": "1",
    "access_token": "tok",
    "timestamp": "1700000000",
    "data_type": "JSON",
    "order_sn": "200101-1",
    "outer_order_sn": "OUR1",
    "status": "SUCCESS",
}
JD = {
    "360buy_param_json": '{"end_date":null,"optional_fields":null,'
    '"order_state":"WAIT_SELLER_STOCK_OUT","page":"1","page_size":"200","start_date":null}',
    "access_token": "yourtoken",
    "app_key": "yourappkey",
    "method": "jingdong.pop.order.search",
    "timestamp": "2021-05-07 09:20:39.683+0800",
    "v": "2.0",
}
CE = {
    "coopId": "1000",
    "tbOrderNo": "TB1",
    "cardId": "C1",
    "cardNum": "1",
    "customer": "13800000000",
    "sum": "10.00",
    "tbOrderSnap": "10元|话费",
    "notifyUrl": "http://tb.example/n",
    "version": "1.0",
}
DOUYIN = {
    "app_key": "appkey",
    "method": "order.orderDetail",
    "param_json": '{"order_id":"4781320682406083640","page":0}',
    "timestamp": "1700000000",
    "v": "2",
}
DOUYIN_SPI = {
    "app_key": "appkey",
    "param_json": '{"order_id":"1"}',
    "timestamp": "2023-11-15 06:13:20",
}
SUP = {
    "userId": "u1",
    "timestamp": "1700000000",
    "version": "1.0",
    "orderNo": "SUP1",
    "productNo": "P1",
    "buyNum": "1",
    "attach": "",
    "maxAmount": "10.00",
    "callbackUrl": "https://cb.example/x",
}
ACG = {
    "shared_code": "abc123",
    "num": "2",
    "contact": "trace-1",
    "request_no": "order-001",
    "card_id": "0",
    "app_id": "1001",
    "app_key": "k9f8a7b6c5",
}
KUAISHOU = {
    "access_token": "tok",
    "appkey": "ks1",
    "method": "open.order.detail",
    "param": '{"oid":1}',
    "signMethod": "HMAC_SHA256",
    "timestamp": "1700000000000",
    "version": "1",
}
XHS = {"appId": "appid", "timestamp": "1700000000", "version": "2.0"}
ALIPAY = {
    "app_id": "2015102700040153",
    "auth_app_id": "2015102700040153",
    "charset": "utf-8",
    "notify_id": "4a91b7a78a503640467525113fb7d8bg8e",
    "notify_time": "2016-07-19 14:10:49",
    "notify_type": "trade_status_sync",
    "out_trade_no": "0719141034-6418",
    "seller_id": "2088102119685838",
    "subject": "大乐透2.1",
    "total_amount": "2.00",
    "trade_no": "2016071921001003030200089909",
    "trade_status": "TRADE_SUCCESS",
    "version": "1.0",
}
FULU_SECRET = "0a091b3aa4324435aab703142518a8f7"
FULU_REQUEST = (
    '{"app_key":"i4esv1l+76l/7NQCL3QudG90Fq+YgVfFGJAWgT+7qO1Bm9o/adG/1iwO2qXsAXNB",'
    '"method":"fulu.order.info.get","timestamp":"2019-07-27 16:44:30","version":"2.0",'
    '"format":"json","charset":"utf-8","sign_type":"md5","app_auth_token":"",'
    '"biz_content":"{\\"customer_order_no\\":\\"201906281030191013526\\"}"}'
)
FULU_CALLBACK = (
    '{"order_id":"O1","charge_finish_time":"2026-01-01 00:00:00","customer_order_no":"C1",'
    '"order_status":"success","recharge_description":"充值成功","product_id":"10000001",'
    '"price":"10.0000","buy_num":"1","operator_serial_number":"S1"}'
)
YOUZAN = (
    '{"client_id":"testclient","id":"E20200101","type":"trade_TradePaid","msg_id":"m1","version":1}'
)
GOOFISH = (
    '{"order_no":"GF1","goods_no":"G1","buy_quantity":1,"max_amount":1000,'
    '"notify_url":"https://open.goofish.pro/api/open/callback/virtual/order/notify/t"}'
)
STRIPE = (
    '{\n  "id": "evt_test_webhook",\n  "object": "event",\n'
    '  "data": { "object": { "id": "rdr_123", "object": "terminal.reader" } }\n}'
)
UPPER = Output.HEX_UPPER
_MD5_UPPER = replace(signatures.WRAPPED_PAIRS, output=UPPER)
_GOOFISH = Recipe("1001,appsecret,{body_md5},{ts},2002,{secret}", Digest.MD5)
_PUSH = Recipe("{account}{body}{secret}", Digest.HMAC_SHA256)


def _body(text: str, **named: str) -> Material:
    return Material(body=text.encode(), named=named)


# name -> (recipe, secret, material)
KNOWN: dict[str, tuple[Recipe, str, Material]] = {
    "agiso_api": (
        signatures.WRAPPED_PAIRS,
        "agisosecret",
        Material(fields={"tids": "123456789", "timestamp": "1700000000"}),
    ),
    "agiso_push": (
        signatures.WRAPPED_PAIRS,
        "agisosecret",
        Material(
            fields={
                "json": '{"Tid":123456789,"Status":"WAIT_SELLER_SEND_GOODS"}',
                "timestamp": "1700000000",
            }
        ),
    ),
    "top_md5": (_MD5_UPPER, "helloworld", Material(fields=TOP)),
    "pdd": (_MD5_UPPER, "testSecret", Material(fields=PDD)),
    "pdd_charge_notify": (_MD5_UPPER, "testSecret", Material(fields=PDD_NOTIFY)),
    "jd": (_MD5_UPPER, "yourappSecret", Material(fields=JD)),
    "ce_sign_gbk": (
        Recipe("{pairs}{secret}", Digest.MD5, UPPER, charset="gbk"),
        "cekey",
        Material(fields=CE),
    ),
    "top_hmac": (
        replace(signatures.KEYED_PAIRS, digest=Digest.HMAC_MD5),
        "helloworld",
        Material(fields={**TOP, "sign_method": "hmac"}),
    ),
    "top_hmac-sha256": (
        signatures.KEYED_PAIRS,
        "helloworld",
        Material(fields={**TOP, "sign_method": "hmac-sha256"}),
    ),
    "top_dummy_send": (signatures.KEYED_PAIRS, "helloworld", Material(fields=DUMMY_SEND)),
    "dy_api": (signatures.WRAPPED_AND_KEYED, "appsecret", Material(fields=DOUYIN)),
    "dy_spi": (signatures.WRAPPED_AND_KEYED, "appsecret", Material(fields=DOUYIN_SPI)),
    "acg": (signatures.QUERY_AND_KEY, "k9f8a7b6c5", Material(fields=ACG)),
    "sup_sign": (
        signatures.WRAPPED_QUERY,
        "0123456789abcdef0123456789abcdefmerchantkey",
        Material(fields=SUP),
    ),
    "ks": (
        Recipe("{query}&signSecret={secret}", Digest.HMAC_SHA256, Output.BASE64),
        "kssecret",
        Material(fields=KUAISHOU),
    ),
    "xhs": (
        Recipe("{method}?{query}{secret}", Digest.MD5),
        "appsecret",
        Material(fields=XHS, named={"method": "order.getOrderDetail"}),
    ),
    "fulu_result": (
        signatures.SORTED_CHARACTERS,
        FULU_SECRET,
        _body('{"name":"OpenApi2.0对接专用商户","balance":344283.1608,"is_open":1}'),
    ),
    "fulu_req": (signatures.SORTED_CHARACTERS, FULU_SECRET, _body(FULU_REQUEST)),
    "fulu_cb": (signatures.SORTED_CHARACTERS, FULU_SECRET, _body(FULU_CALLBACK)),
    "youzan_event_sign": (
        signatures.ACCOUNT_AND_BODY,
        "testsecret",
        _body(YOUZAN, account="testclient"),
    ),
    "youzan_body_sign": (
        signatures.ACCOUNT_AND_BODY,
        "testsecret",
        _body("%7B%22tid%22%3A%22E20200101%22%7D", account="testclient"),
    ),
    "dy_push_hmac": (
        _PUSH,
        "appsecret",
        _body('[{"tag":"101","msg_id":"1","data":{"p_id":"1"}}]', account="appkey"),
    ),
    "dy_push_md5": (
        signatures.ACCOUNT_AND_BODY,
        "appsecret",
        _body('[{"tag":"101","msg_id":"1","data":{"p_id":"1"}}]', account="appkey"),
    ),
    "gf_sign": (_GOOFISH, "mchsecret", _body(GOOFISH, ts="1700000000")),
    "gf_sign_empty_obj": (_GOOFISH, "mchsecret", _body("{}", ts="1700000000")),
    "sw_v1": (
        Recipe("{id}.{ts}.{body}", Digest.HMAC_SHA256, Output.BASE64, secret_as=SecretAs.WHSEC),
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        _body('{"test": 2432232314}', id="msg_p5jXN8AQM9LWM0D4loKWxJek", ts="1614265330"),
    ),
    "stripe": (signatures.TIME_AND_BODY, "whsec_test_secret", _body(STRIPE, ts="1700000000")),
    "stripe_short": (signatures.TIME_AND_BODY, "whsec_test_secret", _body("{}", ts="1700000000")),
    "shopify": (
        replace(signatures.BODY, output=Output.BASE64),
        "hush",
        _body('{"id":820982911946154508,"financial_status":"paid"}'),
    ),
    "woo": (
        replace(signatures.BODY, output=Output.BASE64),
        "woo-secret",
        _body('{"id":727,"status":"processing"}'),
    ),
    "duj_get": (
        signatures.REQUEST_LINES,
        "test-secret-0123456789abcdef",
        _body("", method="GET", path="/api/v1/upstream/products", ts="1700000000"),
    ),
    "duj_post": (
        signatures.REQUEST_LINES,
        "test-secret-0123456789abcdef",
        _body(
            '{"sku_id":1,"quantity":1}',
            method="POST",
            path="/api/v1/upstream/orders",
            ts="1700000000",
        ),
    ),
    "reloadly_wh": (
        Recipe("{body}:{ts}", Digest.HMAC_SHA256),
        "reloadly-secret",
        _body('{"type":"airtime_transaction.status"}', ts="1700000000"),
    ),
    "tremendous_wh": (
        signatures.BODY,
        "TEST_PRIVATE",
        _body('{"event":"REWARDS.DELIVERY.SUCCEEDED"}'),
    ),
    "wxpay_req_sig": (
        Recipe("{body}", Digest.RSA_SHA256, Output.BASE64),
        VECTORS["_rsa_test_public_key_pem"],
        _body(VECTORS["wxpay_sts"]),
    ),
    "wxpay_cb_sig": (
        signatures.LINES_BY_RSA,
        VECTORS["_rsa_test_public_key_pem"],
        _body(VECTORS["wxpay_cb_body"], ts="1700000000", id="NONCE1"),
    ),
    "alipay_sig": (
        signatures.QUERY_BY_RSA,
        VECTORS["_rsa_test_public_key_pem"],
        Material(fields=ALIPAY),
    ),
    "wechat_official_callback": (
        signatures.LINES_BY_RSA,
        VECTORS["wechat_official_callback"]["cert_pem"],
        _body(
            VECTORS["wechat_official_callback"]["body"],
            ts=VECTORS["wechat_official_callback"]["timestamp"],
            id=VECTORS["wechat_official_callback"]["nonce"],
        ),
    ),
}
NOT_SIGNATURES = {"fulu_card", "fulu_pwd", "wxpay_cb_body", "wxpay_sts", "_rsa_test_public_key_pem"}


def _published(name: str) -> str:
    found = VECTORS[name]
    given = str(found["signature"] if isinstance(found, dict) else found)
    for prefix in ("v1,", "t=1700000000,v1=", "sha256="):
        given = given.removeprefix(prefix)
    return given


def test_no_vector_is_left_out() -> None:
    assert set(KNOWN) == set(VECTORS) - NOT_SIGNATURES


@pytest.mark.parametrize("name", KNOWN)
def test_the_published_signature_verifies_and_no_other_does(name: str) -> None:
    recipe, secret, material = KNOWN[name]
    given = _published(name)

    assert verifies(recipe, secret, material, given)
    if recipe.digest is not Digest.RSA_SHA256:
        assert sign(recipe, secret, material) == given
    assert not verifies(
        recipe, secret, material, given[:-2] + ("AA" if given[-2:] != "AA" else "BB")
    )
    assert not verifies(recipe, secret, material, "")
    assert not verifies(recipe, secret, material, given + "é")


@pytest.mark.parametrize("name", KNOWN)
def test_one_changed_byte_of_what_is_signed_is_refused(name: str) -> None:
    recipe, secret, material = KNOWN[name]

    assert not verifies(recipe, secret, _changed(material), _published(name))


def _changed(material: Material) -> Material:
    if material.body:
        return replace(material, body=b"#" + material.body[1:])
    if material.fields:
        first = next(iter(material.fields))
        return replace(material, fields={**material.fields, first: "#"})
    return replace(material, named={**material.named, "ts": "1700000001"})


def test_another_case_of_hex_is_another_signature() -> None:
    recipe, secret, material = KNOWN["pdd"]

    assert not verifies(recipe, secret, material, _published("pdd").lower())


def test_what_rsa_signs_its_public_half_verifies_and_a_stranger_does_not() -> None:
    ours, other = (rsa.generate_private_key(65_537, 2_048) for _ in range(2))
    material = Material(body=b"paid", named={"ts": "1", "id": "n"})
    made = sign(signatures.LINES_BY_RSA, _private(ours), material)

    assert verifies(signatures.LINES_BY_RSA, _public(ours), material, made)
    assert not verifies(signatures.LINES_BY_RSA, _public(other), material, made)
    bare = "".join(_public(ours).splitlines()[1:-1])
    assert verifies(signatures.LINES_BY_RSA, bare, material, made)
    assert not verifies(signatures.LINES_BY_RSA, "no key at all", material, made)


def _private(key: rsa.RSAPrivateKey) -> str:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    ).decode()


def _public(key: rsa.RSAPrivateKey) -> str:
    return (
        key.public_key()
        .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
        .decode()
    )


def test_a_static_secret_is_the_text_itself() -> None:
    recipe = Recipe("Bearer {secret}", Digest.STATIC)

    assert verifies(recipe, "s3cret", Material(), "Bearer s3cret")
    assert not verifies(recipe, "s3cret", Material(), "Bearer s3cre")


def test_a_word_that_nobody_gave_is_no_signature() -> None:
    recipe = Recipe("{ts}{unheard_of}", Digest.MD5)

    with pytest.raises(ValueError, match="unheard_of"):
        sign(recipe, "s", Material(named={"ts": "1"}))
    assert not verifies(recipe, "s", Material(named={"ts": "1"}), "")


def test_a_template_cannot_reach_into_what_it_names() -> None:
    recipe = Recipe("{body.__class__}{secret!r}", Digest.STATIC)

    assert sign(recipe, "s", Material(body=b"b")) == "{body.__class__}{secret!r}"
