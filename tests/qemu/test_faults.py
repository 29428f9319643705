# SPDX-License-Identifier: MIT
"""Harts that do wrong on demand, from the boot on: each is reported, and the system runs on."""
import re

import pytest

from guest import EXIT, PATIENT, Shell, run
from test_boot import online, wait_online
from test_bringup import states

STAGES = ["entry", "mmu", "traps", "sched"]
# Where they are last seen: who has joined is not to be lost, so `sched` is just before that.
SEEN = ["entry", "mmu", "traps", "traps"]


def faults(kind):
    """Harts 1 to 4, each at another stage."""
    return "fault=" + ",".join(f"hart{i}:{kind}@{s}" for i, s in enumerate(STAGES, 1))


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


def row(shell, hart):
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
            while not row(shell, hart).endswith("last seen: " + stage):
                pass
            assert " failed " in row(shell, hart) and " STARTED " in row(shell, hart)
            assert complaint(shell, f"hart start {hart}") == (
                f"hart: hart {hart} was started and is silent (STARTED), last seen: {stage}: "
                "failed; it joins if it comes")
        assert states(shell.ask("harts")).count("failed") == 4
        works(shell.ask("test ipi"))
        assert shell.end("poweroff") == EXIT["EXIT_OK"]


def test_harts_that_die_as_they_come_are_said_to_have_died_and_where():
    with Shell(smp=6, append=f"shell=kernel {PATIENT} {faults('die')}") as shell:
        assert states(shell.ask("harts")).count("failed") == 4
        for hart, stage in zip((faulty(shell.text, i) for i in range(1, 5)), SEEN):
            assert len(re.findall(rf"error: hart {hart}: hartid \d+ died before it joined: failed, "
                                  rf"going on without it; last seen: {stage}\b", shell.text)) == 1
            assert row(shell, hart).endswith("last seen: " + stage)
            assert " failed " in row(shell, hart) and " STOPPED " in row(shell, hart)
            assert complaint(shell, f"hart start {hart}") == (
                f"hart: hart {hart} died before it joined, last seen: {stage}: failed")
        assert states(shell.ask("harts")).count("online") == 2
        works(shell.ask("test ipi"))
        assert shell.end("poweroff") == EXIT["EXIT_OK"]


@pytest.mark.parametrize("words", ["", "harts=sequential "])
def test_harts_that_are_late_are_missed_and_taken_in(words):
    with Shell(smp=6, append="shell=kernel " + words + faults("late")) as shell:
        for hart in (faulty(shell.text, i) for i in range(1, 5)):
            assert re.search(rf"hart {hart}: hartid \d+ was started and (is silent: going on|did "
                             r"not arrive).*; last seen: \w+", shell.text), shell.text
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


def test_a_hart_that_is_stopped_in_the_middle_of_an_ipi_answers_it_and_comes_back():
    with Shell(smp=3, append=f"shell=kernel {PATIENT} fault=hart1:stop@ipi") as shell:
        hart = faulty(shell.text, 1)
        until(shell, "log level=warn", lambda text: re.search(
            rf"hart {hart}: was stopped in the middle of an IPI to it, last seen: \w+: it "
            "answered that first", text))
        assert states(shell.ask("harts"))[hart] == "stopped"
        works(shell.ask("test ipi"))
        assert "hart:" not in shell.ask(f"hart start {hart}")
        assert states(shell.ask("harts")).count("online") == 3
        assert shell.end("poweroff") == EXIT["EXIT_OK"]


def test_faults_in_several_words_and_of_the_boot_hart_itself():
    """Alone it has nobody who could have its fault; and nothing happens."""
    got = run("harts", append=PATIENT + " fault=hart0:hang@entry fault=hart0:twice", smp=1)
    assert got.status == EXIT["EXIT_OK"] and online(got.text) == 1, got.text
    assert got.lines("hart 0 is the boot hart, and nobody can have its fault"), got.text
