"""SQL of templates: the newest version is the one in use."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from fulfillment.templates.domain import (
    Channel,
    Draft,
    Place,
    Template,
    TemplateNotFound,
    TemplateTaken,
)
from kit.db import Transaction, constraint_of

_LAST_ID = UUID(int=2**128 - 1)


class TemplateRepository:
    async def add(self, tx: Transaction, template: Template) -> None:
        """The template without a version yet. Raises TemplateTaken."""
        place = template.place
        values = {
            "id": template.id,
            "merchant_id": template.merchant_id,
            "name": place.name,
            "purpose": place.purpose,
            "language": place.language,
            "channel": place.channel.value,
        }
        try:
            async with tx.savepoint():
                await tx.execute(_ADD, values)
        except IntegrityError as error:
            if constraint_of(error) == "uq_template_place":
                raise TemplateTaken from error
            raise

    async def add_version(
        self, tx: Transaction, merchant_id: UUID, template_id: UUID, draft: Draft, who: str
    ) -> Template:
        """The next version, in use from now on. Raises TemplateNotFound."""
        owned = await tx.execute(_LOCK, {"merchant_id": merchant_id, "id": template_id})
        if owned.one_or_none() is None:
            raise TemplateNotFound
        await tx.execute(
            _ADD_VERSION,
            {
                "id": template_id,
                "subject": draft.subject,
                "body": draft.body,
                "with_codes": draft.with_codes,
                "gateway_template": draft.gateway_template,
                "parameters": orjson.dumps(list(draft.parameters.items())).decode(),
                "created_by": who,
            },
        )
        found = await self.find(tx, merchant_id, template_id)
        if found is None:
            raise TemplateNotFound
        return found

    async def find(self, tx: Transaction, merchant_id: UUID, template_id: UUID) -> Template | None:
        rows = await tx.execute(_GET, {"merchant_id": merchant_id, "id": template_id})
        row = rows.one_or_none()
        return _template(row) if row else None

    async def list_versions(
        self, tx: Transaction, merchant_id: UUID, template_id: UUID, *, before: int, limit: int
    ) -> list[Template]:
        """The newest first, those below the version `before`."""
        values = {
            "merchant_id": merchant_id,
            "id": template_id,
            "before": before,
            "limit": limit,
        }
        return [_template(row) for row in await tx.execute(_VERSIONS, values)]

    async def list_templates(
        self,
        tx: Transaction,
        merchant_id: UUID,
        *,
        purpose: str | None,
        after: UUID | None,
        limit: int,
    ) -> list[Template]:
        """The newest first, each with the version in use."""
        values = {
            "merchant_id": merchant_id,
            "purpose": purpose,
            "after": after or _LAST_ID,
            "limit": limit,
        }
        return [_template(row) for row in await tx.execute(_LIST, values)]

    async def find_in_use(
        self, tx: Transaction, wanted: Sequence[tuple[UUID, str]]
    ) -> list[Template]:
        """Every template of these merchants for these purposes, in the version in use."""
        rows = await tx.execute(
            _IN_USE,
            {
                "merchant_id": [merchant_id for merchant_id, _ in wanted],
                "purpose": [purpose for _, purpose in wanted],
            },
        )
        return [_template(row) for row in rows]


def _template(row: Any) -> Template:  # a row has no static type
    draft = Draft(
        row.subject,
        row.body,
        row.with_codes,
        row.gateway_template,
        dict(orjson.loads(row.parameters)),
    )
    return Template(
        place=Place(row.name, row.purpose, row.language, Channel(row.channel)),
        draft=draft,
        id=row.id,
        merchant_id=row.merchant_id,
        version=row.version,
        created_by=row.created_by,
        created_at=row.created_at,
    )


_COLUMNS = """
    t.id, t.merchant_id, t.name, t.purpose, t.language, t.channel, v.version, v.subject, v.body,
    v.with_codes, v.gateway_template, CAST(v.parameters AS text) AS parameters, v.created_by,
    v.created_at
"""
_NEWEST = f"""
    SELECT {_COLUMNS} FROM template t
    JOIN LATERAL (SELECT * FROM template_version v WHERE v.template_id = t.id
                  ORDER BY v.version DESC LIMIT 1) v ON true
"""  # noqa: S608 - column names of this file
_ADD = text(
    """
    INSERT INTO template (id, merchant_id, name, purpose, language, channel)
    VALUES (:id, :merchant_id, :name, :purpose, :language, :channel)
    """
)
_LOCK = text("SELECT id FROM template WHERE id = :id AND merchant_id = :merchant_id FOR UPDATE")
_ADD_VERSION = text(
    """
    INSERT INTO template_version (template_id, version, subject, body, with_codes,
                                  gateway_template, parameters, created_by)
    SELECT CAST(:id AS uuid),
           1 + coalesce((SELECT max(version) FROM template_version WHERE template_id = :id), 0),
           :subject, :body, :with_codes, :gateway_template, CAST(:parameters AS jsonb), :created_by
    """
)
_GET = text(_NEWEST + " WHERE t.merchant_id = :merchant_id AND t.id = :id")
_LIST = text(
    _NEWEST
    + """
    WHERE t.merchant_id = :merchant_id AND t.id < :after
      AND (CAST(:purpose AS text) IS NULL OR t.purpose = :purpose)
    ORDER BY t.id DESC LIMIT :limit
    """
)
_VERSIONS = text(
    f"""
    SELECT {_COLUMNS} FROM template t JOIN template_version v ON v.template_id = t.id
    WHERE t.merchant_id = :merchant_id AND t.id = :id AND v.version < :before
    ORDER BY v.version DESC LIMIT :limit
    """  # noqa: S608 - column names of this file
)
_OF_PURPOSES = """
    WHERE (t.merchant_id, t.purpose) IN (
        SELECT * FROM unnest(CAST(:merchant_id AS uuid[]), CAST(:purpose AS text[])))
"""
_IN_USE = text(_NEWEST + _OF_PURPOSES)
