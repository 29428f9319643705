# SPDX-License-Identifier: MIT
# Builds the kernel of one configuration: $(B)/kernel.elf.

GEN := $(B)/generated

# ---- Configuration -------------------------------------------------------------------------
$(B)/.config: configs/$(CONFIG)_defconfig | $(DEPS)/build
	$(say) CONFIG $(CONFIG)
	$(Q)mkdir -p $(GEN)
	$(Q)$(PY) configs/autoconf.py configs/Kconfig $@ $(GEN) --defconfig $<

$(GEN)/config.mk: $(B)/.config configs/Kconfig configs/autoconf.py
	$(Q)$(PY) configs/autoconf.py configs/Kconfig $< $(GEN)

include $(GEN)/config.mk

$(GEN)/autoconf.h: $(GEN)/config.mk ;

# ---- Tools and flags -----------------------------------------------------------------------
CROSS ?= riscv64-unknown-elf-
CC := $(CROSS)gcc
AR := $(CROSS)ar

ARCH_rv64 := -march=rv64imac_zicsr_zifencei -mabi=lp64
ARCH_rv32 := -march=rv32imac_zicsr_zifencei -mabi=ilp32
MACHINE := $(if $(CONFIG_ARCH_RV32),$(ARCH_rv32),$(ARCH_rv64)) -mcmodel=medany

WARNINGS := -Wall -Wextra -Werror -Wmissing-prototypes -Wstrict-prototypes -Wvla -Wundef \
	-Wpointer-arith -Wframe-larger-than=2048
INCLUDES := -I. -Iarch/riscv/include -I$(B)
COMMON := $(MACHINE) -ffreestanding -fno-pic -fno-common -fno-omit-frame-pointer -g \
	-include configs/words.h -include $(GEN)/autoconf.h
CFLAGS := $(COMMON) -std=gnu17 -O2 -fno-strict-aliasing -fno-asynchronous-unwind-tables \
	-fno-tree-loop-distribute-patterns -msmall-data-limit=0
ASFLAGS := $(COMMON) -D__ASSEMBLY__
DEPFLAGS = -MMD -MP -MF $(@:.o=.d)

# ---- Sources -------------------------------------------------------------------------------
# Whatever lies in these folders belongs to the kernel.
FOLDERS := arch/riscv kernel lib drivers $(if $(CONFIG_KTEST),tests/kernel) \
	$(if $(CONFIG_TORTURE),tests/torture) $(if $(CONFIG_STRESS),tests/stress) \
	$(if $(CONFIG_BENCH),tests/bench) \
	$(if $(CONFIG_HUNT),tests/hunt tests/gallery)
FOUND := $(sort $(shell find $(wildcard $(FOLDERS)) -name '*.c' -o -name '*.S' ! -name '*.ld.S'))
# Nothing of the lock checker but its reports, and nothing of statistics, points and faults of
# harts, is in kernels without them (tests/check/compiled.py has the list of what may be).
CHECKER := $(filter-out kernel/lock/check_report.c,$(wildcard kernel/lock/check*.c)) \
	kernel/wait/event.c
STATISTICS := $(wildcard kernel/lock/stat*.c)
HART_FAULTS := kernel/hart/fault.c kernel/task/hart_fault.c lib/hart_fault.c
LEFT_OUT := $(if $(CONFIG_RACE),,kernel/lock/race.c) \
	$(if $(CONFIG_LOCKCHECK),,$(CHECKER)) $(if $(CONFIG_LOCKSTAT),,$(STATISTICS)) \
	$(if $(CONFIG_LOCKPOINTS),,kernel/lock/point.c) \
	$(if $(CONFIG_HART_FAULTS),,$(HART_FAULTS)) \
	$(if $(CONFIG_LOCKCHECK)$(CONFIG_LOCKSTAT)$(CONFIG_LOCKPOINTS),, \
		kernel/lock/irqlock_checked.c)
