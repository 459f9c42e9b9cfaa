# mpcfl: `make demo` is the main job, `make test` all checks. Each makes .venv first, once.

PYTHON ?=
TORCH_INDEX ?=
SLOW ?=
JOBS ?= auto
BIN := .venv/bin
READY := .venv/.ready
SOURCES := mpcfl tests $(wildcard launchers) $(wildcard scripts)

.DEFAULT_GOAL := help
.PHONY: help setup demo test lint format results bench clean
.SUFFIXES:

help: ## this list
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1\t\2/p' Makefile | expand -t 18
	@echo "JOBS=1 runs the tests in one process (default: one a core, at most 4),"
	@echo "PYTHON=/path/to/python3 picks the Python (3.11 or newer) that .venv is made with,"
	@echo "TORCH_INDEX=https://download.pytorch.org/whl/cu130 the build of torch (default: a CPU build where pip finds one)."

$(READY): pyproject.toml scripts/setup.sh $(wildcard requirements/*.txt)
	@PYTHON="$(PYTHON)" TORCH_INDEX="$(TORCH_INDEX)" sh scripts/setup.sh
	@touch $@

setup: $(READY) ## make .venv with pinned versions
	@echo "ready: .venv"

demo: $(READY) ## the main job: three organisations train a linear regression on this machine
	@$(BIN)/mpcfl demo

# A file is one process's: fixtures are made once. In the order of their names, since the longest have few tests.
test: lint ## what CI runs: ruff, mypy, the tests (SLOW=1: the slow ones too)
	@$(BIN)/python -m pytest --numprocesses $(JOBS) --maxprocesses 4 --dist loadfile --no-loadscope-reorder \
		$(if $(SLOW),--slow)

lint: $(READY) ## ruff and mypy alone
	@$(BIN)/ruff check --quiet $(SOURCES)
	@$(BIN)/ruff format --check --quiet $(SOURCES) || { echo "ruff format: mend with 'make format'"; exit 1; }
	@$(BIN)/mypy --no-error-summary

format: $(READY) ## mend layout, import order and what else ruff can mend
	@$(BIN)/ruff check --fix --quiet $(SOURCES) ; $(BIN)/ruff format --quiet $(SOURCES)

results: $(READY) ## make the tables and pictures in results/ again
	@set -e; for script in scripts/results_*.py scripts/run_sweep.py scripts/attacks/*.py scripts/plot_results.py; do \
		echo "results: $$script"; $(BIN)/python $$script; done

bench: $(READY) ## speed of the parts on this machine
	@set -e; for script in scripts/bench_*.py; do echo "bench: $$script"; $(BIN)/python $$script; done

clean: ## remove .venv, caches and build leftovers
	@rm -rf .venv build dist *.egg-info .mypy_cache .pytest_cache .ruff_cache
	@find mpcfl tests launchers scripts -name __pycache__ -type d -prune -exec rm -rf {} + 2>/dev/null || true
