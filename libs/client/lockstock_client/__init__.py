"""Lockstock for shops: a thin, typed, asynchronous client and the `lockstock` command."""

from lockstock_client.boxes import Recipient
from lockstock_client.client import Lockstock
from lockstock_client.config import Config, NotConfigured
from lockstock_client.problems import (
    Conflict,
    LockstockError,
    NoAnswer,
    NotAllowed,
    NotAsSigned,
    NotFound,
    NotNow,
    NotValid,
    OutOfStock,
    Problem,
    ServerFault,
    Unopenable,
)
from lockstock_client.sealed import SealedUpload
from lockstock_client.spool import NothingToResume
from lockstock_client.transport import Retry, Upload

__all__ = [
    "Config",
    "Conflict",
    "Lockstock",
    "LockstockError",
    "NoAnswer",
    "NotAllowed",
    "NotAsSigned",
    "NotConfigured",
    "NotFound",
    "NotNow",
    "NotValid",
    "NothingToResume",
    "OutOfStock",
    "Problem",
    "Recipient",
    "Retry",
    "SealedUpload",
    "ServerFault",
    "Unopenable",
    "Upload",
]
