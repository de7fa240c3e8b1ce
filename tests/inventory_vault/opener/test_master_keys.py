"""Master key providers, one of them against a real HTTP peer that speaks the transit protocol."""

import asyncio
import base64
import os
import secrets
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import orjson
import pytest
from nacl.exceptions import CryptoError
from nacl.secret import SecretBox
from pydantic import SecretStr

from inventory_vault.opener.commands import rewrap_keys
from inventory_vault.opener.keyring import Keyring, load_keyring
from inventory_vault.opener.master_keys import (
    KeyTrouble,
    NotWrappedHere,
    load_master_key,
    provider_of,
    unwrap_with,
    wrap_with,
)
from inventory_vault.settings import Settings
from kit.db import Database
from tests.inventory_vault.factories import Vault

SECRET = b"a private key of thirty-two byte"


class Transit:
    """HashiCorp Vault's transit engine as far as we use it, with a key of its own in memory."""

    def __init__(self) -> None:
        self.token = secrets.token_hex(8)
        self.namespace = ""
        self.status: int | None = None
        self.body: bytes | None = None
        self.delay_seconds = 0.0
        self._box = SecretBox(secrets.token_bytes(32))

    def answer(self, path: str, headers: Any, body: bytes) -> tuple[int, bytes]:
        time.sleep(self.delay_seconds)
        if self.status is not None or self.body is not None:
            return self.status or 200, self.body or b'{"errors":["Vault is sealed"]}'
        if headers.get("X-Vault-Token") != self.token:
            return 403, b'{"errors":["permission denied"]}'
        if headers.get("X-Vault-Namespace", "") != self.namespace:
            return 403, b'{"errors":["permission denied"]}'
        asked = orjson.loads(body)
        match path.split("/"):
            case ["", "v1", "transit", "encrypt", "lockstock"]:
                sealed = self._box.encrypt(base64.b64decode(asked["plaintext"]))
                return self._data(ciphertext=f"vault:v1:{base64.b64encode(sealed).decode()}")
            case ["", "v1", "transit", "decrypt", "lockstock"]:
                try:
                    opened = self._box.decrypt(
                        base64.b64decode(asked["ciphertext"].removeprefix("vault:v1:"))
                    )
                except (CryptoError, ValueError):
                    return 400, b'{"errors":["cipher: message authentication failed"]}'
                return self._data(plaintext=base64.b64encode(opened).decode())
        return 404, b'{"errors":[]}'

    def _data(self, **data: str) -> tuple[int, bytes]:
        return 200, orjson.dumps({"data": data})


@pytest.fixture
def transit() -> Iterator[tuple[Transit, str]]:
    engine = Transit()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            status, answer = engine.answer(self.path, self.headers, body)
            self.send_response(status)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: Any) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield engine, f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


def _with_transit(settings: Settings, transit: tuple[Transit, str], folder: Path) -> Settings:
    engine, url = transit
    token = folder / "token"
    token.write_text(engine.token + "\n")
    return settings.model_copy(
        update={
            "master_key_provider": "hashicorp_vault",
            "hashicorp_vault_url": url,
            "hashicorp_vault_token_file": token,
            "hashicorp_vault_timeout_seconds": 0.5,
        }
    )


async def test_every_provider_gives_back_what_it_wrapped_and_names_itself(
    settings: Settings, transit: tuple[Transit, str], folder: Path
):
    key = base64.b16encode(os.urandom(32)).decode()
    local = settings.model_copy(update={"environment_master_key": SecretStr(key)})
    for one, name in (
        (settings, "file"),
        (local, "environment"),
        (_with_transit(settings, transit, folder), "hashicorp_vault"),
    ):
        provider = load_master_key(one, name)
        wrapped = await wrap_with(provider, SECRET)
        assert provider_of(wrapped) == name
        assert SECRET not in wrapped
        assert await unwrap_with(provider, wrapped) == SECRET


async def test_a_key_of_another_provider_is_a_clear_error(settings: Settings):
    other = load_master_key(
        settings.model_copy(update={"environment_master_key": SecretStr("ab" * 32)}), "environment"
    )
    wrapped = await wrap_with(other, SECRET)
    with pytest.raises(KeyTrouble, match="wrapped by the provider 'environment'"):
        await unwrap_with(load_master_key(settings, "file"), wrapped)


