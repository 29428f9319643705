# SPDX-License-Identifier: MIT
# What a user asks make for. Text after `##` is what `make help` shows.

.PHONY: all kernel run debug test test-scale check verify fuzz torture hunt replay gallery \
	lockbook bench bench-scale bringup host payloads menuconfig savedefconfig format doctor \
	deps clean help

all: kernel			## the kernel of CONFIG (default)
kernel: $(B)/kernel.elf		## the same
	@:

kernel-%:			## the kernel of configuration %
	$(Q)$(MAKE) CONFIG=$* kernel

payloads: $(PAYLOADS)		## bare programs for tests, in the kernel's place

host: $(HOST_PROGRAMS)		## the test programs that run on this machine

run: $(B)/kernel.elf | $(DEPS)/run	## build, and boot in QEMU
	@$(PY) tests/qemu/run --from-make --kernel $(B)/kernel.elf

debug: $(B)/kernel.elf | $(DEPS)/run $(DEPS)/debug	## boot, waiting, under gdb
	@$(PY) tests/qemu/run --from-make --kernel $(B)/kernel.elf --debug

TEST_DEPS := build run debug test check verify hunt fuzz plot
test: | $(addprefix $(DEPS)/,$(TEST_DEPS))	## every test; T=pattern selects
	$(Q)$(MAKE) CONFIG=virt64 kernel
	$(Q)$(MAKE) CONFIG=debug kernel
	$(Q)$(MAKE) CONFIG=perf kernel
	$(Q)$(MAKE) CONFIG=hunt kernel
	$(Q)$(MAKE) CONFIG=race kernel
	$(Q)$(MAKE) payloads
	$(Q)$(MAKE) host
	@$(PY) -B tests/run

test-scale: | $(DEPS)/build $(DEPS)/run		## tests in the kernel and torture, with 128 harts
	$(Q)$(MAKE) CONFIG=virt64 kernel
	@$(PY) -B tests/run --scale

check: | $(DEPS)/build $(DEPS)/check		## layout, layers, annotations, all configurations
	@$(PY) tests/check/run

verify: | $(addprefix $(DEPS)/,build test verify)	## orders and protocols of the locks, here
	@$(PY) -B tests/verify/run

fuzz: $(FDT)/stamp | $(addprefix $(DEPS)/,build run test fuzz)	## trees that nobody wrote
	@$(PY) -B tests/fuzz/run

torture: | $(DEPS)/build $(DEPS)/run	## locks under all that can happen to them
	$(Q)$(MAKE) CONFIG=$(TORTURE_CONFIG) kernel
	@CONFIG=$(TORTURE_CONFIG) $(PY) tests/torture/run

HUNT_DEPS := build run $(if $(findstring parallel,$(JOBS)),hunt) $(if $(GDB),debug)
hunt: | $(addprefix $(DEPS)/,$(HUNT_DEPS))	## find the seed under which a program goes wrong
	$(Q)$(MAKE) CONFIG=hunt kernel
	@$(PY) -B tests/hunt/run hunt

replay: | $(addprefix $(DEPS)/,$(HUNT_DEPS))	## a seed again, bit for bit
	$(Q)$(MAKE) CONFIG=hunt kernel
	@$(PY) -B tests/hunt/run replay

gallery: | $(addprefix $(DEPS)/,build run)	## show planted bugs, and prove that each is found
	$(Q)$(MAKE) CONFIG=hunt kernel
	@$(PY) -B tests/gallery/run

lockbook: | $(addprefix $(DEPS)/,build run book)	## what locks declare beside what was seen
	$(Q)$(MAKE) CONFIG=virt64 kernel
	@$(PY) -B tests/lockbook/run

bench: | $(DEPS)/build $(DEPS)/run		## the figures
	$(Q)$(MAKE) CONFIG=perf kernel
	$(Q)$(MAKE) CONFIG=virt64 kernel
	@$(PY) tests/bench/run

