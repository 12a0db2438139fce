# The programs of tests/store/; used with the Makefile: make -f Makefile -f tests/store/suite.mk
STORE_TESTS := $(BUILD)/store/store_suite $(BUILD)/store/libs3_traps $(BUILD)/store/sigv4_helper \
               $(LIBS3)
SUITE_SOURCES := $(wildcard tests/store/suite_*.c)

$(BUILD)/store/store_suite: $(SUITE_SOURCES) tests/store/store_suite.h

$(BUILD)/store/%: tests/store/%.c $(BUILD)/libpenstock.a
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) -MMD -MP $(filter %.c,$^) $(BUILD)/libpenstock.a $(ALL_LDFLAGS) $(LIBS) \
	  -lcmocka -o $@

.PHONY: store-tests
store-tests: $(STORE_TESTS)
