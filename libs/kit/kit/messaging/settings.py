"""Everything about Kafka that can be set, with unit and bound."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class KafkaSettings(BaseModel):
    """Embedded in a service's settings; the defaults suit one machine and a small cluster alike."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    bootstrap_servers: str = Field(
        min_length=1, description="host:port[,host:port...] of the brokers"
    )
    member: int = Field(
        default=0,
        ge=0,
        le=5,
        description="number of this worker in its consumer group; each worker needs its own. "
        "At most one worker per partition: more could never rejoin after a rebalance",
    )
    partitions: int = Field(default=6, ge=1, le=100, description="partitions of a new topic")
    replication: int = Field(default=1, ge=1, le=7, description="copies of a new topic")
    topic_retention_hours: int = Field(
        default=720, ge=1, le=87_600, description="how long a topic keeps events; hours"
    )
    compression: Literal["zstd", "lz4", "gzip"] | None = Field(
        default=None,
        description="compression of record batches; none is the fastest on one machine",
    )
    batch_bytes_max: int = Field(
        default=262_144, ge=16_384, le=900_000, description="largest record batch; bytes"
    )
    relay_rows_max: int = Field(
        default=500, ge=1, le=5_000, description="outbox rows taken at once; rows"
    )
    relay_bytes_max: int = Field(
        default=4_194_304, ge=65_536, le=67_108_864, description="payloads taken at once; bytes"
    )
    relay_poll_seconds: float = Field(
        default=0.2, ge=0.01, le=5.0, description="longest wait for a wake-up; seconds"
    )
    leader_check_seconds: float = Field(
        default=1.0,
        ge=0.05,
        le=30.0,
        description="how often a stand-by relay tries to lead; seconds",
    )
    leader_idle_seconds: float = Field(
        default=12.0, ge=1.0, le=300.0, description="a silent leader loses its lock; seconds"
    )
    request_seconds: float = Field(
        default=6.0, ge=0.5, le=60.0, description="deadline of one broker request; seconds"
    )
    send_seconds: float = Field(
        default=8.0,
        ge=0.5,
        le=60.0,
        description="deadline for the broker's word on a batch; seconds",
    )
    consumer_records_max: int = Field(
        default=500, ge=1, le=5_000, description="records handled in one transaction; records"
    )
    handler_seconds: float = Field(
        default=20.0, ge=0.1, le=25.0, description="deadline of one batch's transaction; seconds"
    )
    session_seconds: float = Field(
        default=10.0, ge=6.0, le=60.0, description="silence after which a worker is dead; seconds"
    )
    retry_seconds_max: float = Field(
        default=10.0, ge=0.1, le=60.0, description="longest pause between tries of a batch; seconds"
    )
