# SPDX-License-Identifier: MIT
"""How harts are brought up: the modes, and boot arguments that are no good."""
import re

import pytest

from guest import EXIT, PATIENT, Shell, run
from test_boot import online


def boot(words, commands="harts", **options):
    got = run(commands, append=f"{PATIENT} {words}", **options)
    assert got.status == EXIT["EXIT_OK"], got.text
    return got


def states(text):
    """The state of each hart, by the first `harts` of the text."""
    table = text[text.index("up-after-us"):]
    rows = re.findall(r"^ +(\d+) +\d+ +(\w+) ", table, re.M)
    return [state for n, state in rows[:max(int(n) for n, _ in rows) + 1]]


def boot_hart(text):
    return int(re.search(r"hart (\d+): hartid \d+, the boot hart", text).group(1))


@pytest.mark.parametrize("mode, smp", [("sequential", 4), ("tree", 8)])
def test_every_hart_is_brought_up_and_works(mode, smp):
    got = boot(f"harts={mode}", "harts; test hart.", smp=smp)
    assert online(got.text) == smp and "0 failed" in got.text, got.text
    # That a hart was silent for long, or went astray in the firmware, is the machine's affair.
    assert not got.lines("left out"), got.text


def test_harts_that_are_left_out_are_stopped_and_can_be_started():
    starts = "; ".join(f"hart start {i}" for i in (1, 3))
    got = run(f"harts; {starts}; test hart.", append=PATIENT + " harts=0,2", smp=4)
    states_seen, first = states(got.text), boot_hart(got.text)
    wanted = {0, 2, first}
    assert states_seen == ["online" if i in wanted else "stopped" for i in range(4)], got.text
    assert got.lines(r"harts: parallel: left out, stopped: [13]"), got.text
    # The firmware may have picked one of those that are asked for: it is there.
    assert re.search(r"[1-9]\d* passed, 0 failed", got.text) or first in (1, 3), got.text


def test_no_more_than_maxharts_are_brought_up():
    for mode in ("parallel", "tree"):
        got = boot(f"harts={mode} maxharts=2", smp=4)
        assert states(got.text).count("online") == 2, got.text
        assert states(got.text).count("stopped") == 2, got.text


def test_cold_leaves_them_unstarted_and_says_what_that_costs():
    got = boot("harts=cold", "hart status; harts", smp=3)
    assert sorted(states(got.text)) == ["offline", "offline", "online"], got.text
    assert len(got.lines("cold: left out, never started: ")) == 1, got.text
    assert got.lines("spins in the firmware.* slows"), got.text
    with Shell(smp=3, append=f"shell=kernel {PATIENT} harts=cold") as shell:
        other = (boot_hart(shell.text) + 1) % 3
        assert "hart:" not in shell.ask(f"hart start {other}")
        assert states(shell.ask("harts")).count("online") == 2
        assert shell.end("poweroff") == EXIT["EXIT_OK"]


def test_lazy_takes_harts_in_by_demand_and_no_more_than_maxharts():
    with Shell(smp=4, append=f"shell=kernel {PATIENT} harts=lazy maxharts=3") as shell:
        # By the boot itself none; where it took long there was demand before the prompt.
        left_out = re.search(r"harts: lazy: left out, stopped: ([\d,-]+)", shell.text).group(1)
        boot = boot_hart(shell.text)
        assert left_out == ["1-3", "0,2-3", "0-1,3", "0-2"][boot], shell.text
        # Two threads a hart that never sleep: sooner or later one waits for a whole slice.
        while states(shell.ask("harts")).count("online") < 3:
            shell.ask("stress alloc 1")
        shell.ask("stress alloc 1")
        assert states(shell.ask("harts")).count("online") == 3
        while len(re.findall("taken in, by demand", shell.text)) < 2:
            shell.ask("harts")
        # By hand there is no limit.
        left = states(shell.ask("harts")).index("stopped")
        assert "hart:" not in shell.ask(f"hart start {left}")
        assert states(shell.ask("harts")).count("online") == 4
        assert shell.end("poweroff") == EXIT["EXIT_OK"]


def test_every_boot_argument_that_is_no_good_is_named_in_one_place():
    words = ['harts=some', 'maxharts=0', 'hartwait=soon', 'hartlate=-1', 'loglevel=9', 'color=x',
             'frobnicate', 'shell=zsh', 'watchdog=x', 'mmfail=', 'lockchaos=x', 'relax=never',
             'harts=0,4', 'x"y=1']
    got = run("harts", append=" ".join(words), smp=2)
    assert got.status == EXIT["EXIT_OK"] and online(got.text) == 2, got.text
    said = got.lines(r"warning:   (.*): (?:it takes|nothing here|a quote)")
    assert said == words, got.text
    assert got.lines(rf"boot arguments: {len(words)} of no use"), got.text
    # In one place: nobody else complains.
    for word in words:
        assert len(re.findall(re.escape(word) + ":", got.text)) == 1, got.text


def test_good_boot_arguments_are_not_named():
    got = boot("harts=tree,0-1 maxharts=2 loglevel=2 color=0 watchdog=0 relax=turn lockchaos=1",
               smp=2)
    assert "of no use" not in got.text, got.text