SOURCES := $(filter-out arch/riscv/offsets.c $(LEFT_OUT),$(FOUND))
OBJECTS := $(patsubst %,$(B)/%.o,$(SOURCES))

# A source that came or went: link again.
$(shell mkdir -p $(B); printf '%s\n' $(OBJECTS) | cmp -s - $(B)/objects || \
	printf '%s\n' $(OBJECTS) >$(B)/objects)

# Hooks before every plain access (kernel/lock/race.c), but not in what they are made of, nor where
# tp is not set yet; bulk functions call one for all their bytes. Volatile accesses are told apart:
# they are the marked ones.
RACE_FLAGS := -fsanitize=thread --param tsan-distinguish-volatile=1 \
	--param tsan-instrument-func-entry-exit=0
RACE_NOT := kernel/lock/race.c arch/riscv/boot.c lib/string.c
RACE_WRAPPED := memset memcpy memmove
comma := ,
ifdef CONFIG_RACE
$(patsubst %,$(B)/%.o,$(filter-out $(RACE_NOT),$(filter %.c,$(SOURCES)))): RACE := $(RACE_FLAGS)
endif

# ---- Compiling -----------------------------------------------------------------------------
$(B)/%.c.o: %.c configs/kernel.mk $(GEN)/autoconf.h
	$(say) CC $<
	@mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) $(RACE) $(WARNINGS) $(INCLUDES) $(EXTRA) $(DEPFLAGS) -c -o $@ $<

$(B)/%.S.o: %.S configs/kernel.mk $(GEN)/autoconf.h $(GEN)/offsets.h
	$(say) AS $<
	@mkdir -p $(@D)
	$(Q)$(CC) $(ASFLAGS) $(INCLUDES) $(DEPFLAGS) -c -o $@ $<

# Only lib/ sees libfdt and the headers that it needs.
FDT := build/third-party/libfdt
FDT_INCLUDES := -isystem user/recipes/libfdt/include -isystem $(FDT)/include
$(filter $(B)/lib/%,$(OBJECTS)): EXTRA := $(FDT_INCLUDES)
$(filter $(B)/lib/%,$(OBJECTS)): | $(FDT)/stamp

# The lock protocols, each branch counted once: inline functions are functions until the counters
# are in, which are put into the table of tests/torture/cover.c.
COVERED := irqlock irqlock_checked irqrwlock park relax seqlock
ifeq ($(CONFIG_LOCKCOVER),y)
$(COVERED:%=$(B)/kernel/lock/%.c.o): EXTRA := -fprofile-arcs -ftest-coverage \
	-fprofile-update=atomic -fprofile-info-section=linkset_cover \
	-fno-early-inlining -Dalways_inline=
endif

# Numbers that assembly needs of C: lines `@offset NAME value` of what the compiler writes.
$(GEN)/offsets.s: arch/riscv/offsets.c configs/kernel.mk $(GEN)/autoconf.h
	$(say) OFFSETS $<
	$(Q)$(CC) $(filter-out -g,$(CFLAGS)) $(WARNINGS) $(INCLUDES) \
		-MMD -MP -MF $(@:.s=.d) -MT $@ -S -o $@ $<

$(GEN)/offsets.h: $(GEN)/offsets.s
	$(Q)sed -n 's/.*@offset \([A-Z0-9_]*\) [$$#]*\(-\{0,1\}[0-9][0-9]*\).*/#define \1 \2/p' \
		$< >$@

# ---- libfdt --------------------------------------------------------------------------------
# FDT_SRC=FOLDER takes a source tree of yours; saying another one, or none again, starts anew.
ifneq ($(FDT_SRC),$(shell cat $(FDT)/given 2>/dev/null))
$(shell mkdir -p $(FDT); rm -f $(FDT)/stamp; printf '%s\n' "$$FDT_SRC" >$(FDT)/given)
endif

