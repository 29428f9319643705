# SPDX-License-Identifier: MIT
"""Routes of devices' interrupts, from the shell: `irq`, and the boot argument irqbalance=."""
import random
import re
import string

import pytest

from guest import EXIT, Shell, run
from launcher import two_nodes

UART = 10


@pytest.fixture(scope="module")
def shell():
    with Shell(smp=4) as s:
        yield s
        assert s.end("poweroff") == EXIT["EXIT_OK"]


def table(text):
    """{source: (name, hart, affinity, home)}"""
    return {int(row[0]): tuple(row[1:]) for row in
            re.findall(r"^ *(\d+)  (\S+) +(\d+|-|poll)  (\S+) +(\d+|-) ", text, re.M)}


def uart(shell):
    return table(shell.ask("irq"))[UART][1:]


def silent(shell, line):
    assert shell.ask(line).strip() == "", line


def handled(shell, hart):
    """Interrupts of the serial line that this hart has handled."""
    row = re.search(rf"^ *{UART}  uart .*", shell.ask("irq"), re.M).group(0)
    found = re.search(rf" {hart}:(\d+)", row)
    return int(found.group(1)) if found else 0


def test_source_goes_where_it_is_told_and_keys_arrive_there(shell):
    for hart in (3, 1, 0, 2):
        silent(shell, f"irq {UART} {hart}")
        assert uart(shell) == (str(hart), str(hart), "-")
        before = handled(shell, hart)
        assert handled(shell, hart) > before
    silent(shell, f"irq {UART} all")
    assert uart(shell) == ("2", "all", "-")


@pytest.mark.parametrize("word, harts", [("0x5", "0,2"), ("0xA", "1,3"), ("1-3", "1-3"),
                                         ("0,2-3", "0,2-3"), ("0xf", "all")])
def test_lists_and_masks_say_the_same(shell, word, harts):
    silent(shell, f"irq {UART} {word}")
    assert uart(shell)[1] == harts


def test_affinity_survives_the_absence_of_its_harts(shell):
    silent(shell, f"irq {UART} 1")
    silent(shell, f"irq {UART} 1-2")
    assert uart(shell) == ("1", "1-2", "-")
    silent(shell, "hart stop 1")
    assert uart(shell) == ("2", "1-2", "1")
    silent(shell, "hart stop 2")
    assert uart(shell)[0] in "03" and uart(shell)[1:] == ("1-2", "1")
    silent(shell, "hart start 2")
    assert uart(shell) == ("2", "1-2", "1")
    silent(shell, "hart start 1")
    assert uart(shell) == ("1", "1-2", "-")


@pytest.mark.parametrize("line, words", [
    ("irq 99 1", ["no source 99", str(UART)]),
    ("irq 0 1", ["no source 0"]),
    ("irq 99999999999 1", ["99999999999"]),
    ("irq x 1", ["x", "source"]),
    (f"irq {UART}", ["one set of harts"]),
    (f"irq {UART} 1 2", ["one set of harts"]),
    (f"irq {UART} 4", ["4", "up to hart 3"]),
    (f"irq {UART} 0x10", ["0x10", "up to hart 3"]),
    (f"irq {UART} 0x", ["0x"]),
    (f"irq {UART} 0x0", ["0x0 names no hart"]),
    (f"irq {UART} 0xg", ["0xg"]),
    (f"irq {UART} 2-1", ["2-1"]),
    (f"irq {UART} ,", [","]),
    ("irq balance even", ["even", "fixed, spread, load"]),
    ("irq balance load now", ["too many", "now"]),
])
def test_bad_input_gets_one_clear_line_and_changes_nothing(shell, line, words):
    before = uart(shell), shell.ask("irq balance")
    text = shell.ask(line).strip()
    assert len(text.splitlines()) == 1 and all(w in text for w in words), text
    assert (uart(shell), shell.ask("irq balance")) == before


def test_hart_that_is_away_is_refused(shell):
    silent(shell, f"irq {UART} all")
    silent(shell, "hart stop 3")
    text = shell.ask(f"irq {UART} 3").strip()
    assert "no hart of 3 is online" in text and len(text.splitlines()) == 1, text
    assert uart(shell)[1] == "all"
    silent(shell, f"irq {UART} 2-3")
    assert uart(shell)[:2] == ("2", "2-3")
    silent(shell, "hart start 3")


def test_modes_are_shown_and_set(shell):
    for mode in ("spread", "load", "fixed"):
        silent(shell, f"irq balance {mode}")
        assert shell.ask("irq balance").strip() == mode
        assert re.search(rf"^balance {mode};", shell.ask("irq"), re.M)


def test_boot_argument_says_who_decides_and_a_wrong_one_changes_nothing():
    for word, mode, said in (("spread", "spread", 0), ("load", "load", 0), ("even", "fixed", 1)):
        done = run("irq balance; test irq_route.spread", smp=2, append=f"irqbalance={word}")
        assert done.status == EXIT["EXIT_OK"], done.text
        assert done.lines(rf"^{mode}$"), done.text
        assert len(done.lines(r"irqbalance=even: it takes one of fixed, spread, load")) == said


def storms(commands, **options):
    """The status of these storms, and what each of them said."""
    done = run(commands, **options)
    return done, [dict(word.split("=") for word in line.split()) for line in
                  done.lines(r"^irqstorm: (verdict=.*)")]


