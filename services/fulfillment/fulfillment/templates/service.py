"""Which words a message gets, and what merchants may change about them."""

from collections.abc import Mapping, Sequence
from uuid import UUID

from fulfillment.templates.domain import (
    Channel,
    Draft,
    Place,
    Rendered,
    Template,
    TemplateNotFound,
)
from fulfillment.templates.repository import TemplateRepository
from fulfillment.wording import Wording
from kit.db import Transaction
from kit.ids import new_id


class TemplateService:
    """`language` is used where a buyer's own is not known or has no text."""

    def __init__(self, repository: TemplateRepository, wording: Wording, *, language: str) -> None:
        self._repository = repository
        self._wording = wording
        self._language = language

    async def create(
        self, tx: Transaction, merchant_id: UUID, place: Place, draft: Draft, who: str
    ) -> Template:
        """Version 1, in use at once. Raises TemplateRefused, TemplateTaken, UnknownPurpose."""
        self._wording.check(draft, place.purpose, place.channel)
        template = Template(place, draft, new_id(), merchant_id)
        await self._repository.add(tx, template)
        return await self._add_version(tx, template, draft, who)

    async def change(
        self, tx: Transaction, merchant_id: UUID, template_id: UUID, draft: Draft, who: str
    ) -> Template:
        """The next version, in use at once. Raises TemplateNotFound, TemplateRefused."""
        template = await self.get(tx, merchant_id, template_id)
        self._wording.check(draft, template.place.purpose, template.place.channel)
        return await self._add_version(tx, template, draft, who)

    async def get(self, tx: Transaction, merchant_id: UUID, template_id: UUID) -> Template:
        """In the version in use. Raises TemplateNotFound."""
        found = await self._repository.find(tx, merchant_id, template_id)
        if found is None:
            raise TemplateNotFound
        return found

    async def list_templates(
        self,
        tx: Transaction,
        merchant_id: UUID,
        *,
        purpose: str | None,
        after: UUID | None,
        limit: int,
    ) -> Sequence[Template]:
        """The merchant's own, newest first."""
        return await self._repository.list_templates(
            tx, merchant_id, purpose=purpose, after=after, limit=limit
        )

    async def list_versions(
        self, tx: Transaction, merchant_id: UUID, template_id: UUID, *, before: int, limit: int
    ) -> Sequence[Template]:
        """The newest first. Raises TemplateNotFound."""
        await self.get(tx, merchant_id, template_id)
        return await self._repository.list_versions(
            tx, merchant_id, template_id, before=before, limit=limit
        )

    def preview(self, place: Place, draft: Draft) -> Rendered:
        """The draft with made-up values. Raises TemplateRefused, UnknownPurpose."""
        self._wording.check(draft, place.purpose, place.channel)
        values = self._wording.examples(place.purpose, with_codes=draft.with_codes)
        return self._wording.render(draft, place.channel, values)

    async def find_choices(self, tx: Transaction, wanted: Sequence[tuple[UUID, str]]) -> "Choices":
        """What is there for these merchants' purposes, to choose from without asking again."""
        own = await self._repository.find_in_use(tx, sorted(set(wanted))) if wanted else []
        return Choices(self._wording, own, self._language)

    async def _add_version(
        self, tx: Transaction, template: Template, draft: Draft, who: str
    ) -> Template:
        if template.id is None or template.merchant_id is None:
            raise TemplateNotFound
        return await self._repository.add_version(tx, template.merchant_id, template.id, draft, who)


class Choices:
    """The product's template before the merchant's default before the built-in text; in each the
    buyer's language before this service's.
    """

    def __init__(self, wording: Wording, own: Sequence[Template], language: str) -> None:
        self._wording = wording
        self._language = language
        self._own: Mapping[tuple[UUID | None, Place], Template] = {
            (template.merchant_id, template.place): template for template in own
        }

    def choose(
        self, merchant_id: UUID, name: str, purpose: str, locale: str, channel: Channel
    ) -> Template:
        """Raises UnknownPurpose."""
        languages = self._languages(locale)
        for each in dict.fromkeys((name, "")):
            for language in languages:
                found = self._own.get((merchant_id, Place(each, purpose, language, channel)))
                if found is not None:
                    return found
        texts = self._wording.purpose(purpose).texts
        language = next(it for it in (*languages, "en") if (it, channel) in texts)
        return Template(Place("", purpose, language, channel), texts[language, channel])

    def _languages(self, locale: str) -> list[str]:
        asked = locale.replace("_", "-").lower()
        return list(dict.fromkeys(filter(None, (asked, asked.split("-")[0], self._language))))
