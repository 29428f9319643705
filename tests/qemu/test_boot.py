# SPDX-License-Identifier: MIT
"""Boots on every size and shape of machine end with all harts online and a working shell."""
import os
import re

import pytest

import alterations
import children
import launcher
import tree
from guest import EXIT, LAST_RESORT, ROOT, Shell, kernel, run

ONLINE = r"^\s*\d+\s+(?:0x)?[0-9a-f]+\s+online\b"


def online(text):
    return len(re.findall(ONLINE, text, re.M))


@pytest.mark.parametrize("smp", [1, 2, 4, 8, 16, 64])
def test_all_harts_come_online(smp):
    got = run("harts", smp=smp, mem="1G")
    assert got.status == EXIT["EXIT_OK"], got.text
    assert online(got.text) == smp, got.text


def test_as_many_harts_as_the_firmware_carries_come_online_and_work():
    """128, with all but some newer OpenSBI."""
    found, text = launcher.opensbi("qemu-system-riscv64")
    assert found, text
    smp = min(128, launcher.CARRIES.get(found[:2], 32))
    got = run("harts; mem; bench ipi", smp=smp, mem="1G")
    assert got.status == EXIT["EXIT_OK"], got.text
    assert online(got.text) == smp, got.text


@pytest.mark.parametrize("mem", ["64M", "8G"])
def test_memory_sizes(mem):
    got = run("harts; mem", smp=4, mem=mem)
    assert got.status == EXIT["EXIT_OK"], got.text
    assert online(got.text) == 4, got.text


def test_timer_without_sstc():
    got = run("harts; test timer", smp=2, cpu="rv64,sstc=off")
    assert got.status == EXIT["EXIT_OK"], got.text
    assert online(got.text) == 2, got.text
    assert got.lines(r"(\d+) passed, 0 failed") not in ([], ["0"]), got.text


def make(words, **how):
    """Status and output of make, as a user calls it."""
    env = {k: v for k, v in os.environ.items() if k not in ("MAKEFLAGS", "MAKELEVEL", "MFLAGS")}
    done = children.run(words, LAST_RESORT, cwd=ROOT, env=env, **how)
    return done.returncode, done.stdout


def test_readme_line_for_scripts():
    """The very line that the README gives, through make, its quotes and all."""
    line = """make -s run SMP=4 APPEND='shell=kernel run="harts; mem"'"""
    assert line in (ROOT / "README.md").read_text()
    status, said = make(["sh", "-c", line])
    assert status == 0 and online(said) == 4, said
    assert re.search(r"^exit: ok \(0\)$", said, re.M), said


def test_append_is_not_expanded_by_make_or_shell():
    status, said = make(["make", "-s", "run", "SMP=1",
                         "APPEND=run=\"harts\" $HOME `true` $(shell true) it's"])
    assert status == 0 and "$HOME `true` $(shell true) it's" in said, said


def test_boot_log_tells_the_tree_and_the_firmware():
    got = run("harts", smp=2)
    for what in (r"memory.*0x80000000", r"hartid", r"rv64", r"timebase", r"plic", r"uart|serial",
                 r"OpenSBI", r"HSM", r"shell=kernel"):
        assert re.search(what, got.text, re.I), f"no {what} in:\n{got.text}"


def test_no_colours_where_output_is_no_terminal():
    assert "\x1b[" not in run("harts").text


def test_harts_have_their_colours_on_a_terminal():
    with Shell(smp=2) as shell:
        colours = {"0": set(), "1": set()}
        for colour, hart in re.findall(r"^(\x1b\[[0-9;]*m)\[[ 0-9.]+\] hart (\d): ", shell.text,
                                       re.M):
            colours[hart].add(colour)
    assert [len(c) for c in colours.values()] == [1, 1] and colours["0"] != colours["1"], colours


def test_two_boots_of_one_image_agree_to_the_instruction(tmp_path):
    """Under icount the same image prints the same text, times included. Into a file: who reads a
    pipe late delays the guest."""
    texts = []
    for name in "ab":
        got = run("harts; mem; test locks", icount=0, serial_file=tmp_path / name)
        assert got.status == EXIT["EXIT_OK"], got.text
        texts.append((tmp_path / name).read_text(errors="replace"))
    assert texts[0] == texts[1] and "passed, 0 failed" in texts[0]


