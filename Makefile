# `make up` starts everything; `make test` proves it. Needed: git, make, Python 3.11 or later with venv.

PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV   ?= .venv
ARGS   ?=
# How long make fuzz looks for scripts that go wrong.
FUZZ_SECONDS ?= 300
# How long make soak kills.
SOAK_SECONDS ?= 600

BIN   := $(VENV)/bin
PIP   := $(BIN)/python -m pip --disable-pip-version-check --quiet
READY := $(VENV)/.picloud-ready
DEV   := $(VENV)/.picloud-dev-ready

.DEFAULT_GOAL := help
.PHONY: help up test lint format fuzz soak bench bench-rhai docs lock clean

help: ## list what can be made
	@grep -hE '^[a-z][a-z-]*:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | expand -t 14

up: $(READY) ## install if needed, and start the whole platform; Ctrl-C stops it (ARGS="--listen 0.0.0.0:8000 …")
	@exec $(BIN)/picloud up $(ARGS)

test: lint ## check the code, and run all tests on an embedded PostgreSQL (ARGS="tests/unit -k name")
	$(BIN)/python -m tests $(ARGS)

lint: $(DEV) ## check style, formatting and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(DEV) ## format all code
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

fuzz: $(DEV) ## run the tests that make up their own cases with many more, and look for bad scripts (FUZZ_SECONDS=300)
	$(BIN)/python -m pytest -m hypothesis --hypothesis-profile=fuzz $(ARGS)
	$(BIN)/python -m tests.rhai.fuzz --seconds $(FUZZ_SECONDS)

soak: $(DEV) ## all kinds of triggers under load while everything is killed, then judge the log (SOAK_SECONDS=600, ARGS="--seed 2")
	$(BIN)/python -m tests.soak --seconds $(SOAK_SECONDS) $(ARGS)

bench: $(DEV) ## measure, as ratios within one run
	$(BIN)/python -m tests.benchmarks $(ARGS)

bench-rhai: $(DEV) ## measure Rhai programs against the same written in Python (ARGS="--only sieve --limits")
	$(BIN)/python -m tests.benchmarks.rhai $(ARGS)

# The stamps depend on the locks alone: the code itself is installed as a link to this folder.
$(BIN)/pip:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "PiCloud needs Python 3.11 or later; found %s. Say which one: make PYTHON=/path/to/python3" % sys.version.split()[0])'
	$(PYTHON) -m venv $(VENV)

$(READY): requirements.lock setup.cfg pyproject.toml | $(BIN)/pip
	$(PIP) install -r requirements.lock
	$(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@

$(DEV): requirements-dev.lock $(READY)
	$(PIP) install -r requirements-dev.lock
	@touch $@

docs: $(READY) ## write the pages that are made from the code
	$(BIN)/python ops/document_settings.py

lock: ## pin the newest versions that setup.cfg allows
	$(PYTHON) ops/lock.py

clean: ## remove the virtual environment and everything that tools leave behind; data folders stay
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis .schemathesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
