import base64
import stat
from uuid import uuid4

import pytest

from lockstock_client import Recipient, Unopenable
from sealing import Header, Sealer, Secret


def a_box(recipient: Recipient, unit_id, fields=None):
    sealer = Sealer(base64.b64decode(recipient.public_key))
    header = Header(uuid4(), uuid4(), unit_id, uuid4())
    box = sealer.seal(header, Secret(fields or {"code": "AAAA-BBBB-CCCC"}))
    parts = {"public_key": box.public_key, "nonce": box.nonce, "ciphertext": box.ciphertext}
    return {name: base64.b64encode(part).decode() for name, part in parts.items()}


def test_a_box_for_the_caller_opens_to_its_fields():
    recipient, unit_id = Recipient.new(), uuid4()

    secret = recipient.open(a_box(recipient, unit_id), unit_id=str(unit_id))

    assert secret.disclose() == {"code": "AAAA-BBBB-CCCC"}


def test_what_was_opened_does_not_print():
    recipient, unit_id = Recipient.new(), uuid4()

    secret = recipient.open(a_box(recipient, unit_id), unit_id=unit_id)

    assert "AAAA" not in f"{secret} {secret!r}"


def test_a_box_of_another_unit_is_refused():
    recipient, unit_id, other = Recipient.new(), uuid4(), uuid4()

    with pytest.raises(Unopenable, match=str(other)):
        recipient.open(a_box(recipient, other), unit_id=unit_id)


def test_a_box_for_somebody_else_is_refused():
    recipient, unit_id = Recipient.new(), uuid4()

    with pytest.raises(Unopenable):
        Recipient.new().open(a_box(recipient, unit_id), unit_id=unit_id)


@pytest.mark.parametrize("part", ["public_key", "nonce", "ciphertext"])
def test_a_changed_box_is_refused(part: str):
    recipient, unit_id = Recipient.new(), uuid4()
    box = a_box(recipient, unit_id)
    raw = bytearray(base64.b64decode(box[part]))
    raw[3] ^= 1
    box[part] = base64.b64encode(raw).decode()

    with pytest.raises(Unopenable):
        recipient.open(box, unit_id=unit_id)


@pytest.mark.parametrize("box", [{}, {"public_key": "?", "nonce": "", "ciphertext": ""}, None])
def test_what_is_no_box_is_refused(box):
    with pytest.raises(Unopenable):
        Recipient.new().open(box, unit_id=uuid4())


def test_a_saved_key_opens_later_and_is_for_this_account_only(tmp_path):
    recipient, unit_id = Recipient.new(), uuid4()
    box = a_box(recipient, unit_id)
    path = tmp_path / "shop.key"

    recipient.save(path)

    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert Recipient.load(path).open(box, unit_id=unit_id).disclose()["code"] == "AAAA-BBBB-CCCC"


def test_a_saved_key_is_never_written_over(tmp_path):
    path = tmp_path / "shop.key"
    Recipient.new().save(path)

    with pytest.raises(FileExistsError):
        Recipient.new().save(path)
