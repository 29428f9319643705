# SPDX-License-Identifier: MIT
"""Hunts: a seed is a run, bit for bit; planted bugs are found; what is right passes."""
import os
import re
import sys

import pytest

TESTS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(TESTS, "hunt"))

import hunting
import children
import launcher
import shrinking
import telling
from guest import EXIT, LAST_RESORT

RUN = os.path.join(hunting.ROOT, "tests/hunt/run")
RIGHT = ["abba_fixed", "reentry_fixed", "wakeup_fixed", "post_fixed", "handoff_fixed",
         "still_fixed", "nested", "churn"]
SEEDS = 200	# within which a planted bug has to show


def command(*words, **environment):
    """What `make hunt` and `make replay` call: status and output."""
    done = children.run([sys.executable, "-B", RUN] + list(words), LAST_RESORT, cwd=hunting.ROOT,
                        env=dict(os.environ, **environment))
    return done.returncode, done.stdout


def fake_qemu(path, text):
    path.write_text("#!/bin/bash\n%s\n" % text)
    path.chmod(0o755)
    return str(path)


@pytest.fixture
def busy():
    """Host processes that leave QEMU no quiet core."""
    loops = [children.start([sys.executable, "-c", "while True: pass"]) for _ in range(3)]
    yield loops
    for loop in loops:
        children.end(loop)


def test_one_seed_is_one_run(busy):
    options = hunting.Options("nested")
    runs = [hunting.run(options, 11, tag="-%d" % n) for n in range(10)]
    assert all(loop.poll() is None for loop in busy)
    assert len({(r.hash, r.event, r.ns) for r in runs}) == 1
    assert runs[0].passed and runs[0].event > 1000


def test_what_is_asked_of_a_run_does_not_change_it():
    options = hunting.Options("handoff_fixed")
    plain = hunting.run(options, 4)
    asked = [hunting.run(options, 4, story=True), hunting.run(options, 4, stop=1234),
             hunting.run(options, 4, schedule=plain.entries)]
    assert re.fullmatch(r"[0-9a-f]{16}", plain.hash) and plain.passed
    assert {(r.verdict, r.event, r.hash) for r in asked} == \
        {(plain.verdict, plain.event, plain.hash)}


def test_a_list_of_what_was_applied_repeats_its_seed():
    # Drawn entries whose event never came are not in the list: not even their cost may matter.
    options = hunting.Options("handoff_fixed")
    for seed in range(5, 17):
        drawn = hunting.run(options, seed)
        listed = hunting.run(options, seed, schedule=drawn.entries)
        assert (seed, listed.event, listed.hash) == (seed, drawn.event, drawn.hash)


def test_seeds_differ():
    options = hunting.Options("abba_fixed")
    assert len({hunting.run(options, seed).hash for seed in range(1, 7)}) == 6


def test_a_changed_schedule_is_another_run():
    options = hunting.Options("abba_fixed")
    plain = hunting.run(options, 3)
    assert hunting.run(options, 3, schedule=[]).hash != plain.hash


@pytest.mark.parametrize("name", ["abba", "reentry", "wakeup", "post", "handoff", "still",
                                  "churn_lost"])
def test_planted_bug_is_found(name):
    expected, within, _ = hunting.programs()[name]
    assert within <= SEEDS
    status, text = command("hunt", "PROG=" + name, "SEEDS=1..%d" % within)
    assert status == 0, text
    assert re.search(r"^ +\d+  %s " % expected, text, re.M), text
    found = re.search(r"^trace hash: (\S+)$", text, re.M).group(1)
    line = re.search(r"^replay: make replay (.*)$", text, re.M).group(1)
    status, text = command("replay", *line.split())
    assert status == 0 and "trace hash: %s\n" % found in text


@pytest.mark.parametrize("name", RIGHT)
def test_what_is_right_passes(name):
    status, text = command("hunt", "PROG=" + name, "SEEDS=1..8")
    assert status == 0 and "none goes wrong" in text, text


