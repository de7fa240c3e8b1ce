"""What wraps the vault's private keys at rest: one file per provider under `providers/`, found by
name; no list of them.

A wrapped value names its provider, so a wrong setting is a clear error and not a damaged key.
"""

import re
from importlib import import_module
from typing import Protocol, cast

from inventory_vault.settings import Settings

LEGACY = "file"
"""The provider of values that name none: they were made before there were others."""

_MAGIC = b"LSW1"
_NAME = re.compile(r"[a-z][a-z0-9_]{0,40}")


class KeyTrouble(Exception):
    """The opener cannot start; the text says what an operator has to do."""


class NotWrappedHere(Exception):
    """The provider does not open this: it was wrapped under another master key, or changed."""


class MasterKey(Protocol):
    """A key that wraps others. `wrap` and `unwrap` raise KeyTrouble when they cannot work now;
    `unwrap` raises NotWrappedHere.
    """

    name: str

    async def wrap(self, secret: bytes) -> bytes: ...

    async def unwrap(self, wrapped: bytes) -> bytes: ...


def load_master_key(settings: Settings, name: str | None = None) -> MasterKey:
    """The provider that is set, or the named one. Raises KeyTrouble."""
    name = name or settings.master_key_provider
    module = f"{__package__}.providers.{name}"
    if not _NAME.fullmatch(name):
        raise KeyTrouble(f"{name!r} is no name of a master key provider")
    try:
        provider = import_module(module)
    except ModuleNotFoundError as error:
        if error.name != module:
            raise
        raise KeyTrouble(f"there is no master key provider named {name!r}") from None
    return cast(MasterKey, provider.open_provider(settings))


async def wrap_with(provider: MasterKey, secret: bytes) -> bytes:
    """Raises KeyTrouble."""
    name = provider.name.encode()
    return _MAGIC + bytes([len(name)]) + name + await provider.wrap(secret)


async def unwrap_with(provider: MasterKey, wrapped: bytes) -> bytes:
    """Raises KeyTrouble for another provider's value too, NotWrappedHere."""
    name, inside = _taken_apart(wrapped)
    if name != provider.name:
        raise KeyTrouble(
            f"a key is wrapped by the provider {name!r}, but the one that is set is "
            f"{provider.name!r}; set it back, or move with `rewrap-keys`"
        )
    return await provider.unwrap(inside)


def provider_of(wrapped: bytes) -> str:
    """The name of the provider that wrapped this."""
    return _taken_apart(wrapped)[0]


def _taken_apart(wrapped: bytes) -> tuple[str, bytes]:
    if not wrapped.startswith(_MAGIC):
        return LEGACY, wrapped
    start = len(_MAGIC) + 1
    end = start + wrapped[start - 1]
    return wrapped[start:end].decode("ascii", "replace"), wrapped[end:]
