# SPDX-License-Identifier: MIT
# The whole build, one file: `make help` lists the targets. Everything that is made goes to $(BUILD).

BUILD ?= build
PREFIX ?= /usr/local
DESTDIR ?=
SBINDIR = $(PREFIX)/sbin

CC = gcc
CLANG ?= clang-19
CLANG_FORMAT ?= clang-format-19
CLANG_TIDY ?= clang-tidy-19
BPFTOOL ?= bpftool
PROVE ?= prove
PROVE_FLAGS ?= --timer --failures --comments

.DEFAULT_GOAL := all
.DELETE_ON_ERROR:
.SECONDARY:
MAKEFLAGS += --no-builtin-rules
SHELL := /bin/bash
export PATH := $(PATH):/usr/local/sbin:/usr/sbin:/sbin
export BUILD

ifeq ($(V),1)
say =
else
say = @printf '  %-7s %s\n' '$(1)' '$(2)';
endif

# Targets that promise to work on a bare machine install what is missing before the first compiler runs.
ifneq ($(filter deps check check-% demo bench bench-% soak fuzz vmtest,$(MAKECMDGOALS)),)
DEPS := deps
endif

ARCH := $(shell uname -m | sed -e s/x86_64/x86/ -e s/aarch64/arm64/ -e s/ppc64le/powerpc/ -e s/riscv64/riscv/ -e s/s390x/s390/)

INCLUDES = -I. -Iinclude -I$(BUILD) -Ibpf/include
WARNINGS = -Wall -Wextra -Werror
BPF_CFLAGS = -O2 -g -target bpf -mcpu=v3 -D__TARGET_ARCH_$(ARCH) -I. -Iinclude -Ibpf/include $(WARNINGS)
CFLAGS = -std=gnu11 -O2 -g $(WARNINGS)
CPPFLAGS = -D_GNU_SOURCE $(INCLUDES)
LDLIBS = -lbpf -lelf -lz -lcjson -lcrypto -levent -lcap-ng -lpthread
SANITIZE = -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
DEPFLAGS = -MMD -MP

# ---- what there is ----