@pytest.mark.parametrize("name", ["handoff_fixed", "nested", "churn"])
def test_what_is_right_passes_under_chaos(name):
    status, text = command("hunt", "PROG=" + name, "SEEDS=1..5", "CHAOS=1")
    assert status == 0 and "none goes wrong" in text, text
    calm, wild = (hunting.Options(name, chaos=c) for c in (False, True))
    assert hunting.run(calm, 1).hash != hunting.run(wild, 1).hash


def test_everybody_stands_still_and_the_circle_is_found_at_once():
    """Also by a hart that is not in it; at once in virtual time, and by no limit of the host's."""
    options, noticed = hunting.Options("still"), set()
    for seed in range(1, SEEDS + 1):
        run = hunting.run(options, seed)
        assert run.verdict == "deadlock", run.text
        line = re.search(r"^lockcheck: kind=deadlock what=cycle .*\bhart=(\d+) .* members=2 "
                         r"cycle=hart([01])/still/\2>hart([01])/still/\3$", run.text, re.M)
        assert line and {line.group(2), line.group(3)} == {"0", "1"}, run.text
        card = re.search(r"^deadlock card: 2 in a circle, .*\n((?: .*\n)+)", run.text, re.M)
        for n in "12":
            assert re.search(r"^ %s of 2: hart [01], thread still/[01]\n(  .*\n)*?  waits for "
                             "the answer of a hart " % n, card.group(1), re.M), run.text
        still = re.search(r"^  nobody has got further for (\d+) us$", run.text, re.M)
        assert 1000 <= int(still.group(1)) < 2000, run.text
        noticed.add(line.group(1))
        if "2" in noticed and len(noticed) > 1:
            break
    assert "2" in noticed, noticed


def test_shrinking_leaves_a_needed_part():
    options = hunting.Options("abba")
    seed = next(s for s in range(1, SEEDS + 1) if not hunting.run(options, s).passed)
    whole = hunting.run(options, seed)
    status, text = command("hunt", "PROG=abba", "SHRINK=1", "SEED=%d" % seed)
    assert status == 0, text
    assert re.search(r"takes abba\.a.*\n(.*\n)*.*waits for abba", text), text
    assert re.search(r"hart \d+ +hart \d+", text)
    schedule = re.search(r"^schedule: (.*)$", text, re.M).group(1)
    kept = [] if schedule == "none" else schedule.split(",")
    assert len(kept) < len(whole.entries)
    assert hunting.run(options, seed, kept).verdict == whole.verdict
    for left_out in kept:
        rest = [e for e in kept if e != left_out]
        assert hunting.run(options, seed, rest).passed, "%s is not needed" % left_out


def test_shrink_finds_the_one_that_matters():
    entries = ["1.0:%d" % n for n in range(40)]
    assert shrinking.shrink(entries, lambda part: {"1.0:7", "1.0:31"} <= set(part)) == \
        ["1.0:7", "1.0:31"]
    assert shrinking.shrink(entries, lambda part: True) == []


def test_other_builds_are_said():
    status, text = command("replay", "PROG=abba", "SEED=3@000000.111111.222222")
    assert status == 2
    for part in hunting.PARTS:
        assert part in text
    options = hunting.Options("abba_fixed")
    qemu, firmware, _ = options.hashes.split(".")
    name = "3@%s.%s.abcdef" % (qemu, firmware)
    status, text = command("replay", "PROG=abba_fixed", "SEED=" + name)
    assert status == 2 and "the kernel (abcdef then" in text and "QEMU" not in text
    status, text = command("replay", "PROG=abba_fixed", "SEED=" + name, "ANYWAY=1")
    assert status == 0 and "trace hash: %s" % hunting.run(options, 3).hash in text


def test_runs_that_do_not_repeat_end_the_hunt(tmp_path):
    """A QEMU whose every other run has another clock stands for a machine that does not repeat."""
    count = tmp_path / "count"
    qemu = fake_qemu(tmp_path / "qemu", "echo >>%s\nshift=$(($(wc -l <%s) %% 2))\n"
                     "exec qemu-system-riscv64 \"${@/shift=0/shift=$shift}\"" % (count, count))
    status, text = command("hunt", "PROG=nested", "SEEDS=1..3", QEMU=qemu)
    assert status == 2 and "runs do not repeat here" in text, text


