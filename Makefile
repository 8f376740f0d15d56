# make demo and make test are all that a fresh clone needs; make help lists the rest.

PYTHONS := $(or $(PYTHON),python3.12 python3.13 python3.14 python3.11 python3.10 python3 python)
VENV    ?= .venv
# Training and the tests need PyTorch. On Linux, PyPI's brings CUDA (several GB). For the small CPU build:
#   make test TORCH="torch==2.13.0 --index-url https://download.pytorch.org/whl/cpu"
TORCH   ?= torch==2.13.0

BIN     := $(VENV)/bin
READY   := $(VENV)/.ready
DEVELOP := $(VENV)/.develop
PIP   := $(BIN)/python -m pip --disable-pip-version-check -qq
FITS  := import sys, venv, ensurepip; sys.exit(not (3, 10) <= sys.version_info[:2] <= (3, 14))
SAMPLE := tests/assets/sample.mp4

.DEFAULT_GOAL := help
.PHONY: help venv demo test test-slow lint format clean

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 12
	@echo "PYTHON=... chooses the Python (3.10 to 3.14), VENV=... the environment, TORCH=... what pip installs as PyTorch"

venv: $(DEVELOP) ## make the virtual environment with everything in it

demo: $(READY) ## track the sample clip; leaves the CSV, the overlay video and the picture in out/
	@$(BIN)/affect track $(SAMPLE) --out out --video --plot --overwrite
	@echo "Look at out/sample.csv (the trace), out/sample.overlay.mp4 (the video), out/sample.png (the picture)."

test: $(DEVELOP) ## run the tests
	@$(BIN)/python -m pytest -q -n auto --dist loadfile

test-slow: $(DEVELOP) ## run also those that take minutes
	@$(BIN)/python -m pytest -q -n auto --dist loadfile -m "slow or not slow"

lint: $(DEVELOP) ## check style and types
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy

format: $(DEVELOP) ## put the code into its format
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

clean: ## remove everything that make has made
	rm -rf $(VENV) out build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache
	find . -name __pycache__ -not -path './.git/*' -prune -exec rm -rf {} +

$(BIN)/pip:
	@for python in $(PYTHONS); do \
		if $$python -c '$(FITS)' 2>/dev/null; then \
			echo "Making $(VENV) with $$($$python -c 'import sys; print(sys.executable, sys.version.split()[0])')"; \
			exec $$python -m venv $(VENV); \
		fi; \
	done; \
	echo "No Python 3.10 to 3.14 with venv here (tried: $(PYTHONS)). Install one (Debian, Ubuntu:" \
		"apt-get install python3.11 python3.11-venv; or pyenv), or name it: make PYTHON=/path/to/python3.11" >&2; \
	exit 1

# A stamp is older than setup.py only when what must be installed may have changed.
$(READY): setup.py pyproject.toml | $(BIN)/pip
	@echo "Installing affect-tracker and what tracking needs"
	@$(PIP) install --editable .
	@touch $@

$(DEVELOP): $(READY)
	@echo "Installing PyTorch, for training and the tests (1 of 2; some minutes the first time)"
	@$(PIP) install $(TORCH)
	@echo "Installing what else training and the tests need (2 of 2)"
	@$(PIP) install --editable '.[train,parquet,test]'
	@touch $@
