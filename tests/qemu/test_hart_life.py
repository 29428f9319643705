# SPDX-License-Identifier: MIT
"""Harts that are stopped, started, suspended and resumed from the shell."""
import re

import pytest

import tree
from guest import EXIT, Shell, run

ALL = range(4)


@pytest.fixture(scope="module")
def shell():
    with Shell(smp=4) as s:
        yield s
        assert s.end("poweroff") == EXIT["EXIT_OK"]


def table(shell):
    """{index: (state, what the firmware says, starts, stops, suspends, wakes)}"""
    rows = {}
    for line in shell.ask("hart status").splitlines()[1:]:
        words = line.split()
        rows[int(words[0])] = (words[2], words[3], *map(int, words[4:8]))
    return rows


def silent(shell, line):
    assert shell.ask(line).strip() == "", line


def states(shell):
    """Without what a stray interrupt may change of a suspended hart for a moment."""
    return [(row[0], *row[2:5]) for row in table(shell).values()]


def complains(shell, line, *words):
    """One line with these words, and no hart is anything else than before."""
    before = states(shell)
    text = shell.ask(line).strip()
    assert len(text.splitlines()) == 1 and all(w in text for w in words), text
    assert states(shell) == before


def until(shell, hart, is_so, step=None):
    """Asks for the hart's row until it is as it should be; last resort: very many times."""
    for _ in range(2000):
        if step:
            silent(shell, step)
        row = table(shell)[hart]
        if is_so(row):
            break
    assert is_so(row), row
    return row


def test_every_hart_stops_and_starts_also_the_boot_hart_and_the_shells_own(shell):
    for hart in ALL:
        _, _, starts, stops, suspends, _ = table(shell)[hart]
        silent(shell, f"hart stop {hart}")
        assert table(shell)[hart][:5] == ("stopped", "STOPPED", starts, stops + 1, suspends)
        assert re.search(rf"^ +{hart} +\d+ +stopped ", shell.ask("harts"), re.M)
        silent(shell, f"hart start {hart}")
        assert table(shell)[hart][:5] == ("online", "STARTED", starts + 1, stops + 1, suspends)


def test_the_console_goes_on_whatever_hart_is_away(shell):
    """Its interrupt moves: what is typed arrives."""
    for hart in ALL:
        silent(shell, f"hart stop {hart}")
        assert "lists the commands" in shell.ask("help")
        silent(shell, f"hart start {hart}")
        assert "lists the commands" in shell.ask("help")


@pytest.mark.parametrize("kind", ["", "retentive", "non-retentive"])
def test_only_a_resume_ends_a_suspension_and_other_wake_ups_are_counted(shell, kind):
    silent(shell, f"hart suspend 2 {kind}")
    _, _, starts, _, suspends, wakes = until(shell, 2, lambda row: row[1] == "SUSPENDED")
    assert suspends > 0
    # The firmware may drop an interrupt that comes while it suspends the hart.
    row = until(shell, 2, lambda row: row[5] >= wakes + 3, "hart poke 2")
    assert row[0] == "suspended"
    until(shell, 2, lambda row: row[:2] == ("suspended", "SUSPENDED"))
    complains(shell, "hart start 2", "hart 2", "not stopped", "suspended", "resume 2")
    complains(shell, "hart stop 2", "hart 2", "suspended")
    silent(shell, "hart resume 2")
    assert table(shell)[2][:3] == ("online", "STARTED", starts + 1)


def test_the_last_hart_stays(shell):
    for hart in (0, 3, 1):
        silent(shell, f"hart stop {hart}")
    complains(shell, "hart stop 2", "hart 2", "last")
    complains(shell, "hart suspend 2 -f", "hart 2", "last")
    assert [row[0] for row in table(shell).values()] == ["stopped", "stopped", "online", "stopped"]
    for hart in (1, 0, 3):
        silent(shell, f"hart start {hart}")
    assert {row[0] for row in table(shell).values()} == {"online"}


def test_pinned_thread_makes_it_refuse_and_force_moves_it_for_the_time_being(shell):
    silent(shell, "hart pin shell 3")
    assert re.search(r"^0x\w+ +shell +harts 3\b", shell.ask("hart pin"), re.M)
    complains(shell, "hart stop 3", "hart 3", "pinned", "shell", "-f")
    silent(shell, "hart stop 3 -f")
    complains(shell, "hart pin shell 3", "none", "online")
    silent(shell, "hart start 3")
    assert re.search(r"^ +3 .* online .* shell ", shell.ask("harts"), re.M)
    silent(shell, "hart pin shell 0,2-3")
    assert "harts 0,2-3" in shell.ask("hart pin")
    silent(shell, "hart pin shell all")
    assert "no thread is pinned" in shell.ask("hart pin")


