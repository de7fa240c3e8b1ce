"""Everything the database holds, as text; and how a code could be written there."""

import base64

from sqlalchemy import text

from kit.service import Service


async def dump(service: Service) -> str:
    """All rows of all tables."""
    async with service.db.read() as tx:
        tables = await tx.execute(
            text("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        )
        names = [row.tablename for row in tables]
        parts: list[str] = []
        for name in names:
            found = await tx.execute(text(f'SELECT t::text AS line FROM "{name}" t'))  # noqa: S608
            parts += [row.line for row in found]
    assert {"unit", "idempotency", "event_log", "redemption", "wrong_code"} <= set(names)
    return "\n".join(parts)


def spellings(code: str) -> list[str]:
    """As it is, without its dashes, in hexadecimal, in base64."""
    bare = code.replace("-", "")
    return [
        code,
        bare,
        code.encode().hex(),
        bare.encode().hex(),
        base64.b64encode(code.encode()).decode().rstrip("=")[:-1],
        base64.b64encode(bare.encode()).decode().rstrip("=")[:-1],
    ]
