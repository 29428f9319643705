# SPDX-License-Identifier: MIT
"""Altered device trees, and what the kernel makes of each: the table that test_trees.py boots.

A row starts from the tree of QEMU's machine with `smp` harts and ends with `status`. What it says
matches every regular expression of `said`. `online` harts are online in the end. A row `spoilt=N`
has a hart N that the kernel does not use, unless the firmware happened to pick that very hart to
boot on: then it runs, whatever the tree says, and the log says so. With OpenSBI from version
`silent_from` on the firmware itself says nothing and does not start.
"""
import re

import tree

RUNS = "EXIT_OK"
REFUSED = "EXIT_BAD_TREE"
NO_MEMORY = "EXIT_NO_MEMORY"
NO_SHELL = "EXIT_NO_SHELL"


class Row:
    def __init__(self, name, alter, *said, status=RUNS, smp=2, online=None, spoilt=None,
                 machine=None, commands="harts; mem", options=None, silent_from=None):
        self.name, self.alter, self.said = name, alter, said
        self.status, self.smp, self.online, self.spoilt = status, smp, online, spoilt
        self.machine, self.commands, self.options = machine or smp, commands, options or {}
        self.silent_from = silent_from


# ---- Alterations: from the text of a tree to another ---------------------------------------

def both(*alterations):
    def alter(text):
        for one in alterations:
            text = one(text)
        return text
    return alter


def edit(head, pattern, replacement):
    return lambda text: tree.edit(text, head, pattern, replacement)


def drop(head, name):
    """Without a property."""
    return edit(head, r"^\s*%s( = [^;]*)?;" % re.escape(name), "")


def without(head):
    return lambda text: tree.remove(text, head)


def put(head, line):
    return lambda text: tree.insert(text, head, line)


def without_isa(head):
    """As a string, and as newer machines say it beside that."""
    names = r"riscv,isa(?:-base|-extensions)?"
    return lambda text: tree.edit(text, head, r"^\s*%s = [^;]*;" % names, "")


def value(head, name, new):
    """With another value of a property that is there."""
    return edit(head, r"^(\s*%s) = [^;]*;" % re.escape(name), r"\g<1> = %s;" % new)


def node(text):
    """One more node of the root."""
    return lambda tree_text: tree_text[:tree_text.rindex("}")] + text + "\n};\n"


def keep_out(*nodes):
    return lambda text: tree.add_node(text, "reserved-memory", "#address-cells = <2>; "
                                      "#size-cells = <2>; ranges;", " ".join(nodes))


def memreserve(start, size):
    return lambda text: text.replace("/ {", "/memreserve/ %s %s;\n/ {" % (start, size), 1)


def controller_of(text, cpu):
    """Phandle of a hart's interrupt controller."""
    body = text[slice(*tree.node(text, cpu))]
    body = body[body.index("interrupt-controller {"):]
    return re.search(r"phandle = <(0x[0-9a-f]+)>", body).group(1)


def without_hart_1(text):
    gone, other = controller_of(text, "cpu@1"), controller_of(text, "cpu@0")
    text = tree.remove(tree.remove(text, "cpu-map"), "cpu@1")
    # The contexts of the lost hart keep their places: the PLIC's as unconnected ones, and those of
    # the CLINT, which OpenSBI counts, as another hart's.
    for number in ("0x0b", "0x09"):
        text = text.replace(f"{gone} {number}", f"{other} 0xffffffff")
    return re.sub(rf"{gone} (0x0[37])\b", rf"{other} \1", text)


def contexts_of_hart_1_given_away(text):
    """The interrupt controller knows hart 0 alone, twice."""
    gone, other = controller_of(text, "cpu@1"), controller_of(text, "cpu@0")
    return tree.edit(text, PLIC, rf"{gone} 0x09", f"{other} 0x09")


def many_harts(text):
    """More than there is room for; the firmware has none of them."""
    cpus = "".join('cpu@%x { device_type = "cpu"; reg = <0x%x>; riscv,isa = "rv64imac"; '
                   'mmu-type = "riscv,sv39"; };\n' % (i, i) for i in range(0x1000, 0x1082))
    return tree.edit(text, "cpus", r"^(\s*cpu-map \{)", cpus + r"\g<1>")


def pieces(base, n):
    return " ".join("0x0 0x%x 0x0 0x1000" % (base + 0x2000 * i) for i in range(n))


def long_isa(text):
    more = "".join("_xlongname%d" % i for i in range(40))
    return re.sub(r'(riscv,isa = "rv64[^"]*)"', rf'\g<1>{more}"', text)


