# One file of verbs. `make help` explains each; the work itself is in the scripts they call.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

BIN := .venv/bin
PYTHON := $(BIN)/python
HOME_DIR ?= .lockstock
WORKERS ?= 3
PROTOS = $(shell cd proto-schemas && find lockstock -name '*.proto')
MEMBERS := $(wildcard libs/*/pyproject.toml services/*/pyproject.toml) deploy/onebox/pyproject.toml
CODE := libs services deploy tests examples proto-schemas

##@ Run it

setup: .venv/.stamp ## make .venv from the lock file, find or install Java and Kafka's jars

.venv/.stamp: requirements-dev.lock deploy/setup.sh deploy/kafka/pom.xml $(MEMBERS)
	@deploy/setup.sh

run: setup ## start everything on this machine and show one log (Ctrl-C stops it)
	@exec $(PYTHON) -m onebox up --home $(HOME_DIR)

start: setup ## like run, but in the background: returns when everything is ready
	@exec $(PYTHON) -m onebox up --detach --home $(HOME_DIR)

status: setup ## what runs, its process ids and URLs
	@$(PYTHON) -m onebox status --home $(HOME_DIR)

ask: setup ## a command of a service of the running set: make ask S=order DO="dead-letters"
	@$(PYTHON) -m onebox ask --home $(HOME_DIR) $(S) $(DO)

stop: setup ## end a running set in good order
	@$(PYTHON) -m onebox down --home $(HOME_DIR)

demo: setup ## sell 30 orders against a running set and show what became of them
	@$(PYTHON) examples/demo.py --demo-file $(HOME_DIR)/demo.json

clean: ## delete the data in .lockstock (asks; CONFIRM=1 does not) and all caches
	@if [ -x $(PYTHON) ]; then $(PYTHON) -m onebox clean --home $(HOME_DIR) $(if $(filter 1,$(CONFIRM)),--yes); fi
	@rm -rf .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache deploy/kafka/target
	@find $(CODE) -name __pycache__ -type d -prune -exec rm -rf {} +

kafka: setup ## fetch the jars of the embedded Kafka again
	@rm -rf deploy/kafka/lib
	@$(PYTHON) -m onebox install

secrets: ## make the secret files that docker compose hands to the containers (once)
	@deploy/make-secrets.sh

##@ Check it

test: setup ## every test; each of WORKERS=3 starts its own PostgreSQL and Kafka
	@$(PYTHON) -m onebox install --browser
	@# Each test that starts a service would else compile its sources anew.
	@$(PYTHON) -m compileall -q libs services deploy/onebox
	@env -u PYTHONDONTWRITEBYTECODE $(PYTHON) -m pytest -q -n $(WORKERS) --dist loadfile $(ARGS)

check: lint types imports proto-check ## every gate: style, types, layers, schemas

lint: setup ## style and formatting
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .

types: setup ## mypy, strict
	@$(BIN)/mypy $(CODE)

imports: setup ## who may import whom
	@$(BIN)/lint-imports

bench: setup ## benchmarks, as ratios against this machine's own ceiling
	@$(PYTHON) -m tests.benchmarks $(ARGS)

##@ Change it

format: setup ## let ruff format the code and sort the imports
	@$(BIN)/ruff check -q --fix .
	@$(BIN)/ruff format .

proto: setup ## generate the Python of the event schemas into libs/schemas
	@$(PYTHON) -m grpc_tools.protoc -I proto-schemas --python_out=libs/schemas \
	  --pyi_out=libs/schemas $(PROTOS)
	@$(PYTHON) proto-schemas/events_table.py
	@$(PYTHON) -m tests.contracts.golden

proto-check: setup ## schemas: style, no breaking change, generated code and table up to date
	@proto-schemas/check.sh

docs: setup ## the tables of the READMEs: settings, events
	@$(PYTHON) -m onebox.settings_table README.md
	@$(PYTHON) proto-schemas/events_table.py

lock: setup ## resolve requirements*.in into the lock files with hashes
	@test -x $(BIN)/uv || $(PYTHON) -m pip install -q uv
	@for name in requirements requirements-dev; do \
	  $(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes \
	    --no-emit-index-url --no-header --no-annotate $$name.in -o $$name.lock; done

help: ## this list
	@awk 'BEGIN {FS = ":.*## "} /^##@/ {printf "\n%s\n", substr($$0, 5)} \
	  /^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: setup run start status ask stop demo clean kafka secrets test check lint types imports bench format \
  proto proto-check docs lock help
