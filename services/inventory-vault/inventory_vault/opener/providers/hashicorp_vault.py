"""The master key in HashiCorp Vault's transit engine: it never leaves it, our keys travel there to
be wrapped and unwrapped. Asked at start and when a key is made; down in between does no harm.
"""

import base64
import ssl
from typing import Any

import httpx

from inventory_vault.opener.master_keys import KeyTrouble, NotWrappedHere
from inventory_vault.settings import Settings

ANSWER_BYTES_MAX = 65_536

_WHY = {
    403: "refused the token; it needs update on encrypt and decrypt of the transit key",
    404: "has no such transit key; check mount and key",
    503: "is sealed or in maintenance; unseal it",
}


class TransitKey:
    """A named key of the engine. The token is read anew for each call: an agent may renew it."""

    name = "hashicorp_vault"

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._url = (
            f"{settings.hashicorp_vault_url.rstrip('/')}/v1/{settings.hashicorp_vault_mount}"
        )
        if not self._url.startswith(("https://", "http://127.0.0.1:", "http://[::1]:")):
            raise KeyTrouble("INVENTORY_VAULT_HASHICORP_VAULT_URL must begin with https://")
        if settings.hashicorp_vault_token_file is None:
            raise KeyTrouble("INVENTORY_VAULT_HASHICORP_VAULT_TOKEN_FILE is not set")
        self._trusted = self._trusted_authorities()

    async def wrap(self, secret: bytes) -> bytes:
        found = await self._ask("encrypt", {"plaintext": base64.b64encode(secret).decode()})
        ciphertext = found.get("ciphertext")
        if not isinstance(ciphertext, str) or not ciphertext.startswith("vault:"):
            raise self._garbage()
        return ciphertext.encode()

    async def unwrap(self, wrapped: bytes) -> bytes:
        found = await self._ask("decrypt", {"ciphertext": wrapped.decode("ascii", "replace")})
        try:
            return base64.b64decode(found["plaintext"], validate=True)
        except (KeyError, ValueError, TypeError):
            raise self._garbage() from None

    async def _ask(self, verb: str, body: dict[str, str]) -> dict[str, Any]:
        settings = self._settings
        url = f"{self._url}/{verb}/{settings.hashicorp_vault_key}"
        try:
            async with httpx.AsyncClient(
                verify=self._trusted,
                timeout=settings.hashicorp_vault_timeout_seconds,
                trust_env=False,
                follow_redirects=False,
            ) as client:
                answer = await client.post(url, json=body, headers=self._headers())
        except httpx.HTTPError as error:
            raise KeyTrouble(
                f"HashiCorp Vault at {settings.hashicorp_vault_url} does not answer "
                f"({type(error).__name__})"
            ) from None
        return self._read(verb, answer)

    def _read(self, verb: str, answer: httpx.Response) -> dict[str, Any]:
        status = answer.status_code
        if status == 400 and verb == "decrypt":
            raise NotWrappedHere("HashiCorp Vault refused to decrypt it")
        if status != 200:
            why = _WHY.get(status, f"answered {status} to {verb}")
            raise KeyTrouble(f"HashiCorp Vault {why}")
        if len(answer.content) > ANSWER_BYTES_MAX:
            raise self._garbage()
        try:
            data = answer.json()["data"]
        except (ValueError, KeyError, TypeError):
            raise self._garbage() from None
        if not isinstance(data, dict):
            raise self._garbage()
        return data

    def _headers(self) -> dict[str, str]:
        path = self._settings.hashicorp_vault_token_file
        assert path is not None
        try:
            headers = {"X-Vault-Token": path.read_text(encoding="ascii").strip()}
        except (OSError, UnicodeDecodeError) as error:
            raise KeyTrouble(f"{path} cannot be read ({type(error).__name__})") from None
        if self._settings.hashicorp_vault_namespace:
            headers["X-Vault-Namespace"] = self._settings.hashicorp_vault_namespace
        return headers

    def _trusted_authorities(self) -> ssl.SSLContext:
        path = self._settings.hashicorp_vault_ca_file
        try:
            return ssl.create_default_context(cafile=None if path is None else str(path))
        except (OSError, ssl.SSLError):
            raise KeyTrouble(f"{path} holds no certificate of an authority") from None

    def _garbage(self) -> KeyTrouble:
        return KeyTrouble(
            f"what answers at {self._settings.hashicorp_vault_url} does not speak HashiCorp "
            "Vault's transit protocol"
        )


def open_provider(settings: Settings) -> TransitKey:
    """Raises KeyTrouble."""
    return TransitKey(settings)
