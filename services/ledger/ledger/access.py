"""Whose books a caller sees: its own merchant's; the platform, which is no merchant, sees all."""

from uuid import UUID

from kit.auth import Principal
from kit.errors import NotFound

PLATFORM_SCOPE = "platform:write"


class NotYourBooks(NotFound):
    """There are no such books, or they are not yours."""

    code = "books_not_found"


def merchant_seen_by(who: Principal, wanted: UUID | None = None) -> UUID | None:
    """The merchant whose things the caller may see; None for the platform that asks for all.

    Raises NotYourBooks when a merchant's key names another one.
    """
    if who.merchant_id is None and who.may(PLATFORM_SCOPE):
        return wanted
    if wanted is not None and wanted != who.merchant:
        raise NotYourBooks(merchant_id=str(wanted))
    return who.merchant
