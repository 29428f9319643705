# SPDX-License-Identifier: MIT
"""Altered device trees: the kernel takes what the tree says and lives with what is wrong in it."""
import re

import tree
from guest import EXIT, run
from test_boot import online


def boot(tmp_path, text, smp, commands="harts; mem", **options):
    return run(commands, smp=smp, dtb=tree.build(tmp_path, text), **options)


def test_disabled_hart_is_left_out(tmp_path):
    text = tree.edit(tree.dump(tmp_path, 4), "cpu@2", r'status = "okay"', 'status = "disabled"')
    got = boot(tmp_path, text, 4)
    assert got.status == EXIT["EXIT_OK"], got.text
    assert online(got.text) == 3, got.text
    assert re.search(r"hart.*\b2\b.*disabled", got.text), got.text


def test_sparse_hartids(tmp_path):
    """Without cpu@1 the hartids are 0, 2 and 3: indices stay dense, hartids are the tree's."""
    text = tree.dump(tmp_path, 4)
    phandle = re.search(r"phandle = <(0x[0-9a-f]+)>", text[slice(*tree.node(text, "cpu@1"))][
        text[slice(*tree.node(text, "cpu@1"))].index("interrupt-controller {"):]).group(1)
    text = tree.remove(text, "cpu@1")
    text = tree.remove(text, "cpu-map")
    # The interrupt controllers name the lost hart's controller: take its pairs away.
    text = re.sub(rf"{phandle} 0x[0-9a-f]+ ?", "", text)
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


def test_hart_that_the_kernel_cannot_use(tmp_path):
    text = tree.edit(tree.dump(tmp_path, 4), "cpu@3", r'riscv,isa = "rv64', 'riscv,isa = "rv64e')
    got = boot(tmp_path, text, 4)
    assert got.status == EXIT["EXIT_OK"], got.text
    assert online(got.text) == 3, got.text


def test_hart_that_the_firmware_does_not_have(tmp_path):
    """The tree names four harts, the machine has three: the fourth fails, the system runs."""
    got = boot(tmp_path, tree.dump(tmp_path, 4), 3)
    assert got.status == EXIT["EXIT_OK"], got.text
    assert online(got.text) == 3, got.text
    assert re.search(r"^\s*\d+\s+(?:0x)?3\s+failed", got.text, re.M), got.text


def test_tree_without_memory_ends_in_one_clear_line(tmp_path):
    got = boot(tmp_path, tree.remove(tree.dump(tmp_path, 1), r"memory@80000000"), 1)
    assert got.status == EXIT["EXIT_BAD_TREE"], got.text
    assert re.search(r"device tree.*memory", got.text), got.text


def test_tree_without_timebase_ends_in_one_clear_line(tmp_path):
    text = tree.edit(tree.dump(tmp_path, 1), "cpus", r"timebase-frequency = <[^>]+>;", "")
    got = boot(tmp_path, text, 1)
    assert got.status == EXIT["EXIT_BAD_TREE"], got.text
    assert re.search(r"timebase", got.text), got.text


def test_timebase_is_the_trees(tmp_path):
    text = tree.edit(tree.dump(tmp_path, 1), "cpus", r"timebase-frequency = <[^>]+>",
                     "timebase-frequency = <5000000>")
    got = boot(tmp_path, text, 1)
    assert got.status == EXIT["EXIT_OK"], got.text
    assert re.search(r"timebase\D*5\D?000\D?000", got.text), got.text
