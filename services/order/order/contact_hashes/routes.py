from typing import cast

from fastapi import APIRouter, Request

from kit.http import Caller, caller
from kit.http.callers import PLATFORM
from order.contact_hashes.schemas import ContactHashesRead, ContactsAsk
from order.contacts import ContactHasher

router = APIRouter(prefix="/v1", tags=["contacts"])


@router.post("/contact-hashes", response_model=ContactHashesRead)
async def hash_contacts(
    request: Request, body: ContactsAsk, _: Caller = caller(PLATFORM)
) -> ContactHashesRead:
    """The hashes under which orders carry contacts, for other services: the key stays here.

    Nothing is kept. It changes nothing and takes no Idempotency-Key.
    """
    contacts = cast(ContactHasher, request.app.state.contacts)
    hashes = [contacts.hashes(it.email, it.phone)[0] for it in body.contacts]
    return ContactHashesRead(hashes=hashes)
