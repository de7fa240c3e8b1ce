from typing import ClassVar

from kit.settings import ServiceSettings


class Settings(ServiceSettings):
    """LEDGER_...: the shared settings; nothing of its own yet."""

    service: ClassVar[str] = "ledger"
