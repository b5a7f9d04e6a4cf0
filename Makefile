# Makefile: the newcomer's way in. Meson and Ninja do the building; tools/ and tests/run.py hold the rest.
# On a fresh Debian 12 only git and make are needed; the first run of each target installs what it misses.
.PHONY: help run build test bench format clean
.DEFAULT_GOAL := help

# Debian's own, whatever else the PATH may offer: the test libraries are Debian packages.
python = /usr/bin/python3
site = run

help:
	@echo 'make run      build Posthouse and start it on a development site in run/, no root needed'
	@echo 'make test     build it with gcc and clang, sanitizers on, and run every test'
	@echo 'make bench    measure it beside Postfix and the bare limit'
	@echo 'make build    build/posthouse, nothing else'
	@echo 'make format   lay out the C sources with clang-format'
	@echo 'make clean    remove build/ (run/ stays: it holds mail)'

build:
	@tools/setup build
	@tools/build build

run: build
	@tools/site $(site)
	@tools/hello $(site)
	@exec build/posthouse run -c $(site)/posthouse.conf

test:
	@tools/setup test
	@exec $(python) tests/run.py

bench: build
	@tools/setup bench
	@exec $(python) tests/bench/run.py

format:
	@tools/setup format
	@git ls-files --cached --others --exclude-standard '*.c' '*.h' | xargs clang-format-14 -i

clean:
	@rm -rf build
