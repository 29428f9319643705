# SPDX-License-Identifier: MIT
"""What the commands locks and irqsoff say, and what tests/bench/lockdiff makes of it."""
import re

import children
from guest import EXIT, LAST_RESORT, ROOT, Shell, run

LOCKDIFF = ROOT / "tests" / "bench" / "lockdiff"
LINE = re.compile(r"^lockstat: (class=\S+ .*)$", re.M)


def classes(text):
    return {pairs["class"]: pairs for pairs in
            (dict(word.split("=", 1) for word in line.split()) for line in LINE.findall(text))}


def contended_guest(shell):
    """Statistics of a guest whose harts did wait for locks, and the class in which most did: that
    is nothing which a second of stress has to bring about."""
    for _ in range(100):
        assert "stress locks: ok" in shell.ask("stress locks 1"), shell.text
        text = shell.ask("locks -s")
        most = max(classes(text).values(), key=lambda c: int(c["contended"]))
        if int(most["contended"]) > 0:
            return text, most
    raise AssertionError("no lock was ever waited for:\n" + shell.text)


def test_every_class_has_a_line_that_programs_can_read():
    got = run("locks -s; locks", smp=2)
    assert got.status == 0, got.text
    stats = classes(got.text)
    assert {"runq", "timerq", "console", "shell"} <= stats.keys(), got.text
    for c in stats.values():
        assert int(c["acquired"]) >= int(c["contended"]) or int(c["contended"]) == 0, c
        assert sum(map(int, c["hold_hist"].split(","))) <= int(c["acquired"]), c
        assert (int(c["wait_ns"]) > 0) <= (sum(map(int, c["wait_hist"].split(","))) > 0), c
        assert int(c["hold_max_ns"]) <= int(c["hold_ns"]), c
    assert int(stats["runq"]["acquired"]) > 0 and int(stats["runq"]["hold_ns"]) > 0, got.text
    assert re.search(r"\w\+0x", stats["runq"]["hold_max_at"]), stats["runq"]


def test_one_class_is_shown_with_its_histogram_and_its_locks():
    got = run("stress locks 1; locks runq; locks nosuch", smp=4)
    assert got.status == EXIT["EXIT_COMMAND"], got.text
    assert re.search(r"^runq: rank \d+, at most \d+ us, protects ", got.text, re.M), got.text
    assert re.search(r"^  >= +\d+ ns +\d+  #+", got.text, re.M), got.text
    assert re.search(r"the longest acquired at 0x\w+ \w+\+0x", got.text), got.text
    assert "locks: no class nosuch" in got.text


def test_contended_locks_have_a_line_of_their_own():
    with Shell(smp=4) as shell:
        _, most = contended_guest(shell)
        assert int(most["wait_ns"]) > 0, most
        text = shell.ask("locks " + most["class"])
        assert re.search(r"^its most contended locks:\n.*\n  0x\w+ +[1-9]\d*", text, re.M), text


def test_reset_forgets():
    got = run("stress locks 1; locks -s; locks --reset; locks -s", smp=2)
    first, second = re.split(r"(?=^lockstat: class=shell )", got.text, flags=re.M)[1:3]
    busy = max(classes(first).values(), key=lambda c: int(c["acquired"]))
    after = classes(second).get(busy["class"])
    assert after is None or int(after["acquired"]) < int(busy["acquired"]) / 10, (busy, after)


def test_longest_stretches_are_shown_per_hart_with_where_they_were():
    got = run("stress locks 1; irqsoff", smp=2)
    rows = re.findall(r"^irqsoff: hart=(\d+) what=(\S+) ns=(\d+) in=\S+ from=(\S+) to=(\S+)$",
                      got.text, re.M)
    assert {(h, w) for h, w, *_ in rows} == {(h, w) for h in "01" for w in
            ("interrupts-off", "preemption-off", "handler")}, got.text
    for _, what, ns, _, to in rows:
        assert int(ns) > 0
        assert what == "handler" or re.search(r"\w\+0x", to), got.text


def lockdiff(*args):
    return children.run([str(LOCKDIFF), *map(str, args)], LAST_RESORT)


def test_two_runs_are_compared(tmp_path):
    files = [tmp_path / "quiet", tmp_path / "busy"]
    files[0].write_text(run("locks -s", smp=4).text)
    with Shell(smp=4) as shell:
        files[1].write_text(contended_guest(shell)[0])
    told = lockdiff("--keys", *files)
    assert told.returncode == 0, told.stdout
    rows = dict(re.findall(r"^lockdiff: class=(\S+) (.*)$", told.stdout, re.M))
    most = next(iter(rows.values()))
    # The one that waited most in the busy run stands first.
    before, after = map(int, re.search(r"wait_ns=(\d+),(\d+)", most).groups())
    assert after > before, told.stdout
    assert lockdiff(files[0], files[0]).stdout.count("\n") == 1
    empty = tmp_path / "empty"
    empty.write_text("nothing\n")
    assert lockdiff(files[0], empty).returncode == 1 and lockdiff(files[0]).returncode == 2


def test_checker_and_statistics_cost_at_most_250_instructions_a_pair():
    # One virtual nanosecond is one instruction.
    got = run("bench locks; locks bench.sem; locks -s", smp=1, icount=0)
    cost = {name: float(ns) for name, ns in
            re.findall(r"^bench: (\w+)_pair +([\d.]+) ns$", got.text, re.M)}
    assert len(cost) == 9 and all(0 < insns <= 250 for insns in cost.values()), cost
    # Nobody holds a semaphore: it is said that there are no times of holds.
    downs = re.search(r"^(\d+) of them have no time of a hold: nobody holds a sem", got.text, re.M)
    assert re.search(r"^lockstat: class=bench.sem .* acquired=%s .* unheld=%s wait_ns" %
                     (2 * (downs[1],)), got.text, re.M)
    assert re.search(r"^lockstat: class=bench.spin .* unheld=0 wait_ns", got.text, re.M)
