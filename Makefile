# The front. Each target works from a bare checkout: it first installs the Debian packages that are absent.

PREFIX ?= /usr/local
FUZZ_SECONDS ?= 60
JOBS ?= $(shell nproc)
CMAKE_ARGS ?=
# Of ctest, for test and asan; CTEST_ARGS='-L unit' runs one suite.
CTEST_ARGS ?=
# Of bench/run.sh; BENCH_ARGS='--only acceptance' measures the first table alone.
BENCH_ARGS ?=

CONFIGURE = cmake --log-level=NOTICE --preset

export CMAKE_BUILD_PARALLEL_LEVEL = $(JOBS)

.PHONY: all demo test asan fuzz bench format check-format install clean setup setup-ci

all: setup
	@$(CONFIGURE) release $(CMAKE_ARGS)
	cmake --build build/release

demo: all
	build/release/coset demo -o build/demo

test: setup
	@$(CONFIGURE) dev $(CMAKE_ARGS)
	cmake --build build/dev
	@scripts/judge.sh
	@scripts/test.sh build/dev -j $(JOBS) $(CTEST_ARGS)

asan: setup
	@$(CONFIGURE) asan $(CMAKE_ARGS)
	cmake --build build/asan
	@scripts/judge.sh
	@scripts/test.sh build/asan -j $(JOBS) $(CTEST_ARGS)

fuzz: setup-ci
	@$(CONFIGURE) fuzz $(CMAKE_ARGS)
	cmake --build build/fuzz --target fuzz_targets
	@scripts/fuzz.sh build/fuzz $(FUZZ_SECONDS)

bench: all
	bench/run.sh $(BENCH_ARGS)

format: setup-ci
	@scripts/format.sh

check-format: setup-ci
	@scripts/format.sh --check

install: all
	cmake --install build/release --prefix "$(PREFIX)"

clean:
	rm -rf build

setup:
	@scripts/setup.sh

setup-ci:
	@scripts/setup.sh --ci
