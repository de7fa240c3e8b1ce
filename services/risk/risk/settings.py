from typing import ClassVar

from pydantic import Field

from kit.settings import ServiceSettings


class Settings(ServiceSettings):
    """RISK_...: the shared settings and its own."""

    service: ClassVar[str] = "risk"

    fulfillment_url: str = Field(
        default="http://127.0.0.1:8003",
        pattern=r"^https?://[^\s?#]+$",
        max_length=200,
        description="where fulfillment answers: it sends and compares challenged buyers' codes",
    )
    fulfillment_timeout_seconds: float = Field(
        default=5.0, ge=0.1, le=10.0, description="deadline of one call to fulfillment; seconds"
    )
    order_url: str = Field(
        default="http://127.0.0.1:8001",
        pattern=r"^https?://[^\s?#]+$",
        max_length=200,
        description="where order answers: it hashes the contacts that are put on lists",
    )
    order_timeout_seconds: float = Field(
        default=3.0, ge=0.1, le=10.0, description="deadline of one call to order; seconds"
    )
    challenge_minutes: int = Field(
        default=30, ge=1, le=1_440, description="how long a buyer may take to show a code; minutes"
    )
    challenge_tries_max: int = Field(
        default=10, ge=1, le=50, description="wrong codes of one challenge before it fails; codes"
    )
    challenge_resends_max: int = Field(
        default=10, ge=0, le=50, description="codes sent anew for one challenge; codes"
    )
    review_poll_seconds: float = Field(
        default=10.0, ge=0.05, le=60.0, description="how late a review's time limit acts; seconds"
    )
    backtest_poll_seconds: float = Field(
        default=1.0, ge=0.05, le=60.0, description="longest wait of a back-test; seconds"
    )
    challenge_poll_seconds: float = Field(
        default=5.0, ge=0.05, le=60.0, description="how late a challenge may expire; seconds"
    )
