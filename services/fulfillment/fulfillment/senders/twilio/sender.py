"""SMS by Twilio. Texts are sent as they are worded.

The gateway has no idempotency: an unclear call is looked for among the messages to this number
since then, by its text; only when it is definitely not there after a while is it sent again.
"""

import base64
import hmac
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Annotated, Self
from urllib.parse import parse_qsl, urlencode
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from fulfillment.gateways import Answer, ask, checked
from fulfillment.loading import SenderParts
from fulfillment.outside import Outside
from fulfillment.sender import (
    Doubt,
    Heard,
    Later,
    Letter,
    Refused,
    SenderAccount,
    SendOutcome,
    Sent,
    Unclear,
)
from fulfillment.templates.domain import Channel

VISIBLE_AFTER = timedelta(seconds=60)
_ALIVE = frozenset({"accepted", "scheduled", "queued", "sending", "sent", "delivered"})
_DEAD = frozenset({"failed", "undelivered", "canceled"})
LOST = "bounced"
_TOO_MANY = 20429
_OK = 200
_CREATED = 201


class TwilioSettings(BaseModel):
    """The account's secret is its auth token. Messages come from a number or from a service."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    account_sid: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9]{2,64}$")]
    from_number: Annotated[str, StringConstraints(pattern=r"^(\+?[A-Za-z0-9 ]{3,20})?$")] = ""
    messaging_service_sid: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9]{0,64}$")] = ""
    endpoint: Annotated[str, StringConstraints(max_length=200, pattern=r"^https?://[^\s/?#]+$")] = (
        "https://api.twilio.com"
    )
    timeout_seconds: Annotated[float, Field(ge=0.1, le=30)] = 10.0

    @model_validator(mode="after")
    def _one_origin(self) -> Self:
        if bool(self.from_number) == bool(self.messaging_service_sid):
            raise ValueError("name either `from_number` or `messaging_service_sid`")
        return self

    @property
    def url(self) -> str:
        return f"{self.endpoint}/2010-04-01/Accounts/{self.account_sid}/Messages.json"


class TwilioSender:
    channel = Channel.SMS
    repeats_safely = False
    finds = True
    for_merchants = True

    def __init__(self, outside: Outside, callback_url: Callable[[UUID], str]) -> None:
        self._outside = outside
        self._callback_url = callback_url

    def check(self, settings: Mapping[str, object], secret: str) -> Mapping[str, object]:
        return checked(TwilioSettings, settings, secret).model_dump()

    async def send(self, account: SenderAccount, letter: Letter) -> SendOutcome:
        settings = TwilioSettings.model_validate(account.settings)
        form = {"To": letter.to, "Body": letter.body.strip()}
        if settings.from_number:
            form["From"] = settings.from_number
        else:
            form["MessagingServiceSid"] = settings.messaging_service_sid
        if account.id is not None:
            form["StatusCallback"] = self._callback_url(account.id)
        answer = await ask(
            self._outside,
            "POST",
            settings.url,
            headers={
                "Authorization": _basic(settings, account.secret),
                "Content-Type": "application/x-www-form-urlencoded",
            },
            content=urlencode(form).encode(),
            seconds=settings.timeout_seconds,
        )
        return _outcome(answer) if isinstance(answer, Answer) else answer

    async def find(self, account: SenderAccount, letter: Letter, doubt: Doubt) -> SendOutcome:
        settings = TwilioSettings.model_validate(account.settings)
        # The filter is by day, in UTC, and means this day and later ones.
        day = doubt.days(UTC, datetime.now(UTC))[-1]
        query = urlencode({"To": letter.to, "DateSent>": day.isoformat(), "PageSize": 50})
        answer = await ask(
            self._outside,
            "GET",
            f"{settings.url}?{query}",
            headers={"Authorization": _basic(settings, account.secret)},
            seconds=settings.timeout_seconds,
        )
        listed = answer.content.get("messages") if isinstance(answer, Answer) else None
        if not isinstance(answer, Answer) or answer.status != _OK or not isinstance(listed, list):
            return Unclear("not_known_yet")
        for found in listed:
            if isinstance(found, dict) and _is_ours(found, letter, doubt):
                return _of_status(str(found.get("status")), found)
        is_old = datetime.now(UTC) - doubt.last >= VISIBLE_AFTER
        return Later("not_arrived") if is_old else Unclear("not_known_yet")

    def hear(
        self, account: SenderAccount, url: str, headers: Mapping[str, str], body: bytes
    ) -> Heard | None:
        try:
            form = dict(parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=100))
        except ValueError:
            return None
        given = headers.get("x-twilio-signature", "")
        if not hmac.compare_digest(sign(url, form, account.secret).encode(), given.encode()):
            return None
        if form.get("MessageStatus") not in _DEAD:
            return Heard(form.get("MessageSid", ""))
        code = form.get("ErrorCode") or form["MessageStatus"]
        return Heard(form.get("MessageSid", ""), f"{LOST}_twilio_{code}"[:100])


def sign(url: str, form: Mapping[str, str], token: str) -> str:
    """Of a call from the gateway: the URL it was given, then the form's fields by name."""
    text = url + "".join(name + form[name] for name in sorted(form))
    return base64.b64encode(hmac.new(token.encode(), text.encode(), "sha1").digest()).decode()


def create(parts: SenderParts) -> TwilioSender:
    return TwilioSender(parts.outside, parts.callback_url)


def _is_ours(found: Mapping[str, object], letter: Letter, doubt: Doubt) -> bool:
    """By its words, unless it was there before ours began: an earlier one may say the same."""
    if found.get("body") != letter.body.strip():
        return False
    try:
        created = parsedate_to_datetime(str(found.get("date_created")))
    except ValueError:
        return True
    return created.astimezone(UTC) >= doubt.earliest


def _basic(settings: TwilioSettings, token: str) -> str:
    return "Basic " + base64.b64encode(f"{settings.account_sid}:{token}".encode()).decode()


def _outcome(answer: Answer) -> SendOutcome:
    if answer.status in (_OK, _CREATED):
        return _of_status(answer.text("status"), answer.content)
    code = answer.content.get("code")
    if not isinstance(code, int):
        return Unclear("bad_answer")
    return Later("gateway_busy") if code == _TOO_MANY else Refused(f"twilio_{code}")


def _of_status(status: str, content: Mapping[str, object]) -> SendOutcome:
    if status in _ALIVE:
        return Sent(str(content.get("sid") or "")[:200])
    if status in _DEAD:
        return Refused(f"twilio_{content.get('error_code') or status}"[:100])
    return Unclear("bad_answer")
