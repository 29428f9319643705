# SPDX-License-Identifier: MIT
"""Every kind that `crash` lists ends as it says: its report, its status, or a dead thread only."""
import re

import pytest

import guest
import launcher
from guest import EXIT, ROOT, kernel_is_built

SOURCES = [*(ROOT / "kernel" / "shell").glob("crash_*.c")]
# A kind that the default configuration has.
WRITTEN = r"^(?:CRASH|FAULT_CRASH)\w*\((?!CONFIG_DEBUG_MM|CONFIG_RACE)\w"
# What the report must say, beside the status.
SAYS = {
    EXIT["EXIT_PANIC"]: r"panic",
    EXIT["EXIT_ASSERT"]: r"assert",
    EXIT["EXIT_FAULT"]: r"fault|illegal|access|misaligned",
    EXIT["EXIT_STACK_OVERFLOW"]: r"overflow",
    EXIT["EXIT_DOUBLE_PANIC"]: r"panic",
    EXIT["EXIT_LOCKCHECK"]: r"^lockcheck: kind=\w+",
    EXIT["EXIT_DEADLOCK"]: r"^lockcheck: kind=deadlock what=",
    EXIT["EXIT_LOCKUP"]: r"^lockcheck: kind=lockup what=",
}
# The card of each circle: who waits, and for what. Both waits are in it, and of each member what
# the other one waits for.
CIRCLES = {
    "deadlock": ("thread", "crash_sleep", "crash_sleep"),
    "deadlock-irqlock": ("hart", "crash_spin_b", "crash_spin_a"),
    "deadlock-console": ("hart", "console", "crash_spin_a"),
    "deadlock-allocator": ("hart", "page_cache", "crash_spin_a"),
    "deadlock-scheduler": ("hart", "runq", "crash_spin_a"),
    "deadlock-ipi": ("hart", None, None),
    "deadlock-mixlock": ("thread", "crash_desk", "crash_box_b"),
    "deadlock-rwmutex": ("thread", "crash_book", "crash_box_b"),
    "deadlock-completion": ("thread", "crash_bell", "crash_box_a"),
    "deadlock-join": ("thread", None, "crash_box_a"),
}
# What the watch says of those that it finds: no circle, no progress.
WATCHED = {
    "hang": r"what=preemption-off .*\n.*thread shell has kept preemption off on hart \d+ for \d+",
    "hang-irqoff": r"what=interrupts-off .*\n.*hart \d+ has not answered for \d+ beats",
    "lost-timer": r"what=missed-event .*\n.*hart \d+ takes interrupts, but its next timer event",
    "stalled": r"what=stalled class=crash_box_a .*\n.*shell has waited .* and partner does not",
    # With who has the hart of the one that is ready and never runs, and by what right.
    "starved": r"what=stalled class=crash_box_a .*\n.*shell has waited .* and partner does not"
               r"[\s\S]*\n 2 of 2: thread partner \(.*\), ready on hart \d+, "
               r"behind hog \(fifo, priority 99\)\n[\s\S]*  holds crash_box_a ",
    "deadlock-lost-kick": r"what=lost-kick class=crash_spin_a .*\n.*hart \d+ has slept for \d+",
    "deadlock-lost-wakeup": r"what=lost-wakeup class=crash_box_a .*\n.*thread partner sleeps",
}
PC = r"    0x[0-9a-f]+ [\w.]+\+0x[0-9a-f]+\n"


def run(commands, **options):
    """What the watch finds it is to find soon: the machine has nothing else to do."""
    return guest.run(commands, append="watchdog=16", **options)


def listed():
    """The kinds as the guest lists them: (name, status)."""
    return [(name, int(status)) for name, status in
            re.findall(r"^  (\S+)\s+[\w -]+\((\d+)\)  ", run("crash").text, re.M)]


KINDS = listed() if kernel_is_built() else []


def test_the_list_is_whole():
    names = {name for name, _ in KINDS}
    assert {"stack-overflow", "null", "wild-jump", "write-text", "assert", "double-panic",
            "irq-fault", "hang", *CIRCLES, *WATCHED} <= names, names
    written = sum(len(re.findall(WRITTEN, s.read_text(), re.M)) for s in SOURCES)
    assert len(names) >= written, names


def card(text):
    """The members of the deadlock card, each its text from the line that names it."""
    found = re.search(r"^deadlock card: .*\n((?: .*\n)+)", text, re.M)
    assert found, text
    return re.split(r"^(?= \d+ of \d+: )", found.group(1), flags=re.M)[1:]


def waits_of(member):
    """What a member waits for, and where: (class, pcs)."""
    found = re.search(r"waits for (.+?) \(0x[0-9a-f]+\), .*; waits at\n(?:  hart .*\n)?((?:%s)+)"
                      % PC, member)
    assert found, member
    return found.group(1), found.group(2)


