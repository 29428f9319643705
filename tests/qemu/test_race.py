# SPDX-License-Identifier: MIT
"""Races on data as they are reported by the race configuration, and that a seed is one run."""
import re

import pytest

from guest import EXIT, run

PC = r"  +0x[0-9a-f]+ ([\w.]+)\+0x[0-9a-f]+\n"
LINE = re.compile(r"^lockcheck: kind=race what=(\S+) class=- lock=(0x[0-9a-f]+) hart=(\d+) "
                  r"thread=(\S+) pc=0x[0-9a-f]+ at=0x[0-9a-f]+ other_hart=(\d+)$", re.M)
COUNTED = {"icount": 0, "smp": 4, "config": "race"}


def report(text):
    """The one report: its keys, and the functions of both backtraces."""
    (found,) = LINE.findall(text)
    sides = re.search(r"^lock checker: a race: .*:\n((?:%s)+)here:\n((?:%s)+)" % (PC, PC), text,
                      re.M)
    assert sides, text
    there, here = (re.findall(PC, sides.group(n)) for n in (1, 3))
    return found, there, here


@pytest.mark.parametrize("how", [{"smp": 2, "config": "race"},
                                 dict(COUNTED, append="relax=turn")], ids=["free", "counted"])
def test_a_race_ends_with_both_backtraces(how):
    got = run("crash race", **how)
    assert got.status == EXIT["EXIT_LOCKCHECK"], got.text
    (what, address, hart, thread, other), there, here = report(got.text)
    assert what in ("read-write", "write-read", "write-write") and int(address, 16), got.text
    assert hart != other and thread in ("shell", "partner"), got.text
    # One of them is the thread that counts, the other one the shell.
    for side in (there, here):
        assert "count_for_ever" in side or "crash_race" in side, got.text
    assert ("cmd_crash" in there) != ("cmd_crash" in here), got.text
    assert len(re.findall(r"^panic: lock checker: race: ", got.text, re.M)) == 1, got.text


def counted(seed, path):
    """What is on the serial line: in a file, for a pipe changes the moments of a run."""
    got = run("crash race", append=f"relax=turn race={seed}", **COUNTED, **{"serial-file": path})
    assert got.status == EXIT["EXIT_LOCKCHECK"], path.read_text()
    return path.read_text()


def test_a_seed_is_one_run(tmp_path):
    told = [counted(seed, tmp_path / f"{n}") for n, seed in enumerate((1, 1, 2, 3, 4))]
    assert told[0] == told[1]
    # Others choose other accesses, and so stop at other moments.
    assert len(set(told)) > 2, told


def test_other_configurations_say_that_they_watch_nothing():
    got = run("harts", append="race=1")
    assert got.status == 0 and "race=: this configuration has none" in got.text, got.text
    got = run("harts", append="race=x", config="race")
    assert got.status == 0 and "race=x: it takes a number" in got.text, got.text
