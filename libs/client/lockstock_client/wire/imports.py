"""inventory-vault: how stock comes in."""

from typing import NotRequired, TypedDict


class ImportLineJson(TypedDict):
    line: int
    code: str
    detail: str


class ImportSummaryJson(TypedDict):
    """`status`: running, interrupted, completed, failed, dry_run. `accepted` + `rejected` +
    `duplicates` = lines. `duplicates_elsewhere`: accepted lines that others hold too, about.
    """

    id: str
    pool_id: str
    status: str
    phase: str
    lot_id: str | None
    file_name: str
    size_bytes: int
    bytes_read: int
    lines_read: int
    accepted: int
    units: int
    rejected: int
    duplicates: int
    duplicates_elsewhere: int
    failure: str | None
    parts_stored: int | None
    created_at: str
    finished_at: str | None


class ImportJson(TypedDict):
    """The receipt; `lines` are those refused. The rest is as in ImportSummaryJson."""

    id: str
    status: str
    lot_id: str | None
    accepted: int
    rejected: int
    duplicates: int
    lines: list[ImportLineJson]
    units: NotRequired[int]
    duplicates_elsewhere: NotRequired[int]
    failure: NotRequired[str | None]
    parts_stored: NotRequired[int | None]
    next_line: NotRequired[int | None]


class SealingKeyJson(TypedDict):
    """What stock is sealed to, and for whom: base64 and ids, as the header of a box names them."""

    key_id: str
    public_key: str
    merchant_id: str
