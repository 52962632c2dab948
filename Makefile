# Every target sets itself up inside this checkout and touches nothing outside of it.
#
#   make test PYTHON=python3.12     another Python, in an environment of its own
#   make test ARGS='-k schedules'   arguments for pytest
#   make bench BENCHMARKS=run_cost  one of them alone
#   make compare PARTS='import latency --quick'

# Hundreds of processes start from this checkout, of which each would compile it anew.
unexport PYTHONDONTWRITEBYTECODE

MAKEFLAGS += --no-builtin-rules
.DELETE_ON_ERROR:

ifeq ($(origin PYTHON),undefined)
VENV := .venv
else
VENV := .venv-$(notdir $(PYTHON))
endif

BIN := $(VENV)/bin
# Found again at each set-up: the environment is made anew when it is broken, too old, or not one of pip's.
USABLE := $(BIN)/python -c 'import sys, pip; sys.exit(sys.version_info < (3, 11))'
PIP := $(BIN)/python -m pip -qq --disable-pip-version-check

.PHONY: help
help:  ## What can be made
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 12

.PHONY: demo
demo: $(VENV)/.runtime  ## See a push to Git become the next run
	@$(BIN)/flowsource demo

.PHONY: test
test: lint types pytest  ## Format, linter, strict types and tests: all that a change must pass

.PHONY: lint
lint: $(VENV)/.dev  ## The format and the linter
	$(BIN)/ruff format --check
	$(BIN)/ruff check

.PHONY: types
types: $(VENV)/.dev  ## Strict types, by two checkers
	$(BIN)/mypy
	PYRIGHT_PYTHON_IGNORE_WARNINGS=1 $(BIN)/pyright --pythonpath $(BIN)/python

# Most of the time a test waits for a process or a server, so that twice as many as there are processors go at once.
WORKERS ?= $(shell echo $$((2 * $$(nproc))))

.PHONY: pytest
pytest: $(VENV)/.dev  ## The tests alone
	$(BIN)/pytest --numprocesses $(WORKERS) --dist worksteal $(ARGS)

.PHONY: fire
fire: $(VENV)/.dev  ## What holds sources and runs under fire, at full length (hours)
	FLOWSOURCE_FIRE=full $(BIN)/pytest tests/fire -s --timeout 3600 -o faulthandler_timeout=4000 -n $(WORKERS) --dist worksteal $(ARGS)

.PHONY: test-all
test-all:  ## The tests on each supported Python that is here
	@for version in 3.11 3.12 3.13; do \
	    if python=$$(.ci/find-python $$version 2>/dev/null); then \
	        echo "== Python $$version"; $(MAKE) --no-print-directory pytest PYTHON=$$python || exit 1; \
	    else echo "== Python $$version is not here"; fi; \
	done

.PHONY: format
format: $(VENV)/.dev  ## Mend the format, and what the linter can mend
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

BENCHMARKS := import_time run_latency run_cost run_timing poll_cost startup source_speed

.PHONY: bench
bench: $(VENV)/.runtime  ## Measure, side by side with what is compared (ten minutes)
	@for name in $(BENCHMARKS); do $(BIN)/python -m benchmarks.$$name || exit 1; done

PARTS :=

.PHONY: compare
compare: $(VENV)/.dev  ## Measure side by side with Prefect, which is installed for it (an hour and a quarter)
	$(BIN)/python -m benchmarks.peer $(PARTS)

.PHONY: clean
clean:  ## Remove everything that make and the tools made
	rm -rf .venv .venv-* .mypy_cache .ruff_cache .pytest_cache .hypothesis build dist
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# Stamps, written last: a set-up that was interrupted is done again, and so is one that pyproject.toml has outgrown.

$(VENV)/.runtime: pyproject.toml
	@echo "setting up $(VENV) (only when pyproject.toml changes)"
	@$(USABLE) 2>/dev/null || { python=$$(.ci/find-python $(PYTHON)) && $$python -m venv --clear $(VENV); }
	@$(PIP) install --upgrade 'pip>=25.1'
	@$(PIP) install --editable .
	@touch $@

$(VENV)/.dev: $(VENV)/.runtime
	@echo "adding the tools for development"
	@$(PIP) install --group dev
	@touch $@
