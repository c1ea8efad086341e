# Two commands do everything on a fresh machine: `make demo` and `make test`.
# `make check` is the quick half of the second: what to run before each commit.
# The Python of .venv; without one the first of 3.11 to 3.14 that is here.
PYTHON ?=
VENV := .venv
BIN := $(VENV)/bin
# Tests of one file, or of one shared part, stay in one process (tests/needs.py). More processes than
# these share nothing but cost a Prefect server each. What is not fast waits half of its time, for a
# server, a container or a browser: there four processes keep two cores busy.
PYTEST := $(BIN)/python -m pytest tests -q

# Where it is set, each process compiles all of restem, and pytest rewrites every test, anew.
unexport PYTHONDONTWRITEBYTECODE

# A list of all that is installed, as CycloneDX; the tool has an environment of its own.
SBOM := build/sbom-tool
# The site of the documents; its tools have an environment of their own too.
SITE := build/docs/tool

.PHONY: setup demo check check-all test bench ui format wheel docs sbom _style _types _fast
.DEFAULT_GOAL := demo

setup: $(VENV)/.stamp

# All but torch is taken by its hash (locks/, docs/supply.md); torch, of which every index has builds
# of its own, by its version, from TORCH_INDEX alone if that is given. The stamp makes a second call
# free.
PIP := $(BIN)/python -m pip install -q --disable-pip-version-check
$(VENV)/.stamp: pyproject.toml setup.py constraints.txt locks/base.txt locks/dev.txt
	@test -x $(BIN)/python || { \
		found=$$(scripts/pythons.sh $(PYTHON) | sed -n 's/^[^ ]* //p' | grep -m 1 .) || { \
			echo "setup: expected a Python of 3.11 to 3.14 with venv$(PYTHON:%=, not %); make PYTHON=/path/to/one names it" >&2; exit 2; }; \
		"$$found" -m venv $(VENV); }
	@echo "setup: installing into $(VENV) (minutes the first time)"
	@$(PIP) --require-hashes --no-deps -r locks/dev.txt
	@$(PIP) -c constraints.txt $(if $(TORCH_INDEX),--index-url "$(TORCH_INDEX)") "torch==$$(sed -n 's/^torch==//p' constraints.txt)"
	@$(PIP) --no-deps --no-build-isolation -e .
	@$(BIN)/python scripts/prefect_schema.py || \
		echo "setup: no schema of Prefect's database; a new home's first start takes five seconds more" >&2
	@touch $@

demo: setup
	@$(BIN)/restem demo
	@$(BIN)/restem demo --domain code --if-engine

# pyright takes a minute of one core, beside the tests; what it finds is printed in one piece.
check: setup
	@$(MAKE) --no-print-directory -j2 _style _types _fast

_style:
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/lint-imports

_types:
	@found=$$($(BIN)/pyright) || { echo "$$found"; exit 1; }

_fast:
	@$(PYTEST) -n logical --maxprocesses 4 -m fast

# The fast tests on each of the Pythons that restem runs on, as far as they are here.
check-all:
	+@scripts/check_all.sh

test: check
	@vllm=$$(scripts/test_parts.sh) && RESTEM_VLLM_PYTHON="$$vllm" $(PYTEST) -n 4 -m "not fast"

format: setup
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

bench: setup
	@for name in memory overhead resume generate estimate simulate sandbox grade reuse soak chaos; do $(BIN)/restem bench $$name || exit 1; done

ui: setup
	@$(BIN)/restem up

# What `pip install` takes anywhere (docs/install.md).
wheel: setup
	@$(BIN)/python -m pip wheel -q --disable-pip-version-check --no-deps --no-build-isolation -w dist .
	@ls dist/restem-*.whl

# Strict: a dead link or a page that cannot be made ends it. Nothing is fetched while it builds.
docs: setup $(SITE)/.stamp
	@$(BIN)/python -m scripts.site
	@$(SITE)/bin/zensical build --strict --clean
	@echo build/docs/site/index.html

$(SITE)/.stamp: locks/docs.txt
	@mkdir -p build/docs
	@test -x $(SITE)/bin/python || $(BIN)/python -m venv $(SITE)
	@$(SITE)/bin/python -m pip install -q --disable-pip-version-check --require-hashes --no-deps -r locks/docs.txt
	@touch $@

sbom: setup
	@mkdir -p build
	@test -x $(SBOM)/bin/cyclonedx-py || { $(BIN)/python -m venv $(SBOM) && $(SBOM)/bin/python -m pip install -q --disable-pip-version-check --require-hashes --no-deps -r locks/sbom.txt; }
	@$(SBOM)/bin/cyclonedx-py environment --pyproject pyproject.toml --output-reproducible --of JSON -o build/sbom.json .venv
	@echo build/sbom.json
