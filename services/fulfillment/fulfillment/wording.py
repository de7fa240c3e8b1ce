"""Words of messages: built-in texts, and merchants' templates in a language of few means.

The only file that knows the template engine of messages. A template may name values, choose and
repeat; nothing in it calls, computes, includes or reaches into an object, because everything that
is not listed here is refused when it is saved. The engine's sandbox is the second wall.
"""

import functools
import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, NoReturn

from jinja2 import StrictUndefined, TemplateError, TemplateSyntaxError, nodes
from jinja2.sandbox import ImmutableSandboxedEnvironment

from fulfillment.templates.domain import (
    Channel,
    Draft,
    Purpose,
    Rendered,
    TemplateRefused,
    UnknownPurpose,
)

SOURCE_CHARACTERS_MAX = 20_000
TEXT_CHARACTERS_MAX = {Channel.MAIL: 100_000, Channel.SMS: 1_000, Channel.INBOX: 20_000}
SUBJECT_CHARACTERS_MAX = 200
PARAMETER_CHARACTERS_MAX = 200
LOOPS_MAX = 10
LOOPS_NESTED_MAX = 2
NODES_MAX = 2_000
DEPTH_MAX = 40
LINES_MAX = 100

_FILES = Path(__file__).parent / "message_texts"
_FILTERS = frozenset(
    {"upper", "lower", "trim", "length", "default", "join", "first", "last", "title"}
)
_LINE_LISTS = ("lines", "delivered_lines", "failed_lines", "waiting_lines")
_OF_LINE = frozenset({"name", "quantity", "state", "receipt", "instructions", "account"})
_OF_LOOP = frozenset({"index", "first", "last", "length"})
_ORDER_TEXTS = ("reference", "url")
_PLAIN = (
    nodes.Template,
    nodes.Output,
    nodes.TemplateData,
    nodes.Const,
    nodes.CondExpr,
    nodes.Compare,
    nodes.Operand,
    nodes.And,
    nodes.Or,
    nodes.Not,
)
_BREAK = re.compile(r"[\x00-\x1f\x7f\x85\u2028\u2029]")


TEMPLATES_KEPT_MAX = 500
"""Templates kept ready to be filled in."""


class Wording:
    """Reads the built-in texts once; raises at the start when one is broken."""

    def __init__(self) -> None:
        self._environment = ImmutableSandboxedEnvironment(
            undefined=StrictUndefined,
            autoescape=False,
            trim_blocks=True,
            lstrip_blocks=True,
            cache_size=400,
        )
        self._environment.globals.clear()
        # Making a template of its words costs more than all else about a message.
        self._made = lru_cache(maxsize=TEMPLATES_KEPT_MAX)(self._environment.from_string)
        self.purposes = {file.stem: _purpose(file) for file in sorted(_FILES.glob("*.toml"))}
        for purpose in self.purposes.values():
            for (_, channel), draft in purpose.texts.items():
                self.check(draft, purpose.name, channel)

    def purpose(self, name: str) -> Purpose:
        """Raises UnknownPurpose."""
        found = self.purposes.get(name)
        if found is None:
            raise UnknownPurpose(known=sorted(self.purposes))
        return found

    def check(self, draft: Draft, purpose: str, channel: Channel) -> None:
        """Raises TemplateRefused, with the place, unless every part keeps to the language and
        names known values only, and the whole can be rendered.
        """
        known = self.purpose(purpose).values
        for where, source in _parts(draft):
            _Check(where, source, known, with_codes=draft.with_codes).run(self._environment)
        self.render(draft, channel, self.examples(purpose, with_codes=draft.with_codes))

    def render(
        self, draft: Draft, channel: Channel, values: Mapping[str, Any], *, cut: bool = False
    ) -> Rendered:
        """Raises TemplateRefused for what cannot be rendered or, unless it may be `cut`, grows too
        long.
        """

        def made(part: str, source: str, limit: int) -> str:
            text, is_whole = self._render(part, source, values, limit)
            if not is_whole and not cut:
                raise TemplateRefused(part=part, reason="too_long", characters_max=limit)
            return text

        body = made("body", draft.body, TEXT_CHARACTERS_MAX[channel])
        subject = made("subject", draft.subject, SUBJECT_CHARACTERS_MAX)
        parameters = [
            (name, made(f"parameters.{name}", source, PARAMETER_CHARACTERS_MAX))
            for name, source in draft.parameters.items()
        ]
        # What a value brings in must not become another header.
        return Rendered(_BREAK.sub(" ", subject).strip(), body.strip() + "\n", tuple(parameters))

    def examples(self, purpose: str, *, with_codes: bool) -> dict[str, Any]:
        """Values as an order would give them, made up."""
        lines = [
            an_example_line("Steam 50", "delivered", with_codes=with_codes),
            an_example_line("Phone 50", "failed", with_codes=with_codes),
            an_example_line("Music, 1 month", "unknown", with_codes=with_codes),
        ]
        return {
            **self.purpose(purpose).values,
            **line_lists(lines),
            "reference": "shop-10001",
            "url": "https://shop.example/d/example",
        }

    def _render(
        self, where: str, source: str, values: Mapping[str, Any], limit: int
    ) -> tuple[str, bool]:
        """Up to `limit` characters, and whether that is all of it."""
        text = ""
        try:
            for piece in self._made(source).generate(**values):
                text += piece
                if len(text) > limit:
                    return text[:limit], False
        except TemplateError as error:
            line = getattr(error, "lineno", None)
            raise TemplateRefused(part=where, reason="not_rendered", line=line) from None
        except (TypeError, ValueError, ArithmeticError, LookupError, AttributeError):
            raise TemplateRefused(part=where, reason="not_rendered") from None
        return text, True


