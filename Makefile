# SPDX-License-Identifier: MIT
# Interlock. `make help` lists what there is; everything that is made lies in build/.

MAKEFLAGS += --no-builtin-rules --no-builtin-variables --no-print-directory
.SUFFIXES:
.DELETE_ON_ERROR:
.DEFAULT_GOAL := all

PY := /usr/bin/python3
# The torture has its own, unless one is asked for.
TORTURE_CONFIG := $(if $(filter undefined,$(origin CONFIG)),debug,$(CONFIG))
CONFIG ?= virt64
B := build/$(CONFIG)

# What the user says reaches programs through the environment exactly as it was typed: neither make
# nor a shell expands it.
WORDS := ANYWAY APPEND BIOS BOOTS CHAOS CPU CONFIG CYCLES DTB FDT_SRC GDB GDB_ARGS HARTS JOBS \
	LOCK MEM PROG QEMU SCHEDULE SECONDS SEED SEEDS SHRINK SMP STOP STORY T TIMEOUT
$(foreach w,$(WORDS),$(eval override $(w) := $$(value $(w))))
export $(WORDS)

CONFIGS := $(patsubst configs/%_defconfig,%,$(wildcard configs/*_defconfig))
ifeq ($(filter $(CONFIG),$(CONFIGS)),)
$(error CONFIG=$(CONFIG): there is no configs/$(CONFIG)_defconfig; there are: $(CONFIGS))
endif

# Quiet unless V=1; silent with -s.
ifeq ($(V),1)
Q :=
say := @:
else
Q := @
say := $(if $(findstring s,$(filter-out --%,$(firstword -$(MAKEFLAGS)))),@:,@printf '  %-7s %s\n')
endif

# Tools are looked for, and installed, before anything else is made.
# Whatever the goals will want comes in one go.
DEPS := build/deps
GROUPS_run := build run
GROUPS_debug := build run debug
GROUPS_test := build run debug test check verify hunt fuzz plot
GROUPS_test-scale := build run
GROUPS_fuzz := build run test fuzz
GROUPS_check := build check
GROUPS_verify := build test verify
GROUPS_torture := build run
GROUPS_hunt := build run
GROUPS_replay := build run
GROUPS_gallery := build run
GROUPS_bench := build run
GROUPS_bench-scale := build run
GROUPS_lockbook := build run book
GROUPS_bringup := build run plot
GROUPS_format := build check
GROUPS_host := build test
GROUPS_deps := build run debug test check verify hunt book fuzz plot
export TOOL_GROUPS := $(sort $(foreach goal,$(MAKECMDGOALS),$(GROUPS_$(goal))))
$(DEPS)/%: configs/packages configs/deps.sh
	@mkdir -p $(@D)
	@configs/deps.sh $*
	@touch $@

# These need no configuration and no compiler.
PLAIN := help doctor clean deps
ifneq ($(filter-out $(PLAIN),$(or $(MAKECMDGOALS),all)),)
include configs/kernel.mk
include configs/host.mk
endif
include configs/goals.mk
