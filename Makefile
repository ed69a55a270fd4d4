# Everything a newcomer or a CI machine needs: Python >= 3.11 (< 3.14), pip and make.
PYTHON ?= $(firstword $(foreach v,python3 python3.13 python3.12 python3.11,$(shell $(v) -c 'import sys; sys.exit(not (3,11) <= sys.version_info[:2] < (3,14))' >/dev/null 2>&1 && echo $(v))))
UV     := .tools/bin/uv
BIN    := .venv/bin
STAMP  := .venv/.installed

.PHONY: setup demo test check lint types imports oracle bench bench-disaggregation lock clean

setup: $(STAMP)

$(UV):
	@test -n "$(PYTHON)" || { echo "Wattloom needs Python 3.11, 3.12 or 3.13 on the PATH (or: make PYTHON=/path/to/python3.12 ...)" >&2; exit 2; }
	@$(PYTHON) -m pip --version >/dev/null 2>&1 || { echo "Wattloom's set-up needs pip for $(PYTHON) (Debian: apt install python3-pip)" >&2; exit 2; }
	$(PYTHON) -m pip install --quiet --disable-pip-version-check --no-warn-script-location --root-user-action=ignore --target .tools 'uv==0.13.*'

$(STAMP): pyproject.toml requirements.lock | $(UV)
	test -x $(BIN)/python || $(UV) venv --quiet --python $(PYTHON) .venv
	$(UV) pip sync --quiet --python $(BIN)/python --require-hashes requirements.lock
	$(UV) pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable .
	@touch $@

demo: $(STAMP)
	$(BIN)/wattloom demo

test: $(STAMP)
	$(BIN)/python -m pytest -n 2 --dist loadgroup

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(STAMP)
	$(BIN)/mypy

imports: $(STAMP)
	$(BIN)/lint-imports

check: lint types imports test
	NUMBA_BOUNDSCHECK=1 NUMBA_CACHE_DIR=.venv/.numba-boundscheck $(BIN)/python -m pytest -q tests/unit/analytics tests/property/analytics

# An independent client (GPL, so no part of the environment) reads our simulated DLMS meters.
oracle: $(STAMP)
	$(UV) pip install --quiet --python $(BIN)/python --require-hashes --target .tools/oracle -r requirements-oracle.lock
	PYTHONPATH=.tools/oracle $(BIN)/python -m pytest tests/oracle

bench: $(STAMP)
	$(BIN)/python -m benchmarks

bench-disaggregation: $(STAMP)
	$(BIN)/python -m benchmarks.disaggregation --speed

# Versions with hashes, and no address of where they come from.
lock: $(UV)
	$(UV) pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-header \
	  --python-version 3.11 --group dev pyproject.toml --output-file requirements.lock
	$(UV) pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-header \
	  --python-version 3.11 --group image --constraint requirements.lock pyproject.toml \
	  --output-file requirements-image.lock
	$(UV) pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-header \
	  --python-version 3.11 --group oracle --output-file requirements-oracle.lock

clean:
	rm -rf .venv .tools build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