BPF_OBJS := $(patsubst %.bpf.c,$(BUILD)/%.bpf.o,$(wildcard bpf/*/*.bpf.c))
BPF_OBJECT := $(BUILD)/mpbpf.bpf.o
SKELETON := $(BUILD)/mpbpf.skel.h

obj = $(patsubst %.c,$(BUILD)/obj/%.o,$(1))
san = $(patsubst %.c,$(BUILD)/san/%.o,$(1))

CORE := $(wildcard core/*.c)
AUTH := $(wildcard userspace-auth/*.c)
GATEWAY := $(wildcard gateway/*.c)
LOADER := $(wildcard loader/*.c)
AGENT := $(wildcard agent/*.c)

CORE_LIB := $(BUILD)/libcore.a
AUTH_LIB := $(BUILD)/libauth.a
GATEWAY_LIB := $(BUILD)/libgateway.a
LOADER_LIB := $(BUILD)/libloader.a
SAN_LIB := $(BUILD)/libsan.a
PROGRAMS := $(BUILD)/mpbpf $(BUILD)/mpbpfd

UNIT := $(patsubst %.c,$(BUILD)/%,$(wildcard tests/unit/test_*.c))
UNIT_HELPERS := $(filter-out tests/unit/test_%,$(wildcard tests/unit/*.c))
PROG := $(patsubst %.c,$(BUILD)/%,$(wildcard tests/prog/test_*.c))
PROG_HELPERS := $(filter-out tests/prog/test_% %.bpf.c,$(wildcard tests/prog/*.c))
PROG_BPF := $(patsubst %.bpf.c,$(BUILD)/%.bpf.o,$(wildcard tests/prog/*.bpf.c))
E2E := $(sort $(wildcard tests/e2e/t_*.sh tests/demo/t_*.sh))
E2E_TOOLS := $(patsubst %.c,$(BUILD)/%,$(wildcard tests/e2e/*.c))
RUNNER := $(wildcard tests/runner/t_*.sh tests/vm/t_*.sh)
BENCH_TOOLS := $(patsubst %.c,$(BUILD)/%,$(filter-out %.bpf.c,$(wildcard tests/bench/*.c)))
BENCH_BPF := $(patsubst %.bpf.c,$(BUILD)/%.bpf.o,$(wildcard tests/bench/*.bpf.c))
FUZZ := $(patsubst %.c,$(BUILD)/%,$(wildcard tests/fuzz/fuzz_*.c))
FUZZ_LIB := $(BUILD)/libfuzz.a
FUZZED := $(wildcard core/base64.c core/cidr.c core/config*.c core/host.c core/json.c core/jw*.c core/policy_headers.c \
	userspace-auth/jw*.c userspace-auth/signature.c gateway/proxy_*.c)
FUZZ_TOOLS := $(patsubst %.c,$(BUILD)/%,$(filter-out tests/fuzz/fuzz_%,$(wildcard tests/fuzz/*.c)))

SMUGGLE := $(BUILD)/tests/smuggle/smuggle

# ---- targets ----

.PHONY: all tests check check-unit check-prog check-fuzz check-e2e check-fast layers demo bench bench-memory bench-gateway bench-gateway-memory bench-fast soak soak-fast fuzz install clean deps lint format help
.PHONY: kselftest kselftest-install vmtest kernels-doc

all: $(PROGRAMS) ## build mpbpf and mpbpfd (default)

TEST_ENV = CMOCKA_MESSAGE_OUTPUT=TAP
# What each test said, for the host's column of vmtest.
KEPT = $(abspath $(BUILD))/kept
TEST_PARTS = $(PROGRAMS) $(UNIT) $(PROG) $(PROG_BPF) $(FUZZ) $(FUZZ_TOOLS) $(E2E_TOOLS) $(BENCH_TOOLS) $(SMUGGLE)

tests: $(TEST_PARTS) | $(DEPS) ## build what `make check` runs

# Most of the time of a first run is the compiler's: on all processors, the tests behind it one by one.
check: | $(DEPS) ## every test there is: layers, documents, runner, unit, prog, fuzz (short), e2e
	@$(MAKE) --no-print-directory -j"$$(nproc)" tests
	rm -rf '$(KEPT)' && mkdir -p '$(KEPT)' && touch '$(KEPT)/began'
	KEPT='$(KEPT)' $(TEST_ENV) $(PROVE) $(PROVE_FLAGS) --exec tests/runner/keep.sh tests/layers.sh tests/documents.sh $(RUNNER) $(UNIT) $(PROG) $(wildcard tests/fuzz/t_*.sh) $(E2E)

check-unit: $(UNIT) | $(DEPS) ## native unit tests under ASan and UBSan
	$(TEST_ENV) $(PROVE) $(PROVE_FLAGS) $(UNIT)

check-prog: $(PROG) $(PROG_BPF) | $(DEPS) ## the BPF programs through BPF_PROG_TEST_RUN (root)
	$(TEST_ENV) $(PROVE) $(PROVE_FLAGS) $(PROG)

check-fuzz: $(FUZZ) $(FUZZ_TOOLS) | $(DEPS) ## a short, repeatable fuzz run and the comparison with node's parser
	$(PROVE) $(PROVE_FLAGS) $(wildcard tests/fuzz/t_*.sh)

check-e2e: $(PROGRAMS) $(E2E_TOOLS) $(PROG_BPF) $(SMUGGLE) | $(DEPS) ## end to end in network namespaces (root)
	$(PROVE) $(PROVE_FLAGS) $(E2E)

# Left out: what is not about clients, and what expects them elsewhere, short writes, or nothing to be left of the programs.
FAST_OUT = capture% check docs fast% flows gateway_http hotplug interfaces interrupted lists load_failures malformed placement rates sanity \
	selftest short_writes syn_guard unload xdp
check-fast: $(PROGRAMS) $(E2E_TOOLS) $(PROG_BPF) $(SMUGGLE) | $(DEPS) ## the e2e tests with clients of this node and a fast path (root)
	MPBPF_FAST=1 $(PROVE) $(PROVE_FLAGS) $(filter-out $(FAST_OUT:%=tests/e2e/t_%.sh),$(filter tests/e2e/t_%.sh,$(E2E)))

layers: $(PROGRAMS) ## fail on an include that points up
	tests/layers.sh

demo: $(PROGRAMS) $(E2E_TOOLS) | $(DEPS) ## real requests and a packet flood against a guarded nginx (root)
	@tests/demo/demo.sh

bench: $(PROGRAMS) $(BENCH_TOOLS) $(E2E_TOOLS) | $(DEPS) ## wrk seven ways, XDP ns per packet, clients in a flood (root); ROUNDS, SECONDS
	@ROUNDS='$(ROUNDS)' BENCH_SECONDS='$(SECONDS)' tests/bench/bench.sh
	@tests/bench/flood.sh

bench-memory: $(PROGRAMS) $(E2E_TOOLS) | $(DEPS) ## memory for each open connection, direct and guarded (root); CONNECTIONS, ROUNDS
	@ROUNDS='$(ROUNDS)' CONNECTIONS='$(CONNECTIONS)' tests/bench/memory.sh

bench-gateway: $(PROGRAMS) $(BENCH_TOOLS) $(E2E_TOOLS) | $(DEPS) ## gateways against HAProxy and nginx, their relay against a redirect (root); ROUNDS, SECONDS
	@ROUNDS='$(ROUNDS)' BENCH_SECONDS='$(SECONDS)' tests/bench/gateway.sh
	@ROUNDS='$(ROUNDS)' tests/bench/relay.sh

bench-gateway-memory: $(PROGRAMS) $(E2E_TOOLS) | $(DEPS) ## memory of 10,000 connections through a gateway (root); CONNECTIONS
	@CONNECTIONS='$(CONNECTIONS)' tests/bench/gateway_memory.sh

bench-fast: $(PROGRAMS) $(E2E_TOOLS) | $(DEPS) ## past TCP against TCP, captures against a REDIRECT to HAProxy (root); ROUNDS, SECONDS
	@ROUNDS='$(ROUNDS)' BENCH_SECONDS='$(SECONDS)' tests/bench/fast.sh

soak: $(PROGRAMS) $(E2E_TOOLS) | $(DEPS) ## GB (20) through a gateway, byte by byte (root); SOAK_PATH: relay or steer
	@GATEWAY_SOAK_GB='$(or $(GB),20)' GATEWAY_SOAK_PATH='$(or $(SOAK_PATH),relay)' tests/e2e/t_gateway_soak.sh

soak-fast: $(PROGRAMS) $(E2E_TOOLS) | $(DEPS) ## GB (20) past TCP and by turns through it, byte by byte (root); CONNECTIONS
	@FAST_SOAK_GB='$(or $(GB),20)' FAST_SOAK_CONNECTIONS='$(or $(CONNECTIONS),60)' tests/e2e/t_fast_soak.sh

fuzz: $(FUZZ) $(FUZZ_TOOLS) $(PROGRAMS) $(E2E_TOOLS) $(SMUGGLE) | $(DEPS) ## a long fuzz run, smuggling too (root); FUZZ_SECONDS
	@FUZZ_SECONDS='$(FUZZ_SECONDS)' tests/fuzz/long.sh

KSELFTEST = $(PROGRAMS) $(BPF_OBJECT) $(PROG) $(PROG_BPF) $(E2E_TOOLS) $(SMUGGLE)
# The folder is laid out as this tree is, so that a test finds everything where it always does; tests/e2e/t_docs.sh holds
# the documents against the sources.
KSELFTEST_TREE = README.md CONTRIBUTING.md LICENSE LICENSES Makefile vmlinux.h bpf core userspace-auth gateway loader agent \
	include tests docs examples deploy scripts
INSTALL_PATH ?= $(BUILD)/kselftest_install
KSELFTEST_CP = cp --preserve=mode,timestamps --remove-destination

kselftest: $(KSELFTEST) ## build what tests/run_kselftest.sh runs

kselftest-install: $(KSELFTEST) ## put that into $(INSTALL_PATH), to be run on a machine without compilers
	mkdir -p '$(INSTALL_PATH)/build'
	$(KSELFTEST_CP) -R -t '$(INSTALL_PATH)' $(KSELFTEST_TREE) tests/run_kselftest.sh tests/packages.txt
	cd '$(BUILD)' && $(KSELFTEST_CP) --parents -t '$(abspath $(INSTALL_PATH))/build' $(KSELFTEST:$(BUILD)/%=%)
	tests/run_kselftest.sh -l | sed 's/^/mpbpf:/' >'$(INSTALL_PATH)/kselftest-list.txt'

vmtest: $(KSELFTEST) | $(DEPS) ## the same tests here and on other kernels, in emulated machines (root); KERNELS, TESTS
	@scripts/install-deps vm
	@KERNELS='$(KERNELS)' TESTS='$(TESTS)' tests/vm/vmtest.sh

kernels-doc: ## renew docs/kernels.md from the last `make vmtest`
	tests/vm/kernels_doc.sh write '$(BUILD)/vm/results' >'$(BUILD)/vm/kernels.md'
	mv '$(BUILD)/vm/kernels.md' docs/kernels.md

install: $(PROGRAMS) ## install into $(DESTDIR)$(PREFIX)
	install -d $(DESTDIR)$(SBINDIR) $(DESTDIR)$(PREFIX)/share/doc/mpbpf/examples
	install -m 755 $(PROGRAMS) $(DESTDIR)$(SBINDIR)
	install -m 644 $(wildcard examples/*.json) $(DESTDIR)$(PREFIX)/share/doc/mpbpf/examples
	$(if $(wildcard docs/*.8),install -d $(DESTDIR)$(PREFIX)/share/man/man8)
	$(if $(wildcard docs/*.8),install -m 644 $(wildcard docs/*.8) $(DESTDIR)$(PREFIX)/share/man/man8)

clean: ## remove $(BUILD)
	rm -rf -- '$(BUILD)'

deps: ## install the Debian packages that are missing (root)
	@scripts/install-deps

SOURCES = $(filter-out vmlinux.h,$(wildcard *.h include/*/*.h bpf/*/*.[ch] core/*.[ch] userspace-auth/*.[ch] gateway/*.[ch] \
	loader/*.[ch] agent/*.[ch] tests/*/*.[ch]))