def test_any_boot_hart():
    """OpenSBI picks the boot hart at random; with enough boots another than hart 0 is met, and
    whichever it is, all come online."""
    seen = set()
    for _ in range(6):
        got = run("harts", smp=4)
        assert got.status == EXIT["EXIT_OK"] and online(got.text) == 4, got.text
        boot = got.lines(r"hart (\d+): hartid \d+, the boot hart")
        assert len(boot) == 1, got.text
        # What it said before it listed the harts bears its own number, too.
        for first in ("boot arguments:", "machine:", "firmware:", "memory:"):
            assert set(got.lines(r"\] hart (\d+): " + first)) == set(boot), got.text
        seen.update(boot)
    assert seen, "the boot log does not name the boot hart"


HANDOVER = ROOT / "build" / "payload" / "handover.elf"
CHOSEN, RESERVED = 0x84001000, ("0x84000000", "0x2000")	# tests/payload/handover.S


@pytest.mark.parametrize("first", [1, 3])
def test_a_hart_that_is_not_the_first_boots(first, tmp_path):
    """No luck is needed to meet it: a program before the kernel sees to that."""
    text = alterations.memreserve(*RESERVED)(tree.dump(tmp_path, 4))
    got = run(f"harts; test hart.; hart stop {first}; hart start {first}; test hart.each",
              smp=4, kernel=HANDOVER, dtb=tree.build(tmp_path, text),
              extra=["-device", f"loader,file={kernel()}",
                     "-device", f"loader,addr={CHOSEN:#x},data={first},data-len=4"])
    assert got.status == EXIT["EXIT_OK"], got.text
    assert got.lines(r"hart (\d+): hartid (\d+), the boot hart") == [(str(first),) * 2], got.text
    assert online(got.text) == 4, got.text
    assert len(got.lines(r"^[1-9]\d* passed, 0 failed")) == 2, got.text


def test_a_start_s_argument_reaches_harts_above_4_gib():
    """Harts of the second node have what they are started with above the first 4 GiB."""
    got = run("harts; test hart.starts_with", smp=4, mem=launcher.FAR_MEM,
              extra=launcher.two_nodes(4, launcher.FAR_NODES))
    assert got.status == EXIT["EXIT_OK"] and online(got.text) == 4, got.text
    assert got.lines(r"^ok hart\.starts_with_a_hart_meta_above_4_gib$"), got.text


def test_prompt_answers_after_boot():
    with Shell(smp=4) as shell:
        assert online(shell.ask("harts")) == 4
        assert shell.end("poweroff") == EXIT["EXIT_OK"]


def wait_online(shell, harts):
    """Harts join in their own time: asks until all are there, or the guest ends."""
    text = shell.ask("harts")
    while online(text) < harts:
        text = shell.ask("harts")
    return text


def late(text, said):
    found = re.search(r"hart (\d+): hartid \d+ was started and " + said, text)
    assert found, text
    return found.group(1)


def works_on(shell, hart):
    """It has its work thread, answers calls, and runs threads."""
    while not re.search(rf"\bwork/{hart}\b", shell.ask("ps")):
        pass
    for test in ("ipi", "work", "sched.affinity"):
        assert re.search(r"\b0 failed", shell.ask(f"test {test}")), test


def test_hart_that_is_late_does_not_hold_the_prompt_back_and_joins():
    with Shell(smp=4, append="shell=kernel hartlate=2") as shell:
        hart = late(shell.said, "is silent: going on")
        wait_online(shell, 4)
        works_on(shell, hart)
        # No wall clock: on a host that stands still for long it was given up before.
        log = shell.ask("log level=warn")
        assert ("had been given up" in log) == ("did not arrive" in shell.text), log
        assert shell.end("poweroff") == EXIT["EXIT_OK"]


def test_hart_that_comes_after_it_was_given_up_joins():
    with Shell(smp=4, append="shell=kernel hartlate=2 hartwait=1") as shell:
        hart = late(shell.said, "did not arrive: failed")
        wait_online(shell, 4)
        works_on(shell, hart)
        assert re.search(rf"hart {hart}: warning: hartid \d+ had been given up",
                         shell.ask("log level=warn"))
        assert shell.end("poweroff") == EXIT["EXIT_OK"]
