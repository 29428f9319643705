# SPDX-License-Identifier: MIT
"""Harts that do wrong on demand, from the boot on: each is reported, and the system runs on. What
trees say that is wrong of harts: test_trees.py."""
import re
import struct
import subprocess

import pytest

from guest import EXIT, PATIENT, Shell, kernel, run
from test_boot import online, wait_online
from test_bringup import boot_hart, states

STAGES = ["entry", "mmu", "traps", "sched"]
# Where they are last seen: who has joined is not to be lost, so `sched` is just before that.
SEEN = ["entry", "mmu", "traps", "traps"]


def faults(kind, who=(1, 2, 3, 4)):
    """Harts of 1 to 4, each at another stage."""
    return "fault=" + ",".join(f"hart{i}:{kind}@{STAGES[i - 1]}" for i in who)


def faulty(text, hart):
    """Which one has the fault of this hart, that may be the boot's."""
    heir = re.search(rf"hart {hart} is the boot hart: hart (\d+) has its fault", text)
    return int(heir.group(1)) if heir else hart


def works(text):
    assert re.search(r"[1-9]\d* passed, 0 failed", text), text


def until(shell, line, is_so):
    """Asks until it is so; what the machine does takes it some time."""
    text = shell.ask(line)
    while not is_so(text):
        text = shell.ask(line)
    return text


def row_of(shell, hart):
    """Its line of `hart status`."""
    text = shell.ask("hart status")
    return re.search(rf"^ +{hart} +\d+ +\w+ .*$", text, re.M).group(0).rstrip()


def complaint(shell, line):
    """The one line that the command says."""
    said = [l.rstrip() for l in shell.ask(line).splitlines() if l.startswith("hart:")]
    assert len(said) == 1, said
    return said[0]


def test_harts_that_hang_are_said_to_be_silent_and_where_they_were_last_seen():
    with Shell(smp=6, append="shell=kernel hartwait=3000 " + faults("hang")) as shell:
        lost = [faulty(shell.text, i) for i in range(1, 5)]
        wait_online(shell, 2)
        for hart, stage in zip(lost, SEEN):
            # By then it may still have been on its way, on a slow machine.
            assert re.search(rf"error: hart {hart}: hartid \d+ was started and did not arrive: "
                             r"failed, going on without it; last seen: \w+", shell.text), shell.text
            while not row_of(shell, hart).endswith("last seen: " + stage):
                pass
            assert " failed " in row_of(shell, hart) and " STARTED " in row_of(shell, hart)
            assert complaint(shell, f"hart start {hart}") == (
                f"hart: hart {hart} was started and is silent (STARTED), last seen: {stage}: "
                "failed; it joins if it comes")
        assert states(shell.ask("harts")).count("failed") == 4
        works(shell.ask("test ipi"))
        assert shell.end("poweroff") == EXIT["EXIT_OK"]


def test_harts_that_die_as_they_come_are_said_to_have_died_and_where():
    with Shell(smp=6, append=f"shell=kernel {PATIENT} {faults('die')}") as shell:
        until(shell, "harts", lambda text: states(text).count("failed") == 4)
        wait_online(shell, 2)
        for hart, stage in zip((faulty(shell.text, i) for i in range(1, 5)), SEEN):
            assert len(re.findall(rf"error: hart {hart}: hartid \d+ died before it joined: failed, "
                                  rf"going on without it; last seen: {stage}\b", shell.text)) == 1
            assert row_of(shell, hart).endswith("last seen: " + stage)
            assert " failed " in row_of(shell, hart) and " STOPPED " in row_of(shell, hart)
            assert complaint(shell, f"hart start {hart}") == (
                f"hart: hart {hart} died before it joined, last seen: {stage}: failed")
        works(shell.ask("test ipi"))
        assert shell.end("poweroff") == EXIT["EXIT_OK"]


# The boot waits for three seconds of them, when nobody else comes either.
@pytest.mark.parametrize("words, who", [("", (1, 2, 3, 4)), ("harts=sequential ", (4,))])
def test_harts_that_are_late_are_missed_and_taken_in(words, who):
    with Shell(smp=6, append="shell=kernel " + words + faults("late", who)) as shell:
        for hart in (faulty(shell.text, i) for i in who):
            assert re.search(rf"hart {hart}: hartid \d+ was started and is silent: going on.*; "
                             r"last seen: \w+", shell.text), shell.text
        wait_online(shell, 6)
        works(shell.ask("test ipi"))
        assert shell.end("poweroff") == EXIT["EXIT_OK"]


def test_a_hart_that_is_slow_to_stop_after_it_parked_is_started_all_the_same():
    with Shell(smp=3, append="shell=kernel harts=sequential fault=hart1:late@park") as shell:
        wait_online(shell, 3)
        works(shell.ask("test ipi"))
        assert shell.end("poweroff") == EXIT["EXIT_OK"]


def test_a_hart_that_is_started_twice_and_arrives_twice_counts_once():
    got = run("harts; test ipi; test work", append=PATIENT + " fault=hart1:twice", smp=3)
    hart = faulty(got.text, 1)
    assert got.lines(rf"hart {hart}: hartid \d+ was started twice, last seen: \w+: "), got.text
    assert got.lines(rf"hart {hart}: warning: hartid \d+ arrives twice, last seen: traps: it "
                     "counts once"), got.text
    assert online(got.text) == 3, got.text
    works(got.text)


