# The front door. `make` lists what there is; each target does its own set-up.
.DEFAULT_GOAL := help
.PHONY: help setup build challenge test test-fast test-pythons asan tsan fuzz bench bench-load bench-python \
	bench-challenge format lint install clean

SECONDS_EACH ?= 30
PREFIX ?= /usr/local
ROUNDS ?= 5

help: ## this list
	@echo 'FasterAPI: make TARGET'
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | \
		while IFS="$$(printf '\t')" read -r name text; do \
			printf '  %-16s %s\n' "$$name" "$$text"; done

setup: ## install everything that any target here needs
	tools/setup all

build: ## library, programs and benchmarks, optimised, in build-release
	@tools/setup build
	@ninja -C "$$(tools/configure release)"

challenge: ## one million requests: server in C, FastAPI code; CHALLENGE=... goes to the client
	@tools/setup challenge
	@echo '== build'
	@ninja -C "$$(tools/configure release)" --quiet
	@tools/challenge $(CHALLENGE)

test: ## everything CI runs: all tests on all builds, fuzz smoke, lints
	@tools/test all

test-fast: ## unit tests (gcc) and the Python suites on that build
	@tools/test fast

test-pythons: ## a wheel for each Python from 3.11 to 3.13 that is here, and the tests on it
	@tools/setup test
	@tools/test_pythons

asan: ## unit tests and Python suites under the address and UB sanitizers
	@tools/test asan python

tsan: ## unit and threaded server tests under the thread sanitizer
	@tools/test tsan

fuzz: ## each fuzzer for SECONDS_EACH seconds (default 30), two at a time
	@tools/setup test
	@ninja -C "$$(tools/configure fuzz)" --quiet
	@tools/fuzz --seconds $(SECONDS_EACH)

bench: ## micro benchmarks: ns per operation; MICRO='--filter json' selects
	@tools/setup build
	@ninja -C "$$(tools/configure release)" --quiet bench/micro
	@build-release/bench/micro $(MICRO)

bench-load: ## CPU per request beside the kernel's floor and nginx (needs wrk)
	@tools/setup bench
	@ninja -C "$$(tools/configure release)" --quiet
	@python3 bench/load/run.py $(LOAD)

bench-python: ## the Python side beside uvicorn and granian, 40 minutes; ROUNDS=1: a look
	@tools/setup bench
	@ninja -C "$$(tools/configure release)" --quiet
	@set -e; for part in run latency websocket transfer idle; do \
		echo "== bench/python/$$part.py"; \
		python3 bench/python/$$part.py --rounds $(ROUNDS); done

bench-challenge: ## one million requests beside Go and Rust (needs both); CHALLENGE=... goes to it
	@tools/setup bench
	@ninja -C "$$(tools/configure release)" --quiet
	@python3 bench/challenge/run.py $(CHALLENGE)

format: ## clang-format all C files in place
	@tools/setup test
	@tools/check_format --fix

lint: ## layers, headers, sizes, words, formatting
	@tools/setup test
	@tools/test lint

install: build ## install under PREFIX (default /usr/local); DESTDIR is respected
	@meson configure build-release --prefix "$(PREFIX)"
	@meson install -C build-release
	@[ -n "$(DESTDIR)" ] || ldconfig

clean: ## remove the build directories and the Python environments
	rm -rf build-release build-dev build-clang build-asan build-tsan build-fuzz build-python-* \
		build-package-* build-wheel-* build-reference build-suites .venv .venv-*
