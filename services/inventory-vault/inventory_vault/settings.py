"""What can be set: INVENTORY_VAULT_<FIELD>, and LOCKSTOCK_<FIELD> for the shared ones."""

from pathlib import Path
from typing import ClassVar

from pydantic import Field, SecretStr

from kit.settings import ServiceSettings


class Settings(ServiceSettings):
    service: ClassVar[str] = "inventory-vault"

    opener_socket: Path = Field(
        default=Path(".lockstock/opener.sock"),
        description="unix socket of the opener; at most 100 characters",
    )
    master_key_file: Path = Field(
        default=Path(".lockstock/vault-master.key"),
        description="file with the master key; read by the opener only, made by it when missing",
    )
    master_key_provider: str = Field(
        default="file",
        pattern="^[a-z][a-z0-9_]*$",
        description="what wraps the private keys: file, environment or hashicorp_vault",
    )
    environment_master_key: SecretStr | None = Field(
        default=None,
        description="64 hexadecimal digits, for the provider environment; opener only",
    )
    hashicorp_vault_url: str = Field(
        default="https://127.0.0.1:8200", description="for the provider hashicorp_vault; https"
    )
    hashicorp_vault_mount: str = Field(
        default="transit", pattern="^[A-Za-z0-9_/-]+$", description="where its engine is mounted"
    )
    hashicorp_vault_key: str = Field(
        default="lockstock", pattern="^[A-Za-z0-9_.-]+$", description="name of the transit key"
    )
    hashicorp_vault_token_file: Path | None = Field(
        default=None, description="file with the token; read anew for each call"
    )
    hashicorp_vault_namespace: str = Field(
        default="", description="sent as X-Vault-Namespace when set"
    )
    hashicorp_vault_ca_file: Path | None = Field(
        default=None, description="certificates of the authority that it is trusted by"
    )
    hashicorp_vault_timeout_seconds: float = Field(
        default=5.0, ge=0.1, le=60.0, description="deadline of one call to it; seconds"
    )
    old_key_grace_seconds: float = Field(
        default=600.0,
        ge=0.0,
        le=86_400.0,
        description="how long after a rotation uploads sealed to the old key are still taken",
    )
    fingerprint_key: SecretStr | None = Field(
        default=None,
        min_length=32,
        description="keys the fingerprints that find duplicates; needed to import, never changed",
    )
    opener_timeout_seconds: float = Field(
        default=10.0, ge=0.5, le=60.0, description="deadline of one call to the opener; seconds"
    )
    old_openings_per_hour_max: int = Field(
        default=1_000,
        ge=1,
        le=1_000_000,
        description="units sold over an hour ago that a merchant may have opened per hour",
    )
    old_openings_per_minute_max: int = Field(
        default=5_000,
        ge=1,
        le=1_000_000,
        description="the same for all merchants together, per minute",
    )
    import_bytes_max: int = Field(
        default=67_108_864, ge=1_024, le=536_870_912, description="largest upload; bytes"
    )
    imports_at_once_max: int = Field(
        default=2, ge=1, le=16, description="imports a process works on at the same time"
    )
    imports_waiting_max: int = Field(
        default=16, ge=0, le=256, description="uploads that may wait in memory for their turn"
    )
    import_resume_hours_max: int = Field(
        default=24, ge=1, le=720, description="an interrupted import waits so long; hours"
    )
    reservations_together_max: int = Field(
        default=128, ge=1, le=1_000, description="waiting reservations served by one transaction"
    )
    audit_folder: Path = Field(
        default=Path(".lockstock/audit"),
        description="what the audit log's sequencer knows by itself; one for all workers, kept",
    )
    audit_key_file: Path = Field(
        default=Path(".lockstock/vault-audit.key"),
        description="file with the key that signs the audit log; made by the worker when missing",
    )
    retention_days: int = Field(
        default=180,
        ge=0,
        le=36_500,
        description="boxes are overwritten so long after sale, void or expiry; 0: never; days",
    )
    wrong_codes_burst: int = Field(
        default=20, ge=1, le=1_000, description="wrong codes a key or shop may show at once; codes"
    )
    wrong_code_every_seconds: float = Field(
        default=30.0, ge=0.1, le=3_600.0, description="then one more per so long; seconds"
    )