SCRIPTS = $(wildcard tests/*.sh tests/*/*.sh) scripts/install-deps .ci/run

lint: ## formatting, shell syntax; clang-tidy and shellcheck where installed
	$(CLANG_FORMAT) --dry-run -Werror $(SOURCES)
	for f in $(SCRIPTS); do bash -n $$f || exit 1; done
	if command -v shellcheck >/dev/null; then shellcheck -x -S error -e SC1094,SC1102 $(SCRIPTS); fi
	if command -v $(CLANG_TIDY) >/dev/null; then \
		$(CLANG_TIDY) --quiet $(filter-out bpf/% tests/%,$(filter %.c,$(SOURCES))) -- -std=gnu11 $(CPPFLAGS); fi

format: ## rewrite the sources in the project's style
	$(CLANG_FORMAT) -i $(SOURCES)

help: ## this list
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  %-12s %s\n", $$1, $$2 }' Makefile

# ---- BPF side: every hook an object, all linked into one, one skeleton ----

$(BUILD)/bpf/%.bpf.o: bpf/%.bpf.c | $(DEPS)
	@mkdir -p $(@D)
	$(call say,BPF,$@)$(CLANG) $(BPF_CFLAGS) $(DEPFLAGS) -c $< -o $@

$(PROG_BPF) $(BENCH_BPF): $(BUILD)/%.bpf.o: %.bpf.c | $(DEPS)
	@mkdir -p $(@D)
	$(call say,BPF,$@)$(CLANG) $(BPF_CFLAGS) $(DEPFLAGS) -c $< -o $@

