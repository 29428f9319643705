# SPDX-License-Identifier: MIT
"""make torture: what it is asked in words is checked before anything boots, and its verdict about
branches finds what is wrong."""
import os
import sys

import pytest

import children
from guest import LAST_RESORT, ROOT

sys.path.insert(0, os.path.join(ROOT, "tests/torture"))
import cover

RUN = os.path.join(ROOT, "tests/torture/run")


def torture(**words):
    """What `make torture` calls: status and output. No word of the caller's environment counts."""
    clean = {k: v for k, v in os.environ.items()
             if k not in ("LOCK", "SMP", "SECONDS", "SEED", "CONFIG", "APPEND", "TIMEOUT")}
    done = children.run([sys.executable, "-B", RUN], LAST_RESORT, cwd=ROOT,
                        env=dict(clean, **words))
    return done.returncode, done.stdout


@pytest.mark.parametrize("name, value, wanted", [
    ("LOCK", "spinlock", "no such kind or twin; there are: all, "),
    ("LOCK", "mutex.unknown", "no such kind or twin"),
    ("LOCK", "mutex; exit", "no such kind or twin"),
    ("SMP", "0", "a number from 1 to "),
    ("SMP", "four", "a number from 1 to "),
    ("SECONDS", "-1", "a number from 0 to 86400"),
    ("SECONDS", "86401", "a number from 0 to 86400"),
    ("SEED", "0x10", "a number from 0 to 18446744073709551615"),
    ("SEED", "18446744073709551616", "a number from 0 to 18446744073709551615"),
    ("CONFIG", "nowhere", "there is no such file"),
])
def test_a_wrong_word_is_answered_by_one_line(name, value, wanted):
    status, text = torture(**{name: value})
    assert status == 1 and text.count("\n") == 1
    assert text.startswith("torture: ") and value in text and wanted in text


def test_a_twin_is_asked_for_by_its_name():
    status, text = torture(LOCK="semaphore.post", CONFIG="virt64", SMP="2", SEED="7")
    assert status == 0, text
    assert "ok torture.semaphore.post_twice: found" in text
    assert "1 kinds, 1 runs and twins, 0 failed; seed=7" in text
    assert "LOCK=semaphore.post SMP=2 SECONDS=0 SEED=7" in text


# ---- Branches ------------------------------------------------------------------------------

def place(text, function="take"):
    return "kernel/lock/x.c", function, 7, text


BOTH_WAYS = {place("if (a || b)"): [5, 1, 2, 3], place("assert(a);"): [0, 8]}
NEVER = {("kernel/lock/x.c", "take", "if (c)"): (1, "it cannot")}


@pytest.mark.parametrize("counts, never, missed, wrong", [
    ({}, {}, 0, 0),
    ({place("if (c)"): [0, 4]}, NEVER, 0, 0),
    ({place("if (c)"): [0, 4]}, {}, 1, 0),		# a branch that nobody took
    ({place("if (c)"): [0, 0]}, NEVER, 1, 0),		# an excuse for one way, and neither was
    ({place("if (c)", "give"): [0, 4]}, NEVER, 1, 1),	# an excuse for another function
    ({place("if (c)"): [1, 4]}, NEVER, 0, 1),		# an excuse that is none
    ({}, NEVER, 0, 1),					# an excuse for no line
    ({place("assert(c);"): [0, 0]}, {}, 1, 0),		# an assert that nobody reached
    ({place("assert(c && d);"): [0, 9, 0, 9]}, {}, 0, 0),
])
def test_the_verdict_about_branches(counts, never, missed, wrong):
    found = cover.judge({**BOTH_WAYS, **counts}, never)
    assert [len(texts) for texts in found] == [missed, wrong], found


@pytest.mark.parametrize("table", [
    "kernel/lock/x.c take 1 `if (c)`:",		# no reason
    "kernel/lock/x.c take 0 `if (c)`: it can",
    "kernel/lock/x.c `if (c)`: it cannot",
    "kernel/lock/x.c take 1 `if (c)`: it cannot\n" * 2,
])
def test_a_malformed_table_of_branches_is_refused(table):
    with pytest.raises(cover.Wrong):
        cover.exceptions(table)


@pytest.mark.parametrize("output", [
    "", "cover: 00\n", "cover: file build/none/x.c.gcda\ncover: 00\n"])
def test_without_counts_there_is_no_verdict(output):
    with pytest.raises(cover.Wrong):
        cover.branches(output, "true")


def test_each_line_that_is_never_taken_both_ways_is_there():
    with open(cover.NEVER) as table:
        for path, _, text in cover.exceptions(table.read()):
            assert text in cover.source(path)
