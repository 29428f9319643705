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
        # Looked at one after the other, while others count: sum, histogram, longest is the order.
        assert (int(c["wait_max_ns"]) > 0) <= (sum(map(int, c["wait_hist"].split(","))) > 0), c
        for what in ("hold", "wait"):
            assert int(c[what + "_max_ns"]) <= int(c[what + "_ns"]), c
    assert int(stats["runq"]["acquired"]) > 0 and int(stats["runq"]["hold_ns"]) > 0, got.text
    assert re.search(r"\w\+0x", stats["runq"]["hold_max_at"]), stats["runq"]


def test_one_class_is_shown_with_its_histogram_and_its_locks():
    got = run("stress locks 1; locks runq; locks nosuch", smp=4)
    assert got.status == EXIT["EXIT_COMMAND"], got.text
    assert re.search(r"^runq: rank \d+, at most \d+ us, protects ", got.text, re.M), got.text
    assert re.search(r"^  >= +\d+ ns +\d+  #+", got.text, re.M), got.text
    assert re.search(r"the longest acquired at 0x\w+ [\w.]+\+0x", got.text), got.text
    assert "locks: no class nosuch" in got.text


def test_contended_locks_have_a_line_of_their_own():
    with Shell(smp=4) as shell:
        _, most = contended_guest(shell)
        assert int(most["wait_ns"]) > 0, most
        text = shell.ask("locks " + most["class"])
        line = re.search(r"^its most contended locks, .*\n.*\n  (0x\w+) +(\d+) +([1-9]\d*) ", text,
                         re.M)
        assert line, text
        # All of the worst one.
        address, acquired, contended = line.groups()
        text = shell.ask("locks %s %s" % (most["class"], address))
        told = re.search(r"^%s at 0x0*%x, since its first wait:\n"
                         r"acquired (\d+), contended (\d+), stolen \d+, parked \d+, bounced \d+\n"
                         r"holds: \d+ ns in all, the longest \d+ ns\n(  .*\n)+"
                         r"waits: \d+ ns in all, the longest \d+ ns\n(  >= .*\n)+" % (
                             re.escape(most["class"]), int(address, 16)), text, re.M)
        assert told, text
        assert int(told.group(1)) >= int(acquired) and int(told.group(2)) >= int(contended), text
        assert "no figures of a lock at 0x1" in shell.ask("locks %s 0x1" % most["class"])
        assert "xyz is no address" in shell.ask("locks %s xyz" % most["class"])
        assert "--reset takes nothing more" in shell.ask("locks --reset 1")


def test_single_locks_have_a_line_that_programs_can_read():
    with Shell(smp=4) as shell:
        text, most = contended_guest(shell)
    locks = [dict(word.split("=", 1) for word in line.split()) for line in
             re.findall(r"^lockstat: (lock=\S+ .*)$", text, re.M)]
    assert most["class"] in [l["of"] for l in locks], text
    for l in locks:
        assert set(l) == (set(most) - {"class", "rank", "unheld"}) | {"lock", "of"}, l
        assert int(l["contended"]) >= 1 and int(l["wait_max_ns"]) <= int(l["wait_ns"]), l
        assert sum(map(int, l["hold_hist"].split(","))) <= int(l["acquired"]), l
    count, crowded = re.search(r"^lockstat: locks=(\d+) room=256 crowded=(\d+)$", text,
                               re.M).groups()
    assert int(count) == len(locks) and int(crowded) >= 0, text


def test_a_full_table_of_locks_is_said():
    """The test inside the kernel has more of them wait than there is room for."""
    got = run("test lockstat.the_most; locks; locks runq", smp=1)
    said = re.findall(r"^(\d+) times a lock was waited for while there was no room .* "
                      r"\(256 have some\): see its class$", got.text, re.M)
    assert got.status == 0 and len(said) == 2 and int(said[0]) > 256, got.text


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
