PYTHON ?= python3
BENCH = .venv/bin/hydrabench
WORKERS ?= $(if $(filter 1,$(shell nproc 2>/dev/null)),1,2)
FILTERS = $(if $(PRESET),--preset '$(PRESET)') $(if $(DATASETS),--dataset '$(DATASETS)') $(if $(METHODS),--method '$(METHODS)') \
          $(if $(SPC),--samples-per-class '$(SPC)') $(if $(SEEDS),--seeds '$(SEEDS)')
PAGES = README.md CHANGELOG.md CONTRIBUTING.md CITATION.cff Dockerfile apptainer.def docs results/MEASURED.md \
        results/REPRODUCTION.md results/measured/constraints.txt results/measured/quick/hydramix-samples.png \
        results/measured/quick/chimeramix-figure4.png results/measured/quick/chimeramix-figure4-epochs.png \
        results/measured/quick/chimeramix-figure5.png

.PHONY: setup demo table1 table2 tables figures reproduction report test coverage test-slurm test-slurm-slow lint bench gpu-check chaos data docs clean

setup: .venv/ready

.venv/ready: pyproject.toml
	$(PYTHON) -m venv .venv
	.venv/bin/python -m pip install --progress-bar on -e '.[dev]'
	touch .venv/ready

demo: setup
	$(BENCH) run demo --workers $(WORKERS)
	$(BENCH) table demo
	$(BENCH) tables demo

table1 table2: setup
	$(BENCH) run $@ $(FILTERS) --workers $(WORKERS); status=$$?; $(BENCH) table $@ $(FILTERS); exit $$status

tables: setup
	$(BENCH) tables $(FILTERS)

figures: setup
	$(BENCH) figures $(FILTERS)

reproduction: setup
	$(BENCH) verdict --format markdown --results results/measured -o results/REPRODUCTION.md
	.venv/bin/python -m results.printed README.md results/MEASURED.md

report: setup
	$(BENCH) report

test: setup
	.venv/bin/python -m pytest -n $(WORKERS) --durations=25

coverage: setup
	.venv/bin/python -m pytest -n $(WORKERS) tests/unit tests/contract --cov --cov-report=term --cov-fail-under=83

test-slurm: setup
	.venv/bin/python -m pytest tests/cluster -m "not slow" --durations=0

test-slurm-slow: setup
	.venv/bin/python -m pytest tests/cluster -m slow --durations=0

lint: setup
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy
	.venv/bin/lint-imports

bench: setup
	.venv/bin/python tests/speed/bench.py
	.venv/bin/python tests/speed/bench_slurm.py

gpu-check: setup
	.venv/bin/python tests/speed/gpu_check.py

chaos: setup
	.venv/bin/python tests/lifecycle/chaos.py --kills $(or $(KILLS),100)

data: setup
	$(BENCH) data prepare --dataset $(or $(DATASETS),cifair10,cifair100,stl10)

docs: .venv/docs
	rm -rf build/pages && mkdir -p build/pages
	tar -cf - $(PAGES) | tar -xf - -C build/pages
	.venv/bin/mkdocs build --strict

.venv/docs: .venv/ready
	.venv/bin/python -m pip install --quiet -e '.[docs]'
	touch .venv/docs

clean:
	rm -rf .venv .coverage .pytest_cache .mypy_cache .ruff_cache .import_linter_cache build *.egg-info