# What a run leaves that is no verdict: silence up to the time limit, an end without a word, a
# verdict without the hash of the run.
NO_VERDICTS = {
    "had to be ended after 2 seconds": (2, "exec sleep 1000"),
    "ended with ok (0)": (LAST_RESORT, "true"),
    "ended with panic": (LAST_RESORT, 'for w; do case $w in file:*) echo "hunt: program=nested '
                         'seed=1 harts=4 verdict=deadlock event=3 ns=4" >"${w#file:}";; esac; done;'
                         ' exit %d' % EXIT["EXIT_PANIC"]),
}


@pytest.mark.parametrize("said", NO_VERDICTS)
def test_a_run_without_a_verdict_of_the_guest_is_no_finding(tmp_path, monkeypatch, said):
    limit, text = NO_VERDICTS[said]
    monkeypatch.setattr(hunting, "LAST_RESORT", limit)
    options = hunting.Options("nested", qemu=fake_qemu(tmp_path / "qemu", text))
    with pytest.raises(hunting.Failed, match=re.escape(said) + ".* and gave no verdict"):
        hunting.run(options, 1)


def test_two_runs_without_a_verdict_do_not_repeat_each_other(tmp_path):
    status, text = command("hunt", "PROG=nested", "SEEDS=1..3",
                           QEMU=fake_qemu(tmp_path / "qemu", "true"))
    assert status == 2 and "gave no verdict" in text and not re.search(r"^ +1 ", text, re.M), text


def test_gdb_stops_once_and_the_run_goes_on():
    options = hunting.Options("abba_fixed")
    plain = hunting.run(options, 2)
    status, text = command("replay", "PROG=abba_fixed", "SEED=2", "GDB=1", "STOP=500",
                           GDB_ARGS="-batch -ex 'print event' -ex continue")
    assert status == 0, text
    assert re.search(r"hunt_stop_here \(event=(event@entry=)?500\)", text), text
    assert "trace hash: %s" % plain.hash in text


def test_parallel_merges_the_answers_of_its_workers(tmp_path):
    hosts = tmp_path / "hosts"
    hosts.write_text("2/:\n")
    jobs = "parallel --sshloginfile %s" % hosts
    for name in ("abba", "abba_fixed"):
        here, there = (command("hunt", "PROG=" + name, "SEEDS=1..6", "JOBS=" + j)
                       for j in ("2", jobs))
        assert here == there and re.search(r"^ +1  (pass|deadlock) ", there[1], re.M), there[1]
    status, text = command("hunt", "PROG=abba", "SEEDS=1..2", "JOBS=parallel --no-such-option")
    assert status == 2 and "gave no answer" in text


def test_an_unknown_program_is_said():
    status, text = command("replay", "PROG=nothing", "SEED=1")
    assert status == 2 and "no such program" in text and "abba" in text


def test_a_story_stands_hart_beside_hart():
    text = "\n".join(["hunt-story: 1 0 event hunt_begin - 0x0 shell - ",
                      "hunt-story: 2 0 event irqlock_acquired x.a 0x10 x/0 f+0x1 ",
                      "hunt-story: 3 1 event irqlock_acquired runq 0x18 x/1 g+0x1 ",
                      "hunt-story: 4 1 entry 0 0",
                      "hunt-story: 5 1 event hunt_step - 0x20 irq - has looked"])
    told = telling.story(text, "x", "deadlock").splitlines()
    assert told[0].split() == ["event", "hart", "0", "hart", "1"]
    assert told[1].split() == ["2", "takes", "x.a,", "in", "f"]
    assert told[2].split()[1:] == ["--", "goes", "behind", "all", "others", "--"]
    assert told[3].endswith("(interrupt) has looked") and told[4].strip() == "deadlock"


def test_seeds_are_read():
    assert hunting.seed_range("1..3,7") == [1, 2, 3, 7]
    for wrong in ("", "3..1", "x", "1..", "-1"):
        with pytest.raises(launcher.CannotStart):
            hunting.seed_range(wrong)
