"""The HTTP side of a service: what routes need, in one import."""

from kit.http.app import AppParts, build_app
from kit.http.callers import Caller, caller
from kit.http.lean import LeanRoute
from kit.http.once import Once, once, with_secret
from kit.http.problems import PROBLEM_RESPONSES, Problem
from kit.http.together import Together
from kit.http.wire import (
    CodeText,
    CurrencyCode,
    Model,
    MoneyModel,
    Name,
    PublicKeyText,
    Reference,
    Text,
    Timestamp,
)

__all__ = [
    "PROBLEM_RESPONSES",
    "AppParts",
    "Caller",
    "CodeText",
    "CurrencyCode",
    "LeanRoute",
    "Model",
    "MoneyModel",
    "Name",
    "Once",
    "Problem",
    "PublicKeyText",
    "Reference",
    "Text",
    "Timestamp",
    "Together",
    "build_app",
    "caller",
    "once",
    "with_secret",
]
