"""Signatures of gateways, against the vectors their makers published."""

import hashlib
from datetime import UTC, datetime

from fulfillment.senders.aliyun import sender as aliyun
from fulfillment.senders.tencent import sender as tencent
from fulfillment.senders.twilio import sender as twilio

EMPTY = hashlib.sha256(b"").hexdigest()
DATE = "2023-10-26T10:22:32Z"


def acs_headers(host: str, action: str, version: str, nonce: str) -> dict[str, str]:
    return {
        "host": host,
        "x-acs-action": action,
        "x-acs-content-sha256": EMPTY,
        "x-acs-date": DATE,
        "x-acs-signature-nonce": nonce,
        "x-acs-version": version,
    }


def test_aliyun_signs_as_its_documents_do():
    query = aliyun.canonical_query(
        {
            "RegionId": "cn-shanghai",
            "ImageId": "win2019_1809_x64_dtc_zh-cn_40G_alibase_20230811.vhd",
        }
    )
    headers = acs_headers(
        "ecs.cn-shanghai.aliyuncs.com",
        "RunInstances",
        "2014-05-26",
        "3156853299f313e23d1673dc12e1703d",
    )

    signature = aliyun.sign("POST", query, headers, b"", "YourAccessKeySecret")

    assert signature == "06563a9e1b43f5dfe96b81484da74bceab24a1d853912eee15083a6f0f3283c0"


def test_aliyun_signs_an_sms_with_chinese_and_json_in_it():
    query = aliyun.canonical_query(
        {
            "PhoneNumbers": "13800000000",
            "SignName": "测试",
            "TemplateCode": "SMS_1",
            "TemplateParam": '{"code":"1234"}',
        }
    )
    headers = acs_headers("dysmsapi.aliyuncs.com", "SendSms", aliyun.VERSION, "n1")

    signature = aliyun.sign("POST", query, headers, b"", "YourAccessKeySecret")

    assert query == (
        "PhoneNumbers=13800000000&SignName=%E6%B5%8B%E8%AF%95&TemplateCode=SMS_1"
        "&TemplateParam=%7B%22code%22%3A%221234%22%7D"
    )
    assert signature == "e0e0f550dc0253f38147ffb7cfe8220a463672e4e8886c15d85637120edb46b5"


def test_twilio_signs_its_calls_as_its_documents_say():
    form = {
        "CallSid": "CA1234567890ABCDE",
        "Caller": "+12349013030",
        "Digits": "1234",
        "From": "+12349013030",
        "To": "+18005551212",
    }

    signature = twilio.sign("https://mycompany.com/myapp.php?foo=1&bar=2", form, "12345")

    assert signature == "0/KCTR6DLpKmkAf8muzZqo1nDgQ="


PAYLOAD = rb'{"Limit": 1, "Filters": [{"Values": ["\u672a\u547d\u540d"], "Name": "instance-name"}]}'
KEY = "Gu5t9xGARNpq86cd98joQYCN3*******"
AT = datetime.fromtimestamp(1551113065, UTC)
TC_HEADERS = {"content-type": tencent.CONTENT_TYPE, "host": "cvm.tencentcloudapi.com"}


def test_tencent_signs_as_its_documents_do():
    signature = tencent.sign(PAYLOAD, TC_HEADERS, "cvm", AT, KEY)

    assert signature == "2230eefd229f582d8b1b891af7107b91597240707d778ab3738f756258d7652c"


def test_tencent_signs_the_action_too_when_it_is_among_the_headers():
    headers = {**TC_HEADERS, "x-tc-action": "describeinstances"}

    signature = tencent.sign(PAYLOAD, headers, "cvm", AT, KEY)

    assert signature == "be4f67d323c78ab9acb7395e43c0dbcf822a9cfac32fea2449a7bc7726b770a3"
