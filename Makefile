# Everything a newcomer needs is `make demo` and `make test`; `make help` lists the rest.
# Each target makes its own .venv and installs into it what it needs, once.

SHELL := /bin/sh
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.SUFFIXES:
.PHONY: help demo test pytest lint style types format bench soak agents sdks integrations fleet docs screenshots dist clean .another

# The first of these that runs, is 3.11 or newer and can make a virtual environment: the newest.
# `make test PYTHON=/path/to/python` chooses another.
PYTHON ?=
NEWEST_FIRST := $(patsubst %,python3.%,19 18 17 16 15 14 13 12 11)
PYTHONS := $(if $(PYTHON),"$(PYTHON)",$(NEWEST_FIRST) python3)

VENV := .venv
BIN := $(VENV)/bin
# Every folder of Python that is there; mypy stops at a name that is not.
CODE := $(wildcard src tests bench examples tools)
# A test process more than the machine has cores, because tests wait for servers, browsers and
# children for a quarter of their time; `make test JOBS=0` runs all in one.
JOBS ?= $(shell expr $$(getconf _NPROCESSORS_ONLN) + 1)
PYTEST_ARGS ?=

# A PYTHONPATH of the caller's would put other code before the checkout's.
unexport PYTHONPATH
unexport PYTHONHOME
export PIP_DISABLE_PIP_VERSION_CHECK := 1

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

demo: $(VENV)/.installed-cli ## run the example workflow and show the review of what it recorded
	@$(BIN)/m31 demo

# The types take one core for half a minute: beside the tests, not before them.
test: style ## everything CI checks: style, types, floors, tests
	@$(MAKE) --no-print-directory -j 2 types pytest

pytest: $(VENV)/.installed-dev ## the tests only
	$(BIN)/python -m pytest -q -n $(JOBS) --dist worksteal $(PYTEST_ARGS)

lint: style types ## style and types only

style: $(VENV)/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.installed-dev
	$(BIN)/mypy $(CODE)

format: $(VENV)/.installed-dev ## lay the code out and mend what can be mended
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(VENV)/.installed-bench ## measure what recording costs, beside other libraries
	$(BIN)/python -m bench

soak: $(VENV)/.installed-dev ## the full counts of crashes, mutations and examples: minutes
	$(BIN)/python -m pytest -m soak -s $(PYTEST_ARGS)

agents: $(VENV)/.installed-dev .agents/.installed .agents/.exporters ## real agents against a scripted model: 1.6 GB
	M31_AGENTS=.agents $(BIN)/python -m pytest -q -m agents tests/agents $(PYTEST_ARGS)

# Each by its version: a plain name takes one that is years old where Node is not the newest.
.agents/.installed: Makefile
	npm install --prefix .agents --force --no-audit --no-fund @anthropic-ai/claude-code@2.1.332 \
	  @openai/codex@0.171.0 @google/gemini-cli@0.61.0 @qwen-code/qwen-code@0.24.4 \
	  @github/copilot@1.0.102 opencode-ai@1.18.33
	@touch $@

# What programs in JavaScript send with.
.agents/.exporters: .agents/.installed
	npm install --prefix .agents --no-audit --no-fund @opentelemetry/sdk-trace-base@2.12.1 \
	  @opentelemetry/exporter-trace-otlp-proto@0.223.1 \
	  @opentelemetry/exporter-trace-otlp-http@0.223.1
	@touch $@

# The oldest releases that are supported, as far as they go together, and the newest there are:
# `rm -rf .sdks` has those installed anew.
SDKS_oldest := openai==1.66.0 anthropic==0.60.0 opentelemetry-sdk==1.36.0 langchain-core==0.3.86 \
  langgraph==0.3.34 langchain-openai==0.3.8 langchain-anthropic==0.3.18
SDKS_oldest-agents := openai-agents==0.2.6 openai==1.99.9 pydantic-ai-slim[openai]==1.0.0 \
  opentelemetry-sdk==1.36.0
SDKS_newest := openai anthropic opentelemetry-sdk langchain-core langgraph langchain-openai \
  langchain-anthropic openai-agents pydantic-ai-slim[openai]
SDKS := oldest oldest-agents newest

sdks: $(SDKS:%=.sdks/%/.installed) ## Python SDKs, oldest and newest, against a local server: 900 MB
	@for one in $(SDKS); do \
	  echo "SDKs: $$one"; \
	  .sdks/$$one/bin/python -m pytest -q -m sdks -W ignore::ResourceWarning tests/sdks \
	    $(PYTEST_ARGS) || exit 1; \
	done

.sdks/%/.installed: Makefile | $(BIN)/python
	$(BIN)/python -m venv --clear .sdks/$*
	.sdks/$*/bin/python -m pip install --quiet --editable . hypothesis pytest $(SDKS_$*)
	@touch $@

