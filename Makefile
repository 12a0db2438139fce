# Penstock. `make help` lists the targets. The C sources are listed in csrc/sources.txt, which
# setup.py reads too.
SHELL := /bin/bash
.DELETE_ON_ERROR:

# `make V=1` shows the commands.
Q := $(if $(V),,@)
BUILD ?= build
CC ?= cc
PREFIX ?= /usr/local
PYTHON ?= .venv/bin/python
VERSION := $(shell cat VERSION)

SOURCES := $(wildcard $(shell cat csrc/sources.txt))
DAEMON_SOURCES := $(wildcard csrc/daemon/*.c)
OBJECTS := $(SOURCES:%.c=$(BUILD)/obj/%.o)
DAEMON_OBJECTS := $(DAEMON_SOURCES:%.c=$(BUILD)/obj/%.o) $(BUILD)/obj/page.o
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
# The plugin for s3.client=libs3, where the library is. It is GPL-3 in Debian: nothing else links it.
LIBS3_HEADER := $(firstword $(wildcard /usr/include/libs3.h /usr/local/include/libs3.h))
LIBS3 := $(if $(LIBS3_HEADER),$(BUILD)/penstock_libs3.so)
LIBS3_SOURCES := $(wildcard csrc/store/libs3/*.c)
ALL_LDFLAGS = $(SANITIZE) -pthread $(LDFLAGS)
LIBS = $(PKG_LIBS) -lm -ldl
# What only the daemon needs: its REST interface.
DAEMON_PACKAGES := libmicrohttpd
DAEMON_LIBS = $(shell pkg-config --libs $(DAEMON_PACKAGES))
# TSan sees librdkafka's threads only as POSIX': tests/tsan/c11threads.c.
SHIM := $(if $(findstring thread,$(SANITIZE)),$(BUILD)/obj/tests/tsan/c11threads.o)

.PHONY: all
all: setup-build ## build build/penstockd
	@$(MAKE) -j2 --no-print-directory daemon

.PHONY: setup-build setup-test setup-airflow
setup-build:
	@scripts/setup.sh build
setup-test:
	@scripts/setup.sh test
setup-airflow:
	@scripts/setup.sh airflow

.PHONY: daemon lib libs3
daemon: $(BUILD)/penstockd $(LIBS3)
libs3: $(BUILD)/penstock_libs3.so ## build/penstock_libs3.so, for s3.client=libs3
lib: $(BUILD)/libpenstock.a

$(BUILD)/obj/%.o: %.c VERSION Makefile
	@mkdir -p $(@D)
	$(if $(V),,@echo "  CC    $<")
	$(Q)$(CC) $(ALL_CFLAGS) -MMD -MP -c $< -o $@

# The status page, as a C array.
$(BUILD)/obj/page.c: scripts/page.py $(wildcard csrc/daemon/page/*)
	@mkdir -p $(@D)
	@echo "  PAGE  $@"
	$(Q)$(firstword $(wildcard $(PYTHON)) python3) scripts/page.py $@
$(BUILD)/obj/page.o: $(BUILD)/obj/page.c csrc/daemon/page.h Makefile
	$(Q)$(CC) $(ALL_CFLAGS) -c $< -o $@

$(BUILD)/libpenstock.a: $(OBJECTS)
	@rm -f $@
	$(if $(V),,@echo "  AR    $@")
	$(Q)ar rcs $@ $^

$(BUILD)/penstockd: $(DAEMON_OBJECTS) $(SHIM) $(BUILD)/libpenstock.a
	$(if $(V),,@echo "  LINK  $@")
	$(Q)$(CC) $(ALL_LDFLAGS) $^ $(LIBS) $(DAEMON_LIBS) -o $@

# It brings its own copy of what it uses of base/, and shows one symbol.
$(BUILD)/penstock_libs3.so: $(LIBS3_SOURCES:%.c=$(BUILD)/obj/%.o) $(BUILD)/libpenstock.a
	$(if $(V),,@echo "  LINK  $@")
	$(Q)$(CC) -shared $(if $(SANITIZE),,-Wl,-z,defs) $(ALL_LDFLAGS) $^ -ls3 -lcrypto -o $@

# One program per source file; fault-injection tests bring their own allocator.
$(BUILD)/unit/%: tests/unit/%.c $(SHIM) $(BUILD)/libpenstock.a
	@mkdir -p $(@D)
	$(if $(V),,@echo "  TEST  $@")
	$(Q)$(CC) $(ALL_CFLAGS) -Itests/unit -MMD -MP $< $(SHIM) $(BUILD)/libpenstock.a \
	  $(ALL_LDFLAGS) $(LIBS) -lcmocka -o $@

# What is the daemon's alone is tested as it is linked there, but for main().
$(BUILD)/libdaemon.a: $(filter-out %/main.o,$(DAEMON_OBJECTS))
	@rm -f $@
	$(Q)ar rcs $@ $^
$(BUILD)/unit/test_rest_%: tests/unit/test_rest_%.c $(SHIM) $(BUILD)/libdaemon.a $(BUILD)/libpenstock.a
	@mkdir -p $(@D)
	$(if $(V),,@echo "  TEST  $@")
	$(Q)$(CC) $(ALL_CFLAGS) -Itests/unit -MMD -MP $< $(SHIM) $(BUILD)/libdaemon.a \
	  $(BUILD)/libpenstock.a $(ALL_LDFLAGS) $(LIBS) $(DAEMON_LIBS) -lcmocka -o $@

.PHONY: unit
unit: $(UNIT_TESTS) ## build and run the C unit tests
	@set -e; for t in $(UNIT_TESTS); do echo "== $${t##*/}"; TZ=UTC $$t; done

