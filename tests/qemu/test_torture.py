# SPDX-License-Identifier: MIT
"""make torture: what it is asked in words is checked before anything boots."""
import os
import sys

import pytest

import children
from guest import LAST_RESORT, ROOT

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