def test_a_hart_whose_start_is_refused_stays_what_it_was():
    with Shell(smp=3, append=f"shell=kernel {PATIENT} harts=cold fault=hart1:refuse") as shell:
        hart = faulty(shell.text, 1)
        assert complaint(shell, f"hart start {hart}") == (
            f"hart: hart {hart} stays offline: the firmware refuses (error 5, EIO)")
        assert re.search(rf"warning: hart {hart}: hartid \d+ is refused by the firmware "
                         r"\(error -5\): it stays offline\b", shell.ask("log level=warn"))
        assert states(shell.ask("harts"))[hart] == "offline"
    got = run("harts; test ipi", append=PATIENT + " fault=hart1:refuse", smp=3)
    hart = faulty(got.text, 1)
    assert got.lines(rf"error: hart {hart}: hartid \d+ is refused by the firmware \(error -5\): "
                     "failed, going on without it"), got.text
    assert states(got.text)[hart] == "failed" and online(got.text) == 2, got.text
    works(got.text)


def test_a_hart_that_is_stopped_in_the_middle_of_an_ipi_answers_it_and_comes_back():
    with Shell(smp=3, append=f"shell=kernel {PATIENT} fault=hart1:stop@ipi") as shell:
        hart = faulty(shell.text, 1)
        until(shell, "log level=warn", lambda text: re.search(
            rf"hart {hart}: was stopped in the middle of an IPI to it, last seen: \w+: it "
            "answered that first", text))
        assert states(shell.ask("harts"))[hart] == "stopped"
        works(shell.ask("test ipi"))
        assert "hart:" not in shell.ask(f"hart start {hart}")
        wait_online(shell, 3)
        assert shell.end("poweroff") == EXIT["EXIT_OK"]


def test_faults_in_several_words_and_of_the_boot_hart_itself():
    """Alone it has nobody who could have its fault; and nothing happens."""
    got = run("harts", append=PATIENT + " fault=hart0:hang@entry fault=hart0:twice", smp=1)
    assert got.status == EXIT["EXIT_OK"] and online(got.text) == 1, got.text
    assert got.lines("hart 0 is the boot hart, and nobody can have its fault"), got.text


def test_a_hart_that_hangs_as_it_parks_is_not_taken_for_a_stopped_one():
    with Shell(smp=3, append="shell=kernel harts=lazy hartwait=500 fault=hart1:hang@park") as shell:
        hart = faulty(shell.text, 1)
        while " failed " not in row_of(shell, hart):
            pass
        assert row_of(shell, hart).endswith("last seen: traps")
        assert "is silent (STARTED), last seen: traps" in complaint(shell, f"hart start {hart}")
        # The third one parks in its own time, even if it was given up before.
        other = 3 - hart - boot_hart(shell.text)
        while online(shell.ask("harts")) < 2:
            shell.ask(f"hart start {other}")
        works(shell.ask("test ipi"))
        assert shell.end("poweroff") == EXIT["EXIT_OK"]


def test_a_script_waits_for_who_is_late_and_runs_on_without_who_died():
    got = run("harts; test ipi; test work; test sched.affinity", smp=5, append=PATIENT +
              " fault=hart1:die@entry,hart2:die@sched,hart3:late@mmu+20,hart4:twice")
    assert got.status == EXIT["EXIT_OK"] and online(got.text) == 3, got.text
    assert len(got.lines(r"[1-9]\d* passed, 0 failed")) == 3, got.text


def patched(tmp_path, symbol, code):
    """The kernel with other instructions at a symbol, and the symbol's place in the image."""
    nm = subprocess.run(["riscv64-unknown-elf-nm", "-P", kernel()], check=True,
                        stdout=subprocess.PIPE, text=True).stdout
    address = {w[0]: int(w[2], 16) for w in map(str.split, nm.splitlines()) if len(w) > 2}
    image = bytearray(open(kernel(), "rb").read())
    headers, = struct.unpack_from("<Q", image, 32)
    size, n = struct.unpack_from("<HH", image, 54)
    for at in range(headers, headers + n * size, size):
        offset, start, _, length = struct.unpack_from("<4Q", image, at + 8)
        if start <= address[symbol] < start + length:
            offset += address[symbol] - start
            image[offset:offset + len(code)] = code
    (tmp_path / "kernel.elf").write_bytes(image)
    return tmp_path / "kernel.elf", address[symbol] - address["kernel_start"]


ILLEGAL = bytes(4)
RETURN_0 = bytes([0x01, 0x45, 0x82, 0x80])	# c.li a0, 0; c.jr ra


@pytest.mark.parametrize("symbol, code, base, what", [
    ("boot_early", ILLEGAL, 0x80200000, "a trap before it can take any: "),
    ("boot_high", ILLEGAL, 0xffffffff80000000, "a trap before it can take any: "),
    ("boot_early", RETURN_0, None, "the early page tables cannot hold the image and the tree"),
])
def test_a_boot_hart_that_traps_too_early_says_so_in_one_line(symbol, code, base, what, tmp_path):
    elf, place = patched(tmp_path, symbol, code)
    got = run("harts", smp=2, kernel=elf)
    if base is not None:
        what += "cause 0x%016x, address 0x%016x" % (2, base + place)
    assert got.lines(r"^panic: (.*)$") == ["boot hart: " + what], got.text
    assert "boot arguments" not in got.text, got.text
