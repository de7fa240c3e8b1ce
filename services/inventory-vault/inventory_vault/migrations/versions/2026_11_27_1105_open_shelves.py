"""Lock pools and read their shelves in one call (pre: the code needs it)."""

from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

# Two statements on purpose: the second one sees what was committed while the first one waited.
OPEN_SHELVES = """
CREATE FUNCTION vault_open_shelves(wanted uuid[]) RETURNS TABLE (
  pool_id uuid, merchant_id uuid, name text, unit_kind text, low_stock_threshold integer,
  low_cover_days integer, hold_budget jsonb, created_at timestamptz,
  lot_id uuid, next_seq integer, ahead integer, free_count integer, gaps_ahead integer,
  stale boolean)
LANGUAGE plpgsql AS $$
BEGIN
  PERFORM 1 FROM pool p WHERE p.id = ANY(wanted) ORDER BY p.id FOR NO KEY UPDATE;
  RETURN QUERY
  SELECT p.id, p.merchant_id, p.name, p.unit_kind, p.low_stock_threshold, p.low_cover_days,
    p.hold_budget, p.created_at, l.id, l.next_seq, l.size - l.next_seq + 1 - l.gaps_ahead,
    l.free_count, l.gaps_ahead,
    l.mixed_expiry AND coalesce(l.head_expires_at <= clock_timestamp(), false)
  FROM pool p LEFT JOIN lot l ON l.pool_id = p.id AND l.has_stock AND l.state = 'on_shelf'
    AND (l.mixed_expiry OR l.head_expires_at IS NULL OR l.head_expires_at > clock_timestamp())
  WHERE p.id = ANY(wanted)
  ORDER BY p.id, l.head_expires_at NULLS LAST, l.id;
END $$
"""


def upgrade() -> None:
    op.execute(OPEN_SHELVES)


def downgrade() -> None:
    op.execute("DROP FUNCTION vault_open_shelves")
