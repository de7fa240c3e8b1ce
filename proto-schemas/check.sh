#!/usr/bin/env bash
# Every gate of the event schemas; prints what is wrong and exits with 1.
# BIN names the folder of the tools (default: the environment that `make setup` makes).
set -euo pipefail
cd "$(dirname "$0")/.."
bin=${BIN:-.venv/bin}

"$bin/buf" lint proto-schemas
"$bin/buf" breaking proto-schemas --against proto-schemas/baseline.binpb

fresh=$(mktemp -d)
trap 'rm -rf "$fresh"' EXIT
mapfile -t protos < <(cd proto-schemas && find lockstock -name '*.proto' | sort)
"$bin/python" -m grpc_tools.protoc -I proto-schemas \
  --python_out="$fresh" --pyi_out="$fresh" "${protos[@]}"
if ! diff -r -x __pycache__ -x py.typed -x __init__.py "$fresh/lockstock" libs/schemas/lockstock; then
  echo "the generated code is behind: run make proto" >&2
  exit 1
fi
"$bin/python" proto-schemas/events_table.py --check
