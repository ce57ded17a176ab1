# `make run` sets up everything and runs the main job; `make test` sets up and passes the tests.
.PHONY: run test test-runtimes check units lint bench bench-runtimes format imports clean help

PYTHON := .venv/bin/python
PYTEST := $(PYTHON) -m pytest
RUNTIMES ?= $(sort $(foreach test,$(wildcard tests/runtimes/test_*.py),$(firstword $(subst _, ,$(patsubst tests/runtimes/test_%.py,%,$(test))))))

help:
	@echo "make run [ONCE=1]   start the platform, deploy the first example, send requests (ONCE=1: stop after the answers)"
	@echo "make test           all tests (unit, reconcile, contract, e2e)"
	@echo "make test-runtimes  tests of the runtimes whose libraries are heavy, each in an environment of its own"
	@echo "make check          format, lint, types, import contracts, unit tests: under 90 s"
	@echo "make lint           the first four of these alone"
	@echo "make bench          the model server beside its peers (QUICK=1: kserve only; WRITE=1: into bench/RESULTS.md)"
	@echo "make bench-runtimes each runtime beside its format's usual server (FORMATS='onnx pmml': these alone; WRITE=1)"
	@echo "make format         rewrite the sources in the project's format"

run:
	@sh scripts/environment.sh run
	@.venv/bin/inferplane tour $(if $(ONCE),--once)

test:
	@sh scripts/environment.sh dev
	$(PYTEST) tests

test-runtimes:
	@sh scripts/environment.sh dev
	@sh scripts/runtimes.sh $(RUNTIMES)

check:
	@sh scripts/environment.sh dev
	@$(MAKE) --no-print-directory --output-sync=target --jobs=2 lint units

units:
	$(PYTEST) tests/unit tests/reconcile

lint:
	@sh scripts/environment.sh dev
	.venv/bin/ruff format --check .
	.venv/bin/ruff check .
	.venv/bin/mypy
	.venv/bin/lint-imports

bench:
	@sh scripts/environment.sh dev
	$(PYTHON) -m bench.model_server $(if $(QUICK),--quick) $(if $(WRITE),--write bench/RESULTS.md)

bench-runtimes:
	@sh scripts/environment.sh dev
	$(PYTHON) -m bench.runtimes $(FORMATS) $(if $(WRITE),--write bench/RESULTS.md)

format:
	@sh scripts/environment.sh dev
	.venv/bin/ruff check --fix-only .
	.venv/bin/ruff format .

imports:
	@sh scripts/environment.sh dev
	.venv/bin/lint-imports

clean:
	rm -rf .venv .venv-peers .venv-emulators .venv-runtimes .mypy_cache .ruff_cache .pytest_cache .hypothesis
