"""Which key, which URLs: from the environment, or from the file that `make run` writes."""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from lockstock_client.problems import LockstockError

DEMO_FILE = Path(".lockstock/demo.json")
DEFAULT_BASE_URLS: Mapping[str, str] = {
    "order": "http://127.0.0.1:8001",
    "inventory-vault": "http://127.0.0.1:8002",
    "fulfillment": "http://127.0.0.1:8003",
    "risk": "http://127.0.0.1:8004",
    "ledger": "http://127.0.0.1:8005",
}


class NotConfigured(LockstockError):
    """No API key was given."""


@dataclass(frozen=True, slots=True)
class Config:
    """`channel_id` and `merchant_id` are known from a demo file only."""

    api_key: str
    base_urls: Mapping[str, str]
    channel_id: str | None = None
    merchant_id: str | None = None

    def __repr__(self) -> str:
        return f"Config(api_key=***, base_urls={dict(self.base_urls)!r})"

    @classmethod
    def from_demo_file(cls, path: Path) -> Self:
        """Raises NotConfigured with one sentence on what to do."""
        try:
            document = json.loads(path.read_text(encoding="utf-8"))
            return cls(
                document["api_key"],
                {**DEFAULT_BASE_URLS, **document["base_urls"]},
                document["channel_id"],
                document["merchant_id"],
            )
        except OSError as error:
            raise NotConfigured(f"{path} cannot be read; start the system with `make run`.") from (
                error
            )
        except (ValueError, KeyError, TypeError) as error:
            raise NotConfigured(f"{path} is not a demo file; `make run` writes it.") from error

    @classmethod
    def find(cls, demo_file: Path | None = None, environ: Mapping[str, str] | None = None) -> Self:
        """A demo file that was named; else LOCKSTOCK_API_KEY and LOCKSTOCK_<SERVICE>_URL; else
        the demo file of this folder. Raises NotConfigured.
        """
        environ = os.environ if environ is None else environ
        if demo_file is not None:
            return cls.from_demo_file(demo_file)
        # A key that was saved in a file often has the end of its line with it.
        api_key = environ.get("LOCKSTOCK_API_KEY", "").strip()
        if api_key:
            return cls(api_key, {name: _url(name, environ) for name in DEFAULT_BASE_URLS})
        if DEMO_FILE.exists():
            return cls.from_demo_file(DEMO_FILE)
        raise NotConfigured(
            "No API key: set LOCKSTOCK_API_KEY, or name the file that `make run` writes "
            f"(--demo-file {DEMO_FILE})."
        )


def spool_folder() -> Path:
    """Where sealed uploads are kept until they arrived: the account's own state folder."""
    root = os.environ.get("XDG_STATE_HOME") or str(Path.home() / ".local" / "state")
    return Path(root) / "lockstock" / "imports"


def _url(name: str, environ: Mapping[str, str]) -> str:
    variable = f"LOCKSTOCK_{name.upper().replace('-', '_')}_URL"
    return environ.get(variable) or DEFAULT_BASE_URLS[name]
