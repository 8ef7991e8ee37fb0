# Every target sets up what it needs: `make synth` on a fresh clone is enough. A second run sets up nothing.

PYTHON ?= python3
VENV := .venv
PY := $(VENV)/bin/python
READY := $(VENV)/.ready node_modules/.ready

# npm keeps what it loads in this folder, not in the home folder, which a container may not have.
export npm_config_cache := $(CURDIR)/.cache/npm

.DEFAULT_GOAL := help
.PHONY: help setup synth check test slowtest right cluster-test lint verify format bench imports lock clean
.DELETE_ON_ERROR:

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: $(READY) ## install the pinned Python packages, Node and cdk8s-cli into this folder

synth: $(READY) ## compile the charts into deploy/
	@$(VENV)/bin/cdk8s synth

check: $(VENV)/.ready ## say how deploy/ differs from the charts; write nothing
	@$(PY) -m scripts check

# Of what the tests import, Python keeps the compiled code, also where a person's shell tells it not to.
test slowtest: export PYTHONDONTWRITEBYTECODE =

# MORE is what else pytest is told: make test MORE=tests/synth
test: $(READY) ## run the tests, but for the slow ones
	@$(PY) -m pytest -n auto --dist worksteal -m 'not slow' $(MORE)

slowtest: $(READY) ## run the slow tests: with OpenTofu and the judges of make verify, and every edit in every environment
	@$(PY) -m pytest -n auto --dist worksteal -m slow

right: $(READY) ## take right edits, many at once, through the whole gate in copies of the project
	@$(PY) -m tests.right.batch

cluster-test: $(READY) ## let Flux apply what is committed in a real cluster, and try every scenario (Linux, as root)
	@$(PY) -m scripts proof

lint: $(VENV)/.ready ## ruff (lint and format) and mypy --strict
	@$(VENV)/bin/ruff check
	@$(VENV)/bin/ruff format --check
	@$(VENV)/bin/mypy

verify: $(READY) ## let an API server, kustomize, istioctl, checkov and others judge what is committed
	@$(PY) -m scripts verify

format: $(VENV)/.ready ## format the Python with ruff
	@$(VENV)/bin/ruff check --fix --exit-zero --quiet
	@$(VENV)/bin/ruff format

bench: $(READY) ## measure a compile against cdk8s alone, many apps against plain cdk8s, and an object
	@$(PY) -m scripts bench

imports: $(READY) ## generate imports/ again from imports/crds/, without a network
	@$(VENV)/bin/cdk8s import

lock: $(VENV)/.ready ## compile requirements.in, what tools/ has and package.json into lock files (needs the network)
	@test -x .cache/lock/bin/uv || { $(PYTHON) -m venv .cache/lock && .cache/lock/bin/pip install --quiet uv==0.13.9; }
	@for lock in requirements tools/browser tools/checkov tools/envoy tools/wiki; do \
	  .cache/lock/bin/uv pip compile $$lock.in --output-file $$lock.txt --quiet \
	    --universal --python-version 3.11 --generate-hashes --custom-compile-command 'make lock' || exit; \
	done
	@$(VENV)/bin/npm install --package-lock-only

clean: ## remove everything that make installed or that is not committed output
	@rm -rf $(VENV) node_modules dist .cache .mypy_cache .pytest_cache .ruff_cache

# $(call step,what is done,command,what to look at when it fails)
define step
	@echo "setup: $(1)"
	@$(2) || { echo "setup: failed at: $(1). $(3)" >&2; exit 3; }
endef

$(VENV)/.ready: requirements.txt
	$(call step,Python 3.11 or newer,$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3$(,) 11))',\
	  $(PYTHON) is missing or too old: name a newer one with make PYTHON=python3.12 ...)
	$(call step,virtual environment $(VENV),$(PYTHON) -m venv --clear $(VENV),\
	  On Debian and Ubuntu the module comes with: apt install python3-venv)
	$(call step,pip install -r requirements.txt (cdk8s$(,) Node 24$(,) the test tools),\
	  $(VENV)/bin/pip install --quiet --disable-pip-version-check -r requirements.txt,\
	  The lines above say why; a missing network is the usual reason.)
	@ln -sf ../../scripts/cdk8s $(VENV)/bin/cdk8s
	@touch $@

node_modules/.ready: $(VENV)/.ready package.json package-lock.json .npmrc
	$(call step,npm ci (cdk8s-cli),$(VENV)/bin/npm ci --loglevel=error --no-progress >/dev/null,\
	  The lines above say why; a missing network is the usual reason.)
	@touch $@

, := ,
