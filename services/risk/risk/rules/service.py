from collections.abc import Sequence
from uuid import UUID, uuid5

from kit.db import Transaction
from kit.statements import Answer, Read
from risk.changes.domain import ChangeKind
from risk.changes.service import ChangeService
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
    RuleSet,
    RuleText,
    Template,
    TemplateNotFound,
    TooManyRules,
    Trial,
    judge,
    verdict,
)
from risk.rules.repository import RuleRepository
from risk.watches.service import WatchService


class RuleService:
    def __init__(
        self,
        repository: RuleRepository,
        conditions: Conditions,
        watches: WatchService,
        changes: ChangeService,
    ) -> None:
        self._repository = repository
        self._conditions = conditions
        self._watches = watches
        self._changes = changes

    @property
    def catalogue(self) -> Catalogue:
        """What conditions may ask about."""
        return self._conditions.catalogue

    def has_first_rules(self, merchant_id: UUID) -> bool:
        """Whether the merchant is known to have the platform's: to ask for them writes nothing."""
        return self._repository.is_seeded(merchant_id)

    async def in_force(self, tx: Transaction, merchants: Sequence[UUID]) -> dict[UUID, RuleSet]:
        """Merchant -> its enabled rules; a merchant seen for the first time gets the platform's."""
        await self._repository.seed(tx, merchants, DEFAULT_RULES)
        (stamps,) = await tx.read_together([self.ask_stamps(merchants)])
        return await self.now_in_force(tx, merchants, stamps)

    async def lately_in_force(
        self, tx: Transaction, merchants: Sequence[UUID]
    ) -> dict[UUID, RuleSet]:
        """As `in_force`, from memory where they are in it: `now_in_force` tells what changed."""
        await self._repository.seed(tx, merchants, DEFAULT_RULES)
        known = self._repository.remembered(merchants)
        return known or await self.in_force(tx, merchants)

    def ask_stamps(self, merchants: Sequence[UUID]) -> Read:
        """What the rules are, for `now_in_force`."""
        return self._repository.stamps(merchants)

    async def now_in_force(
        self, tx: Transaction, merchants: Sequence[UUID], stamps: Answer
    ) -> dict[UUID, RuleSet]:
        """Merchant -> its enabled rules; the same objects as before where nothing changed."""
        return await self._repository.list_in_force(tx, merchants, stamps)

    def judge(self, rules: Sequence[Rule], facts: Facts) -> list[Outcome]:
        """What the rules that fired or failed say about these facts."""
        return judge(rules, facts, self._conditions)

    def counts_of(self, rules: Sequence[Rule]) -> Sequence[CountFact]:
        """The counts that these rules mention, each once."""
        return self._conditions.program([rule.text.condition for rule in rules]).counts

    async def note_set(self, tx: Transaction, merchant_id: UUID, rules: RuleSet) -> UUID:
        """The id of this set of versions; `get_set` answers them."""
        set_id = rules.id if rules else uuid5(merchant_id, "rules:")
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
            self._conditions.compile(condition)
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
        self, tx: Transaction, merchant_id: UUID, rule_id: UUID, *, author: str, is_enabled: bool
    ) -> Rule:
        """Raises RuleNotFound."""
        if await self._repository.set_enabled(tx, merchant_id, rule_id, is_enabled=is_enabled):
            kind = ChangeKind.RULE_ENABLED if is_enabled else ChangeKind.RULE_DISABLED
            await self._changes.note(tx, merchant_id, kind, [(rule_id, None)], author=author)
        return await self.get_rule(tx, merchant_id, rule_id)

    async def _watch(self, tx: Transaction, merchant_id: UUID, rule: RuleText) -> None:
        """Counts what the rule mentions from now on, in force or not. Raises ConditionRefused."""
        mentions = self._conditions.compile(rule.condition).mentions
        kinds = self.catalogue.kinds_of(mentions)
        await self._watches.watch(tx, merchant_id, counts_of(mentions), kinds)


def _number(value: FactValue) -> int:
    return value if isinstance(value, int) else 0
