# cs-bot: `make help` lists what there is. Everything runs in .venv, made by the first target that needs it.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.ready
QWEN := $(VENV)/.ready-qwen
ENGINE ?=
EXTRAS := lite,postgres,embedded,dev
JOBS ?= 2

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
# torch only for those who ask for an engine that needs it
ENGINE_STAMP := $(if $(filter qwen tiny,$(ENGINE)),$(QWEN),$(STAMP))
INSTALL := $(BIN)/python -m pip install --disable-pip-version-check --progress-bar off -c constraints.txt
SHOW := awk '/^Collecting/ { printf "      %3d %s\n", ++n, $$2; fflush() } /^Installing/ { print "      installing"; fflush() }'
.PHONY: help setup demo up test check check-full bench lint types format clean

help: ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sort | sed -E 's/:.*## /\t/' | awk -F'\t' '{printf "  make %-12s %s\n", $$1, $$2}'

setup: $(STAMP) ## make .venv with the pinned versions

$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "cs-bot needs Python 3.11 or newer: make setup PYTHON=/path/to/python3.11"; exit 1; }
	@echo "[1/3] virtual environment in $(VENV)"
	@$(PYTHON) -m venv $(VENV)
	@echo "[2/3] pinned packages (about 600 MB on disk; the first time takes a minute or two)"
	@$(INSTALL) -e ".[$(EXTRAS)]" | $(SHOW)
	@echo "[3/3] ready"
	@touch $@

$(QWEN): $(STAMP)
	@echo "[+] packages of the engine qwen (about 1 GB on disk, with a CUDA build of torch 6 GB)"
	@$(INSTALL) -e ".[qwen]" | $(SHOW)
	@touch $@

demo: $(ENGINE_STAMP) ## the main job on real input: a simulated shop platform, no GPU, no account (ENGINE=tiny: a small network looks)
	@$(BIN)/cs-bot demo $(if $(ENGINE),--engine $(ENGINE))

up: $(ENGINE_STAMP) ## run everything on this machine with your settings (ENGINE=qwen: with that engine)
	@$(if $(ENGINE),CSBOT_ENGINE=$(ENGINE) )$(BIN)/cs-bot up

test: $(QWEN) ## all tests, against a real redis-server and a real PostgreSQL
	@$(BIN)/python -m pytest -n $(JOBS) --dist worksteal -q

lint: $(STAMP) ## ruff
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .

types: $(STAMP) ## mypy, strict
	@$(BIN)/mypy

format: $(STAMP) ## put the code into shape
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

check: lint types test ## what CI runs: lint, types, tests with slices of the long bars

check-full: check ## the long bars, whole; writes docs/measured/
	@$(BIN)/python -m pytest -q -m full -p no:cacheprovider

bench: $(QWEN) ## the figures of docs/measured, each beside its baseline
	@for script in benchmarks/[a-z]*.py; do echo "== $$script"; $(BIN)/python $$script || exit 1; done

clean: ## remove what make made
	rm -rf $(VENV) var build *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
