# Penstock. `make help` lists the targets. The C sources are listed in csrc/sources.txt, which
# setup.py reads too.
SHELL := /bin/bash
.DELETE_ON_ERROR:

BUILD ?= build
CC ?= cc
PREFIX ?= /usr/local
PYTHON ?= .venv/bin/python
VERSION := $(shell cat VERSION)

SOURCES := $(wildcard $(shell cat csrc/sources.txt))
DAEMON_SOURCES := $(wildcard csrc/daemon/*.c)
OBJECTS := $(SOURCES:%.c=$(BUILD)/obj/%.o)
DAEMON_OBJECTS := $(DAEMON_SOURCES:%.c=$(BUILD)/obj/%.o)
UNIT_SOURCES := $(wildcard tests/unit/test_*.c)
UNIT_TESTS := $(UNIT_SOURCES:tests/unit/%.c=$(BUILD)/unit/%)

PACKAGES := rdkafka libcurl jansson libcrypto zlib libzstd
WARNINGS := -Wall -Wextra -Wconversion -Wshadow -Wstrict-prototypes -Wmissing-prototypes \
            -Wpointer-arith -Wundef -Wwrite-strings
ifdef CI
WARNINGS += -Werror
endif
OPTIMISE ?= -O2 -g
SANITIZE ?=
DEFINES := -D_GNU_SOURCE -DPST_VERSION='"$(VERSION)"'
# Asked for only when something is compiled: pkg-config may not be there before `setup`.
PKG_CFLAGS = $(shell pkg-config --cflags $(PACKAGES))
PKG_LIBS = $(shell pkg-config --libs $(PACKAGES))
ALL_CFLAGS = -std=c11 $(OPTIMISE) $(SANITIZE) $(WARNINGS) -fPIC -fvisibility=hidden -pthread \
             $(DEFINES) -Icsrc -I. $(PKG_CFLAGS) $(CFLAGS)
ALL_LDFLAGS = $(SANITIZE) -pthread $(LDFLAGS)
LIBS = $(PKG_LIBS) -lm -ldl

.PHONY: all
all: setup-build ## build build/penstockd
	@$(MAKE) --no-print-directory daemon

.PHONY: setup-build setup-test
setup-build:
	@scripts/setup.sh build
setup-test:
	@scripts/setup.sh test

.PHONY: daemon lib
daemon: $(BUILD)/penstockd
lib: $(BUILD)/libpenstock.a

$(BUILD)/obj/%.o: %.c VERSION Makefile
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) -MMD -MP -c $< -o $@

$(BUILD)/libpenstock.a: $(OBJECTS)
	@rm -f $@
	ar rcs $@ $^

$(BUILD)/penstockd: $(DAEMON_OBJECTS) $(BUILD)/libpenstock.a
	$(CC) $(ALL_LDFLAGS) $^ $(LIBS) -o $@

# One program per source file; fault-injection tests bring their own allocator.
$(BUILD)/unit/%: tests/unit/%.c $(BUILD)/libpenstock.a
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) -Itests/unit -MMD -MP $< $(BUILD)/libpenstock.a $(ALL_LDFLAGS) $(LIBS) \
	  -lcmocka -o $@

.PHONY: unit
unit: $(UNIT_TESTS) ## build and run the C unit tests
	@set -e; for t in $(UNIT_TESTS); do echo "== $${t##*/}"; $$t; done

-include $(shell find $(BUILD)/obj -name '*.d' 2>/dev/null)

.PHONY: clean
clean: ## remove what was built
	rm -rf build dist *.egg-info
