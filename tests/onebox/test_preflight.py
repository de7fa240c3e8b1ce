"""What a machine may lack."""

import os
import sys
from pathlib import Path

import pytest

from onebox import preflight
from onebox.errors import OneboxError, ProgramMissing
from onebox.preflight import NoRoom


def program(folder: Path, name: str, script: str) -> None:
    path = folder / name
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


async def test_a_missing_java_without_the_right_to_install_says_the_command(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(folder))
    with pytest.raises(ProgramMissing) as caught:
        await preflight.ensure_programs(jars_are_there=False)
    assert str(caught.value) == (
        "default-jre-headless and maven must be installed first;"
        " run: sudo apt-get install -y default-jre-headless maven"
    )


async def test_maven_is_not_asked_for_when_the_jars_are_there(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program(folder, "java", """echo 'openjdk version "17.0.15" 2025-04-15' >&2""")
    monkeypatch.setenv("PATH", str(folder))
    await preflight.ensure_programs(jars_are_there=True)


async def test_an_old_java_is_one_sentence(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program(folder, "java", """echo 'openjdk version "11.0.2" 2019-01-15' >&2""")
    monkeypatch.setenv("PATH", str(folder))
    with pytest.raises(ProgramMissing, match="Java 17 or newer is needed"):
        await preflight.ensure_programs(jars_are_there=True)


@pytest.mark.skipif(os.geteuid() != 0, reason="installing needs root")
async def test_a_failing_installation_tells_why_and_what_to_run(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program(folder, "apt-get", "echo 'no network'; exit 100")
    monkeypatch.setenv("PATH", str(folder))
    with pytest.raises(ProgramMissing, match=r"no network\); run yourself: apt-get install"):
        await preflight.ensure_programs(jars_are_there=True)


def test_a_full_disk_is_one_sentence(folder: Path) -> None:
    with pytest.raises(NoRoom, match=r"GiB free; \d+ GiB are needed"):
        preflight.check_room(folder, bytes_min=1 << 60)


def test_an_old_python_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "version_info", (3, 10, 4))
    with pytest.raises(OneboxError, match=r"too old; 3\.11 or newer"):
        preflight.check_python()
