# Two commands do everything on a fresh machine: `make demo` and `make test`.
PYTHON ?= $(shell command -v python3.11 || command -v python3.12 || command -v python3)
BIN := .venv/bin

.PHONY: setup demo test check bench ui
.DEFAULT_GOAL := demo

setup: .venv/.stamp

# Constraints pin every version; the stamp makes a second call free.
.venv/.stamp: pyproject.toml constraints.txt
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@echo "setup: installing into .venv (minutes the first time)"
	@$(BIN)/python -m pip install -q --disable-pip-version-check -c constraints.txt "torch==$$(sed -n 's/^torch==//p' constraints.txt)"
	@$(BIN)/python -m pip install -q --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $@

demo: setup
	@$(BIN)/restem demo
	@$(BIN)/restem demo --domain code --if-engine

test: check
	@RESTEM_VLLM_PYTHON="$$(scripts/test_parts.sh)" $(BIN)/python -m pytest tests

check: setup
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/pyright
	@$(BIN)/lint-imports

bench: setup
	@for name in memory overhead resume generate estimate simulate sandbox grade reuse soak chaos; do $(BIN)/restem bench $$name || exit 1; done

ui: setup
	@$(BIN)/restem up
