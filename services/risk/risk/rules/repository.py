from collections import OrderedDict
from collections.abc import Sequence
from functools import partial
from typing import Any
from uuid import UUID

from sqlalchemy import text

from kit.db import Transaction
from kit.ids import new_id
from kit.statements import Answer, Read
from risk.rules.domain import Action, Limits, Mode, Rule, RuleSet, RuleText, Template

_COLUMNS = """
    rule.id, rule.merchant_id, rule.version, rule.is_enabled, rule.template,
    said.name, said.priority, said.mode, said.condition, said.action, said.quantity_max,
    said.hold_seconds, said.author, said.written_at
"""
_NEWEST = "JOIN rule_version AS said ON said.rule_id = rule.id AND said.version = rule.version"

_LIST = text(f"""
    SELECT {_COLUMNS} FROM rule {_NEWEST}
    WHERE rule.merchant_id = :merchant_id AND (CAST(:after AS uuid) IS NULL OR rule.id > :after)
    ORDER BY rule.id LIMIT :limit
""")  # noqa: S608 - made of constants above
_GET = text(f"""
    SELECT {_COLUMNS} FROM rule {_NEWEST} WHERE rule.merchant_id = :merchant_id AND rule.id = :id
""")  # noqa: S608 - made of constants above
_VERSIONS = text(f"""
    SELECT {_COLUMNS.replace("rule.version", "said.version")}
    FROM rule JOIN rule_version AS said ON said.rule_id = rule.id
    WHERE rule.merchant_id = :merchant_id AND rule.id = :id
        AND (CAST(:before AS integer) IS NULL OR said.version < :before)
    ORDER BY said.version DESC LIMIT :limit
""")  # noqa: S608 - made of constants above
_IN_FORCE = text(f"""
    SELECT {_COLUMNS}, uuid_hash_extended(rule.id, rule.version) AS stamp FROM rule {_NEWEST}
    WHERE rule.merchant_id = ANY(CAST(:merchants AS uuid[])) AND rule.is_enabled
    ORDER BY rule.merchant_id, said.priority, rule.id
""")  # noqa: S608 - made of constants above
# One row per merchant instead of all its rules: what it says changes with every version.
_STAMPS = text("""
    SELECT merchant_id, bit_xor(uuid_hash_extended(id, version)) AS stamp
    FROM rule WHERE merchant_id = ANY(CAST(:merchants AS uuid[])) AND is_enabled
    GROUP BY merchant_id
""")
_UNSEEDED = text("""
    SELECT merchant_id, template
    FROM unnest(CAST(:merchants AS uuid[])) AS merchant(merchant_id)
    CROSS JOIN unnest(CAST(:templates AS text[])) AS wanted(template)
    WHERE NOT EXISTS (SELECT 1 FROM rule WHERE rule.merchant_id = merchant.merchant_id
                      AND rule.template = wanted.template)
    ORDER BY merchant_id, template
""")
_INSERT_RULE = text("""
    INSERT INTO rule (id, merchant_id, version, is_enabled, template)
    VALUES (:id, :merchant_id, 1, :is_enabled, :template)
    ON CONFLICT (merchant_id, template) DO NOTHING
    RETURNING id
""")
_INSERT_VERSION = text("""
    INSERT INTO rule_version (rule_id, version, name, priority, mode, condition, action,
        quantity_max, hold_seconds, author)
    VALUES (:rule_id, :version, :name, :priority, :mode, :condition, :action, :quantity_max,
        :hold_seconds, :author)
""")
_COUNT = text("SELECT count(*) FROM rule WHERE merchant_id = :merchant_id")
_LOCK_MERCHANT = text("SELECT pg_advisory_xact_lock(hashtextextended('rules:' || :merchant_id, 0))")
_NEXT_VERSION = text("""
    UPDATE rule SET version = version + 1
    WHERE merchant_id = :merchant_id AND id = :id
        AND (CAST(:expected AS integer) IS NULL OR version = :expected)
    RETURNING version
""")
_ENABLE = text("""
    UPDATE rule SET is_enabled = :is_enabled
    WHERE merchant_id = :merchant_id AND id = :id AND is_enabled <> :is_enabled
    RETURNING id
""")
# Rules as they were judged together: an assessment names the set, and can be made again.
_NOTE_SET = text("""
    INSERT INTO rule_set (id, merchant_id, rule_ids, versions)
    VALUES (:id, :merchant_id, CAST(:rule_ids AS uuid[]), CAST(:versions AS integer[]))
    ON CONFLICT (id) DO NOTHING
""")
_OF_SET = text(f"""
    SELECT {_COLUMNS.replace("rule.version", "said.version")}
    FROM rule_set CROSS JOIN unnest(rule_ids, versions) WITH ORDINALITY AS named(id, version, place)
    JOIN rule ON rule.id = named.id
    JOIN rule_version AS said ON said.rule_id = named.id AND said.version = named.version
    WHERE rule_set.merchant_id = :merchant_id AND rule_set.id = :id
    ORDER BY place
""")  # noqa: S608 - made of constants above