@functools.cache
def the_wording() -> Wording:
    """One for the process: its built-in texts are read and checked once."""
    return Wording()


def line_lists(lines: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """A message's lists of lines: all, and by what became of them."""
    shown = lines[:LINES_MAX]
    return {
        "lines": shown,
        "delivered_lines": [line for line in shown if line["state"] == "delivered"],
        "failed_lines": [line for line in shown if line["state"] == "failed"],
        "waiting_lines": [line for line in shown if line["state"] in ("pending", "unknown")],
    }


def an_example_line(name: str, state: str, *, with_codes: bool) -> dict[str, Any]:
    is_delivered = state == "delivered"
    line: dict[str, Any] = {
        "name": name,
        "quantity": 1,
        "state": state,
        "receipt": "",
        "instructions": "",
        "account": "",
        "masks": ["12****89"] if is_delivered else [],
    }
    if with_codes:
        line["codes"] = ["EXAMPLE-CODE-0000"] if is_delivered else []
    return line


class _Check:
    """One part of a template against what the language allows."""

    def __init__(self, where: str, source: str, known: Iterable[str], *, with_codes: bool) -> None:
        self._where = where
        self._source = source
        self._texts = {*known, *_ORDER_TEXTS}
        lists = ("masks", "codes") if with_codes else ("masks",)
        self._attributes = {
            "line": dict.fromkeys(_OF_LINE, "text") | dict.fromkeys(lists, "texts"),
            "loop": dict.fromkeys(_OF_LOOP, "text"),
        }
        self._nodes = self._loops = 0

    def run(self, environment: ImmutableSandboxedEnvironment) -> None:
        if len(self._source) > SOURCE_CHARACTERS_MAX:
            self._refuse("too_long", 1)
        if self._where == "subject" and _BREAK.search(self._source):
            self._refuse("line_break", 1)
        try:
            tree = environment.parse(self._source)
        except TemplateSyntaxError as error:
            self._refuse("syntax", error.lineno, said=(error.message or "")[:200])
        except RecursionError:
            self._refuse("too_deep", 1)
        self._each(tree, {}, 0)

    def _each(self, node: nodes.Node, scope: Mapping[str, str], depth: int) -> None:
        """`scope`: names of the loops around, each with what it is of."""
        self._nodes += 1
        if self._nodes > NODES_MAX or depth > DEPTH_MAX:
            self._refuse("too_complex", node.lineno)
        if isinstance(node, nodes.For):
            self._loop(node, scope, depth)
        elif isinstance(node, nodes.Filter):
            self._filter(node, scope, depth)
        elif isinstance(node, nodes.Name | nodes.Getattr):
            if self._kind_of(node, scope) != "text":
                self._refuse("not_a_text", node.lineno)
        else:
            self._parts_of(node, scope, depth)

    def _parts_of(self, node: nodes.Node, scope: Mapping[str, str], depth: int) -> None:
        if not isinstance(node, (*_PLAIN, nodes.If)):
            self._refuse("not_allowed", node.lineno, type(node).__name__.lower())
        condition = node.test if isinstance(node, nodes.If) else None
        for child in node.iter_child_nodes():
            if child is condition:
                self._condition(child, scope, depth + 1)
            else:
                self._each(child, scope, depth + 1)

    def _condition(self, node: nodes.Node, scope: Mapping[str, str], depth: int) -> None:
        """Whether a list has something in it may be asked as well."""
        if self._kind_of(node, scope) is None:
            self._each(node, scope, depth)

    def _loop(self, node: nodes.For, scope: Mapping[str, str], depth: int) -> None:
        self._loops += 1
        nested = sum(1 for name in scope if name != "loop") + 1
        if self._loops > LOOPS_MAX or nested > LOOPS_NESTED_MAX:
            self._refuse("too_many_loops", node.lineno)
        over = self._kind_of(node.iter, scope)
        if over not in ("lines", "texts") or not isinstance(node.target, nodes.Name):
            self._refuse("not_a_list", node.lineno)
        if node.recursive or node.test is not None:
            self._refuse("not_allowed", node.lineno, "for")
        inner = {**scope, node.target.name: "line" if over == "lines" else "text", "loop": "loop"}
        for child in [*node.body, *node.else_]:
            self._each(child, inner, depth + 1)

    def _filter(self, node: nodes.Filter, scope: Mapping[str, str], depth: int) -> None:
        takes_lists = node.name in ("length", "join", "first", "last")
        if node.name not in _FILTERS or node.kwargs or node.dyn_args or node.dyn_kwargs:
            self._refuse("not_allowed", node.lineno, node.name)
        if node.node is None:
            self._refuse("not_allowed", node.lineno, node.name)
        of = self._kind_of(node.node, scope)
        is_list = of == "texts" or (of == "lines" and node.name == "length")
        if not (takes_lists and is_list):
            self._each(node.node, scope, depth + 1)
        for argument in node.args:
            self._each(argument, scope, depth + 1)

    def _kind_of(self, node: nodes.Node, scope: Mapping[str, str]) -> str | None:
        """`text`, `texts`, `line`, `lines` or `loop`; None for what is no name."""
        if isinstance(node, nodes.Name):
            if node.name in scope:
                return scope[node.name]
            if node.name in _LINE_LISTS:
                return "lines"
            if node.name not in self._texts:
                self._refuse("undefined", node.lineno, node.name)
            return "text"
        if not isinstance(node, nodes.Getattr):
            return None
        owner = self._kind_of(node.node, scope)
        kind = self._attributes.get(owner or "", {}).get(node.attr)
        if kind is None:
            self._refuse("undefined", node.lineno, node.attr)
        return kind

    def _refuse(self, reason: str, line: int | None, name: str = "", said: str = "") -> NoReturn:
        line = line or 1  # the engine's own nodes have none
        rows = self._source.splitlines() or [""]
        row = rows[min(line, len(rows)) - 1]
        found = re.search(rf"\b{re.escape(name)}\b", row) if name else None
        raise TemplateRefused(
            part=self._where,
            reason=reason,
            line=line,
            column=found.start() + 1 if found else 1,
            **({"name": name[:64]} if name else {}),
            **({"said": said} if said else {}),
        )


def _parts(draft: Draft) -> list[tuple[str, str]]:
    named = [(f"parameters.{name}", source) for name, source in draft.parameters.items()]
    return [("subject", draft.subject), ("body", draft.body), *named]


def _purpose(file: Path) -> Purpose:
    content = tomllib.loads(file.read_text(encoding="utf-8"))
    channels = tuple(Channel(name) for name in content.pop("channels"))
    values, is_secret = content.pop("values", {}), content.pop("is_secret", False)
    texts = {
        (language, channel): Draft(
            subject=words["subject"],
            body=words["sms"] if channel is Channel.SMS else words["body"].lstrip("\n"),
        )
        for language, words in content.items()
        for channel in Channel
    }
    return Purpose(file.stem, channels, values, texts, is_secret)
