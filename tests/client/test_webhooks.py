"""Standard Webhooks 1.0, with the published vector and one for Ed25519."""

import base64
import json

import pytest
from nacl.signing import SigningKey

from lockstock_client import NotGenuine, WebhookVerifier

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
PUBLIC = "whpk_11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="
AT = 1614265330
ID = "msg_p5jXN8AQM9LWM0D4loKWxJek"
BODY = b'{"test": 2432232314}'
SHARED = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
ED25519 = (
    "v1a,fldxM4gAKugP6nnt1hdz3sgGfZ6d99nzrMFnZOELIxbzEHoVmAb2ADpkJK7zgPePmPsle0zV9jSeGlHFG2NVAw=="
)
OTHER_SECRET = "whsec_" + base64.b64encode(b"another secret of 24 byte").decode()


def headers(signature: str = SHARED, **given: str) -> dict[str, str]:
    found = {"webhook-id": ID, "webhook-timestamp": str(AT), "webhook-signature": signature}
    return {**found, **{f"webhook-{name}": value for name, value in given.items()}}


def verifier(*secrets: str, now: float = AT) -> WebhookVerifier:
    return WebhookVerifier(list(secrets) or SECRET, now=lambda: now)


@pytest.mark.parametrize(
    ("secrets", "signature"),
    [
        ([SECRET], SHARED),
        ([SECRET.removeprefix("whsec_")], SHARED),
        ([PUBLIC], ED25519),
        ([PUBLIC.rstrip("=")], ED25519.rstrip("=")),
        ([OTHER_SECRET, SECRET], SHARED),
        ([SECRET], f"v1,AAAA {SHARED}"),
        ([SECRET], f"v2,xyz {ED25519} {SHARED}"),
        ([SECRET, PUBLIC], ED25519),
    ],
)
def test_what_is_signed_is_accepted(secrets, signature):
    assert verifier(*secrets).check(headers(signature), BODY) == ID


@pytest.mark.parametrize(
    ("secrets", "given", "body"),
    [
        ([SECRET], headers("v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OA="), BODY),
        ([SECRET], headers(), BODY + b" "),
        ([SECRET], headers(id="msg_other"), BODY),
        ([SECRET], headers(id=f"{ID}."), BODY),
        ([SECRET], headers(id=""), BODY),
        ([SECRET], headers(timestamp=str(AT + 1)), BODY),
        ([SECRET], headers(timestamp=""), BODY),
        ([SECRET], headers(timestamp="-1"), BODY),
        ([SECRET], headers(timestamp="1e9"), BODY),
        ([SECRET], headers(""), BODY),
        ([SECRET], headers("v1,"), BODY),
        ([SECRET], headers("g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="), BODY),
        ([SECRET], headers(SHARED.replace("v1,", "v1a,")), BODY),
        ([SECRET], headers(ED25519), BODY),
        ([PUBLIC], headers(ED25519.replace("v1a,", "v1,")), BODY),
        ([PUBLIC], headers(SHARED), BODY),
        ([PUBLIC], headers("v1a,AAAA"), BODY),
        ([OTHER_SECRET], headers(), BODY),
        ([SECRET], {}, BODY),
        ([SECRET], headers(), b"x" * 2_000_000),
        ([SECRET], headers(" ".join(["v1,AAAA"] * 50 + [SHARED])), BODY),
    ],
)
def test_what_is_not_is_refused(secrets, given, body):
    with pytest.raises(NotGenuine):
        verifier(*secrets).check(given, body)


@pytest.mark.parametrize(("seconds", "is_new"), [(-301, False), (-300, True), (300, True)])
def test_a_webhook_may_be_five_minutes_off(seconds, is_new):
    late = verifier(now=AT + seconds)
    if is_new:
        late.check(headers(), BODY)
    else:
        with pytest.raises(NotGenuine, match="too far"):
            late.check(headers(), BODY)


def test_the_event_is_read_once_it_is_genuine():
    key = SigningKey.generate()
    event = {"type": "order.paid", "timestamp": "2026-11-27T10:00:00Z", "data": {"order_id": "o"}}
    body = json.dumps(event).encode()
    signed = key.sign(f"m.{AT}.".encode() + body).signature
    public = "whpk_" + base64.b64encode(bytes(key.verify_key)).decode()
    given = headers("v1a," + base64.b64encode(signed).decode(), id="m")
    capitalised = {name.title(): value for name, value in given.items()}

    webhook = verifier(public).verify(capitalised, body)

    assert (webhook.id, webhook.type, webhook.data) == ("m", "order.paid", {"order_id": "o"})


def test_a_genuine_body_that_is_no_event_is_refused():
    with pytest.raises(NotGenuine, match="no event"):
        verifier().verify(headers(), BODY)


@pytest.mark.parametrize(
    "text", ["", "whsec_", "whsec_AAAA", "whpk_AAAA", "whsk_" + "A" * 44, "whsec_not base64!"]
)
def test_what_is_no_key_is_refused_at_once(text):
    with pytest.raises(ValueError, match=r"whsec_|whpk_|at least"):
        WebhookVerifier(text)
