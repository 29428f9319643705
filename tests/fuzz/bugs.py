# SPDX-License-Identifier: MIT
"""What the fuzzers must find: bugs planted into the sources, most of them such as were there once.

ROWS: (program, mutant, file, what stands there, what the mutant says).
"""
ROWS = [
    # Ranges at the ends of the address space.
    ("tree", "page_above_wraps", "kernel/mm/early.c",
     "return at > align_down(UINT64_MAX, PAGE_SIZE) ? align_down(UINT64_MAX, PAGE_SIZE)\n"
     "\t\t\t\t\t\t      : align_up(at, PAGE_SIZE);",
     "return align_up(at, PAGE_SIZE);"),
    ("tree", "end_wraps", "kernel/mm/early.c",
     "return size > UINT64_MAX - start ? UINT64_MAX : start + size;", "return start + size;"),
    # Full tables.
    ("tree", "a_range_is_lost_in_silence", "kernel/mm/early.c", "\tif (left_out)\n",
     "\tif (left_out > 1000000)\n"),
    ("tree", "a_hart_too_many", "kernel/hart/hart.c",
     "found[nr_harts++] = *hart;", "found[nr_harts++] = found[CONFIG_MAX_HARTS - 1] = *hart;\n"
     "\tfound[nr_harts] = *hart;"),
    # Answers that contradict each other.
    ("tree", "a_hartid_twice", "kernel/hart/hart.c",
     "if (hart->hartid > UINTPTR_MAX || known_hartid(hart->hartid))",
     "if (hart->hartid > UINTPTR_MAX)"),
    ("tree", "a_context_twice", "drivers/irqchip/plic.c",
     "if (context_is_taken(p, (uint32_t)context)) {", "if (context == -1) {"),
    ("tree", "a_controller_without_sources", "drivers/irqchip/plic.c",
     "p->controller.nr_sources = nr_sources;", "p->controller.nr_sources = nr_sources / 128;"),
    ("tree", "a_controller_without_harts", "drivers/irqchip/plic.c",
     "\thart_mask_set(&p->controller.harts, h->index);\n", ""),
    ("tree", "the_tree_is_not_mapped", "kernel/mm/early.c",
     '\tdemand(tree, tree_limit, "the device tree");\n', ""),
    ("tree", "a_node_without_a_number", "lib/fdt_topology.c",
     "\tif (at == FDT_NUMA_MAX)\n\t\treturn false;\n", ""),
    # Looks at what is not there.
    ("tree", "registers_in_memory", "drivers/device.c",
     "if (!err && (base - start < bytes || start - base < size))",
     "if (!err && (base - start < bytes && start - base < size))"),
    ("tree", "registers_behind_the_page", "drivers/uart/ns16550.c",
     "if (dev->reg_base % PAGE_SIZE + uart_span() > PAGE_SIZE)\n\t\treturn;", ""),
    ("tree", "nested_too_deep", "lib/fdt.c",
     "\t\tif (depth < FDT_MAX_DEPTH)\n\t\t\tchain[depth] = at;", "\t\tchain[depth] = at;"),
    ("tree", "registers_without_an_end", "drivers/uart/ns16550.c",
     "vmap_mmio(dev->reg_base, uart_span())", "vmap_mmio(dev->reg_base, dev->reg_size)"),
    # Questions that never end.
    ("tree", "memory_never_ends", "lib/fdt_memory.c",
     "(*entry)++, start, size);", "*entry, start, size);\n\t\t*entry += err != -ERANGE;"),
    # A tree that cannot be used.
    ("tree", "timebase_of_zero", "kernel/time/clock.c", "if (hz < HZ_MIN || hz > HZ_MAX)",
     "if (hz > HZ_MAX)"),
    # Boot arguments.
    ("words", "escape_at_the_end", "lib/bootargs.c",
     "else if (quoted && *s == '\\\\' && (s[1] == '\"' || s[1] == '\\\\'))",
     "else if (quoted && *s == '\\\\')"),
    ("words", "value_is_cut_too_late", "lib/bootargs.c", "if (len + 1 < n)", "if (len < n + 1)"),
    ("words", "a_part_of_a_word_will_do", "lib/options.c", "if (len == n && strncmp(",
     "if (strncmp("),
    ("words", "the_first_of_two_counts", "lib/bootargs.c",
     "if (err || !bootarg_key_is(&arg, key))", "if (err || found || !bootarg_key_is(&arg, key))"),
]
