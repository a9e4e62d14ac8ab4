# The one place where commands are written down. `make help` lists them.
#
# Everything is compiled with one cargo profile (release), so that the tests, the wheel and the
# benchmarks share what is built. CARGO_TARGET_DIR is respected. Python lives in .venv.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

PYTHON ?= python3
CARGO ?= cargo
LOCKED ?=
SUITE ?= delayed
JOBS ?= 2

VENV := $(CURDIR)/.venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip
# Clippy and maturin look at the same interpreter, or PyO3 would be built twice.
export PYO3_PYTHON := $(BIN)/python
export VIRTUAL_ENV := $(VENV)
export PIP_QUIET := 1
export PIP_DISABLE_PIP_VERSION_CHECK := 1

RUST_SOURCES := $(shell find crates -name '*.rs' -o -name Cargo.toml) Cargo.toml Cargo.lock
PYTHON_SOURCES := python benchmarks conformance examples
CRATES := --workspace --exclude samite-python

.PHONY: help
help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-12s %s\n", $$1, $$2}'

# ---- what a newcomer runs ----------------------------------------------------------------------

.PHONY: demo
demo: $(VENV)/.demo $(VENV)/.engine ## build, then run examples/tour.py on a year of real flights
	@$(BIN)/python examples/tour.py

.PHONY: test
test: fmt-check clippy test-rust test-docs-rust lint-python types test-python ratchet ## all that CI runs, in its order

.PHONY: check
check: test ## the same as test

.PHONY: develop
develop: $(VENV)/.test $(VENV)/.engine ## set up .venv: the engine, and what the tests use

.PHONY: bench
bench: $(VENV)/.test $(VENV)/.engine ## side by side with Dask, concurrent.futures and others
	$(BIN)/python benchmarks/scheduling.py $(ARGS)
	$(BIN)/python benchmarks/memory.py
	$(BIN)/python benchmarks/arrays.py
	$(BIN)/python benchmarks/array_memory.py
	$(BIN)/python benchmarks/bag.py
	$(BIN)/python benchmarks/cluster.py

.PHONY: wheel
wheel: $(VENV)/.tools ## dist/*.whl: one file for Python 3.10 and later
	$(BIN)/maturin build --release --strip $(LOCKED) --out dist

.PHONY: conformance
conformance: $(VENV)/.test $(VENV)/.engine ## Dask's own tests against Samite: SUITE=delayed, core, array or bag
	@mkdir -p conformance/results
	cd conformance/results && $(BIN)/python ../conform.py --package samite --suite $(SUITE) \
	  --jobs $(JOBS) --baseline ../baseline/$(SUITE).txt --json $(SUITE).json $(ARGS)

.PHONY: fmt
fmt: $(VENV)/.test ## format Rust and Python
	$(CARGO) fmt --all
	$(BIN)/ruff check --fix --exit-zero $(PYTHON_SOURCES)
	$(BIN)/ruff format $(PYTHON_SOURCES)

.PHONY: clean
clean: ## remove what was built in this folder
	rm -rf .venv dist target samite-tour conformance/results python/samite/*.so

# ---- the steps of `make test` ------------------------------------------------------------------

.PHONY: fmt-check
fmt-check: tools-present
	$(CARGO) fmt --all --check

.PHONY: clippy
clippy: $(VENV)/.tools
	$(CARGO) clippy --release --workspace --all-targets $(LOCKED) --quiet -- -D warnings

.PHONY: test-rust
test-rust: tools-present
	@if $(CARGO) nextest --version >/dev/null 2>&1; then \
	  $(CARGO) nextest run --release $(CRATES) $(LOCKED) --cargo-quiet; \
	else \
	  echo "cargo-nextest is not installed: cargo test is used instead"; \
	  $(CARGO) test --release $(CRATES) $(LOCKED) --quiet --lib --bins --tests --examples; \
	fi

.PHONY: test-docs-rust
test-docs-rust: tools-present
	$(CARGO) test --release --doc $(CRATES) $(LOCKED) --quiet

.PHONY: lint-python
lint-python: $(VENV)/.test
	$(BIN)/ruff check $(PYTHON_SOURCES)
	$(BIN)/ruff format --check $(PYTHON_SOURCES)

.PHONY: types
types: $(VENV)/.test $(VENV)/.engine
	$(BIN)/mypy

# The blocks of README.md and docs/ and the architecture are tested here too.
.PHONY: test-python
test-python: $(VENV)/.test $(VENV)/.engine
	$(BIN)/python -m pytest -q $(ARGS)

.PHONY: ratchet
ratchet: $(VENV)/.test $(VENV)/.engine ## re-run a sample of Dask's tests that are known to pass
	$(BIN)/python conformance/ratchet.py check --jobs $(JOBS)
	$(BIN)/python conformance/ratchet.py check --jobs $(JOBS) --client --seconds 45

# ---- tools and the engine ----------------------------------------------------------------------

.PHONY: tools-present
tools-present:
	@command -v $(CARGO) >/dev/null 2>&1 || { \
	  echo "Samite needs Rust: install it from https://rustup.rs, then run make again." >&2; exit 1; }
	@command -v $(PYTHON) >/dev/null 2>&1 || { \
	  echo "Samite needs Python 3.10 or later: '$(PYTHON)' is not on PATH (make PYTHON=... names another)." >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' || { \
	  echo "Samite needs Python 3.10 or later: '$(PYTHON)' is $$($(PYTHON) -V 2>&1) (make PYTHON=... names another)." >&2; exit 1; }

$(VENV)/.tools: | tools-present
	@echo "Setting up Python in .venv"
	@$(PYTHON) -m venv $(VENV) || { \
	  echo "'$(PYTHON) -m venv' failed. On Debian and Ubuntu: apt install python3-venv" >&2; exit 1; }
	@$(PIP) install "maturin>=1.9.4,<2"
	@touch $@

# The packages that the demo or the tests use beside Samite.
$(VENV)/.demo $(VENV)/.test: $(VENV)/.%: requirements/%.txt requirements/demo.txt | $(VENV)/.tools
	@echo "Installing what the $* uses"
	@$(PIP) install -r $<
	@touch $@

# The engine is built into python/samite, which .venv then imports from where it is.
$(VENV)/.engine: pyproject.toml $(RUST_SOURCES) | $(VENV)/.tools
	@echo "Building the engine (the first time takes some minutes)"
	@$(BIN)/maturin develop --release $(LOCKED) --quiet
	@touch $@
