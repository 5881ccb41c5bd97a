# One place for every chore; a person and CI run the same lines.
PYTHON ?= python3
BIN := .venv/bin
LEADQ := LEADQ_HOME=demo/.leadq $(BIN)/leadq
SERVE ?= 1
# The day so many days ago. With an end of yesterday sales has leads to call today, and the report
# of this week something to tell.
DAYS_AGO = $$($(BIN)/python -c 'import datetime as d; print(d.date.today() - d.timedelta($(1)))')
KERNEL := features/_texts.so serving/_kernel.so
.DEFAULT_GOAL := setup

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

# The installation compiles our own C too; this rule does when a source was changed since.
$(KERNEL) &: $(wildcard features/*.c serving/*.c) features/compiled.py serving/build_kernel.py | .venv/.installed
	$(BIN)/python -m serving.build_kernel

kernel: $(KERNEL)  ## compile leadq's own C (needs a C compiler)

setup: .venv/.installed $(KERNEL)  ## build the virtual environment from the locked dependencies

demo: setup  ## run the main job on a simulated CRM and serve it (SERVE=0: do not serve)
	rm -rf demo && mkdir demo
	@echo "1. A simulated CRM writes 24 months of leads with outcomes"
	$(LEADQ) simulate -o demo/crm --leads 20000 --months 24 --set end=$(call DAYS_AGO,1)
	@echo "2. An agreement is proposed from its export; both sides add who gets which leads, and sign it"
	$(LEADQ) init demo/crm/export.csv -o demo/agreement.toml --yes
	cat docs/demo-routing.toml >> demo/agreement.toml
	$(LEADQ) sign -a demo/agreement.toml --side sales --as "Kim Berg"
	$(LEADQ) sign -a demo/agreement.toml --side marketing --as "Lee Park"
	@echo "3. Three experiments are trained and compared"
	$(LEADQ) train demo/crm/export.csv -a demo/agreement.toml --recipe logistic --name logistic
	$(LEADQ) train demo/crm/export.csv -a demo/agreement.toml --recipe trees --name trees
	$(LEADQ) train demo/crm/export.csv -a demo/agreement.toml --recipe blend --name blend
	$(LEADQ) compare --json | tee demo/compare.txt | sed '$$d'
	@echo "4. The first stays champion unless another is shown to be better"
	$(LEADQ) promote $$(tail -n 1 demo/compare.txt | $(BIN)/python -c 'import json, sys; print(json.load(sys.stdin)["best"])')
	@echo "5. A nightly export is scored"
	$(LEADQ) score demo/crm/nightly.csv -o demo/scored.csv -a demo/agreement.toml || [ $$? -eq 3 ]  # 3: done, and unusual
	@echo "6. Hand-offs, what sales said and what campaigns cost come in"
	$(LEADQ) handoff demo/crm/handoffs.csv -a demo/agreement.toml
	$(LEADQ) feedback demo/crm/feedback.csv -a demo/agreement.toml
	$(LEADQ) spend demo/crm/spend.csv -a demo/agreement.toml
	@echo "7. The leads of the history get a score, and the best of today go to sales"
	$(LEADQ) score demo/crm/export.csv -o demo/scored-history.csv -a demo/agreement.toml || [ $$? -eq 3 ]  # 3: done, and unusual
	$(LEADQ) queue --hand-over -a demo/agreement.toml
	@echo "8. A model of eight months ago says what it would have said of the leads since, so that proposals can be tried"
	$(LEADQ) train demo/crm/export.csv -a demo/agreement.toml --as-of $(call DAYS_AGO,240) --preset fast --name "eight months ago"
	@echo "done: the scores are in demo/scored.csv, a report of each training in demo/.leadq/reports"
	@if [ "$(SERVE)" != 0 ]; then $(MAKE) --no-print-directory demo-serve; fi

demo-serve:  ## serve the demo: the API on port 8000, MLflow's page on port 5000
	@echo "9. The API, the pages and MLflow start; stop them with Ctrl-C"
	@echo "   pages:           the address below that signs in: queue, campaigns, report and more"
	@echo "   score a lead:    curl -s http://127.0.0.1:8000/v1/score -H 'content-type: application/json' \\"
	@echo "                      -d '{\"id\": \"web-1\", \"industry\": \"Software\", \"form_type\": \"Demo request\", \"visits\": 7}'"
	@echo "   API, described:  http://127.0.0.1:8000/docs"
	@echo "   MLflow:          http://127.0.0.1:5000"
	@trap 'trap - INT TERM EXIT; echo stopped; kill 0' INT TERM EXIT; $(LEADQ) compare --open > demo/mlflow.log 2>&1 & \
	  LEADQ_SERVE__MLFLOW=http://127.0.0.1:5000 $(LEADQ) serve --no-keys -a demo/agreement.toml

check: setup  ## formatting, lint, types and import rules
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# The tests of the store run on a real PostgreSQL, which they start by themselves.
postgres:  ## install PostgreSQL for the tests where it is missing (Debian)
	@command -v postgres initdb >/dev/null || ls /usr/lib/postgresql/*/bin/postgres >/dev/null 2>&1 \
	  || { apt-get update -q && apt-get install -y -q --no-install-recommends postgresql; }

cron:  ## install cron for the tests where it is missing (Debian)
	@command -v cron >/dev/null \
	  || { apt-get update -q && apt-get install -y -q --no-install-recommends cron; }

# Spark's executors are started for real.
java:  ## install Java for the tests where it is missing (Debian)
	@command -v java >/dev/null \
	  || { apt-get update -q && apt-get install -y -q --no-install-recommends openjdk-17-jre-headless; }

# The pages are tried in a real browser; playwright's own cannot be had from a package registry.
chromium:  ## install Chromium for the tests where it is missing (Debian)
	@command -v chromium >/dev/null \
	  || { apt-get update -q && apt-get install -y -q --no-install-recommends chromium; }

test: check postgres cron java chromium  ## everything that must hold before a commit lands
	$(BIN)/pytest -n auto --maxprocesses 4 --dist loadfile

format: setup  ## rewrite the code in the house's format
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

lock: setup  ## renew requirements.lock (needs uv)
	uv pip compile --universal --generate-hashes --no-emit-index-url --no-header \
	  --python-version 3.11 --extra dev pyproject.toml -o requirements.lock

clean:  ## remove the environment, the caches and the demo
	rm -rf .venv demo .pytest_cache .mypy_cache .ruff_cache .hypothesis
	rm -f $(KERNEL)

.PHONY: help kernel setup demo demo-serve check java postgres chromium cron test format lock clean