# What Kafka Connect's own transforms make of generated records: the expected results of
# test_transform_oracle. Needs a JDK (11 or later) and the jars, which tests/services fetches.
CONNECT_JARS = $(shell $(PYTHON) -c "from tests.services import connect; print(connect.jars())")
.PHONY: transforms-data
transforms-data: setup-test ## tests/data/transforms/, by Kafka Connect's jar
	@java -Duser.timezone=UTC -Duser.language=en -Duser.country=US -Dfile.encoding=UTF-8 \
	  -cp "$(CONNECT_JARS)/*" tests/transforms/Oracle.java tests/data/transforms

# The same programs with sanitizers, each in a build folder of its own.
.PHONY: unit-asan unit-tsan unit-valgrind
unit-asan: ## the unit tests under ASan, LSan and UBSan
	@ASAN_OPTIONS=detect_stack_use_after_return=1 UBSAN_OPTIONS=print_stacktrace=1:halt_on_error=1 \
	  $(MAKE) -j2 --no-print-directory BUILD=build/asan OPTIMISE="-O1 -g" \
	  SANITIZE="-fsanitize=address,undefined -fno-sanitize-recover=all" unit
TSAN := BUILD=build/tsan OPTIMISE="-O1 -g" SANITIZE="-fsanitize=thread"
unit-tsan: ## the unit tests that use threads under TSan
	@TSAN_OPTIONS=suppressions=$(CURDIR)/tests/tsan/suppressions.txt \
	  $(MAKE) -j2 --no-print-directory $(TSAN) \
	  UNIT_SOURCES="$(wildcard $(TSAN_TESTS:%=tests/unit/test_%.c))" unit
TSAN_TESTS := objects objects_nomem objects_pack objects_routed objects_spool spool chain chain_sweep pool http \
              s3 s3_outcomes s3multi creds_sources dir clock log kafka_client kafka_mock \
              kafka_offsets kafka_poll source_task worker_control rest_lane
TSAN_TESTS += metrics beat

.PHONY: tsan-daemon tsan-worker tsan-flags
tsan-daemon:
	@$(MAKE) -j2 --no-print-directory $(TSAN) daemon
# For the mutants of tests/tsan: what to compile -- and what to link with.
tsan-flags:
	@$(MAKE) --no-print-directory $(TSAN) flags
.PHONY: flags
flags:
	@printf '%s\n' '$(ALL_CFLAGS) -- $(ALL_LDFLAGS) $(LIBS) $(DAEMON_LIBS)'
tsan-worker: setup-test tsan-daemon ## the daemon under TSan: start, rebalances, stop
	@$(PYTHON) -m pytest tests/tsan

# The extension modules for the tests: installed into .venv when a source is newer. They link
# the core that is built already.
PY_STAMP := $(BUILD)/py.stamp
$(PY_STAMP): $(BUILD)/libpenstock.a $(BUILD)/penstockd $(wildcard csrc/*/*.h csrc/pyext/*.c) \
             $(wildcard connectors/*.py connectors/*/*.py connectors/*.pyi connectors/py.typed) \
             $(wildcard connectors/data/* connectors/*/*.h airflow_provider/*.py airflow_provider/*/*.py) \
             setup.py pyproject.toml VERSION
	@mkdir -p $(@D)
	@echo "  PY    penstock into .venv"
	$(Q)PST_PREBUILT=$(BUILD) $(if $(CI),PST_WERROR=1) $(PYTHON) -m pip install --quiet \
	  --no-build-isolation --no-deps --force-reinstall .
	@touch $@
