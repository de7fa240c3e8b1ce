"""SMS by Tencent Cloud. A call is signed by TC3-HMAC-SHA256; texts are templates of the gateway's.

The gateway has no idempotency and cannot be asked by our id: an unclear call is never sent again.
The next channel tells the buyer.
"""

import hashlib
import hmac
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated

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

SERVICE = "sms"
VERSION = "2021-01-11"
CONTENT_TYPE = "application/json; charset=utf-8"
_ALGORITHM = "TC3-HMAC-SHA256"

Word = Annotated[str, StringConstraints(min_length=1, max_length=100, pattern=r"^[^\x00-\x20]+$")]


class TencentSettings(BaseModel):
    """The account's secret is its secret key."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    secret_id: Word
    sdk_app_id: Word
    sign_name: Annotated[str, StringConstraints(max_length=50)] = ""
    region: Word = "ap-guangzhou"
    endpoint: Annotated[str, StringConstraints(max_length=200, pattern=r"^https?://[^\s/?#]+$")] = (
        "https://sms.tencentcloudapi.com"
    )
    timeout_seconds: Annotated[float, Field(ge=0.1, le=30)] = 10.0


def sign(
    payload: bytes, headers: Mapping[str, str], service: str, at: datetime, secret: str
) -> str:
    """Of a POST to `/`; `headers` are all that are signed, names and values in lower case."""
    names = ";".join(sorted(headers))
    canonical = "\n".join(
        [
            "POST",
            "/",
            "",
            "".join(f"{name}:{headers[name]}\n" for name in sorted(headers)),
            names,
            hashlib.sha256(payload).hexdigest(),
        ]
    )
    date = at.astimezone(UTC).strftime("%Y-%m-%d")
    hashed = hashlib.sha256(canonical.encode()).hexdigest()
    text = f"{_ALGORITHM}\n{int(at.timestamp())}\n{date}/{service}/tc3_request\n{hashed}"
    key = f"TC3{secret}".encode()
    for part in (date, service, "tc3_request"):
        key = hmac.new(key, part.encode(), "sha256").digest()
    return hmac.new(key, text.encode(), "sha256").hexdigest()


class TencentSender:
    channel = Channel.SMS
    repeats_safely = False
    finds = False
    for_merchants = True

    def __init__(self, outside: Outside) -> None:
        self._outside = outside

    def check(self, settings: Mapping[str, object], secret: str) -> Mapping[str, object]:
        return checked(TencentSettings, settings, secret).model_dump()

    async def send(self, account: SenderAccount, letter: Letter) -> SendOutcome:
        if not letter.gateway_template:
            return Refused("no_gateway_template")
        settings = TencentSettings.model_validate(account.settings)
        payload = orjson.dumps(
            {
                "PhoneNumberSet": [letter.to],
                "SmsSdkAppId": settings.sdk_app_id,
                "SignName": settings.sign_name,
                "TemplateId": letter.gateway_template,
                "TemplateParamSet": [value for _, value in letter.parameters],
                "SessionContext": letter.message_id.hex,
            }
        )
        now = datetime.now(UTC)
        answer = await ask(
            self._outside,
            "POST",
            f"{settings.endpoint}/",
            headers=_headers(settings, payload, now, account.secret),
            content=payload,
            seconds=settings.timeout_seconds,
        )
        return _outcome(answer) if isinstance(answer, Answer) else answer

    async def find(self, account: SenderAccount, letter: Letter, doubt: Doubt) -> SendOutcome:
        return Unclear("not_known")


def create(parts: SenderParts) -> TencentSender:
    return TencentSender(parts.outside)


def _headers(
    settings: TencentSettings, payload: bytes, at: datetime, secret: str
) -> dict[str, str]:
    signed = {"content-type": CONTENT_TYPE, "host": settings.endpoint.partition("://")[2]}
    scope = f"{at.strftime('%Y-%m-%d')}/{SERVICE}/tc3_request"
    signature = sign(payload, signed, SERVICE, at, secret)
    return {
        "Content-Type": CONTENT_TYPE,
        "X-TC-Action": "SendSms",
        "X-TC-Version": VERSION,
        "X-TC-Region": settings.region,
        "X-TC-Timestamp": str(int(at.timestamp())),
        "Authorization": (
            f"{_ALGORITHM} Credential={settings.secret_id}/{scope}, "
            f"SignedHeaders=content-type;host, Signature={signature}"
        ),
    }


def _outcome(answer: Answer) -> SendOutcome:
    """Errors come with status 200, for the whole call or for the number."""
    failed = answer.text("Response", "Error", "Code")
    if failed:
        return _failed(failed)
    response = answer.content.get("Response")
    statuses = response.get("SendStatusSet") if isinstance(response, dict) else None
    if not isinstance(statuses, list) or len(statuses) != 1 or not isinstance(statuses[0], dict):
        return Unclear("bad_answer")
    code, serial = statuses[0].get("Code"), statuses[0].get("SerialNo")
    if code == "Ok":
        return Sent(str(serial or "")[:200])
    return _failed(code) if isinstance(code, str) and code else Unclear("bad_answer")


def _failed(code: str) -> SendOutcome:
    reason = f"tencent_{code}"[:100]
    if code.startswith("InternalError"):
        return Unclear(reason)
    return Later(reason) if code.startswith("RequestLimitExceeded") else Refused(reason)