async def test_a_provider_that_does_not_exist_is_a_clear_error(settings: Settings):
    for name in ("no_such_one", "../file", "File"):
        with pytest.raises(KeyTrouble, match="provider"):
            load_master_key(settings, name)


async def test_the_transit_engine_refuses_what_another_engine_wrapped(
    settings: Settings, transit: tuple[Transit, str], folder: Path
):
    provider = load_master_key(_with_transit(settings, transit, folder))
    with pytest.raises(NotWrappedHere):
        await provider.unwrap(b"vault:v1:" + base64.b64encode(bytes(64)))


@pytest.mark.parametrize(
    ("trouble", "sentence"),
    [
        ({"token": "another"}, "refused the token"),
        ({"namespace": "team"}, "refused the token"),
        ({"status": 503}, "sealed or in maintenance"),
        ({"status": 500}, "answered 500"),
        ({"body": b"<html>hello</html>"}, "does not speak"),
        ({"body": b'{"data":{"ciphertext":7}}'}, "does not speak"),
        ({"body": b'{"data":[]}'}, "does not speak"),
        ({"delay_seconds": 1.0}, "does not answer"),
    ],
)
async def test_trouble_with_the_transit_engine_is_one_clear_sentence(
    settings: Settings,
    transit: tuple[Transit, str],
    folder: Path,
    trouble: dict[str, Any],
    sentence: str,
):
    provider = load_master_key(_with_transit(settings, transit, folder))
    for name, value in trouble.items():
        setattr(transit[0], name, value)
    with pytest.raises(KeyTrouble, match=sentence) as error:
        await provider.wrap(SECRET)
    assert "\n" not in str(error.value)
    assert transit[0].token not in str(error.value)


async def test_plain_http_to_another_machine_is_refused(settings: Settings, folder: Path):
    far = settings.model_copy(
        update={
            "hashicorp_vault_url": "http://vault.example:8200",
            "hashicorp_vault_token_file": folder / "token",
        }
    )
    with pytest.raises(KeyTrouble, match="https"):
        load_master_key(far, "hashicorp_vault")


async def test_keys_move_to_another_provider_and_back(
    vault: Vault,
    settings: Settings,
    db: Database,
    rows: Any,
    transit: tuple[Transit, str],
    folder: Path,
):
    there = _with_transit(settings, transit, folder)
    before = await load_keyring(db, settings)

    here = there.model_copy(update={"master_key_provider": "file"})
    await rewrap_keys(here, ["--to", "hashicorp_vault"])
    with pytest.raises(KeyTrouble, match="hashicorp_vault"):
        await load_keyring(db, settings)
    moved = await load_keyring(db, there)
    assert (moved.active_id, moved.active_public_key) == (
        before.active_id,
        before.active_public_key,
    )
    # Down after the start does no harm: what was unwrapped stays.
    transit[0].status = 503
    assert _opens(moved, before.active_id)
    with pytest.raises(KeyTrouble, match="sealed"):
        await load_keyring(db, there)
    transit[0].status = None

    await rewrap_keys(there, ["--to", "file"])
    assert (await load_keyring(db, settings)).active_id == before.active_id
    stored = await rows("SELECT wrapped_private_key AS w FROM sealing_key WHERE state = 'active'")
    assert {provider_of(bytes(row.w)) for row in stored} == {"file"}


def _opens(keyring: Keyring, key_id: Any) -> bool:
    return keyring.opener(key_id) is not None


async def test_the_opener_does_not_start_while_the_engine_is_down(
    vault: Vault, settings: Settings, db: Database, folder: Path
):
    token = folder / "token"
    token.write_text("t")
    down = settings.model_copy(
        update={
            "master_key_provider": "hashicorp_vault",
            "hashicorp_vault_url": "http://127.0.0.1:1",
            "hashicorp_vault_token_file": token,
        }
    )
    await rewrap_keys(settings, ["--to", "file"])
    async with asyncio.timeout(10):
        with pytest.raises(KeyTrouble, match="wrapped by the provider 'file'"):
            await load_keyring(db, down)
        with pytest.raises(KeyTrouble, match="does not answer"):
            await load_master_key(down).wrap(SECRET)
