# Concord. `make run` shows the loop, `make test` checks it; both do all set-up themselves.
# Set-up is kept in .venv (Python packages) and .build (profiles, logs, temporary files).

PY := .venv/bin/python
QENV = $(PY) scripts/qgis_env.py
DATA ?=
ARGS ?=
TESTS ?= tests
PYTEST_ARGS ?= -q

# Without these a QGIS or Python of another place would be used; PROJ's break rasterio silently.
unexport PROJ_LIB PROJ_DATA GDAL_DATA PYTHONHOME VIRTUAL_ENV PYTHONPATH
ifeq ($(CONCORD_DATA),)
export CONCORD_DATA := $(abspath ../shared/data)
else
export CONCORD_DATA := $(abspath $(CONCORD_DATA))
endif

.PHONY: help setup setup-dev run test lint format process desktop screenshots bench package \
	test-qgis340 sam-export train evaluate-models oracles clean
.NOTPARALLEL:
.DELETE_ON_ERROR:

help:
	@echo "make run [DATA=folder]   the whole loop, on the sample scene or on real data; results in out/"
	@echo "make test                offscreen tests, then tests inside the real QGIS desktop"
	@echo "make lint                ruff check and format check (make format: repair)"
	@echo "make process ARGS=\"run concord:ALG -- 'PARAM=VALUE'\"   one algorithm, headless"
	@echo "make desktop             QGIS with the plugin, in a profile of its own"
	@echo "make screenshots         every panel on the sample scene, into out/screenshots/"
	@echo "make bench               benchmarks, into out/bench.json"
	@echo "make package             the zip for the plugin store, into dist/"
	@echo "make test-qgis340        the same tests on QGIS 3.40, unpacked into .build/qgis340"
	@echo "make sam-export CHECKPOINT=file.pth   SAM to an ONNX pair checked against torch, into OUT="
	@echo "make train MODEL=landcover-s2    train a bundled model anew from CONCORD_DATA (without MODEL: names)"
	@echo "make evaluate-models     the held-out figures of the bundled models, as a table (PART=rasters, prompt, radar_water or nlcd: one part)"
	@echo "make oracles             TorchGeo and mlcroissant for the tests that read chips with them"
	@echo "make clean               remove everything made, but .venv"

# --- set-up: one stamp a step, so that a second call does nothing -----------------------------

.build/system: scripts/setup.sh
	@scripts/setup.sh system
	@touch $@

.build/plugins/concord: | .build/system
	@mkdir -p $(@D)
	@ln -sfn ../.. $@

.venv/ok: requirements.txt | .build/system
	@scripts/setup.sh venv requirements.txt
	@touch $@

.venv/dev-ok: requirements.txt requirements-dev.txt | .build/system
	@scripts/setup.sh venv requirements-dev.txt
	@touch .venv/ok $@

setup: .venv/ok .build/plugins/concord
setup-dev: .venv/dev-ok .build/plugins/concord

# --- what a newcomer calls --------------------------------------------------------------------

run: $(if $(DATA),setup-dev,setup)
	@$(QENV) $(PY) scripts/run_loop.py --out out $(if $(DATA),--data '$(DATA)')
	@if [ -n "$$DISPLAY" ]; then $(PY) scripts/desktop.py show out/concord.qgz; fi

# Both suites run even when the first fails; either one fails the target.
define run_tests
@rm -rf .qgis-settings .build/offscreen.xml .build/desktop.xml; failed=0; \
$(QENV) $(PY) -m pytest $(PYTEST_ARGS) $(TESTS) --ignore=tests/desktop \
	--junitxml=.build/offscreen.xml || { echo "pytest ended with exit code $$?"; failed=1; }; \
$(PY) scripts/desktop.py test || { echo "the desktop ended with exit code $$?"; failed=1; }; \
$(PY) scripts/summary.py .build/offscreen.xml .build/desktop.xml || failed=1; \
exit $$failed
endef

test: setup-dev
	$(run_tests)

lint: setup-dev
	@$(PY) -m ruff check .
	@$(PY) -m ruff format --check .

format: setup-dev
	@$(PY) -m ruff check --fix .
	@$(PY) -m ruff format .

# value: what stands in ARGS reaches the shell untouched, so that its single quotes work.
process: setup
	@$(PY) scripts/process.py $(value ARGS)

desktop: setup
	@$(PY) scripts/desktop.py show

screenshots: setup
	@$(PY) scripts/desktop.py screenshots $(value ARGS)

bench: setup
	@$(QENV) $(PY) -m tests.bench $(value ARGS)

package: setup
	@$(PY) scripts/package.py

.build/qgis340/ok: scripts/qgis340.sh | .build/system
	@scripts/qgis340.sh .build/qgis340
	@touch $@

test-qgis340: export CONCORD_QGIS := $(abspath .build/qgis340/root)
test-qgis340: setup-dev .build/qgis340/ok
	$(run_tests)

.build/sam/ok: resources/sam/requirements-sam.txt
	@echo "Set-up: torch and segment-anything in .build/sam (a minute)"
	@/usr/bin/python3 -m venv .build/sam
	@.build/sam/bin/python -m pip install -q --disable-pip-version-check --no-input -r $<
	@.build/sam/bin/python -m pip install -q --disable-pip-version-check --no-input --no-deps \
		segment-anything==1.0
	@touch $@

# CHECKPOINT=random:vit_b makes random weights of the true shapes, for tests/real/test_sam_oracle.py.
OUT ?= .build/sam-models
sam-export: .build/sam/ok
	@[ -n '$(CHECKPOINT)' ] || { echo "Name a checkpoint: make sam-export CHECKPOINT=file.pth"; exit 2; }
	@.build/sam/bin/python -W ignore resources/sam/sam_export.py '$(CHECKPOINT)' '$(OUT)'

# Training has a venv of its own: torch and its numpy must never reach QGIS's Python.
.build/train/ok: requirements-train.txt
	@echo "Set-up: torch in .build/train (some minutes)"
	@/usr/bin/python3 -m venv .build/train
	@.build/train/bin/python -m pip install -q --disable-pip-version-check --no-input -r $<
	@touch $@

TRAIN := .build/train/bin/python -W ignore
trainable := $(patsubst models/training/train_%.py,%,$(wildcard models/training/train_*.py))
train: script = models/training/train_$(subst -,_,$(MODEL)).py
train:
	@[ -n '$(MODEL)' ] && [ -f '$(script)' ] || \
		{ echo "Name a model: make train MODEL=..., one of $(subst _,-,$(trainable))"; exit 2; }
	@$(MAKE) --no-print-directory .build/train/ok
	@$(TRAIN) $(script) $(value ARGS)

PART ?= *
evaluate-models: .build/train/ok
	@for script in models/training/evaluate_$(PART).py; do $(TRAIN) $$script $(value ARGS) || exit 1; done

.build/oracles/ok: requirements-oracles.txt
	@echo "Set-up: TorchGeo and mlcroissant in .build/oracles (a minute)"
	@/usr/bin/python3 -m venv .build/oracles
	@.build/oracles/bin/python -m pip install -q --disable-pip-version-check --no-input \
		--no-deps -r $<
	@touch $@

# Without them four tests are skipped and the chip bench leaves TorchGeo out.
oracles: .build/oracles/ok

clean:
	rm -rf .build dist out .qgis-settings .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -not -path './.venv/*' -prune -exec rm -rf {} +