MEMORY = "memory@80000000"
PLIC = r"plic@c000000"
UART = r"(?:serial|uart)@10000000"
FINISHER = r"test@100000"
CANNOT = r"the device tree cannot be used: "


def memory(*cells):
    return value(MEMORY, "reg", "<%s>" % " ".join(cells))


def hart(*words, commands="harts; test ipi", **options):
    """A row of harts: those that there are work."""
    return Row(*words, commands=commands, **options)


# ---- The table -----------------------------------------------------------------------------

HARTS = [
    hart("disabled_hart", edit("cpu@2", r'status = "okay"', 'status = "disabled"'),
        r"hart.*\b2\b.*disabled", smp=4, online=3),
    hart("sparse_hartids", without_hart_1, smp=4, online=3,
         commands="harts; test ipi; test hart."),
    hart("hart_of_another_word_length",
        edit("cpu@1", r'riscv,isa = "rv64', 'riscv,isa = "rv32'), spoilt=1),
    hart("hart_without_an_isa", without_isa("cpu@1"), spoilt=1, silent_from=(1, 6)),
    hart("hart_without_compressed_instructions",
        both(without_isa("cpu@1"), put("cpu@1", 'riscv,isa = "rv64ima";')),
        r"its ISA lacks C", spoilt=1),
    # OpenSBI disables such a hart in the tree that it hands over.
    hart("hart_without_an_mmu", drop("cpu@1", "mmu-type"),
        r"hartid 1: (not used: disabled|it has no MMU)", spoilt=1),
    hart("hart_with_an_mmu_of_none", value("cpu@1", "mmu-type", '"riscv,none"'), r"it has no MMU",
        spoilt=1),
    hart("hart_with_an_mmu_of_nonsense", value("cpu@1", "mmu-type", '"riscv,sv99999999999"'),
        r"it has no MMU", spoilt=1),
    hart("isa_as_a_list", both(without_isa("cpu@1"), put("cpu@1",
        'riscv,isa-base = "rv64i"; '
        'riscv,isa-extensions = "i", "m", "a", "f", "d", "c", "zicsr", "zifencei";')), online=2),
    hart("isa_as_an_open_list", both(without_isa("cpu@1"),
        put("cpu@1", 'riscv,isa-base = "rv64i"; riscv,isa-extensions = [69 00 6d];')),
        r"its ISA lacks M", spoilt=1),
    hart("long_isa", long_isa, online=2),
    hart("hartid_twice", lambda text: tree.edit(text, "cpus", r"^(\s*cpu-map \{)",
        'cpu@9 { device_type = "cpu"; reg = <0x0>; riscv,isa = "rv64imac"; '
        'mmu-type = "riscv,sv39"; };\n' r"\g<1>"),
        r"hartid 0: not used: its hartid is malformed or a duplicate", online=2),
    hart("hart_without_a_hartid", lambda text: tree.edit(text, "cpus", r"^(\s*cpu-map \{)",
        'cpu@9 { device_type = "cpu"; riscv,isa = "rv64imac"; };\n' r"\g<1>"),
        r"a hart of the tree has no usable reg: not used", online=2),
    hart("other_nodes_among_the_harts", lambda text: tree.edit(text, "cpus", r"^(\s*cpu-map \{)",
        'l2-cache { reg = <7>; }; core@7 { reg = <7>; };\n' r"\g<1>"), online=2),
    hart("more_harts_than_there_is_room_for", many_harts, r"harts more than CONFIG_MAX_HARTS",
        online=2, silent_from=(1, 6)),
    # How many are online is left open: hart 1 is waited for no longer than that either.
    Row("hart_that_never_comes", lambda text: text, r"^\s*\d+\s+(?:0x)?2\s+failed",
        r"hartid 2 was started and did not arrive: failed, going on without it; last seen: call",
        smp=2, machine=3, options={"append": "hartwait=1000"}),
    hart("cpu_map_that_names_nobody", value("core1", "cpu", "<0x7777>"), online=2),
    hart("no_cpu_map", without("cpu-map"), online=2),
    hart("hart_that_no_interrupt_reaches",
        edit("cpu@1", r'"riscv,cpu-intc"', '"nobody,knows"'),
        r"hart 1: no interrupt controller reaches it", online=2),
    hart("hart_without_a_context", contexts_of_hart_1_given_away,
        r"hart 1: no interrupt controller reaches it", online=2),
]