$(FDT)/stamp: user/recipes/fetch.py user/recipes/libfdt/recipe | $(DEPS)/build
	$(say) FETCH libfdt
	$(Q)$(PY) user/recipes/fetch.py user/recipes/libfdt $(FDT)
	$(Q)rm -rf $(FDT)/include && mkdir -p $(FDT)/include
	$(Q)d=$(FDT)/src/libfdt; [ -e $$d/fdt_ro.c ] || d=$(FDT)/src; \
		cp $$d/*.h $$d/*.c $(FDT)/include/
	$(Q)touch $@

FDT_KERNEL := fdt fdt_ro fdt_addresses fdt_check
FDT_OBJECTS := $(patsubst %,$(B)/third-party/libfdt/%.o,$(FDT_KERNEL))
$(FDT_OBJECTS): $(B)/third-party/libfdt/%.o: $(FDT)/stamp configs/kernel.mk $(GEN)/autoconf.h \
		$(wildcard user/recipes/libfdt/include/*.h) lib/string.h
	$(say) CC libfdt/$*.c
	@mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) -w -I. $(FDT_INCLUDES) -c -o $@ $(FDT)/include/$*.c

$(B)/third-party/libfdt/readonly.o: user/recipes/libfdt/readonly.c $(FDT)/stamp configs/kernel.mk \
		$(GEN)/autoconf.h
	$(say) CC $<
	@mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) $(WARNINGS) -I. $(FDT_INCLUDES) -c -o $@ $<

$(B)/libfdt.a: $(FDT_OBJECTS) $(B)/third-party/libfdt/readonly.o
	$(Q)rm -f $@ && $(AR) rcsD $@ $^

# ---- Linking -------------------------------------------------------------------------------
$(B)/kernel.ld: arch/riscv/kernel.ld.S configs/kernel.mk $(GEN)/autoconf.h
	$(Q)$(CC) $(ASFLAGS) $(INCLUDES) -MMD -MP -MF $(@:.ld=.ld.d) -MT $@ -E -P -o $@ $<

# -n: no page alignment of the file, and so no ELF header in what is loaded.
# gcc 12 finds a libgcc of the right float ABI only without the Z extensions.
LDFLAGS := $(subst _zicsr_zifencei,,$(MACHINE)) -static -nostdlib -no-pie -Wl,-n -Wl,--build-id=none

$(B)/kernel.elf: $(OBJECTS) $(B)/libfdt.a $(B)/kernel.ld $(B)/objects configs/link.py
	$(say) LINK $@
	$(Q)$(PY) configs/link.py --cross '$(CROSS)' --out $@ --machine '$(MACHINE)' -- \
		$(LDFLAGS) $(if $(CONFIG_RACE),$(addprefix -Wl$(comma)--wrap=,$(RACE_WRAPPED))) \
		-T $(B)/kernel.ld @$(B)/objects $(B)/libfdt.a \
		$(if $(CONFIG_LOCKCOVER),-lgcov) -lgcc

# ---- Payloads ------------------------------------------------------------------------------
# Bare programs that the firmware enters in the kernel's place; the same for all configurations.
PAYLOAD := build/payload
PAYLOADS := $(patsubst tests/payload/%.S,$(PAYLOAD)/%.elf,$(wildcard tests/payload/*.S))
# Where the firmware's entry goes to; the kernel's own place, if it is not there as well.
PAYLOAD_TEXT = 0x80200000
$(PAYLOAD)/handover.elf: PAYLOAD_TEXT = 0x84000000

$(PAYLOAD)/%.elf: tests/payload/%.S tests/payload/sbi.h configs/kernel.mk | $(DEPS)/build
	$(say) PAYLOAD $@
	@mkdir -p $(@D)
	$(Q)$(CC) $(ARCH_rv64) -I. -mcmodel=medany -static -nostdlib -no-pie \
		-Wl,-n -Wl,-N -Wl,--no-warn-rwx-segments -Wl,--build-id=none \
		-Wl,-Ttext=$(PAYLOAD_TEXT) -o $@ $<

-include $(OBJECTS:.o=.d) $(GEN)/offsets.d $(B)/kernel.ld.d
