from typing import ClassVar

from kit.settings import ServiceSettings


class Settings(ServiceSettings):
    """RISK_...: the shared settings; nothing of its own yet."""

    service: ClassVar[str] = "risk"
