"""SMS by Aliyun. A call is signed by ACS3-HMAC-SHA256; texts are templates of the gateway's own.

The gateway has no idempotency. It keeps our id (`OutId`), so an unclear call is asked for by it;
only when it is definitely not there after a while is it sent again.
"""

import hashlib
import hmac
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Annotated
from urllib.parse import quote
from zoneinfo import ZoneInfo

import orjson
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from fulfillment.gateways import Answer, ask, checked
from fulfillment.loading import SenderParts
from fulfillment.outside import Outside
from fulfillment.sender import (
    Doubt,
    Later,
    Letter,
    Refused,
    SenderAccount,
    SendOutcome,
    Sent,
    Unclear,
)
from fulfillment.templates.domain import Channel
from kit.ids import new_id

VERSION = "2017-05-25"
VISIBLE_AFTER = timedelta(seconds=60)
_ALGORITHM = "ACS3-HMAC-SHA256"
_SHANGHAI = ZoneInfo("Asia/Shanghai")
_BUSY = ("isv.BUSINESS_LIMIT_CONTROL", "Throttling")
_THEIR_TROUBLE = ("isp.", "InternalError", "ServiceUnavailable")

Word = Annotated[str, StringConstraints(min_length=1, max_length=100, pattern=r"^[^\x00-\x20]+$")]


class AliyunSettings(BaseModel):
    """The account's secret is its access key secret."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    access_key_id: Word
    sign_name: Annotated[str, StringConstraints(min_length=1, max_length=50)]
    endpoint: Annotated[str, StringConstraints(max_length=200, pattern=r"^https?://[^\s/?#]+$")] = (
        "https://dysmsapi.aliyuncs.com"
    )
    timeout_seconds: Annotated[float, Field(ge=0.1, le=30)] = 10.0


def canonical_query(values: Mapping[str, str]) -> str:
    """Sorted, in the encoding of RFC 3986."""
    return "&".join(
        f"{quote(name, safe='-_.~')}={quote(values[name], safe='-_.~')}" for name in sorted(values)
    )


def sign(method: str, query: str, headers: Mapping[str, str], body: bytes, secret: str) -> str:
    """Of a call to `/`; `headers` are all that are signed, in lower case."""
    names = ";".join(sorted(headers))
    canonical = "\n".join(
        [
            method,
            "/",
            query,
            "".join(f"{name}:{headers[name]}\n" for name in sorted(headers)),
            names,
            hashlib.sha256(body).hexdigest(),
        ]
    )
    hashed = hashlib.sha256(canonical.encode()).hexdigest()
    return hmac.new(secret.encode(), f"{_ALGORITHM}\n{hashed}".encode(), "sha256").hexdigest()


class AliyunSender:
    channel = Channel.SMS
    repeats_safely = False
    finds = True
    for_merchants = True

    def __init__(self, outside: Outside) -> None:
        self._outside = outside

    def check(self, settings: Mapping[str, object], secret: str) -> Mapping[str, object]:
        return checked(AliyunSettings, settings, secret).model_dump()

    async def send(self, account: SenderAccount, letter: Letter) -> SendOutcome:
        if not letter.gateway_template:
            return Refused("no_gateway_template")
        settings = AliyunSettings.model_validate(account.settings)
        query = {
            "PhoneNumbers": _number(letter.to),
            "SignName": settings.sign_name,
            "TemplateCode": letter.gateway_template,
            "OutId": letter.message_id.hex,
        }
        if letter.parameters:
            query["TemplateParam"] = orjson.dumps(dict(letter.parameters)).decode()
        answer = await self._call("SendSms", query, settings, account.secret)
        return _outcome(answer) if isinstance(answer, Answer) else answer

    async def find(self, account: SenderAccount, letter: Letter, doubt: Doubt) -> SendOutcome:
        settings = AliyunSettings.model_validate(account.settings)
        for day in doubt.days(_SHANGHAI, datetime.now(UTC)):
            found = await self._find_on(day, settings, account.secret, letter)
            if not isinstance(found, Later):
                return found
        is_old = datetime.now(UTC) - doubt.last >= VISIBLE_AFTER
        return Later("not_arrived") if is_old else Unclear("not_known_yet")

    async def _find_on(
        self, day: date, settings: AliyunSettings, secret: str, letter: Letter
    ) -> SendOutcome:
        """`Later` when it is not among those of that day."""
        query = {
            "PhoneNumber": _number(letter.to),
            "SendDate": day.strftime("%Y%m%d"),
            "PageSize": "50",
            "CurrentPage": "1",
        }
        answer = await self._call("QuerySendDetails", query, settings, secret)
        if not isinstance(answer, Answer) or answer.text("Code") != "OK":
            return Unclear("not_known_yet")
        listed = answer.content.get("SmsSendDetailDTOs", {})
        details = listed.get("SmsSendDetailDTO") if isinstance(listed, dict) else None
        if not isinstance(details, list):
            return Unclear("bad_answer")
        if any(it.get("OutId") == letter.message_id.hex for it in details if isinstance(it, dict)):
            return Sent("found")
        return Later("not_arrived")

    async def _call(
        self, action: str, query: Mapping[str, str], settings: AliyunSettings, secret: str
    ) -> Answer | Later | Unclear:
        text = canonical_query(query)
        headers = {
            "host": settings.endpoint.partition("://")[2],
            "x-acs-action": action,
            "x-acs-content-sha256": hashlib.sha256(b"").hexdigest(),
            "x-acs-date": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "x-acs-signature-nonce": new_id().hex,
            "x-acs-version": VERSION,
        }
        signature = sign("POST", text, headers, b"", secret)
        names = ";".join(sorted(headers))
        signed = f"{_ALGORITHM} Credential={settings.access_key_id},SignedHeaders={names}"
        sent = {name: value for name, value in headers.items() if name != "host"}
        return await ask(
            self._outside,
            "POST",
            f"{settings.endpoint}/?{text}",
            headers={**sent, "Authorization": f"{signed},Signature={signature}"},
            seconds=settings.timeout_seconds,
        )


def create(parts: SenderParts) -> AliyunSender:
    return AliyunSender(parts.outside)


def _number(phone: str) -> str:
    """Numbers of the mainland without, all others with their country; never a plus sign."""
    return phone[3:] if phone.startswith("+86") else phone.lstrip("+")


def _outcome(answer: Answer) -> SendOutcome:
    code = answer.text("Code")
    if code == "OK":
        return Sent(answer.text("BizId")[:200])
    if not code or code.startswith(_THEIR_TROUBLE):
        return Unclear("bad_answer" if not code else f"aliyun_{code}"[:100])
    if code.startswith(_BUSY):
        return Later(f"aliyun_{code}"[:100])
    return Refused(f"aliyun_{code}"[:100])