bench-scale: $(PAYLOAD)/stub.elf | $(DEPS)/build $(DEPS)/run	## costs with 1 to 128 harts
	$(Q)$(MAKE) CONFIG=perf kernel
	@$(PY) -B tests/bench/scale

bringup: | $(addprefix $(DEPS)/,build run plot)	## how harts come up, by mode and number: a plot
	$(Q)$(MAKE) CONFIG=virt64 kernel
	@$(PY) -B tests/bench/bringup

menuconfig: $(B)/.config	## change the options of CONFIG
	@KCONFIG_CONFIG=$(B)/.config $(PY) -m menuconfig configs/Kconfig

savedefconfig: $(B)/.config	## keep them as configs/CONFIG_defconfig
	@KCONFIG_CONFIG=$(B)/.config $(PY) -m savedefconfig --kconfig configs/Kconfig \
		--out configs/$(CONFIG)_defconfig

format: | $(DEPS)/check		## lay all sources out
	@$(PY) tests/check/run --format

doctor:				## look at the tools, and say what to do
	@[ -x $(PY) ] || { echo 'python3 is missing: `make deps` installs all tools'; exit 1; }
	@$(PY) tests/qemu/doctor

# Looks anew, also for what was there before.
deps:				## install all tools
	@configs/deps.sh $(GROUPS_deps)
	@mkdir -p $(DEPS) && touch $(addprefix $(DEPS)/,$(GROUPS_deps))

clean:				## remove build/
	@rm -rf build

help:				## this list
	@echo 'usage: make [TARGET] [NAME=VALUE]...'
	@echo
	@sed -n 's/^\([a-z%-]*\):.*## \(.*\)/\1\t\2/p' configs/goals.mk | \
	while IFS='	' read -r name what; do printf '  %-14s %s\n' "$$name" "$$what"; done
	@echo
	@echo 'run and debug take, each passed on to QEMU or the kernel as it is typed:'
	@echo '  CONFIG=name    configuration: $(CONFIGS)'
	@echo '  SMP=4 MEM=1G   harts and memory'
	@echo '  APPEND=...     boot arguments, such as '\''run="harts; mem"'\'
	@echo '  CPU= DTB=      as the options -cpu and -dtb of QEMU'
	@echo '  QEMU= BIOS=    another QEMU, another firmware'
	@echo '  GDB_ARGS=...   more arguments of gdb (debug)'
	@echo '  TIMEOUT=60     seconds after which the guest is ended (run)'
	@echo 'CONFIG=race watches plain accesses for races on data; APPEND=race=7: seed 7.'
	@echo 'torture takes LOCK=kind SMP=4 SECONDS=60 SEED=n, and CONFIG=debug if you say none;'
	@echo 'HARTS=churn CYCLES=10000: harts stop, start, sleep and wake under load instead.'
	@echo 'fuzz takes SECONDS=60 and goes on from what earlier runs found worth keeping.'
	@echo 'bringup takes SMP=1..64 (from, to) and BOOTS=3 of each.'
	@echo 'test-scale takes SMP=128 and T, as test does: T=kernel, T=torture, T=sched.'
	@echo 'verify takes QUICK=1: fewer executions, one mutant a property.'
	@echo 'hunt takes PROG=name SEEDS=1..200 JOBS=2, or PROG= SEED=n SHRINK=1; replay'
	@echo 'PROG= SEED=n, STORY=1, GDB=1 STOP=event: `tests/hunt/run help` says all of it.'
	@echo 'All: V=1 shows commands; FDT_SRC=folder uses a libfdt source tree of yours.'

# For tests/check: what a configuration's files need, and a variable of this build.
.PHONY: prepare
prepare: $(GEN)/autoconf.h $(GEN)/offsets.h $(FDT)/stamp
show-%: $(GEN)/autoconf.h
	@printf '%s\n' '$($*)'
