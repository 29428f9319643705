# SPDX-License-Identifier: MIT
"""Altered device trees: the kernel takes what the tree says, and lives with what is wrong in it or
ends in one clear line and a status of failure, never in silence. alterations.py has the table."""
import functools
import re

import pytest

import alterations
import launcher
import tree
from guest import EXIT, Shell, run
from test_boot import online, wait_online
from test_faults import complaint, row_of

REFUSAL = r"error: the device tree cannot be used: (.*)$"


@pytest.fixture(scope="module")
def originals(tmp_path_factory):
    """Trees of the machine by its harts; each is made once."""
    made = {}

    def of(smp):
        if smp not in made:
            made[smp] = tree.dump(tmp_path_factory.mktemp("virt"), smp)
        return made[smp]

    return of


@functools.cache
def firmware():
    found, text = launcher.opensbi("qemu-system-riscv64")
    assert found, text
    return found


def expected_online(row, text):
    """How many harts are to be online; a spoilt one is, if the firmware has picked it."""
    if row.spoilt is None:
        return row.online
    if re.search(r"hart \d+: hartid %d, the boot hart" % row.spoilt, text):
        assert re.search(r"hartid %d: .*, but it runs" % row.spoilt, text), text
        return row.smp
    assert re.search(r"hartid %d: not used: " % row.spoilt, text), text
    return row.smp - 1


@pytest.mark.parametrize("row", alterations.ROWS, ids=lambda row: row.name)
def test_altered(row, originals, tmp_path):
    if row.silent_from and firmware() >= row.silent_from:
        pytest.skip("this OpenSBI does not start with such a tree")
    dtb = tree.build(tmp_path, row.alter(originals(row.machine)))
    got = run(row.commands, smp=row.smp, dtb=dtb, **row.options)
    assert got.status == EXIT[row.status], got.text
    for pattern in row.said:
        assert re.search(pattern, got.text, re.M), f"no {pattern} in:\n{got.text}"
    refusals = got.lines(REFUSAL)
    assert len(refusals) == (row.status == alterations.REFUSED), got.text
    if row.status == alterations.RUNS:
        assert expected_online(row, got.text) in (None, online(got.text)), got.text


def test_sparse_hartids_get_dense_indices(originals, tmp_path):
    text = alterations.without_hart_1(originals(4))
    got = run("harts", smp=4, dtb=tree.build(tmp_path, text))
    rows = got.lines(r"^\s*(\d+)\s+(?:0x)?([0-9a-f]+)\s+online")
    assert sorted(int(r[0]) for r in rows) == [0, 1, 2], got.text
    assert sorted(int(r[1], 16) for r in rows) == [0, 2, 3], got.text


def test_long_isa_string_is_told_whole(originals, tmp_path):
    text = alterations.long_isa(originals(2))
    isa = re.search(r'riscv,isa = "([^"]+)"', text).group(1)
    got = run("mem", smp=2, dtb=tree.build(tmp_path, text))
    assert "".join(got.lines(r"harts 0-1: ISA (\S+)")) == isa, got.text
    assert got.lines(r"harts 0-1: MMU (\S+)"), got.text


def test_hart_that_never_comes_does_not_hold_the_prompt_back(originals, tmp_path):
    """It is given up in the end, while the system runs; rows of the table wait for less."""
    dtb = tree.build(tmp_path, originals(4))
    with Shell(smp=3, dtb=dtb, append="shell=kernel") as shell:
        assert "hartid 3 was started and is silent: going on" in shell.said
        wait_online(shell, 3)
        while "hartid 3 was started and did not arrive: failed" not in shell.text:
            shell.read()
        assert " failed " in row_of(shell, 3) and row_of(shell, 3).endswith("last seen: call")
        assert complaint(shell, "hart start 3") == (
            "hart: hart 3 was started and is silent (START_PENDING), last seen: call: failed; it "
            "joins if it comes")
        assert shell.end("poweroff") == EXIT["EXIT_OK"]


def test_tree_without_a_way_out_says_so(originals, tmp_path):
    """Neither kernel nor OpenSBI can end this machine: the last line says so, and the status."""
    text = tree.remove(originals(2), alterations.FINISHER)
    text = tree.remove(tree.remove(text, "poweroff"), "reboot")
    with Shell(smp=2, dtb=tree.build(tmp_path, text)) as shell:
        shell.keys("poweroff\r")
        shell.expect(r"power: nothing can switch this machine off; status was 0")
