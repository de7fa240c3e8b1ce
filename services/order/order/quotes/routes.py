from typing import cast

from fastapi import APIRouter, Request

from kit.http import Caller, caller
from order.contacts import ContactHasher
from order.quotes.schemas import QuoteCreate, QuoteRead
from order.quotes.service import QuoteService

router = APIRouter(prefix="/v1/quotes", tags=["prices"])


@router.post("", response_model=QuoteRead)
async def quote(
    request: Request, body: QuoteCreate, who: Caller = caller("orders:write")
) -> QuoteRead:
    """What an order would cost now, line by line and rule by rule; nothing is held or written.

    Lines that cannot be bought are told beside the others. Stock is not looked at: placing the
    order is what asks for it. 429 `too_many_coupon_misses` to who shows many codes that do not
    exist.
    """
    contacts = cast(ContactHasher, request.app.state.contacts)
    quotes = cast(QuoteService, request.app.state.quotes)
    wanted = body.to_domain(who.merchant, contacts, f"{who.kind}:{who.id}")
    return QuoteRead.from_domain(await quotes.quote(wanted))
