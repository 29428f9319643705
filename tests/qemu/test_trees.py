# SPDX-License-Identifier: MIT
"""Altered device trees: the kernel takes what the tree says and lives with what is wrong in it."""
import re

import tree
from guest import EXIT, Shell, run
from test_boot import online, wait_online


def boot(tmp_path, text, smp, commands="harts; mem", **options):
    return run(commands, smp=smp, dtb=tree.build(tmp_path, text), **options)


def test_disabled_hart_is_left_out(tmp_path):
    text = tree.edit(tree.dump(tmp_path, 4), "cpu@2", r'status = "okay"', 'status = "disabled"')
    got = boot(tmp_path, text, 4)
    assert got.status == EXIT["EXIT_OK"], got.text
    assert online(got.text) == 3, got.text
    assert re.search(r"hart.*\b2\b.*disabled", got.text), got.text


def controller_of(text, cpu):
    """Phandle of a hart's interrupt controller."""
    body = text[slice(*tree.node(text, cpu))]
    body = body[body.index("interrupt-controller {"):]
    return re.search(r"phandle = <(0x[0-9a-f]+)>", body).group(1)


def test_sparse_hartids(tmp_path):
    """Without cpu@1 the hartids are 0, 2 and 3: indices stay dense, hartids are the tree's."""
    text = tree.dump(tmp_path, 4)
    gone, other = controller_of(text, "cpu@1"), controller_of(text, "cpu@0")
    text = tree.remove(tree.remove(text, "cpu-map"), "cpu@1")
    # The contexts of the lost hart keep their places: the PLIC's as unconnected ones, and those of
    # the CLINT, which OpenSBI counts, as another hart's.
    for number in ("0x0b", "0x09"):
        text = text.replace(f"{gone} {number}", f"{other} 0xffffffff")
    text = re.sub(rf"{gone} (0x0[37])\b", rf"{other} \1", text)
    got = boot(tmp_path, text, 4, "harts; test ipi")
    assert got.status == EXIT["EXIT_OK"], got.text
    assert online(got.text) == 3, got.text
    rows = got.lines(r"^\s*(\d+)\s+(?:0x)?([0-9a-f]+)\s+online")
    assert sorted(int(r[0]) for r in rows) == [0, 1, 2], got.text
    assert sorted(int(r[1], 16) for r in rows) == [0, 2, 3], got.text


def test_two_memory_ranges(tmp_path):
    """One node cut in two with a hole: both are used, the hole never."""
    text = tree.edit(tree.dump(tmp_path, 2, "256M"), r"memory@80000000", r"reg = <[^>]+>",
                     "reg = <0x0 0x80000000 0x0 0x6000000 0x0 0x88000000 0x0 0x8000000>")
    got = boot(tmp_path, text, 2, "mem; test mm")
    assert got.status == EXIT["EXIT_OK"], got.text
    assert len(set(got.lines(r"0x(8[08]000000)"))) == 2, got.text


def test_memory_that_must_not_be_mapped(tmp_path):
    """What the tree marks no-map, newer firmware its own memory, has no page of the kernel's."""
    text = tree.add_node(tree.dump(tmp_path, 2), "reserved-memory",
                         "#address-cells = <2>; #size-cells = <2>; ranges;",
                         "kept@88001000 { no-map; reg = <0x0 0x88001000 0x0 0x3000>; };")
    got = boot(tmp_path, text, 2, "mem; test kernel_map; test mm")
    assert got.status == EXIT["EXIT_OK"], got.text
    assert re.search(r"reserved: 0x88001000\.\.0x88004000 \(kept@88001000\)", got.text), got.text


def test_long_isa_string_is_told_whole(tmp_path):
    more = "".join("_xlongname%d" % i for i in range(40))
    text = re.sub(r'(riscv,isa = "rv64[^"]*)"', rf'\g<1>{more}"', tree.dump(tmp_path, 2))
    isa = re.search(r'riscv,isa = "([^"]+)"', text).group(1)
    got = boot(tmp_path, text, 2)
    assert got.status == EXIT["EXIT_OK"], got.text
    assert "".join(got.lines(r"harts 0-1: ISA (\S+)")) == isa, got.text
    assert got.lines(r"harts 0-1: MMU (\S+)"), got.text


def test_hart_that_the_kernel_cannot_use(tmp_path):
    text = tree.edit(tree.dump(tmp_path, 4), "cpu@3", r'riscv,isa = "rv64', 'riscv,isa = "rv32')
    got = boot(tmp_path, text, 4)
    assert got.status == EXIT["EXIT_OK"], got.text
    # The firmware may have picked this very hart to boot on: then it runs, whatever the tree says.
    picked = re.search(r"hartid 3: its ISA has another word length, but it runs", got.text)
    assert picked or re.search(r"hartid 3: not used: its ISA", got.text), got.text
    assert online(got.text) == (4 if picked else 3), got.text


def test_hart_that_the_firmware_does_not_have(tmp_path):
    """The tree names four harts, the machine has three: the fourth fails, the system runs."""
    got = boot(tmp_path, tree.dump(tmp_path, 4), 3, append="")
    assert got.status == EXIT["EXIT_OK"], got.text
    assert online(got.text) == 3, got.text
    assert re.search(r"^\s*\d+\s+(?:0x)?3\s+failed", got.text, re.M), got.text


def test_hart_that_never_comes_does_not_hold_the_prompt_back(tmp_path):
    dtb = tree.build(tmp_path, tree.dump(tmp_path, 4))
    with Shell(smp=3, dtb=dtb, append="shell=kernel") as shell:
        assert "hartid 3 was started and is silent: going on" in shell.said
        assert "did not arrive" not in shell.said
        assert online(wait_online(shell, 3)) == 3
        while "hartid 3 was started and did not arrive: failed" not in shell.text:
            shell.read()
        assert shell.end("poweroff") == EXIT["EXIT_OK"]


def test_tree_without_memory_ends_in_one_clear_line(tmp_path):
    got = boot(tmp_path, tree.remove(tree.dump(tmp_path, 1), r"memory@80000000"), 1)
    assert got.status == EXIT["EXIT_BAD_TREE"], got.text
    assert re.search(r"device tree.*memory", got.text), got.text


def test_tree_with_a_timebase_of_zero_ends_in_one_clear_line(tmp_path):
    text = tree.edit(tree.dump(tmp_path, 1), "cpus", r"timebase-frequency = <[^>]+>",
                     "timebase-frequency = <0>")
    got = boot(tmp_path, text, 1)
    assert got.status == EXIT["EXIT_BAD_TREE"], got.text
    assert re.search(r"timebase", got.text), got.text


def test_timebase_is_the_trees(tmp_path):
    text = tree.edit(tree.dump(tmp_path, 1), "cpus", r"timebase-frequency = <[^>]+>",
                     "timebase-frequency = <5000000>")
    got = boot(tmp_path, text, 1)
    assert got.status == EXIT["EXIT_OK"], got.text
    assert re.search(r"timebase\D*5\D?000\D?000", got.text), got.text