$(BPF_OBJECT): $(BPF_OBJS)
	$(call say,BPFLINK,$@)$(BPFTOOL) gen object $@ $^

$(SKELETON): $(BPF_OBJECT)
	$(call say,SKEL,$@)$(BPFTOOL) gen skeleton $< name mpbpf > $@

# ---- user side ----

$(BUILD)/obj/%.o: %.c | $(DEPS)
	@mkdir -p $(@D)
	$(call say,CC,$@)$(CC) $(CFLAGS) $(CPPFLAGS) $(DEPFLAGS) -c $< -o $@

$(BUILD)/san/%.o: %.c | $(DEPS)
	@mkdir -p $(@D)
	$(call say,CC,$@)$(CC) $(CFLAGS) $(SANITIZE) $(CPPFLAGS) $(DEPFLAGS) -c $< -o $@

# Who may include the skeleton; from the second build on the .d files know who does.
$(call obj,$(LOADER) $(AGENT) $(wildcard tests/prog/*.c tests/bench/*.c)): | $(SKELETON)

$(CORE_LIB): $(call obj,$(CORE))
$(AUTH_LIB): $(call obj,$(AUTH))
$(GATEWAY_LIB): $(call obj,$(GATEWAY))
$(SAN_LIB): $(call san,$(CORE) $(AUTH) $(GATEWAY))
$(LOADER_LIB): $(call obj,$(filter-out loader/main.c loader/cmd_%,$(LOADER)))
$(CORE_LIB) $(AUTH_LIB) $(GATEWAY_LIB) $(SAN_LIB) $(LOADER_LIB):
	$(call say,AR,$@)rm -f $@ && ar rcs $@ $^

# The agent loads the data path too, when it is started on its own: it takes that part of the loader, not its commands.
$(BUILD)/mpbpf: $(call obj,$(filter loader/main.c loader/cmd_%,$(LOADER))) $(LOADER_LIB) $(AUTH_LIB) $(CORE_LIB)
$(BUILD)/mpbpfd: $(call obj,$(AGENT)) $(LOADER_LIB) $(GATEWAY_LIB) $(AUTH_LIB) $(CORE_LIB)
$(PROGRAMS):
	$(call say,LD,$@)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LDLIBS)

# ---- tests ----

# libelf and the other libraries come last, the archive gives each test only what it names.
$(UNIT): $(BUILD)/tests/unit/%: $(BUILD)/san/tests/unit/%.o $(call san,$(UNIT_HELPERS)) $(SAN_LIB)
	@mkdir -p $(@D)
	$(call say,LD,$@)$(CC) $(CFLAGS) $(SANITIZE) -o $@ $^ -lcmocka $(LDLIBS)

# Prog tests find the linked object, and test objects beside it, under MPBPF_BUILD.
$(call obj,$(wildcard tests/prog/*.c tests/bench/*.c)): CPPFLAGS += -DMPBPF_BUILD='"$(BUILD)"'
$(PROG): $(BUILD)/tests/prog/%: $(BUILD)/obj/tests/prog/%.o $(call obj,$(PROG_HELPERS)) $(AUTH_LIB) $(CORE_LIB)
	@mkdir -p $(@D)
	$(call say,LD,$@)$(CC) $(CFLAGS) -o $@ $^ -lcmocka $(LDLIBS)
$(PROG): | $(BPF_OBJECT) $(PROG_BPF)

$(BENCH_TOOLS): $(BUILD)/tests/bench/%: $(BUILD)/obj/tests/bench/%.o $(call obj,$(PROG_HELPERS)) $(CORE_LIB)
	@mkdir -p $(@D)
	$(call say,LD,$@)$(CC) $(CFLAGS) -o $@ $^ -lcmocka $(LDLIBS)
$(BENCH_TOOLS): | $(BPF_OBJECT) $(PROG_BPF) $(BENCH_BPF)

$(E2E_TOOLS): $(BUILD)/tests/e2e/%: $(BUILD)/obj/tests/e2e/%.o
	@mkdir -p $(@D)
	$(call say,LD,$@)$(CC) $(CFLAGS) -o $@ $^ -lpthread -Wl,--as-needed $(LDLIBS)

$(SMUGGLE): $(call obj,$(wildcard tests/smuggle/*.c))
	@mkdir -p $(@D)
	$(call say,LD,$@)$(CC) $(CFLAGS) -o $@ $^ -lcrypto

$(FUZZ_TOOLS): $(BUILD)/tests/fuzz/%: $(BUILD)/san/tests/fuzz/%.o
	@mkdir -p $(@D)
	$(call say,LD,$@)$(CC) $(CFLAGS) $(SANITIZE) -o $@ $^

FUZZ_CFLAGS = -std=gnu11 -O1 -g $(WARNINGS) -fsanitize=address,undefined -fno-sanitize=function -fno-sanitize-recover=all

# What fuzz targets run that is no header, built so that the fuzzer sees where it goes.
$(BUILD)/fuzz/%.o: %.c | $(DEPS)
	@mkdir -p $(@D)
	$(call say,FUZZ,$@)$(CLANG) $(FUZZ_CFLAGS) -fsanitize=fuzzer-no-link $(CPPFLAGS) $(DEPFLAGS) -c $< -o $@

$(FUZZ_LIB): $(patsubst %.c,$(BUILD)/fuzz/%.o,$(FUZZED))
	$(call say,AR,$@)rm -f $@ && ar rcs $@ $^

$(FUZZ): $(BUILD)/tests/fuzz/%: tests/fuzz/%.c $(FUZZ_LIB)
	@mkdir -p $(@D)
	$(call say,FUZZ,$@)$(CLANG) $(FUZZ_CFLAGS) -fsanitize=fuzzer $(CPPFLAGS) $(DEPFLAGS) -MF $@.d $< $(FUZZ_LIB) -o $@ \
		-lcjson -lcrypto

DEPFILES = $(BPF_OBJS:.o=.d) $(PROG_BPF:.o=.d) $(BENCH_BPF:.o=.d) $(addsuffix .d,$(FUZZ)) $(patsubst %.c,$(BUILD)/fuzz/%.d,$(FUZZED)) \
	$(patsubst %.c,$(BUILD)/obj/%.d,$(CORE) $(AUTH) $(GATEWAY) $(LOADER) $(AGENT) $(wildcard $(patsubst %,tests/%/*.c,prog bench e2e smuggle))) \
	$(patsubst %.c,$(BUILD)/san/%.d,$(CORE) $(AUTH) $(GATEWAY) $(wildcard tests/unit/*.c tests/fuzz/*.c))
-include $(wildcard $(DEPFILES))
