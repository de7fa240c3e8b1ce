"""A connector written from the guide, into new folders only, passes the suite."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGE = Path("services/fulfillment/fulfillment")
GUIDE = ROOT / PACKAGE / "connectors/README.md"
SECONDS_MAX = 110
_BLOCK = re.compile(r"^`(\S+/acme/\S+\.py)`:\n\n```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def _written(tree: Path) -> list[Path]:
    written = []
    for name, text in _BLOCK.findall(GUIDE.read_text(encoding="utf-8")):
        path = tree / (PACKAGE / name if name.startswith("connectors/") else Path(name))
        path.parent.mkdir(exist_ok=True)
        for file in (path.parent / "__init__.py", path):
            file.touch()
            written.append(file)
        path.write_text(text, encoding="utf-8")
    return sorted(set(written))


def _files(tree: Path) -> dict[Path, bytes]:
    return {
        path: path.read_bytes()
        for path in sorted(tree.rglob("*"))
        if path.is_file() and "__pycache__" not in path.parts
    }


def test_a_connector_from_the_guide_passes_the_suite_and_touches_no_other_file(
    tmp_path: Path,
) -> None:
    leave = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / PACKAGE, tmp_path / PACKAGE, ignore=leave)
    shutil.copytree(ROOT / "tests/suppliers", tmp_path / "tests/suppliers", ignore=leave)
    shutil.copy(ROOT / "tests/__init__.py", tmp_path / "tests")
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    before = _files(tmp_path)

    written = _written(tmp_path)

    assert len(written) == 5, "the guide has lost a file of its example"
    where = os.pathsep.join([str(tmp_path / PACKAGE.parent), str(tmp_path)])
    suite = [sys.executable, "-m", "pytest", "-q", "--noconftest", "-p", "no:cacheprovider"]
    ran = subprocess.run(
        [*suite, "-p", "no:xdist", "tests/suppliers/test_conformance.py", "-k", "acme"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": where, "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        timeout=SECONDS_MAX,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout[-4_000:] + ran.stderr[-1_000:]
    assert re.search(r"\b2[0-9] passed", ran.stdout), ran.stdout[-500:]
    after = _files(tmp_path)
    assert {path: after[path] for path in before} == before
    assert sorted(set(after) - set(before)) == written
