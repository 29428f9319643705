# SPDX-License-Identifier: MIT
# Builds the programs of tests/host/, which run on the machine that builds.
#
# Each tests/host/*_test.c or test_*.c is a program. Lines ` * Sources: FILE...` of its head comment
# and those that go on with it, up to an empty one, say what it is linked with; the word
# `libfdt` stands for the library.

HB := build/host
HOST_CC ?= gcc
HOST_FLAGS := -std=gnu17 -O1 -g -fno-omit-frame-pointer -fno-strict-aliasing \
	-fsanitize=address,undefined -fno-sanitize-recover=all \
	-Wall -Wextra -Werror -Wno-unknown-pragmas \
	-Itests/host/include -I. -isystem $(FDT)/include -include $(HB)/generated/autoconf.h

HOST_TESTS := $(sort $(wildcard tests/host/*_test.c tests/host/test_*.c))
HOST_PROGRAMS := $(patsubst tests/host/%.c,$(HB)/%,$(HOST_TESTS))

$(HB)/generated/autoconf.h: configs/debug_defconfig configs/Kconfig configs/autoconf.py \
		| $(DEPS)/build
	@mkdir -p $(HB)/generated
	$(Q)$(PY) configs/autoconf.py configs/Kconfig $(HB)/.config $(HB)/generated \
		--defconfig configs/debug_defconfig
	@touch $@

$(HB)/%.o: %.c configs/host.mk $(HB)/generated/autoconf.h | $(FDT)/stamp $(DEPS)/test
	$(say) HOSTCC $<
	@mkdir -p $(@D)
	$(Q)$(HOST_CC) $(HOST_FLAGS) -MMD -MP -MF $(@:.o=.d) -c -o $@ $<

# Ours beside libc's: memcpy becomes lib_memcpy, and so on.
$(HB)/lib/string.o $(HB)/lib/printf.o: HOST_FLAGS += -include tests/host/include/host/rename.h

HOST_FDT := $(patsubst %,$(HB)/libfdt/%.o,fdt fdt_ro fdt_rw fdt_sw fdt_wip fdt_addresses fdt_check \
	fdt_strerror fdt_empty_tree)
$(HOST_FDT): $(HB)/libfdt/%.o: $(FDT)/stamp configs/host.mk | $(DEPS)/test
	@mkdir -p $(@D)
	$(Q)$(HOST_CC) -O1 -g -w -fsanitize=address -I$(FDT)/include -c -o $@ $(FDT)/include/$*.c

# One rule a program, from its `Sources:` lines.
sources_of = $(filter %.c libfdt,$(shell awk 'NR > 60 { exit } \
	/^ \* Sources:/ { on = 1 } /^ \*(\/|$$)/ { on = 0 } on' $(1)))
define host_program
$(HB)/$(2): $(HB)/$(1:.c=.o) $(patsubst %.c,$(HB)/%.o,$(filter-out libfdt,$(3))) \
		$(if $(filter libfdt,$(3)),$$(HOST_FDT))
	$$(say) HOSTLD $$@
	$$(Q)$$(HOST_CC) $$(HOST_FLAGS) -o $$@ $$^ -lcmocka -lpthread
-include $(HB)/$(1:.c=.d) $(patsubst %.c,$(HB)/%.d,$(filter-out libfdt,$(3)))
endef
$(foreach t,$(HOST_TESTS),$(eval $(call \
	host_program,$(t),$(basename $(notdir $(t))),$(call sources_of,$(t)))))
