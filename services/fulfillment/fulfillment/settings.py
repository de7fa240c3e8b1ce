"""What can be set about fulfillment, by FULFILLMENT_<FIELD>."""

from pathlib import Path
from typing import ClassVar

from pydantic import Field, SecretStr

from kit.settings import ServiceSettings


class Settings(ServiceSettings):
    service: ClassVar[str] = "fulfillment"

    port: int = Field(default=8003, ge=0, le=65_535, description="port of the HTTP API")
    public_url: str = Field(
        default="http://127.0.0.1:8003",
        pattern=r"^https?://[^\s?#]+$",
        max_length=200,
        description="what buyers' links start with: the address browsers reach this service by",
    )
    vault_url: str = Field(
        default="http://127.0.0.1:8002",
        pattern=r"^https?://[^\s?#]+$",
        max_length=200,
        description="where the inventory-vault answers",
    )
    order_url: str = Field(
        default="http://127.0.0.1:8001",
        pattern=r"^https?://[^\s?#]+$",
        max_length=200,
        description="where the order service answers",
    )
    order_timeout_seconds: float = Field(
        default=1.0, ge=0.1, le=5.0, description="longest wait for recommendations; seconds"
    )
    vault_timeout_seconds: float = Field(
        default=5.0, ge=0.1, le=10.0, description="deadline of one call to the vault; seconds"
    )
    link_secret: SecretStr = Field(
        min_length=32, description="signs buyers' links; changing it ends every link"
    )
    safe_key: SecretStr = Field(
        min_length=32,
        description="seals suppliers' secrets and what buyers entered; keep it, or both are lost",
    )
    link_days: int = Field(
        default=180, ge=1, le=3_650, description="how long a buyer's link works; days"
    )
    dispatch_batch_max: int = Field(
        default=200, ge=1, le=200, description="tasks worked on together; tasks"
    )
    dispatch_poll_seconds: float = Field(
        default=0.5, ge=0.01, le=10.0, description="longest wait for a wake-up; seconds"
    )
    dispatch_pause_seconds_max: float = Field(
        default=10.0, ge=0.1, le=300.0, description="longest rest of a task between tries; seconds"
    )
    lease_seconds: float = Field(
        default=30.0,
        ge=0.1,
        le=600.0,
        description="how long a task is one worker's alone; longer than its calls; seconds",
    )
    reveal_burst: int = Field(
        default=20,
        ge=1,
        le=1_000,
        description="codes one page may open at once, besides each of its own once; codes",
    )
    reveal_every_seconds: float = Field(
        default=2.0, ge=0.01, le=60.0, description="then one code per so long; seconds"
    )
    step_up_minutes: int = Field(
        default=15,
        ge=1,
        le=120,
        description="how long a buyer's one-time code opens codes, once shown; minutes",
    )
    guess_burst: int = Field(
        default=30, ge=1, le=1_000, description="wrong links one address may try at once; links"
    )
    guess_every_seconds: float = Field(
        default=2.0, ge=0.01, le=60.0, description="then one wrong link per so long; seconds"
    )
    connectors: str = Field(
        default="generic,fulu,reloadly,dujiao_next,demo",
        pattern=r"^([a-z][a-z0-9_]*(,[a-z][a-z0-9_]*)*)?$",
        description="enabled supplier connectors, comma separated; leave `demo` out in production",
    )
    supplier_private_addresses: bool = Field(
        default=False,
        description="whether suppliers, fulfillers and receivers of webhooks may lie in private "
        "networks or on this host, on any port and without TLS; for one machine only",
    )
    outside_ports: str = Field(
        default="443",
        pattern=r"^[1-9][0-9]{0,4}(,[1-9][0-9]{0,4})*$",
        description="ports outside that may be called, comma separated; 443 always may",
    )
    supplier_patience_seconds: float = Field(
        default=2.0,
        ge=0.05,
        le=30.0,
        description="how long a round waits for slow suppliers; shorter than the lease; seconds",
    )
    supplier_pause_seconds_max: float = Field(
        default=3_600.0, ge=0.05, le=86_400.0, description="longest rest between questions; seconds"
    )
    supplier_unreachable_seconds_max: float = Field(
        default=600.0,
        ge=0.0,
        le=86_400.0,
        description="then a supplier that cannot be reached counts as refusing; seconds",
    )
    supplier_sync_seconds: float = Field(
        default=300.0,
        ge=1.0,
        le=86_400.0,
        description="how often suppliers' balances, prices and stocks are looked at; seconds",
    )
    circuit_failures_min: int = Field(
        default=10,
        ge=2,
        le=1_000,
        description="failures in a row after which a supplier is not called for a while; calls",
    )
    circuit_pause_seconds: float = Field(
        default=30.0,
        ge=0.05,
        le=900.0,
        description="how long that while is at first; doubled up to 900; seconds",
    )
    procurement_check_seconds: float = Field(
        default=600.0,
        ge=0.05,
        le=86_400.0,
        description="how often a pool is looked at for its procurement rule; seconds",
    )

    message_senders: Path | None = Field(
        default=None,
        description=(
            "who sends messages of merchants without a sender of their own: a file with a JSON "
            'list of {"sender": folder, "settings": {...}, "secret"?}'
        ),
    )
    message_spool: Path | None = Field(
        default=None,
        description=(
            "folder that mails are written into as files where nobody sends them: for one machine "
            "and for looking at"
        ),
    )
    message_inbox: bool = Field(
        default=True,
        description="whether messages that nothing else takes wait in the shop's in-app inbox",
    )
    message_language: str = Field(
        default="en",
        pattern=r"^(en|zh)$",
        description="language of messages to buyers whose own is not known: en or zh",
    )
    message_phone_country: str = Field(
        default="86",
        pattern=r"^[1-9][0-9]{0,2}$",
        description="country of phone numbers that are written without one; its digits",
    )
    message_poll_seconds: float = Field(
        default=0.5, ge=0.01, le=10.0, description="longest wait for a wake-up; seconds"
    )
    message_lease_seconds: float = Field(
        default=120.0,
        ge=0.1,
        le=600.0,
        description="how long a message is one worker's alone; longer than a sending; seconds",
    )
    message_channel_minutes_max: float = Field(
        default=60.0,
        ge=0.0,
        le=2_880.0,
        description="how long a channel that says `later` is tried before the next; minutes",
    )
    message_contact_per_hour: int = Field(
        default=20, ge=1, le=1_000, description="mails or SMS to one address in an hour; messages"
    )
    message_merchant_per_day: int = Field(
        default=50_000,
        ge=1,
        le=10_000_000,
        description="mails and SMS of one merchant in a day; messages",
    )
    message_resends_per_day: int = Field(
        default=10, ge=1, le=100, description="how often one order is told again in a day; messages"
    )
    contact_days: int = Field(
        default=210,
        ge=1,
        le=3_650,
        description="how long mail addresses and phone numbers are kept; days",
    )
    one_time_code_minutes: int = Field(
        default=10, ge=1, le=60, description="how long a one-time code is good; minutes"
    )
    one_time_code_tries_max: int = Field(
        default=5, ge=1, le=10, description="how often one code may be tried; tries"
    )
    one_time_code_again_seconds: float = Field(
        default=60.0, ge=0.0, le=600.0, description="no second code before; seconds"
    )
    one_time_codes_per_hour: int = Field(
        default=5, ge=1, le=20, description="codes sent to one subject in an hour; codes"
    )
    one_time_codes_per_contact: int = Field(
        default=10,
        ge=1,
        le=100,
        description="codes sent to one address in an hour, whatever they are for; codes",
    )
    webhook_timeout_seconds: float = Field(
        default=15.0, ge=0.1, le=30.0, description="how long a receiver may take; seconds"
    )
    webhook_pace: float = Field(
        default=1.0,
        gt=0.0,
        le=1.0,
        description="multiplies the pauses between attempts at a webhook; below 1 for tests only",
    )
    webhook_poll_seconds: float = Field(
        default=0.5,
        ge=0.01,
        le=10.0,
        description="longest wait before a webhook that is due is seen; seconds",
    )
    webhook_lanes_max: int = Field(
        default=200, ge=2, le=2_000, description="webhooks under way at a time; calls"
    )
    webhook_disable_days: float = Field(
        default=5.0,
        gt=0.0,
        le=30.0,
        description="an endpoint without one success for so long is switched off; days",
    )
    webhook_keep_days: float = Field(
        default=30.0, gt=0.0, le=365.0, description="how long webhooks can be sent again; days"
    )

    @property
    def outside_port_numbers(self) -> frozenset[int]:
        return frozenset(int(port) for port in self.outside_ports.split(","))

    claim_poll_seconds: float = Field(
        default=0.5, ge=0.01, le=60.0, description="longest wait of a claim for a worker; seconds"
    )
    reminder_poll_seconds: float = Field(
        default=60.0,
        ge=0.05,
        le=3_600.0,
        description="how often units that end soon are looked for; seconds",
    )
    claim_pause_seconds_max: float = Field(
        default=60.0,
        ge=0.1,
        le=3_600.0,
        description="longest rest of a claim between tries; seconds",
    )

    @property
    def connector_names(self) -> list[str]:
        return [name for name in self.connectors.split(",") if name]