def holds_of(member):
    """Classes that a member holds; of each there is where it was acquired."""
    return re.findall(r"  holds (\S+) \(0x[0-9a-f]+\), acquired \d+ us ago at\n(?=%s)" % PC,
                      member)


def check_circle(name, text):
    kind, *waits = CIRCLES[name]
    line = re.search(r"^lockcheck: kind=deadlock what=cycle .* members=2 cycle=(\S+)$", text, re.M)
    assert line, text
    members = card(text)
    assert len(members) == 2, text
    waited = [waits_of(m)[0] for m in members]
    for wait in waits:
        if not wait:
            continue
        assert wait in waited, (wait, text)
        assert wait in line.group(1), text
        # The other one has it, unless it is an event that it owes.
        owner = members[1 - waited.index(wait)]
        assert wait == "crash_bell" or wait in holds_of(owner), (wait, text)
    # Both are named, as harts or as threads, with their interrupts.
    for member in members:
        assert re.match(r" \d of 2: %s " % kind, member), text
        assert re.search(r"interrupts (on|off)", member), text
    assert re.search(r"shell", members[0] + members[1]) and "partner" in text


@pytest.mark.parametrize("name, status", KINDS, ids=[k[0] for k in KINDS])
def test_crash(name, status):
    # A hang with interrupts off is seen by another hart only.
    got = run(f"crash {name}; harts", smp=2)
    assert got.status == status, got.text
    if status == EXIT["EXIT_OK"]:
        # The thread died and was reported, the system went on.
        assert re.search(r"thread victim", got.text), got.text
        assert re.search(r"^hart\s+hartid", got.text, re.M), got.text
        return
    assert re.search(SAYS[status], got.text, re.M | re.I), got.text
    # One report: registers or held locks of the hart, and symbolised backtraces.
    assert re.search(r"\w+\+0x[0-9a-f]+", got.text), got.text
    assert len(re.findall(r"^panic: ", got.text, re.M)) == 1 or name == "double-panic", got.text
    if name in CIRCLES:
        check_circle(name, got.text)
    if name in WATCHED:
        assert re.search(WATCHED[name], got.text), got.text


def test_a_hart_that_waits_for_itself_gets_a_card_on_the_only_hart():
    got = run("crash deadlock-reentry", smp=1)
    assert got.status == EXIT["EXIT_DEADLOCK"], got.text
    (member,) = card(got.text)
    assert waits_of(member)[0] == "crash_spin_a" and "crash_spin_a" in holds_of(member), got.text
    assert re.search(r"interrupts off, \d+ deep, in the timer interrupt", member), got.text
    # Both sides of the interrupt are in the backtrace.
    assert re.search(r"take_spin.*trap_entry.*cmd_crash", waits_of(member)[1], re.S)


def test_hang_on_the_only_hart_with_interrupts_on_is_noticed():
    got = run("crash hang", smp=1)
    assert got.status == EXIT["EXIT_LOCKUP"], got.text


def test_a_hart_with_interrupts_off_is_shown_by_what_it_left_behind():
    got = run("crash hang-irqoff", smp=2)
    silent = re.search(r"hart \d+ DID NOT ANSWER.*\n +interrupts went off \d+ us ago at\n(%s){3,}"
                       % PC, got.text)
    # With who called it: the function itself may have been one with its caller.
    assert silent and "cmd_crash" in silent.group(0), got.text


@pytest.mark.parametrize("name", ["deadlock", "deadlock-ipi", "deadlock-join", "stalled"])
def test_without_the_checker_circles_are_found_as_well(name):
    got = run(f"crash {name}", smp=2, config="perf")
    assert got.status == EXIT["EXIT_LOCKUP" if name == "stalled" else "EXIT_DEADLOCK"], got.text
    assert len(card(got.text)) == 2, got.text


@pytest.mark.parametrize("smp", [3, 8])
def test_the_watch_goes_on_whichever_hart_is_stuck(smp):
    # The stuck one may be the guard: then another hart takes over first.
    for name in ("hang-irqoff", "deadlock-irqlock", "deadlock-ipi"):
        got = run(f"crash {name}", smp=smp)
        assert got.status in (EXIT["EXIT_LOCKUP"], EXIT["EXIT_DEADLOCK"]), got.text


def test_each_cause_has_a_status_of_its_own_and_somebody_who_ends_with_it():
    causes = [EXIT["EXIT_" + n] for n in ("LOCKCHECK", "DEADLOCK", "LOCKUP", "PANIC", "ASSERT")]
    assert set(causes) <= {status for _, status in KINDS}
    assert len(set(EXIT.values())) == len(EXIT) and launcher.TIMED_OUT not in EXIT.values()


def test_a_guest_that_nobody_watches_ends_with_the_time_limit():
    """However slow the machine is, this one does not end by itself."""
    stuck = launcher.Guest(append='watchdog=0 shell=kernel run="crash hang"', timeout=5)
    assert stuck.run() == launcher.TIMED_OUT, stuck.output
