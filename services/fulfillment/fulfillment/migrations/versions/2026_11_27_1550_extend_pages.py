"""What a buyer's page asks for and shows (pre: the code needs it)."""

from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

_FORTH = (
    "ALTER TABLE delivered_unit ADD COLUMN expires_at TIMESTAMPTZ",
    """
    CREATE INDEX ix_delivered_unit_expires_at ON delivered_unit (expires_at)
    WHERE expires_at IS NOT NULL
    """,
    """
    CREATE TABLE page_setting (
        merchant_id UUID NOT NULL,
        step_up TEXT NOT NULL,
        shop_name TEXT NOT NULL,
        shop_url TEXT NOT NULL,
        product_url TEXT NOT NULL,
        changed_at TIMESTAMPTZ DEFAULT clock_timestamp() NOT NULL,
        CONSTRAINT pk_page_setting PRIMARY KEY (merchant_id),
        CONSTRAINT ck_page_setting_step_up_known CHECK (step_up IN ('none', 'code'))
    )
    """,
    """
    CREATE TABLE ended_page (
        page_id UUID NOT NULL,
        merchant_id UUID NOT NULL,
        order_id UUID NOT NULL,
        created_at TIMESTAMPTZ DEFAULT clock_timestamp() NOT NULL,
        CONSTRAINT pk_ended_page PRIMARY KEY (page_id),
        CONSTRAINT fk_ended_page_order_id_request FOREIGN KEY (order_id)
            REFERENCES request (order_id)
    )
    """,
)
_BACK = (
    "DROP TABLE ended_page",
    "DROP TABLE page_setting",
    "ALTER TABLE delivered_unit DROP COLUMN expires_at",
)


def upgrade() -> None:
    for statement in _FORTH:
        op.execute(statement)


def downgrade() -> None:
    for statement in _BACK:
        op.execute(statement)
