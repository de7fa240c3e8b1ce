"""The master key in an environment variable, for platforms that hand secrets out that way."""

from inventory_vault.opener.local_key import LocalKey, key_of
from inventory_vault.opener.master_keys import KeyTrouble
from inventory_vault.settings import Settings


def open_provider(settings: Settings) -> LocalKey:
    """Raises KeyTrouble."""
    if settings.environment_master_key is None:
        raise KeyTrouble("INVENTORY_VAULT_ENVIRONMENT_MASTER_KEY is not set")
    try:
        return LocalKey("environment", key_of(settings.environment_master_key.get_secret_value()))
    except ValueError:
        raise KeyTrouble(
            "INVENTORY_VAULT_ENVIRONMENT_MASTER_KEY must be 64 hexadecimal digits"
        ) from None