MEMORIES = [
    Row("two_ranges", memory("0x0 0x80000000 0x0 0x6000000", "0x0 0x88000000 0x0 0x8000000"),
        r"0x80000000", r"0x88000000", commands="mem; test mm"),
    Row("ranges_that_overlap",
        memory("0x0 0x80000000 0x0 0xc000000", "0x0 0x84000000 0x0 0xc000000"),
        commands="mem; test mm"),
    Row("range_that_wraps_first",
        memory("0xffffffff 0x80000000 0x1 0x0", "0x0 0x80000000 0x0 0x10000000"),
        r"1 malformed ranges of the tree"),
    Row("range_in_the_last_page",
        memory("0xffffffff 0xfffff800 0x0 0x400", "0x0 0x80000000 0x0 0x10000000"),
        r"cannot be reached"),
    Row("range_to_the_end_of_all",
        memory("0x0 0x80000000 0x0 0x10000000", "0xffffffff 0x0 0x1 0x0"), r"cannot be reached"),
    Row("more_ranges_than_there_is_room_for",
        memory("0x0 0x80000000 0x0 0x1000000", pieces(0x82000000, 80),
               "0x0 0x88000000 0x0 0x8000000"), r"more than 64 ranges: \d+ are left out",
        CANNOT + r"its memory does not hold the device tree", status=REFUSED),
    Row("ranges_in_many_pieces",
        memory("0x0 0x88000000 0x0 0x8000000", "0x0 0x80000000 0x0 0x1000000",
               pieces(0x82000000, 80)), r"more than 64 ranges: \d+ are left out"),
    Row("malformed_memory_beside_good",
        node('memory@1 { device_type = "memory"; reg = <1 2 3>; };'), r"1 malformed ranges"),
    Row("no_memory", without(MEMORY), CANNOT + "it names no memory", status=REFUSED),
    Row("memory_disabled", put(MEMORY, 'status = "disabled";'), CANNOT + "it names no memory",
        status=REFUSED),
    Row("memory_malformed", memory("0x80000000"), "malformed", CANNOT + "it names no memory",
        status=REFUSED),
    Row("memory_out_of_reach", memory("0x80 0x0 0x0 0x10000000"),
        CANNOT + "it names no memory that can be reached", status=REFUSED),
    Row("memory_without_the_kernel", memory("0x0 0x88000000 0x0 0x8000000"),
        CANNOT + "its memory does not hold the kernel, at 0x80200000", status=REFUSED),
    Row("memory_without_the_tree", memory("0x0 0x80000000 0x0 0x8000000"),
        CANNOT + "its memory does not hold the device tree, at 0x", status=REFUSED),
    Row("kept_out", keep_out("kept@88001000 { no-map; reg = <0x0 0x88001000 0x0 0x3000>; };"),
        r"reserved: 0x88001000\.\.0x88004000 \(kept@88001000\)",
        commands="mem; test kernel_map; test mm"),
    Row("kernel_kept_out", keep_out("x@1 { no-map; reg = <0x0 0x80000000 0x0 0x300000>; };"),
        CANNOT + "it forbids to map the kernel", status=REFUSED),
    Row("tree_kept_out", keep_out("x@1 { no-map; reg = <0x0 0x8c000000 0x0 0x4000000>; };"),
        CANNOT + "it forbids to map the device tree", status=REFUSED),
    Row("kernel_reserved", keep_out("x@1 { reg = <0x0 0x80000000 0x0 0x1000000>; };"), online=2),
    Row("more_reservations_than_there_is_room_for",
        keep_out("x@1 { reg = <%s>; };" % pieces(0x88000000, 70)),
        CANNOT + r"no room to reserve x@1: more than 64 areas", status=REFUSED),
    Row("all_reserved", keep_out("x@1 { reg = <0x0 0x80000000 0xffffffff 0x7fffffff>; };"),
        r"panic: no memory behind the kernel for page tables", status=NO_MEMORY),
    Row("all_in_the_reservation_block", memreserve("0x80000000", "0xffffffff80000000"),
        r"panic: no memory behind the kernel for page tables", status=NO_MEMORY),
    Row("reservations_malformed",
        keep_out("x@1 { reg = <0x1 0x2 0x3>; }; y@2 { reg = <0xffffffff 0x0 0x2 0x0>; };"),
        r"2 malformed reservations of the tree"),
    Row("reservation_with_a_name_of_keys", keep_out("x,+y.z_@1 { reg = <0x0 0x1 0x0 0x1>; };"),
        r"reserved: 0x1\.\.0x2 \(x,\+y\.z_@1\)"),
    Row("initrd_backwards", put("chosen", "linux,initrd-start = <0x88000000>; "
        "linux,initrd-end = <0x87000000>;"), r"initrd: none that is usable"),
    Row("initrd_without_an_end", put("chosen", "linux,initrd-start = <0x88000000>;"),
        r"initrd: none that is usable"),
    Row("initrd", put("chosen", "linux,initrd-start = <0x0 0x88000000>; "
        "linux,initrd-end = <0x0 0x88001234>;"), r"initrd: 0x88000000-0x88001233"),
    Row("initrd_everywhere", put("chosen", "linux,initrd-start = <0x0 0x0>; "
        "linux,initrd-end = <0xffffffff 0xffffffff>;"), r"panic: no memory behind the kernel",
        status=NO_MEMORY),
]

