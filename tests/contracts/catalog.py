"""What a database's schema is, read from PostgreSQL's own catalog: the only judge of equality.

Triggers are left out: SQLAlchemy's tables cannot declare them, migrations alone make them, and the
tests of each service show what they refuse.
"""

from typing import Any

import asyncpg

_COLUMNS = """
SELECT c.relname || '.' || a.attname AS name,
       format_type(a.atttypid, a.atttypmod)
       || CASE WHEN a.attnotnull THEN ' not null' ELSE '' END
       || coalesce(' default ' || pg_get_expr(d.adbin, d.adrelid), '')
       || ' identity(' || a.attidentity::text || ') generated(' || a.attgenerated::text || ')'
       AS definition
FROM pg_attribute a
JOIN pg_class c ON c.oid = a.attrelid
LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND a.attnum > 0
  AND NOT a.attisdropped AND c.relname <> 'alembic_version'
"""
_CONSTRAINTS = """
SELECT conrelid::regclass || ' ' || conname AS name, pg_get_constraintdef(oid) AS definition
FROM pg_constraint
WHERE connamespace = 'public'::regnamespace AND conrelid <> 0 AND contype <> 't'
  AND conrelid::regclass::text <> 'alembic_version'
"""
_INDEXES = """
SELECT indexname AS name, indexdef AS definition FROM pg_indexes
WHERE schemaname = 'public' AND tablename <> 'alembic_version'
"""
_STORAGE = """
SELECT relname AS name, coalesce(array_to_string(reloptions, ','), '') || relpersistence::text
       AS definition
FROM pg_class
WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p')
  AND relname <> 'alembic_version'
"""
_PARTS = {
    "column": _COLUMNS,
    "constraint": _CONSTRAINTS,
    "index": _INDEXES,
    "storage": _STORAGE,
}


async def catalog_of(url: str) -> dict[str, str]:
    """`kind name` -> definition, of everything in the schema."""
    connection = await asyncpg.connect(url.replace("postgresql+asyncpg://", "postgresql://"))
    try:
        found: dict[str, str] = {}
        for kind, query in _PARTS.items():
            rows: list[Any] = await connection.fetch(query)
            found |= {f"{kind} {row['name']}": row["definition"] for row in rows}
        return found
    finally:
        await connection.close()


def differences(migrated: dict[str, str], declared: dict[str, str]) -> list[str]:
    """What one of them has otherwise than the other, one line each."""
    return [
        f"{name}: migrations {migrated.get(name)!r}, tables {declared.get(name)!r}"
        for name in sorted({*migrated, *declared})
        if migrated.get(name) != declared.get(name)
    ]
