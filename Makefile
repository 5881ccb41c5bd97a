# One place for every chore; a person and CI run the same lines.
PYTHON ?= python3
BIN := .venv/bin
SERVE ?= 1
.DEFAULT_GOAL := help

help:  ## list these targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/' | expand -t 12

# The stamp is newer than the lock file exactly when the environment holds what the lock names.
.venv/.installed: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "leadq needs Python 3.11 or newer; name one with: make PYTHON=python3.12"; exit 2; }
	@echo "setting up .venv (once; a few minutes)"
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --disable-pip-version-check --quiet --progress-bar on --require-hashes -r requirements.lock
	$(BIN)/pip install --disable-pip-version-check --quiet --no-deps --no-build-isolation --editable .
	@touch $@

setup: .venv/.installed  ## build the virtual environment from the locked dependencies

demo: setup  ## run the main job on a simulated CRM and serve it (SERVE=0: do not serve)
	@SERVE=$(SERVE) BIN=$(BIN) sh demo.sh

check: setup  ## formatting, lint, types and import rules
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

test: check  ## everything that must hold before a commit lands
	$(BIN)/pytest

format: setup  ## rewrite the code in the house's format
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

lock: setup  ## renew requirements.lock (needs uv)
	uv pip compile --universal --generate-hashes --no-emit-index-url --no-header \
	  --python-version 3.11 --extra dev pyproject.toml -o requirements.lock

clean:  ## remove the environment, the caches and the demo
	rm -rf .venv demo .pytest_cache .mypy_cache .ruff_cache .hypothesis

.PHONY: help setup demo check test format lock clean
