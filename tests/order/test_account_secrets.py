"""Secrets of payment accounts at rest."""

import pytest

from kit.ids import new_id
from order.account_secrets import AccountSecrets, SecretsUnreadable

OLD, NEW = "o" * 32, "n" * 32
SECRETS = {"api_key": "sk_test_1", "webhook_secrets": "whsec_1 whsec_2"}


def test_what_is_sealed_opens_and_is_not_in_clear():
    account_id, secrets = new_id(), AccountSecrets(NEW)

    sealed = secrets.seal(account_id, SECRETS)

    assert secrets.open(account_id, secrets.key_id, sealed) == SECRETS
    assert b"sk_test_1" not in sealed
    assert secrets.seal(account_id, SECRETS) != sealed


def test_secrets_are_bound_to_their_account():
    secrets = AccountSecrets(NEW)
    sealed = secrets.seal(new_id(), SECRETS)

    with pytest.raises(SecretsUnreadable):
        secrets.open(new_id(), secrets.key_id, sealed)


def test_one_changed_byte_is_noticed():
    account_id, secrets = new_id(), AccountSecrets(NEW)
    sealed = bytearray(secrets.seal(account_id, SECRETS))
    sealed[-1] ^= 1

    with pytest.raises(SecretsUnreadable):
        secrets.open(account_id, secrets.key_id, bytes(sealed))


def test_an_old_key_still_opens_and_a_forgotten_one_does_not():
    account_id, old = new_id(), AccountSecrets(OLD)
    sealed = old.seal(account_id, SECRETS)

    both = AccountSecrets(f"{NEW} {OLD}")

    assert both.open(account_id, old.key_id, sealed) == SECRETS
    assert both.key_id == AccountSecrets(NEW).key_id != old.key_id
    with pytest.raises(SecretsUnreadable):
        AccountSecrets(NEW).open(account_id, old.key_id, sealed)


@pytest.mark.parametrize("keys", ["", "short", f"{NEW} short"])
def test_a_short_key_is_refused(keys: str):
    with pytest.raises(ValueError, match="32 characters"):
        AccountSecrets(keys)