.PHONY: py
py: $(PY_STAMP) ## build and install the Python package into .venv

.PHONY: test
test: setup-test ## everything: set-up, build, lint, unit tests, sanitizers, pytest
	@$(MAKE) -j2 --no-print-directory CI=1 daemon $(UNIT_TESTS) $(BUILD)/conformance
	@$(MAKE) --no-print-directory CI=1 lint-quick docs-check unit conformance
	@$(MAKE) --no-print-directory CI=1 unit-asan unit-tsan tsan-daemon py
	@$(MAKE) --no-print-directory fuzz-diff SECONDS=20
	@$(PYTHON) -m pytest $(PYTEST)
	@$(MAKE) --no-print-directory CI=1 test-airflow test-airflow2 test-airflow-up

# The provider on a real Airflow; the environments come from lock files, into the cache.
.PHONY: test-airflow test-airflow2
test-airflow: setup-test py ## the Airflow provider on Airflow 3
	@$(PYTHON) -m tests.airflow 3 $(PYTEST)
test-airflow2: setup-test py ## the Airflow provider on Airflow 2.11
	@$(PYTHON) -m tests.airflow 2 $(PYTEST)

# Every component of Airflow, PostgreSQL, a browser: from outside.
.PHONY: test-airflow-up test-airflow2-up airflow-services
test-airflow-up: setup-airflow daemon py ## the provider under a whole Airflow 3
	@$(PYTHON) -m tests.airflow.bringup 3 $(PYTEST)
test-airflow2-up: setup-airflow daemon py ## the provider under a whole Airflow 2.11
	@$(PYTHON) -m tests.airflow.bringup 2 $(PYTEST)
LINE ?= 3
airflow-services: setup-airflow py ## Airflow (LINE=3 or 2), Kafka, MinIO, users, until Ctrl-C
	@$(PYTHON) -m tests.services up --airflow $(LINE)

.PHONY: large
large: setup-test daemon ## an object of 1 GiB, larger than memory, killed while it goes up
	@LARGE_MIB=1024 $(PYTHON) -m pytest tests/integration/test_large.py -k larger -s

.PHONY: demo
demo: setup-build ## users → Kafka → CSV in one process, nothing else installed
	@$(MAKE) --no-print-directory py
	@.venv/bin/penstock demo

.PHONY: services
services: setup-test ## a real Kafka and MinIO on loopback, until Ctrl-C
	@$(PYTHON) -m tests.services up

.PHONY: conformance
conformance: $(BUILD)/conformance ## golden files of real Spark through the real sink code
	@$(BUILD)/conformance tests/data/golden
$(BUILD)/conformance: tests/conformance/conformance.c $(BUILD)/libpenstock.a
	$(if $(V),,@echo "  LINK  $@")
	$(Q)$(CC) $(ALL_CFLAGS) -MMD -MP $< $(BUILD)/libpenstock.a $(ALL_LDFLAGS) $(LIBS) -o $@

.PHONY: bench
bench: setup-test ## CPU, wall, memory and latency against floors of the same run
	@$(MAKE) --no-print-directory daemon $(BUILD)/floor $(BUILD)/put_floor $(BUILD)/bench_encode
	@$(PYTHON) -m tests.bench $(BENCH)
$(BUILD)/floor $(BUILD)/put_floor: $(BUILD)/%: tests/bench/%.c
	$(Q)$(CC) -std=c11 -O2 -D_GNU_SOURCE -Wall -Wextra $< $(PKG_LIBS) -pthread -o $@
.PHONY: bench-upload
bench-upload: setup-test ## CPU per GB uploaded, in one PUT and in parts, against libcurl alone
	@$(MAKE) --no-print-directory $(BUILD)/put_floor $(BUILD)/put_store
	@$(PYTHON) -m tests.bench.upload_cost
$(BUILD)/bench_encode $(BUILD)/put_store: $(BUILD)/%: tests/bench/%.c $(BUILD)/libpenstock.a
	$(if $(V),,@echo "  LINK  $@")
	$(Q)$(CC) $(ALL_CFLAGS) -MMD -MP $< $(BUILD)/libpenstock.a $(ALL_LDFLAGS) $(LIBS) -o $@

.PHONY: model chaos fuzz
model: setup-test ## check the protocol's model and its mutants (spin)
	@$(PYTHON) model/run.py $(MODEL)
