"""Lockstock for shops: a thin, typed client, async and sync, and the `lockstock` command."""

from lockstock_client.boxes import Recipient
from lockstock_client.client import Lockstock
from lockstock_client.config import Config, NotConfigured
from lockstock_client.problems import (
    AlreadyPaid,
    AmountMismatch,
    Conflict,
    KeyReused,
    LockstockError,
    NoAnswer,
    NotAllowed,
    NotAsSigned,
    NotFound,
    NotNow,
    NotValid,
    OrderNotCancellable,
    OrderNotPayable,
    OutOfStock,
    Problem,
    ReferenceTaken,
    ServerFault,
    Unopenable,
)
from lockstock_client.sealed import SealedUpload
from lockstock_client.spool import NothingToResume
from lockstock_client.sync import SyncLockstock
from lockstock_client.transport import Retry, Upload
from lockstock_client.webhooks import NotGenuine, Webhook, WebhookVerifier

__all__ = [
    "AlreadyPaid",
    "AmountMismatch",
    "Config",
    "Conflict",
    "KeyReused",
    "Lockstock",
    "LockstockError",
    "NoAnswer",
    "NotAllowed",
    "NotAsSigned",
    "NotConfigured",
    "NotFound",
    "NotGenuine",
    "NotNow",
    "NotValid",
    "NothingToResume",
    "OrderNotCancellable",
    "OrderNotPayable",
    "OutOfStock",
    "Problem",
    "Recipient",
    "ReferenceTaken",
    "Retry",
    "SealedUpload",
    "ServerFault",
    "SyncLockstock",
    "Unopenable",
    "Upload",
    "Webhook",
    "WebhookVerifier",
]
