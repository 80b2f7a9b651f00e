# A thin front for CMake: every target is one or two commands that can be typed by hand.
.PHONY: all run test bench bench-gateway pilot check lint fmt install clean

all:
	@tools/deps build
	@cmake --preset release > build.log 2>&1 || { cat build.log; rm -f build.log; exit 1; }
	@rm -f build.log
	@cmake --build --preset release --target genset check

# Build, then serve the default model on http://127.0.0.1:8484.
run: all
	@build/genset serve

# Everything that must hold: all tests, again under sanitizers, and the rules of the house.
test:
	@tools/deps test
	@tools/test

# ARGS: as bench/run takes them, e.g. make bench ARGS=--quick
bench: all
	@cmake --build --preset release --target genset-bench-model genset-bench-peer genset-bench-roofline
	@bench/run $(ARGS)

# What genset costs between clients and a provider; ARGS: as bench/gateway takes them.
bench-gateway: all
	@cmake --build --preset release --target genset-bench-gateway
	@bench/gateway $(ARGS)

# Train the model in the box (pilot/README.md): hours, needed by nothing else. Goes on where it stopped.
PILOT = build/pilot
PYTHON = /usr/bin/python3
pilot: all
	@tools/deps pilot
	@mkdir -p $(PILOT)
	@test -f $(PILOT)/tokenizer.json || $(PYTHON) pilot/vocabulary.py $(PILOT)/tokenizer.json
	@$(PYTHON) pilot/check.py build/genset $(PILOT)
	@nice -n 12 $(PYTHON) pilot/train.py $(PILOT)
	@$(PYTHON) pilot/export.py $(PILOT) $(PILOT)/pilot.gguf
	@$(PYTHON) pilot/evaluate.py build/genset $(PILOT)/pilot.gguf

check:
	@tools/check

lint: check
	@tools/lint

fmt:
	@git ls-files '*.c' '*.h' | xargs clang-format -i

install: all
	@cmake --install build

clean:
	@rm -rf build