MINUTES ?= 4
SEED ?= 1
chaos: setup-test daemon ## faults of all kinds against real services, then an audit: MINUTES= SEED=
	@$(PYTHON) -m tests.chaos --minutes $(MINUTES) --seed $(SEED) $(CHAOS)
SECONDS_EACH ?= 20
fuzz: setup-test ## every fuzzer for SECONDS_EACH
	@$(PYTHON) tests/fuzz/run.py --seconds $(SECONDS_EACH)
.PHONY: fuzz-diff
fuzz-diff: setup-test ## scanner against jansson, encoder against a reference: SECONDS= SEED=
	@$(PYTHON) tests/fuzz/run.py --seconds $(or $(SECONDS),20) jansson
	@$(PYTHON) tests/fuzz/diff.py --seconds $(or $(SECONDS),20) --seed $(SEED)

# ---- lint ----
C_FILES := $(wildcard csrc/*/*.[ch] csrc/store/libs3/*.[ch] connectors/*.c connectors/*/*.[ch] tests/unit/*.[ch] \
             tests/store/*.[ch] tests/bench/*.c tests/conformance/*.c tests/fuzz/*.c tests/tsan/*.c)
PY_FILES := $(wildcard connectors airflow_provider tests scripts/*.py setup.py)
.PHONY: lint lint-quick
lint: setup-test lint-quick ## formatting, static analysis, types, shell, the project's own rules
	@printf '%s\n' $(SOURCES) $(DAEMON_SOURCES) | xargs -P 2 -n 1 sh -c \
	  'clang-tidy --quiet "$$0" -- -std=c11 -Icsrc -I. $(DEFINES) $(PKG_CFLAGS) 2>/dev/null'
lint-quick:
	@clang-format --dry-run -Werror $(C_FILES)
	@$(PYTHON) scripts/lint.py
	@$(PYTHON) -m ruff check -q $(PY_FILES) && $(PYTHON) -m ruff format -q --check $(PY_FILES)
	@mkdir -p build/typing; ln -sfn ../../connectors build/typing/penstock; \
	  ln -sfn ../../airflow_provider build/typing/penstock_airflow
	@MYPYPATH=build/typing $(PYTHON) -m mypy --no-error-summary -p penstock \
	  -p tests.python -p tests.support -p tests.services
	@MYPYPATH=build/typing $(PYTHON) -m mypy --no-error-summary --cache-dir .mypy_cache/airflow \
	  --python-executable "$$($(PYTHON) -m tests.services.airflow_env 3)" \
	  -p penstock_airflow -p tests.airflow
	@shellcheck scripts/*.sh .ci/run

# ---- docs, install ----
.PHONY: docs
docs: daemon ## regenerate docs/CONFIGURATION.md from the settings tables
	@mkdir -p docs
	$(BUILD)/penstockd --settings-markdown > docs/CONFIGURATION.md

.PHONY: docs-check
docs-check: daemon
	@$(BUILD)/penstockd --settings-markdown | cmp - docs/CONFIGURATION.md || \
	  { echo "docs/CONFIGURATION.md is not current: make docs"; exit 1; }

.PHONY: man
man: $(BUILD)/penstockd ## build/man/: penstockd(8), penstockd.properties(5), from its --help
	@$(firstword $(wildcard $(PYTHON)) python3) scripts/man.py $(BUILD)/penstockd $(BUILD)/man

.PHONY: install
install: daemon man ## penstockd, its man pages and systemd unit, below PREFIX (/usr/local)
	install -D -m 755 $(BUILD)/penstockd $(DESTDIR)$(PREFIX)/bin/penstockd
	$(if $(LIBS3),install -D -m 755 $(LIBS3) $(DESTDIR)$(PREFIX)/lib/penstock/penstock_libs3.so)
	install -d $(DESTDIR)$(PREFIX)/lib/systemd/system $(DESTDIR)$(PREFIX)/share/man/man{5,8}
	install -m 644 $(BUILD)/man/*.8 $(DESTDIR)$(PREFIX)/share/man/man8
	install -m 644 $(BUILD)/man/*.5 $(DESTDIR)$(PREFIX)/share/man/man5
	sed 's|/usr/bin/penstockd|$(PREFIX)/bin/penstockd|' packaging/systemd/penstockd.service \
	  >$(DESTDIR)$(PREFIX)/lib/systemd/system/penstockd.service

.PHONY: help
help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 16

-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)

.PHONY: clean
clean: ## remove what was built
	rm -rf build dist *.egg-info
