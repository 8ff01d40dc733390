# Everything sets itself up: python3.11, pip and make are all that must be there.
PYTHON ?= python3.11
BIN := .venv/bin
export INTERLINGUA_ENVIRONMENTS := $(CURDIR)/.environments
export TF_CPP_MIN_LOG_LEVEL := 3
PLUGINS := torch tensorflow paddle fluid caffe
STAMP := .venv/.ready
LEGACY := .environments/.ready
ZOO := .environments/zoo/interlingua.json

.PHONY: setup legacy demo test quick lint docs matrix suite bench vgg evidence zoo gallery fuzz clean

setup: $(STAMP)

$(STAMP): constraints.txt pyproject.toml $(wildcard plugins/*/pyproject.toml)
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install -q -c constraints.txt --upgrade pip setuptools
	$(BIN)/python -m pip install -q -r constraints.txt
	$(BIN)/python -m pip install -q --no-deps --no-build-isolation -e . $(addprefix -e plugins/,$(PLUGINS))
	$(BIN)/python -m pip check
	touch $@

legacy: $(LEGACY)

$(LEGACY): $(STAMP) tools/legacy.py
	$(BIN)/python tools/legacy.py $@

demo: $(STAMP) $(LEGACY)
	$(BIN)/python examples/demo.py

test: $(STAMP) $(LEGACY) $(ZOO)
	$(BIN)/python -m pytest -n 2 --dist loadfile

quick: $(STAMP)
	$(BIN)/python -m pytest -n 2 --dist loadfile -m "not slow and not legacy"

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

docs: $(STAMP)
	$(BIN)/python tools/docs.py
	$(BIN)/mkdocs build -q --strict

matrix: $(STAMP) $(LEGACY)
	$(BIN)/python tools/matrix.py

suite: $(STAMP)
	$(BIN)/python tools/suite.py

bench: $(STAMP) $(ZOO)
	$(BIN)/python benchmarks/run.py

vgg: $(STAMP) $(LEGACY)
	$(BIN)/python benchmarks/vgg.py

$(ZOO): $(STAMP) constraints-zoo.txt tools/zoo_environment.py
	$(BIN)/python tools/zoo_environment.py

fuzz: $(STAMP)
	$(BIN)/python tools/fuzz.py
	$(BIN)/python tools/hostile.py

zoo: $(ZOO)
	.environments/zoo/bin/python tests/zoo/finetune.py
	$(BIN)/python tools/zoo.py

gallery: $(ZOO)
	.environments/zoo/bin/python tools/gallery.py

evidence: $(STAMP) $(LEGACY)
	$(BIN)/interlingua api verify

clean:
	rm -rf .venv .environments build site demo
