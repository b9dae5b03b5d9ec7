# Tieout. `make help` lists what there is; nothing but Python 3.11-3.13 and make is needed.
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory

VENV ?= .venv
BIN  := $(VENV)/bin
STAMP := $(VENV)/.installed
TIEOUT_HOME ?= .tieout
export TIEOUT_HOME
# No tool that we start calls home.
export DO_NOT_TRACK := 1
export DBT_SEND_ANONYMOUS_USAGE_STATS := false
export DAGSTER_DISABLE_TELEMETRY := true
export PIP_DISABLE_PIP_VERSION_CHECK := 1

# Without its bytecode every process compiles Dagster and dbt anew, which takes seconds.
unexport PYTHONDONTWRITEBYTECODE

# The first interpreter of a supported version; PYTHON=... overrides.
SUPPORTED := import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11 python; do \
	$$p -c '$(SUPPORTED)' 2>/dev/null && { echo $$p; break; }; done)

.PHONY: help venv demo ui test test-all lint check format docs bench bench-peers conformance spark lock clean

help: ## list the targets
	@awk 'BEGIN {FS = ":.*## "} /^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

venv: $(STAMP) ## build .venv from requirements.lock (done by every other target)

$(STAMP): requirements.lock pyproject.toml
	@test -n "$(PYTHON)" || { echo "make: no Python 3.11, 3.12 or 3.13 found; install one or say make PYTHON=/path/to/python3"; exit 2; }
	@$(PYTHON) -c '$(SUPPORTED)' || { echo "make: $(PYTHON) is not Python 3.11, 3.12 or 3.13"; exit 2; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) || { echo "make: '$(PYTHON) -m venv' failed; on Debian install python3-venv"; rm -rf $(VENV); exit 2; }
	@echo "installing the locked dependencies into $(VENV)"
	@# A pinned uv, taken from the same lock, installs the rest in seconds; pip does the same slowly.
	@awk '/^uv==/ {on = 1} on {print} on && !/\\$$/ {exit}' requirements.lock > $(VENV)/uv.lock
	@{ $(BIN)/python -m pip install --quiet --no-deps --require-hashes -r $(VENV)/uv.lock \
	   && $(BIN)/uv pip sync --quiet --python $(BIN)/python --require-hashes requirements.lock; } \
	 || { echo "uv could not; falling back to pip"; \
	      $(BIN)/python -m pip install --quiet --no-deps --require-hashes -r requirements.lock; }
	@{ $(BIN)/uv pip install --quiet --python $(BIN)/python --offline --no-deps --no-build-isolation -e . \
	   || { $(BIN)/python -m ensurepip --upgrade >/dev/null 2>&1; \
	        $(BIN)/python -m pip install --quiet --no-deps --no-build-isolation -e .; }; }
	@touch $@

demo: venv ## the whole job against the built-in simulator, over real HTTP; ends with one screen
	@$(BIN)/tieout demo

ui: venv ## Dagster's UI (dg dev) on the same home
	@$(BIN)/tieout ui

# Tests of one file, or of one build, stay on one worker in the order that tests/conftest.py gives.
WORKERS ?= 2
PYTEST = $(BIN)/python -m pytest -n $(WORKERS) --dist loadscope --no-loadscope-reorder

test: venv ## all tests but the slow ones, in two processes (WORKERS=0: in one)
	@$(PYTEST)

# Soaks fill the machine by themselves.
test-all: WORKERS := 0
test-all: venv ## every test: soaks, packaging and browser tests too
	@$(PYTEST) -m "slow or not slow"

lint: venv ## ruff, ruff format, mypy --strict, import-linter, sqlfluff
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/sqlfluff lint --processes 2 --disable-progress-bar dbt/models dbt/tests

check: lint test ## what CI runs: lint, then test

format: venv ## let ruff rewrite
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

docs: venv ## write docs/data_dictionary.md from the dbt project
	@$(BIN)/dbt --quiet parse --project-dir dbt --profiles-dir dbt --target-path ../build/dbt --log-path build/dbt
	@$(BIN)/python -m dagster_project.dictionary build/dbt/manifest.json > docs/data_dictionary.md

bench: venv ## measure; prints figures, asserts nothing (BENCH="receipts packets" for some)
	@$(BIN)/python -m tests.bench $(BENCH)

# Their pandas differs from ours, so they live in an environment of their own; nothing here is locked.
PEERS := build/peers
bench-peers: venv ## pandas and datacompy on the bench world beside the models
	@$(BIN)/uv venv --quiet --allow-existing $(PEERS)
	@$(BIN)/uv pip install --quiet --python $(PEERS)/bin/python datacompy polars pandas pyarrow duckdb==2.0.0
	@rm -rf build/bench-world
	@$(BIN)/python -m tests.bench.reconciliation 910000 build/bench-world
	@$(PEERS)/bin/python tests/bench/peers.py build/bench-world
	@rm -rf build/bench-world

# Pinned; it comes from npm and is not part of this repository.
STRIPE_CLI_VERSION := 1.52.0
STRIPE_CLI := build/stripe-cli

conformance: venv ## Stripe's own CLI (npm) against the simulator, then the ledger's identities
	@command -v npm >/dev/null || { echo "make: npm not found; install Node.js 18 or later"; exit 2; }
	@npm install --silent --no-audit --no-fund --no-save --ignore-scripts --prefix $(STRIPE_CLI) @stripe/cli@$(STRIPE_CLI_VERSION)
	@$(BIN)/python -m tests.conformance $(STRIPE_CLI)/node_modules/.bin/stripe

# Half a gigabyte that few need, so it lives in an environment of its own; only its Spark is not locked.
SPARK := build/spark
spark: venv ## the scenarios on Apache Spark (Java 17), every row compared with DuckDB's
	@command -v java >/dev/null || { echo "make: java not found; install Java 17 or later"; exit 2; }
	@$(BIN)/uv venv --quiet --allow-existing --python $(BIN)/python $(SPARK)
	@$(BIN)/uv pip sync --quiet --python $(SPARK)/bin/python --require-hashes requirements.lock
	@$(BIN)/uv pip install --quiet --python $(SPARK)/bin/python 'dbt-spark>=1.11,<1.12' 'pyspark>=4.0,<5'
	@$(BIN)/uv pip install --quiet --python $(SPARK)/bin/python --offline --no-deps --no-build-isolation -e .
	@$(SPARK)/bin/python -m pytest -m slow tests/warehouse/test_spark.py

lock: venv ## resolve requirements.lock again from the ranges in pyproject.toml
	@$(BIN)/uv pip compile pyproject.toml --quiet --extra full --extra dev --universal --python-version 3.11 \
	  --generate-hashes --no-emit-index-url --no-header --output-file requirements.lock

clean: ## remove caches and the venv; the home (.tieout) stays
	@rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache build dist
	@find . -name __pycache__ -type d -not -path './.git/*' -prune -exec rm -rf {} +
