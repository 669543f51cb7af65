# Two commands set everything up on a machine with Python 3.11 or newer and make:
#   make demo    runs the shipped scenario and tells where the HTML report is
#   make test    runs all tests that need neither root nor a cluster
# The test range (range/README.md) is a real Kubernetes cluster in namespaces of this machine:
#   make range       builds it, once, into ~/.cache/kubewitness-range: Kubernetes 1.34 and 1.20
#   make test-range  plays and checks attacks on it (root); skips with the reason where it cannot run
#   make score       holds investigations of the recorded scenarios against what is known of them
# Packages go into .venv, exactly those of the lock files, and only when a lock file has changed.

VENV := .venv
BIN := $(VENV)/bin
RUNTIME := $(VENV)/.runtime.stamp
DEV := $(VENV)/.dev.stamp

# The first interpreter that works and is new enough; empty if there is none.
PYTHON ?= $(firstword $(foreach candidate,python3.11 python3.12 python3.13 python3.14 python3 python,$(shell \
  $(candidate) -c 'import sys; sys.version_info >= (3, 11) and print("$(candidate)")' 2>/dev/null)))
PIP := $(BIN)/python -m pip --disable-pip-version-check --no-input install --quiet
COMPILE := CUSTOM_COMPILE_COMMAND="make lock" $(BIN)/pip-compile --quiet --generate-hashes --allow-unsafe \
  --no-emit-index-url --no-emit-trusted-host --no-emit-find-links --strip-extras --build-deps-for editable

.PHONY: demo test test-range range score score-check lint format bench schema golden dist lock clean
.DEFAULT_GOAL := demo

demo: $(RUNTIME)
	$(BIN)/kubewitness demo

test: $(DEV)
	$(BIN)/python -m pytest -n 3 -m "not recordings"

# One process: each test starts a cluster of its own. Without 1.20, which only Debian 12 has, its test skips.
test-range: $(DEV)
	$(BIN)/python -m range build --kubernetes v1.34.4
	-$(BIN)/python -m range build --kubernetes v1.20.2
	$(BIN)/python -m pytest tests/range_live

range: $(DEV)
	$(BIN)/python -m range build

lint: $(DEV)
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(DEV)
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

bench: $(DEV)
	$(BIN)/python -m bench.run

schema: $(DEV)
	$(BIN)/python -m kubewitness.report.schema

golden: $(DEV)
	$(BIN)/python -m tests.report.golden --refresh

# Needs no range: it investigates what is recorded in scenarios/recorded and writes scenarios/SCORE.md.
score: $(DEV)
	$(BIN)/python -m range.score

score-check: $(DEV)
	$(BIN)/python -m pytest -n 2 --dist loadgroup -m recordings
	$(BIN)/python -m range.score --check

dist: $(DEV)
	rm -rf dist
	$(BIN)/python -m build --no-isolation --outdir dist

# Pin the newest versions that pyproject.toml allows. The developers' lock has the same run-time versions.
lock: $(DEV)
	$(COMPILE) --upgrade --output-file requirements.lock pyproject.toml
	$(COMPILE) --upgrade --extra dev --constraint requirements.lock --output-file requirements-dev.lock pyproject.toml

clean:
	rm -rf $(VENV) dist build .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

$(VENV)/pyvenv.cfg:
ifeq ($(PYTHON),)
	@echo "Kubewitness needs Python 3.11 or newer, and none was found (tried python3.11 to python3.14, python3, python)." >&2
	@echo "Install one, or name it: make PYTHON=/path/to/python3.11" >&2
	@exit 1
else
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || { \
	  echo "$(PYTHON) lacks the venv module; on Debian and Ubuntu: apt-get install python3-venv" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
endif

# The package itself is installed editable; its build backend is in the lock too, so nothing unpinned is fetched.
$(RUNTIME): requirements.lock pyproject.toml | $(VENV)/pyvenv.cfg
	$(PIP) --require-hashes --requirement requirements.lock
	$(PIP) --no-deps --no-build-isolation --editable .
	touch $@

$(DEV): requirements-dev.lock $(RUNTIME)
	$(PIP) --require-hashes --requirement requirements-dev.lock
	touch $@
