"""Writes the table of events in README.md from the schemas themselves: options and comments.

python proto-schemas/events_table.py            writes it
python proto-schemas/events_table.py --check    exit code 1 when it is behind
"""

import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from google.protobuf import descriptor_pb2

from lockstock.common.v1 import options_pb2

ROOT = Path(__file__).parent
README = ROOT / "README.md"
BEGIN, END = "<!-- events: begin (generated) -->", "<!-- events: end -->"
_MESSAGES = 4  # FileDescriptorProto.message_type, as SourceCodeInfo paths name it
_TOPIC_AND_KEY = re.compile(r"Topic (\S+?)(?: \(compacted\))?, key = ([^.]+)\.")
_PACKAGE = re.compile(r"^lockstock\.(\w+)\.v\d+$")


@dataclass(frozen=True, slots=True)
class EventRow:
    """One event: where it lives, what it says, who says it."""

    topic: str
    is_snapshot: bool
    key: str
    name: str
    meaning: str
    producer: str


def main(arguments: list[str]) -> int:
    """The exit code."""
    old = README.read_text(encoding="utf-8")
    new = with_table(old, table(rows(compiled())))
    if "--check" in arguments:
        if old == new:
            return 0
        sys.stderr.write("the table of events is behind: run proto-schemas/events_table.py\n")
        return 1
    README.write_text(new, encoding="utf-8")
    return 0


def compiled() -> descriptor_pb2.FileDescriptorSet:
    """All schemas, with their comments."""
    names = sorted(str(path.relative_to(ROOT)) for path in ROOT.glob("lockstock/**/*.proto"))
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "set.binpb"
        command = [sys.executable, "-m", "grpc_tools.protoc", f"-I{ROOT}", "--include_source_info"]
        # Our own compiler on our own files.
        subprocess.run([*command, f"--descriptor_set_out={out}", *names], check=True)  # noqa: S603
        return descriptor_pb2.FileDescriptorSet.FromString(out.read_bytes())


def rows(found: descriptor_pb2.FileDescriptorSet) -> Iterator[EventRow]:
    """Every message with a topic, in the order of topics."""
    for file in sorted(found.file, key=lambda file: file.name):
        package = _PACKAGE.match(file.package)
        if package is None:
            continue
        comments = {tuple(place.path): place for place in file.source_code_info.location}
        keys = dict(_TOPIC_AND_KEY.findall(_all_comments(file)))
        for number, message in enumerate(file.message_type):
            # Any: the generated stubs leave the type of an extension open.
            options: Any = message.options.Extensions
            topic = options[options_pb2.topic]
            if not topic:
                continue
            place = comments.get((_MESSAGES, number))
            meaning = _meaning(place.leading_comments if place is not None else "")
            if topic not in keys or not meaning:
                raise SystemExit(
                    f"{file.name}: {message.name} needs a comment that says what it means, and its "
                    f'file one that says "Topic {topic}, key = ..."'
                )
            yield EventRow(
                topic,
                options[options_pb2.snapshot],
                keys[topic],
                f"{file.package}.{message.name}",
                meaning,
                package[1].replace("_", "-"),
            )


def table(events: Iterator[EventRow]) -> str:
    """Markdown."""
    lines = ["| topic | key | event | meaning | producer |", "|---|---|---|---|---|"]
    before = ""
    for event in sorted(events, key=lambda event: event.topic):
        kind = " (compacted)" if event.is_snapshot else ""
        topic = f"`{event.topic}`{kind}" if event.topic != before else ""
        key = event.key if event.topic != before else ""
        name = event.name.rpartition(".")[2]
        lines.append(f"| {topic} | {key} | `{name}` | {event.meaning} | {event.producer} |")
        before = event.topic
    return "\n".join(lines)


def with_table(text: str, content: str) -> str:
    """The text with what stands between the marks replaced."""
    head, begin, rest = text.partition(BEGIN)
    _, end, tail = rest.partition(END)
    if not begin or not end:
        raise SystemExit(f"{README.name} has lost its marks: {BEGIN} ... {END}")
    return f"{head}{BEGIN}\n\n{content}\n\n{END}{tail}"


def _all_comments(file: descriptor_pb2.FileDescriptorProto) -> str:
    places = file.source_code_info.location
    return " ".join(
        _sentence(comment)
        for place in places
        for comment in (*place.leading_detached_comments, place.leading_comments)
    )


def _meaning(comment: str) -> str:
    """Where topic and key are named is not part of it: they have columns of their own."""
    return _TOPIC_AND_KEY.sub("", _sentence(comment)).strip()


def _sentence(comment: str) -> str:
    return " ".join(comment.split())


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