@pytest.mark.parametrize("line, words", [
    ("hart stop", ["needs the number"]),
    ("hart stop 4", ["no hart 4", "0 to 3"]),
    ("hart stop -1", ["no hart -1"]),
    ("hart stop x", ["no hart x"]),
    ("hart stop 99999999999999999999", ["no hart"]),
    ("hart stop 1 now", ["stop", "now"]),
    ("hart start 1 -f", ["start", "-f"]),
    ("hart start 1", ["hart 1 is online"]),
    ("hart resume 1", ["hart 1 is online"]),
    ("hart suspend 1 soon", ["suspend", "soon"]),
    ("hart suspend 1 retentive non-retentive", ["not both"]),
    ("hart frobnicate 1", ["frobnicate", "suspend"]),
    ("hart status 1", ["too many arguments"]),
    ("hart pin shell", ["a thread and a list"]),
    ("hart pin nobody 1", ["no thread nobody"]),
    ("hart pin 0xffff 1", ["no thread 0xffff"]),
    ("hart pin shell 1-", ["1-", "no list of harts"]),
    ("hart pin shell 3-1", ["3-1", "no list of harts"]),
    ("hart pin shell 0,4", ["0,4", "no list of harts"]),
    ("hart pin work/1 0", ["work/1", "binds"]),
])
def test_bad_input_gets_one_clear_line_and_changes_nothing(shell, line, words):
    complains(shell, line, *words)


def test_a_hart_on_its_way_is_said_to_be_in_transition():
    """The shell is one thread: the commands are given by a test in the kernel, in that moment."""
    done = run("test hart_life.a_hart_on_its_way", smp=2)
    assert done.status == EXIT["EXIT_OK"], done.text
    said = done.lines(r"^hart: (hart \d) is in transition \(stopping\)\r?$")
    assert len(said) == 4 and len(set(said)) == 1, done.text
    assert len(done.lines(r"^hart: ")) == 4, done.text


def test_two_threads_of_one_name_are_told_apart_by_their_handles():
    done = run("test hart_life.a_name_of_two", smp=2)
    assert done.status == EXIT["EXIT_OK"], done.text
    assert done.lines(r"^hart: 2 threads are called twin: take its handle\r?$"), done.text
    assert len(done.lines(r"^hart: ")) == 1, done.text


def test_a_hart_that_never_came_is_said_to_have_failed(tmp_path):
    """The tree has three, the machine two."""
    dtb = tree.build(tmp_path, tree.dump(tmp_path, 3))
    with Shell(smp=2, dtb=dtb, append="shell=kernel hartwait=1") as few:
        until(few, 2, lambda row: row[0] == "failed")
        for line in ("hart stop 2", "hart suspend 2", "hart stop 2 -f"):
            complains(few, line, "hart 2 is failed")
        # What the firmware thinks of such a hart depends on its version; the log may say it, too.
        said = re.findall(r"^hart: hart 2 .*$", few.ask("hart start 2"), re.M)
        assert len(said) == 1 and "failed" in said[0] and table(few)[2][0] == "failed", said
        complains(few, "hart resume 2", "not suspended, but failed", "hart start 2")
        complains(few, "hart pin shell 2", "none of the harts 2 is online")
        assert few.end("poweroff") == EXIT["EXIT_OK"]


def test_a_hart_whose_work_nobody_takes_is_told_from_one_in_transition():
    done = run("test hart_life.a_hart_whose_work", smp=2)
    assert done.status == EXIT["EXIT_OK"], done.text
    assert done.lines(r"^hart: hart \d has work and threads that no other hart takes"), done.text
    assert len(done.lines(r"^hart: ")) == 1, done.text


def test_one_hart_alone_is_the_last_one():
    done = run("hart stop 0; hart suspend 0", smp=1)
    assert done.status == EXIT["EXIT_COMMAND"]
    assert len(done.lines("hart 0 is the last one that runs")) == 2


def test_a_script_stops_and_starts_harts_in_any_order():
    line = "; ".join(["hart stop 1", "hart stop 0", "stress mutex 1", "hart start 0",
                      "hart start 1", "hart suspend 0 non-retentive", "stress ipi 1",
                      "hart resume 0", "test hart.every_online_hart_runs_threads"])
    done = run(line, smp=3)
    assert done.status == EXIT["EXIT_OK"], done.text


def test_harts_that_are_away_do_not_keep_the_system_from_its_end():
    away = "hart stop 0; hart suspend 2 retentive; hart suspend 3 non-retentive; "
    done = run(away + "poweroff", smp=4)
    assert done.status == EXIT["EXIT_OK"], done.text
    done = run(away + "crash panic", smp=4)
    assert done.status == EXIT["EXIT_PANIC"], done.text
    assert "did not answer" not in done.text


def test_a_hart_that_the_firmware_keeps_is_said_to_be_stuck():
    done = run("test hart_life.a_hart_that_the_firmware_keeps", smp=2)
    assert done.status == EXIT["EXIT_OK"], done.text
    # By the stop, and by each start of a hart that is stuck.
    line = r"^hart: hart (\d) is stuck in the firmware \(STARTED\): failed; .*`hart start \1`"
    assert len(done.lines(line)) == 4, done.text
    assert len(done.lines(r"^ +\d +\d +failed +STARTED .*  stuck\r?$")) == 3, done.text
