# make demo   everything the README shows, on this machine, without AWS
# make test   every check and test there is (make check is the same)
# make check-fast  what needs no server: lint, types, generated docs
# make bench  what queries cost, into docs/performance.md; QUICK=1 takes a tenth, and only prints
# make torture  the long hunt (SECONDS=3600 SERVERS="private pg15 pg18"), into docs/torture.md
# make wheel  a wheel for each platform, with the compiled handler, into dist (downloads 300 MB once)
# make wheel-test  the wheels in fresh environments of every Python, on every PostgreSQL of this machine
# make docs   the documentation site, into build/site
# make setup  only .venv, with .venv/bin/cloudtrail-fdw
# make clean  removes what the others made, the private PostgreSQL included

PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet

ZIG := ziglang==0.17.1  # a C compiler, where the machine has none

SECONDS ?= 3600
SERVERS ?= private

.PHONY: setup demo test check check-fast bench torture wheel wheel-test docs format clean

setup: .venv/installed

demo: setup
	@$(BIN)/python -m cloudtrail_fdw.cli demo

test: check

check: check-fast
	$(BIN)/python -m pytest --numprocesses 4

check-fast: .venv/installed-dev
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/python -m cloudtrail_fdw.render --check

bench: .venv/installed-dev
	$(BIN)/python bench/run.py $(if $(QUICK),--quick) $(BENCH)

torture: .venv/installed-dev
	$(BIN)/python tests/torture/run.py --seconds $(SECONDS) --servers "$(SERVERS)" docs/torture.md

wheel: .venv/installed
	$(BIN)/python tools/wheel/build_wheels.py dist

wheel-test: .venv/installed
	$(BIN)/python tools/wheel/try_wheels.py dist

docs: .venv/installed-dev
	$(BIN)/mkdocs build --strict

format: .venv/installed-dev
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

clean:
	-[ ! -x $(BIN)/cloudtrail-fdw ] || $(BIN)/cloudtrail-fdw sandbox stop
	-[ ! -x $(BIN)/cloudtrail-fdw ] || $(BIN)/cloudtrail-fdw sandbox stop --dir .runtime/demo
	rm -rf .venv .runtime build dist fdw/*.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis

# Two stamps: the demo does not wait for what only the checks need.
.venv/installed: pyproject.toml
	@echo "Preparing .venv (once; also after pyproject.toml has changed)" >&2
	@[ -x $(BIN)/python ] || $(PYTHON) -m venv --clear .venv
	@$(PIP) install 'setuptools>=77'  # also builds the wheel that the sandbox's servers get
	@$(PIP) install --no-build-isolation --editable '.[server]'
	@command -v cc >/dev/null || command -v gcc >/dev/null || { $(PIP) install $(ZIG) && \
	  printf '#!/bin/sh\nexec "$$(dirname "$$0")/python" -m ziglang cc "$$@"\n' >$(BIN)/cc && chmod +x $(BIN)/cc; }
	@touch $@

.venv/installed-dev: .venv/installed
	@echo "Adding the tools that the checks use" >&2
	@$(PIP) install --no-build-isolation --editable '.[dev,server]'
	@touch $@