# rotel, a receiver of OTLP, has wheels for some Pythons alone: without it its tests are skipped.
integrations: $(VENV)/.installed-dev .integrations/.unpacked ## export to real receivers, of Debian and PyPI: 90 MB
	-$(BIN)/python -m pip install --quiet --pre rotel==0.0.1a15
	$(BIN)/python -m pytest -q -m integrations tests/integrations $(PYTEST_ARGS)

# Nothing is installed: packages, which need no others, are downloaded and unpacked here.
.integrations/.unpacked: Makefile
	rm -rf .integrations && mkdir .integrations
	cd .integrations && apt-get download prometheus prometheus-pushgateway && \
	  for package in *.deb; do dpkg -x "$$package" . || exit 1; done
	@touch $@

fleet: $(VENV)/.installed-dev .fleet/.unpacked ## push to and ask real ClickHouse servers, of Debian: 16 MB
	$(BIN)/python -m pytest -q -m 'fleet and not soak' tests/fleet $(PYTEST_ARGS)

# Nothing is installed, and no service started: what is needed, and not here, is unpacked.
define into_fleet
cd .fleet && needed=$$(apt-get install --simulate --no-install-recommends $(1)) && \
  apt-get download $$({ echo "$$needed" | awk '/^Inst/ { print $$2 }'; printf '%s\n' $(1); } | sort -u) && \
  for package in *.deb; do dpkg -x "$$package" . && rm "$$package" || exit 1; done
endef

.fleet/.unpacked: Makefile
	rm -rf .fleet && mkdir .fleet
	$(call into_fleet,clickhouse-server clickhouse-common)
	@touch $@

# For replicas, which `make soak` tries where this is there; Java has to be: 32 MB.
.fleet/.zookeeper: .fleet/.unpacked
	$(call into_fleet,zookeeper)
	@touch $@

docs: $(VENV)/.installed-docs ## build the documentation into site/; a dead link fails
	$(BIN)/mkdocs build --strict

screenshots: $(VENV)/.installed-dev ## draw the pictures of docs and README anew (needs Chromium)
	@$(BIN)/python -m tools.screenshots

dist: $(VENV)/.installed-dev ## build the wheel and the sdist into dist/
	rm -rf dist
	$(BIN)/python -m build

clean: ## remove everything that these targets made
	rm -rf $(VENV) .venv-3.* .agents .integrations .fleet .sdks dist build site .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find $(CODE) -name __pycache__ -type d -prune -exec rm -rf {} +

# pyproject.toml newer than the stamp: what is needed may have changed, so install again.
$(VENV)/.installed-%: pyproject.toml $(BIN)/python
	@echo "$(VENV): installing what the extra '$*' needs"
	@$(BIN)/python -m pip install --quiet --editable '.[$*]' || { \
	  echo "The installation failed, see above. If something is not there for" \
	    "$$($(BIN)/python --version) yet, name an older one:" \
	    "make $(MAKECMDGOALS) PYTHON=/path/to/python3" >&2; exit 1; }
	@touch $@

# Asked for by name, another Python than the environment has makes it anew.
WHICH := -c 'import os, sys; print(os.path.realpath(sys.base_prefix), sys.hexversion)' 2>/dev/null
ifneq ($(PYTHON),)
ifneq ($(shell "$(PYTHON)" $(WHICH)),$(shell $(BIN)/python $(WHICH)))
$(BIN)/python: .another
endif
endif

# A system upgrade that removes the old Python leaves a dangling link here, which make takes
# for a missing file: then everything is made anew.
# `python -m venv` needs ensurepip, which Debian packs apart; `virtualenv` does without it.
$(BIN)/python:
	@new='import sys; sys.exit(sys.version_info < (3, 11))'; \
	final='import sys; sys.exit(sys.version_info.releaselevel != "final")'; \
	usable=; said=; \
	for python in $(PYTHONS); do \
	  "$$python" -c "$$new" 2>/dev/null || continue; \
	  [ -n "$(PYTHON)" ] || "$$python" -c "$$final" || continue; \
	  usable="$${usable:-$$python}"; \
	  said=$$({ "$$python" -m venv --clear $(VENV) \
	    || "$$python" -m virtualenv --clear $(VENV) \
	    || virtualenv --clear --python "$$python" $(VENV); } 2>&1) \
	    && { echo "$(VENV): $$($(BIN)/python --version)"; exit 0; }; \
	done; \
	if [ -n "$$usable" ]; then \
	  rm -rf $(VENV); \
	  echo "$$said" >&2; \
	  echo "$$usable cannot make a virtual environment. On Debian and Ubuntu: apt-get install python3-venv" >&2; \
	else \
	  echo "This project needs Python 3.11 or newer, and finds none: $(or $(PYTHON),python3.11 to 3.19, python3)" >&2; \
	  echo "Install one, or name yours: make $(MAKECMDGOALS) PYTHON=/path/to/python3" >&2; \
	fi; \
	exit 1