def test_thousands_of_changes_under_load_lose_no_interrupt_and_double_none():
    done, (said,) = storms("irqstorm 5000 7", smp=4, icount=0, append="relax=turn")
    assert done.status == EXIT["EXIT_OK"], done.text
    assert said["verdict"] == "exact" and said["raised"] == said["handled"]
    assert said["unhandled"] == "0" and int(said["changes"]) >= 5000
    assert int(said["stops"]) >= 100 and int(said["in_flight"]) >= 20 and int(said["calls"]) > 0


def test_each_planted_bug_is_found_by_the_count_and_leaves_nothing_behind():
    wanted = (("completion", "lost"), ("not-mine", "lost"), ("resend", "doubled"),
              ("none", "exact"))
    line = "; ".join(f"irqstorm {400 if bug == 'none' else 1000000} 3 {bug}" for bug, _ in wanted)
    done, said = storms(line, smp=4, icount=0, append="relax=turn")
    assert done.status == EXIT["EXIT_TEST"], done.text
    assert [(s["bug"], s["verdict"]) for s in said] == list(wanted), done.text
    for s in said[:2]:
        assert int(s["handled"]) < int(s["raised"])
    assert int(said[2]["handled"]) > int(said[2]["raised"])


@pytest.mark.parametrize("line, words", [
    ("irqstorm many", ["many"]), ("irqstorm 1 x", ["x"]), ("irqstorm 1 1 worm", ["worm", "resend"]),
    ("irqstorm 1 1 none now", ["too many"])])
def test_a_storm_that_is_asked_for_wrongly_does_not_begin(shell, line, words):
    text = shell.ask(line).strip()
    assert len(text.splitlines()) == 1 and all(w in text for w in words), text


# ---- Two controllers -------------------------------------------------------------------------

NODES = {"smp": 4, "mem": "1G", "extra": two_nodes(4)}


@pytest.fixture(scope="module")
def nodes():
    with Shell(**NODES) as s:
        yield s
        assert s.end("poweroff") == EXIT["EXIT_OK"]


def test_every_controller_of_the_tree_is_driven_for_the_harts_that_it_reaches(nodes):
    one, other = re.findall(r"^(\S+): sources (\d+) to (\d+), reaches harts (\S+)",
                            nodes.ask("irq"), re.M)
    # 96 sources each, 95 with newer machines.
    last = int(one[2])
    assert last in (95, 96) and one == ("plic@c000000", "1", str(last), "0-1")
    assert other == ("plic@c600000", str(last + 1), str(2 * last), "2-3")
    assert "no interrupt controller reaches" not in nodes.text


@pytest.mark.parametrize("harts", ["2", "0-2", "0xc", "1,3"])
def test_hart_out_of_the_controllers_reach_is_one_clear_line(nodes, harts):
    before = uart(nodes)
    text = nodes.ask(f"irq {UART} {harts}").strip()
    assert text == (f"irq: plic@c000000 cannot send source {UART} to harts {harts}: "
                    "it reaches 0-1"), text
    assert uart(nodes) == before
    silent(nodes, f"irq {UART} 0xf")	# all of them: those that it reaches
    assert uart(nodes)[1] == "all"


def test_node_is_drained_and_keys_arrive_without_a_hart_that_they_reach(nodes):
    for gone in ((0, 1), (1, 0), (2, 3)):
        for hart in gone:
            silent(nodes, f"hart stop {hart}")
        polled = 0 in gone
        assert (uart(nodes)[0] == "poll") == polled
        there = [h for h in range(4) if h not in gone]
        before = sum(handled(nodes, h) for h in there)
        assert sum(handled(nodes, h) for h in there) > before
        for hart in gone:
            silent(nodes, f"hart start {hart}")
        assert uart(nodes)[0] in "01" and uart(nodes)[2] == "-"


def test_harts_of_the_other_node_alone_can_be_brought_up():
    """With one hart, whichever it is, the line is read."""
    for plan in ("harts=0", "harts=2", "harts=3,1"):
        with Shell(append=f"shell=kernel {plan}", **NODES) as s:
            assert s.ask("irq balance").strip() == "fixed"
            assert s.end("poweroff") == EXIT["EXIT_OK"]


def fnv(data):
    value = 2166136261
    for byte in data:
        value = (value ^ byte) * 16777619 & 0xffffffff
    return value


@pytest.mark.parametrize("which", ["shell", "nodes"])
def test_every_byte_of_the_line_arrives_once_while_routes_change_and_harts_stop(which, request):
    guest, rounds, sent = request.getfixturevalue(which), 24, b""
    pattern = random.Random(which)
    guest.keys(f"linestorm {rounds} 5\r")
    for i in range(rounds):
        guest.expect(rf"linestorm: round {i}\s")
        piece = "".join(pattern.choice(string.ascii_letters) for _ in range(256))
        guest.keys(piece)
        sent += piece.encode()
    said = guest.expect(r"linestorm: (bytes=.*failures=\d+)")
    guest.prompt()
    said = dict(word.split("=") for word in said.group(1).split())
    assert said["bytes"] == str(len(sent)) and said["hash"] == "%08x" % fnv(sent), said
    assert said["dropped"] == said["failures"] == "0", said
    assert int(said["changes"]) >= rounds and int(said["stops"]) > 0, said
    assert int(said["drains"]) > 0, said