SETS_MAX = 10_000
"""Sets remembered to be noted, about 100 bytes each."""
NO_STAMP = 0
"""Of a merchant without enabled rules."""
IN_FORCE_MAX = 2_000
"""Merchants whose rules are kept in memory, about 50 KB each for 50 rules."""
SEEDED_MAX = 100_000
"""Merchants remembered to have their first rules, about 100 bytes each; rules are never deleted."""


class RuleRepository:
    def __init__(self) -> None:
        self._seeded: set[UUID] = set()
        self._noted: set[UUID] = set()
        self._in_force: OrderedDict[UUID, tuple[int, RuleSet]] = OrderedDict()

    async def list_rules(
        self, tx: Transaction, merchant_id: UUID, *, after: UUID | None, limit: int
    ) -> list[Rule]:
        rows = await tx.execute(_LIST, {"merchant_id": merchant_id, "after": after, "limit": limit})
        return [_to_domain(row) for row in rows]

    async def list_versions(
        self, tx: Transaction, merchant_id: UUID, rule_id: UUID, *, before: int | None, limit: int
    ) -> list[Rule]:
        """Newest first."""
        rows = await tx.execute(
            _VERSIONS,
            {"merchant_id": merchant_id, "id": rule_id, "before": before, "limit": limit},
        )
        return [_to_domain(row) for row in rows]

    async def find_rule(self, tx: Transaction, merchant_id: UUID, rule_id: UUID) -> Rule | None:
        row = (await tx.execute(_GET, {"merchant_id": merchant_id, "id": rule_id})).one_or_none()
        return None if row is None else _to_domain(row)

    def stamps(self, merchants: Sequence[UUID]) -> Read:
        """(Merchant, what its enabled rules are), for `list_in_force`."""
        return Read(_STAMPS, {"merchants": list(merchants)})

    def remembered(self, merchants: Sequence[UUID]) -> dict[UUID, RuleSet] | None:
        """As they were when they were last looked at, if all of them were."""
        if all(merchant_id in self._in_force for merchant_id in merchants):
            return {merchant_id: self._in_force[merchant_id][1] for merchant_id in merchants}
        return None

    async def list_in_force(
        self, tx: Transaction, merchants: Sequence[UUID], found: Answer
    ) -> dict[UUID, RuleSet]:
        """Merchant -> its enabled rules, by priority; from memory where nothing changed."""
        stamps: dict[UUID, int] = dict.fromkeys(merchants, NO_STAMP) | dict(found)
        known = {
            merchant_id: self._in_force[merchant_id][1]
            for merchant_id, stamp in stamps.items()
            if self._in_force.get(merchant_id, (None,))[0] == stamp
        }
        changed = [merchant_id for merchant_id in merchants if merchant_id not in known]
        if not changed:
            return known
        rules: dict[UUID, list[Rule]] = {merchant_id: [] for merchant_id in changed}
        read: dict[UUID, int] = dict.fromkeys(changed, NO_STAMP)
        for row in await tx.execute(_IN_FORCE, {"merchants": changed}):
            rules[row.merchant_id].append(_to_domain(row))
            read[row.merchant_id] ^= row.stamp
        for merchant_id, some in rules.items():
            known[merchant_id] = self._keep(merchant_id, read[merchant_id], some)
        return known

    def is_seeded(self, merchant_id: UUID) -> bool:
        """Whether `seed` has nothing to do, as far as is remembered."""
        return merchant_id in self._seeded

    async def seed(
        self, tx: Transaction, merchants: Sequence[UUID], templates: Sequence[Template]
    ) -> None:
        """Makes the rules of `templates` for the merchants that never had them."""
        unsure = [merchant_id for merchant_id in merchants if merchant_id not in self._seeded]
        if not unsure:
            return
        texts = {template.name: template.text for template in templates}
        missing = await tx.execute(_UNSEEDED, {"merchants": unsure, "templates": list(texts)})
        for row in missing.all():
            await self.add_rule(
                tx, row.merchant_id, texts[row.template], author="platform", template=row.template
            )
        # Only what is committed is remembered.
        tx.on_commit(partial(self._remember, unsure))

    async def note_set(
        self, tx: Transaction, set_id: UUID, merchant_id: UUID, rules: Sequence[Rule]
    ) -> None:
        """Writes down which versions of which rules are judged together, once."""
        if set_id in self._noted:
            return
        await tx.execute(
            _NOTE_SET,
            {
                "id": set_id,
                "merchant_id": merchant_id,
                "rule_ids": [rule.id for rule in rules],
                "versions": [rule.version for rule in rules],
            },
        )
        tx.on_commit(partial(self._remember_set, set_id))

    async def list_set(self, tx: Transaction, merchant_id: UUID, set_id: UUID) -> list[Rule]:
        """The rules of a set in their order, in the versions they had."""
        rows = await tx.execute(_OF_SET, {"merchant_id": merchant_id, "id": set_id})
        return [_to_domain(row) for row in rows]

    async def add_rule(
        self,
        tx: Transaction,
        merchant_id: UUID,
        rule: RuleText,
        *,
        author: str,
        is_enabled: bool = True,
        template: str | None = None,
    ) -> UUID:
        rule_id = new_id()
        made = await tx.execute(
            _INSERT_RULE,
            {
                "id": rule_id,
                "merchant_id": merchant_id,
                "is_enabled": is_enabled,
                "template": template,
            },
        )
        if made.scalar_one_or_none() is not None:
            await tx.execute(_INSERT_VERSION, _version(rule_id, 1, rule, author))
        return rule_id

    async def lock_count(self, tx: Transaction, merchant_id: UUID) -> int:
        """How many rules the merchant has; nobody else adds one until this transaction ends."""
        await tx.execute(_LOCK_MERCHANT, {"merchant_id": str(merchant_id)})
        return int((await tx.execute(_COUNT, {"merchant_id": merchant_id})).scalar_one())

    async def add_version(
        self,
        tx: Transaction,
        merchant_id: UUID,
        rule_id: UUID,
        rule: RuleText,
        *,
        author: str,
        expected_version: int | None,
    ) -> int | None:
        """The new version's number; None when the newest is not `expected_version`."""
        row = await tx.execute(
            _NEXT_VERSION,
            {"merchant_id": merchant_id, "id": rule_id, "expected": expected_version},
        )
        version = row.scalar_one_or_none()
        if version is None:
            return None
        await tx.execute(_INSERT_VERSION, _version(rule_id, version, rule, author))
        return int(version)

    async def set_enabled(
        self, tx: Transaction, merchant_id: UUID, rule_id: UUID, *, is_enabled: bool
    ) -> bool:
        """False when there is no such rule, or it is so already."""
        row = await tx.execute(
            _ENABLE, {"merchant_id": merchant_id, "id": rule_id, "is_enabled": is_enabled}
        )
        return row.scalar_one_or_none() is not None

    def _keep(self, merchant_id: UUID, stamp: int, rules: Sequence[Rule]) -> RuleSet:
        """Versions never change, so a stamp means the same rules for ever. It is that of the rules
        themselves: they may be newer than the stamp that was asked for.
        """
        kept = RuleSet(rules)
        self._in_force[merchant_id] = (stamp, kept)
        if len(self._in_force) > IN_FORCE_MAX:
            self._in_force.popitem(last=False)
        return kept

    def _remember_set(self, set_id: UUID) -> None:
        if len(self._noted) >= SETS_MAX:
            self._noted.clear()
        self._noted.add(set_id)

    def _remember(self, merchants: Sequence[UUID]) -> None:
        if len(self._seeded) + len(merchants) > SEEDED_MAX:
            self._seeded.clear()
        self._seeded.update(merchants)


def _version(rule_id: UUID, version: int, rule: RuleText, author: str) -> dict[str, Any]:
    return {
        "rule_id": rule_id,
        "version": version,
        "name": rule.name,
        "priority": rule.priority,
        "mode": rule.mode.value,
        "condition": rule.condition,
        "action": rule.action.value,
        "quantity_max": rule.limits.quantity_max if rule.limits else None,
        "hold_seconds": rule.limits.hold_seconds if rule.limits else None,
        "author": author,
    }


def _to_domain(row: Any) -> Rule:
    action = Action(row.action)
    limits = Limits(row.quantity_max, row.hold_seconds) if action is Action.LIMIT else None
    return Rule(
        row.id,
        row.merchant_id,
        row.version,
        row.is_enabled,
        RuleText(row.name, row.priority, Mode(row.mode), row.condition, action, limits),
        row.template,
        row.author,
        row.written_at,
    )
