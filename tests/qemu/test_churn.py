# SPDX-License-Identifier: MIT
"""make torture HARTS=churn, and the command churn: what is asked in words is checked first."""
import os
import sys

import pytest

import children
from guest import EXIT, LAST_RESORT, ROOT, Shell, run

RUN = os.path.join(ROOT, "tests/torture/run")
WORDS = ("HARTS", "LOCK", "SMP", "SECONDS", "CYCLES", "SEED", "CONFIG", "APPEND", "TIMEOUT")


def churn(**words):
    """What `make torture HARTS=churn` calls: status and output; no other word counts."""
    clean = {k: v for k, v in os.environ.items() if k not in WORDS}
    done = children.run([sys.executable, "-B", RUN], LAST_RESORT, cwd=ROOT,
                        env={**clean, "HARTS": "churn", "CONFIG": "virt64", **words})
    return done.returncode, done.stdout


@pytest.mark.parametrize("name, value, wanted", [
    ("HARTS", "stop", "there is HARTS=churn"),
    ("CYCLES", "0", "a number from 1 to "),
    ("CYCLES", "timer", "a number from 1 to "),
    ("SMP", "1", "a number from 2 to "),
    ("SEED", "-1", "a number from 0 to "),
    ("CONFIG", "nowhere", "there is no such file"),
])
def test_a_wrong_word_is_answered_by_one_line(name, value, wanted):
    status, text = churn(**{name: value})
    assert status == 1 and text.count("\n") == 1
    assert text.startswith("torture: ") and value in text and wanted in text


def test_a_run_is_told_and_can_be_repeated():
    status, text = churn(SMP="3", CYCLES="5", SEED="7")
    assert status == 0, text
    assert "ok churn: " in text and " cycles of 3 harts: " in text
    assert "churn: 1 runs, 0 failed; seed=7" in text
    assert "again: make torture HARTS=churn CONFIG=virt64 CYCLES=5 SMP=3 SEED=7" in text


def test_the_command_answers_bad_input_by_one_line():
    with Shell(smp=2) as shell:
        for line, word in (("churn 0", "0"), ("churn 1 x", "x"), ("churn timer", "no twin timer"),
                           ("churn 1 2 3", "too many")):
            text = shell.ask(line).strip()
            assert text.count("\n") == 0 and word in text, text
        assert "timer_lost" in shell.ask("churn")
        assert shell.end("poweroff") == EXIT["EXIT_OK"]


def test_one_hart_alone_cannot_come_and_go():
    done = run("churn 1", smp=1)
    assert done.status == EXIT["EXIT_COMMAND"] and done.lines("needs two harts")
