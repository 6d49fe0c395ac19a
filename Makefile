# Every target first has an environment, then does its job in it. tools/setup makes it (or takes one that has everything)
# and prints its interpreter.
#   make test PYTHON=/path/to/python   use that interpreter as it is, or as the base of .venv
PYTHON ?=
PYTEST_ARGS ?=
DEMO_ARGS ?=
BENCH_ARGS ?=
STACKS ?=
FAULTS_ARGS ?=
NONSENSE_ARGS ?=
FUZZ_ARGS ?=
MUTANTS_ARGS ?=

BOOT := $(shell for p in $(PYTHON) python3.11 python3.12 python3.13 python3 "$$(uv python find '>=3.11,<3.14' 2>/dev/null)"; do \
  "$$p" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null && { command -v "$$p"; break; }; done)
all_extras = test lint studies docs export
in_env = py="$$('$(BOOT)' -m tools.setup --python '$(PYTHON)' --extras $(1))" &&
prove = $(call in_env,$(all_extras)) PYTHONPATH="$(CURDIR)/tests:$(PYTHONPATH)" OMP_NUM_THREADS=1 "$$py" -m faults.$(1)
# Tracked files only, so that what a run or an experiment leaves in the checkout is nobody's fault.
ruff = git ls-files -z '*.py' | xargs -0 "$$py" -m ruff check

# An environment that is used as it is need not have this checkout installed.
export PYTHONPATH := $(CURDIR)$(if $(PYTHONPATH),:$(PYTHONPATH))
export MPLBACKEND ?= Agg
# Without bytecode on the disk every process compiles the stack's 3,000 source files: 20 s of its processor time.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help setup demo test test-stacks bench faults nonsense fuzz mutants lint docs dist lock
ifeq ($(BOOT),)
$(error set-up: error: no CPython 3.11, 3.12 or 3.13 found. Install one with its headers and a C++ compiler (uv python install 3.11; Debian: apt-get install python3-dev python3-venv g++), or name it: make PYTHON=/path/to/python3.11 ...)
endif

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## /  make \1	/p' Makefile

setup: ## have the environment, nothing else
	@$(call in_env,$(all_extras)) echo "$$py"

demo: ## data, teacher, two students, table and pictures, all on a CPU
	@$(call in_env,$(all_extras)) "$$py" tools/demo.py $(DEMO_ARGS)

# mypy runs beside the tests, on the time that they wait for something; what it finds is shown last.
test: ## lint and all tests
	@$(call in_env,$(all_extras)) $(ruff) && types=$$(mktemp) && { "$$py" -m mypy >"$$types" 2>&1 & mypy=$$!; \
	OMP_NUM_THREADS=1 "$$py" -m pytest -n logical --maxprocesses 4 --dist worksteal $(PYTEST_ARGS); tests=$$?; \
	wait $$mypy; lint=$$?; cat "$$types"; rm "$$types"; [ $$tests = 0 ] && [ $$lint = 0 ]; }

test-stacks: ## a fast part of the tests at both ends of the supported versions (network, 12 GB; STACKS=low: one end)
	@$(call in_env,) "$$py" -m tools.stacks $(STACKS)

bench: ## times, memory and their ratios to targets, on this machine
	@$(call in_env,) "$$py" tools/analysis_tools/benchmark.py $(BENCH_ARGS)

faults: ## kill, starve and damage every command that writes; 15 minutes
	@$(call prove,run) $(FAULTS_ARGS)

nonsense: ## give every command wrong inputs, and read what it says; 10 minutes
	@$(call prove,nonsense) $(NONSENSE_ARGS)

fuzz: ## change records, files and settings 110,000 times at random; 15 minutes
	@$(call prove,fuzz) $(FUZZ_ARGS)

mutants: ## make 150 small mistakes in losses, matching and statistics, and count those that tests notice; 5 minutes
	@$(call prove,mutants) $(MUTANTS_ARGS)

lint: ## ruff and mypy
	@$(call in_env,lint) $(ruff) && "$$py" -m mypy

docs: ## this site of README and docs, in site/; warnings are errors
	@$(call in_env,docs) NO_MKDOCS_2_WARNING=1 "$$py" -m mkdocs build --strict

dist: ## wheel and source archive, in dist/
	@$(call in_env,) rm -rf build && "$$py" -m uv build --no-config --no-build-isolation --out-dir dist

lock: ## write requirements/lock.txt anew; versions stay where they fit (UPGRADE=1: all to the newest)
	@$(call in_env,) "$$py" -m uv pip compile pyproject.toml requirements/lock.in --all-extras --no-emit-package torch \
	--universal --python-version 3.11 --generate-hashes \
	--annotation-style line --custom-compile-command 'make lock' $(if $(UPGRADE),--upgrade) --quiet \
	--output-file requirements/lock.txt >/dev/null
