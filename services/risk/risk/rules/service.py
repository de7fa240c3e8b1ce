from collections.abc import Sequence
from uuid import UUID, uuid5

from kit.db import Transaction
from risk.conditions import ConditionFailed, Conditions
from risk.counts import CountFact
from risk.facts import Catalogue, Facts, FactValue, counts_of
from risk.rule_templates import DEFAULT_RULES, TEMPLATES
from risk.rules.domain import (
    RULES_MAX,
    Outcome,
    Rule,
    RuleChanged,
    RuleNotFound,
    RuleText,
    Template,
    TemplateNotFound,
    TooManyRules,
    Trial,
    judge,
    verdict,
)
from risk.rules.repository import RuleRepository
from risk.velocity.domain import Watched
from risk.velocity.service import VelocityService


class RuleService:
    def __init__(
        self, repository: RuleRepository, conditions: Conditions, velocity: VelocityService
    ) -> None:
        self._repository = repository
        self._conditions = conditions
        self._velocity = velocity

    @property
    def catalogue(self) -> Catalogue:
        """What conditions may ask about."""
        return self._conditions.catalogue

    async def in_force(self, tx: Transaction, merchants: Sequence[UUID]) -> dict[UUID, list[Rule]]:
        """Merchant -> its enabled rules; a merchant seen for the first time gets the platform's."""
        await self._repository.seed(tx, merchants, DEFAULT_RULES)
        (stamps,) = await tx.read_together([self._repository.stamps(merchants)])
        return await self._repository.list_in_force(tx, merchants, stamps)

    async def in_force_watched(
        self, tx: Transaction, merchants: Sequence[UUID]
    ) -> tuple[dict[UUID, list[Rule]], Watched]:
        """As `in_force`, and what is counted for these merchants until the transaction ends."""
        await self._repository.seed(tx, merchants, DEFAULT_RULES)
        stamps, watched = await tx.read_together(
            [self._repository.stamps(merchants), self._velocity.ask_watched(merchants)]
        )
        rules = await self._repository.list_in_force(tx, merchants, stamps)
        return rules, self._velocity.watched(merchants, watched)

    def judge(self, rules: Sequence[Rule], facts: Facts) -> list[Outcome]:
        """What the rules that fired or failed say about these facts."""
        return judge(rules, facts, self._conditions)

    def counts_of(self, rules: Sequence[Rule]) -> list[CountFact]:
        """The counts that these rules mention, each once."""
        program = self._conditions.program([rule.text.condition for rule in rules])
        return counts_of(program.mentions)

    async def note_set(self, tx: Transaction, merchant_id: UUID, rules: Sequence[Rule]) -> UUID:
        """The id of this set of versions; `get_set` answers them."""
        named = ",".join(f"{rule.id}:{rule.version}" for rule in rules)
        set_id = uuid5(merchant_id, f"rules:{named}")
        await self._repository.note_set(tx, set_id, merchant_id, rules)
        return set_id

    async def get_set(self, tx: Transaction, merchant_id: UUID, set_id: UUID) -> list[Rule]:
        """The rules of a set in their order, in the versions they had."""
        return await self._repository.list_set(tx, merchant_id, set_id)

    def list_templates(self) -> Sequence[Template]:
        return list(TEMPLATES.values())

    def get_template(self, name: str) -> Template:
        """Raises TemplateNotFound."""
        template = TEMPLATES.get(name)
        if template is None:
            raise TemplateNotFound(template=name)
        return template

    async def test(
        self, tx: Transaction, merchant_id: UUID, facts: Facts, condition: str | None
    ) -> Trial:
        """What the merchant's enabled rules, and `condition` if given, say about these facts.

        Raises ConditionRefused.
        """
        holds, failure = None, None
        if condition is not None:
            try:
                holds = self._conditions.holds(condition, facts)
            except ConditionFailed as error:
                failure = str(error)
        rules = (await self.in_force(tx, [merchant_id]))[merchant_id]
        outcomes = self.judge(rules, facts)
        decision, limits = verdict(outcomes, _number(facts["quantity"]))
        return Trial(holds, failure, decision, outcomes, limits)

    async def list_rules(
        self, tx: Transaction, merchant_id: UUID, *, after: UUID | None, limit: int
    ) -> list[Rule]:
        await self._repository.seed(tx, [merchant_id], DEFAULT_RULES)
        return await self._repository.list_rules(tx, merchant_id, after=after, limit=limit)

    async def list_versions(
        self, tx: Transaction, merchant_id: UUID, rule_id: UUID, *, before: int | None, limit: int
    ) -> list[Rule]:
        """Newest first. Raises RuleNotFound."""
        await self.get_rule(tx, merchant_id, rule_id)
        return await self._repository.list_versions(
            tx, merchant_id, rule_id, before=before, limit=limit
        )

    async def get_rule(self, tx: Transaction, merchant_id: UUID, rule_id: UUID) -> Rule:
        """Raises RuleNotFound."""
        rule = await self._repository.find_rule(tx, merchant_id, rule_id)
        if rule is None:
            raise RuleNotFound(rule_id=str(rule_id))
        return rule

    async def create(
        self, tx: Transaction, merchant_id: UUID, rule: RuleText, *, author: str, is_enabled: bool
    ) -> Rule:
        """Version 1 of a new rule. Raises ConditionRefused, TooManyRules."""
        await self._watch(tx, merchant_id, rule)
        if await self._repository.lock_count(tx, merchant_id) >= RULES_MAX:
            raise TooManyRules(rules_max=RULES_MAX)
        rule_id = await self._repository.add_rule(
            tx, merchant_id, rule, author=author, is_enabled=is_enabled
        )
        return await self.get_rule(tx, merchant_id, rule_id)

    async def update(
        self,
        tx: Transaction,
        merchant_id: UUID,
        rule_id: UUID,
        rule: RuleText,
        *,
        author: str,
        expected_version: int | None,
    ) -> Rule:
        """A new version, in force from the next decision. Raises ConditionRefused, RuleNotFound,
        RuleChanged when `expected_version` is not the newest."""
        await self._watch(tx, merchant_id, rule)
        version = await self._repository.add_version(
            tx, merchant_id, rule_id, rule, author=author, expected_version=expected_version
        )
        present = await self.get_rule(tx, merchant_id, rule_id)
        if version is None:
            raise RuleChanged(version=present.version)
        return present

    async def set_enabled(
        self, tx: Transaction, merchant_id: UUID, rule_id: UUID, *, is_enabled: bool
    ) -> Rule:
        """Raises RuleNotFound."""
        await self._repository.set_enabled(tx, merchant_id, rule_id, is_enabled=is_enabled)
        return await self.get_rule(tx, merchant_id, rule_id)

    async def _watch(self, tx: Transaction, merchant_id: UUID, rule: RuleText) -> None:
        """Counts what the rule mentions from now on, in force or not. Raises ConditionRefused."""
        mentions = self._conditions.compile(rule.condition).mentions
        await self._velocity.watch(tx, merchant_id, counts_of(mentions))


def _number(value: FactValue) -> int:
    return value if isinstance(value, int) else 0
