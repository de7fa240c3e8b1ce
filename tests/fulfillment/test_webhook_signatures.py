"""Signatures as the standard's own vectors and library want them."""

import base64
import time

import pytest
from standardwebhooks import Webhook

from fulfillment.webhook_signatures import Scheme, SigningKey, new_key, signed_headers
from lockstock_client import NotGenuine, WebhookVerifier

ID = "msg_p5jXN8AQM9LWM0D4loKWxJek"
AT = 1614265330
BODY = b'{"test": 2432232314}'
EVENT = b'{"type":"order.paid","timestamp":"2026-11-27T09:00:00Z","data":{}}'


def test_the_published_vector_of_a_shared_secret():
    key = SigningKey(Scheme.HMAC, base64.b64decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"))

    assert signed_headers([key], ID, AT, BODY)["webhook-signature"] == (
        "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
    )


def test_the_vector_of_a_private_key():
    seed = base64.b64decode("nWGxne/9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A=")
    key = SigningKey(Scheme.ED25519, seed)

    assert key.public_text == "whpk_11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="
    assert signed_headers([key], ID, AT, BODY)["webhook-signature"] == (
        "v1a,fldxM4gAKugP6nnt1hdz3sgGfZ6d99nzrMFnZOELIxbzEHoVmAb2ADpkJK7zgPePmPsle0zV9jSeGlHFG2NVAw=="
    )


def test_keys_are_long_and_never_the_same_and_not_printed():
    keys = [new_key(Scheme.HMAC) for _ in range(100)]

    assert len({key.raw for key in keys}) == 100
    assert {len(key.raw) for key in keys} == {32}
    assert all(key.secret_text not in repr(key) for key in keys)
    assert keys[0].secret_text.startswith("whsec_")


@pytest.mark.parametrize("schemes", [["v1"], ["v1a"], ["v1", "v1a"], ["v1a", "v1", "v1"]])
def test_the_client_accepts_each_signature_by_the_key_it_knows(schemes: list[str]):
    keys = [new_key(Scheme(scheme)) for scheme in schemes]
    headers = signed_headers(keys, "id-1", AT, EVENT)

    for key in keys:
        known = key.public_text or key.secret_text
        verifier = WebhookVerifier(known, now=lambda: AT + 10)
        assert verifier.verify(headers, EVENT).type == "order.paid"
        with pytest.raises(NotGenuine):
            verifier.verify(headers, EVENT + b" ")
        with pytest.raises(NotGenuine):
            verifier.verify({**headers, "webhook-id": "id-2"}, EVENT)
        with pytest.raises(NotGenuine):
            WebhookVerifier(known, now=lambda: AT + 301).verify(headers, EVENT)
    with pytest.raises(NotGenuine):
        WebhookVerifier(new_key(Scheme.HMAC).secret_text, now=lambda: AT).verify(headers, EVENT)


def test_while_a_key_is_replaced_either_secret_verifies():
    before, after = new_key(Scheme.HMAC), new_key(Scheme.HMAC)
    headers = signed_headers([before, after], "id-1", int(time.time()), EVENT)

    for key in (before, after):
        assert Webhook(key.secret_text).verify(EVENT, dict(headers))["type"] == "order.paid"
