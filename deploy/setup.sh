#!/usr/bin/env bash
# Makes .venv from the lock file with hashes, then installs our own packages as editables.
# Needs Python 3.11 or newer; installs what else is missing by apt where it may (root or sudo).
set -euo pipefail
cd "$(dirname "$0")/.."

say() { printf 'setup: %s\n' "$*"; }

apt_install() {
  local as_root=()
  if [ "$(id -u)" != 0 ]; then
    if ! sudo -n true 2>/dev/null; then
      say "$1 is missing; run: sudo apt-get install -y $1"
      exit 1
    fi
    as_root=(sudo -n)
  fi
  say "installing $1"
  "${as_root[@]}" apt-get -qq update
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
    apt-get -qq install -y --no-install-recommends "$1" >/dev/null
}

python=""
for candidate in "${PYTHON:-}" python3.11 python3.12 python3.13 python3; do
  if [ -n "$candidate" ] && command -v "$candidate" >/dev/null &&
    "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then
    python="$candidate"
    break
  fi
done
if [ -z "$python" ]; then
  say "Python 3.11 or newer is needed; run: sudo apt-get install -y python3.11 python3.11-venv"
  exit 1
fi

if ! .venv/bin/python -c '' 2>/dev/null; then
  if ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
    apt_install "$("$python" -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])')"
  fi
  say "creating .venv with $("$python" --version)"
  "$python" -m venv .venv
fi

members=()
for project in libs/*/pyproject.toml services/*/pyproject.toml deploy/onebox/pyproject.toml; do
  members+=(-e "$(dirname "$project")")
done
if [ -x .venv/bin/uv ]; then
  install=(.venv/bin/uv pip install -q -p .venv/bin/python)
else
  install=(.venv/bin/python -m pip install -q --disable-pip-version-check)
fi
say "installing the locked packages (a minute the first time)"
"${install[@]}" --require-hashes -r requirements-dev.lock
say "installing our own packages"
"${install[@]}" --no-deps --no-build-isolation "${members[@]}"
say "looking for Java and the Kafka jars"
.venv/bin/python -m onebox install
touch .venv/.stamp
say "done"