CLOCKS = [
    Row("timebase_of_zero", value("cpus", "timebase-frequency", "<0>"),
        CANNOT + "it has no usable timebase-frequency", status=REFUSED),
    Row("timebase_too_slow", value("cpus", "timebase-frequency", "<999>"),
        CANNOT + "it has no usable timebase-frequency", status=REFUSED),
    Row("timebase_too_fast", value("cpus", "timebase-frequency", "<0xffffffff>"),
        CANNOT + "it has no usable timebase-frequency", status=REFUSED),
    Row("timebase_of_three_cells", value("cpus", "timebase-frequency", "<10000000 0 0>"),
        CANNOT + "it has no usable timebase-frequency", status=REFUSED),
    Row("timebase_is_the_trees", value("cpus", "timebase-frequency", "<5000000>"),
        r"timebase\D*5\D?000\D?000"),
]

DEVICES = [
    Row("no_word_of_the_console", drop("chosen", "stdout-path"), r"uart: \S+@10000000"),
    Row("console_that_is_not_there", value("chosen", "stdout-path", '"/soc/nothing"'),
        r"uart: \S+@10000000"),
    # The firmware's console does, and run= needs no input; a shell without it has nobody.
    Row("console_that_is_none", value("chosen", "stdout-path", '"/cpus"'), online=2),
    Row("no_shell_without_a_console", value("chosen", "stdout-path", '"/cpus"'),
        r"shell: there is no console", status=NO_SHELL, commands=None),
    Row("line_disabled", put(UART, 'status = "disabled";'), r"shell: there is no console",
        status=NO_SHELL, commands=None, silent_from=(1, 6)),
    Row("second_line_in_memory", node('serial@88000000 { compatible = "ns16550a"; '
        "reg = <0x0 0x88000000 0x0 0x100>; };"), r"uart: \S+@10000000", online=2),
    Row("more_devices_than_there_is_room_for", node("lines { %s };" % " ".join(
        'serial@%d { compatible = "ns16550a"; };' % i for i in range(70))),
        r"uart: \S+@10000000", r"\d+ devices of the tree are beyond the first 64: not used",
        online=2),
    Row("line_without_an_interrupt", drop(UART, "interrupts"), r"no interrupt .*: no input"),
    Row("line_of_a_source_that_is_not", value(UART, "interrupts", "<500>"),
        r"no interrupt .*: no input"),
    Row("no_interrupt_controller", put(PLIC, 'status = "disabled";'), r"no interrupt .*: no input"),
    Row("controller_without_sources", value(PLIC, "riscv,ndev", "<0>"),
        r"driver plic: error -22", r"no interrupt .*: no input"),
    Row("controller_of_too_many_sources", value(PLIC, "riscv,ndev", "<1024>"),
        r"driver plic: error -22", r"no interrupt .*: no input"),
    Row("controller_too_short", value(PLIC, "reg", "<0x0 0xc000000 0x0 0x200000>"),
        r"driver plic: error -22", r"no interrupt .*: no input"),
    Row("controller_in_memory", value(PLIC, "reg", "<0x0 0x88000000 0x0 0x600000>"),
        r"driver plic: error -22", r"no interrupt .*: no input"),
]

REST = [
    Row("model_of_keys", value("/", "model", "[61 1b 5b 33 31 6d 0a 62 00]"),
        r"machine: a\?\[31m\?b,"),
    Row("no_model", drop("/", "model"), r"machine: ,"),
    Row("nested_deeply", node("deep { " * 40 + "}; " * 40), online=2),
    Row("large", node("large { bytes = [%s]; };" % ("5a" * 1000000)), online=2),
    Row("many_nodes", node("many { %s };" % " ".join("n%d { a = <1>; };" % i
                                                     for i in range(3000))), online=2),
]

ROWS = HARTS + MEMORIES + CLOCKS + DEVICES + REST
