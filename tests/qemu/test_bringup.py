# SPDX-License-Identifier: MIT
"""How harts are brought up: the modes, and boot arguments that are no good."""
import importlib.machinery
import os
import re

import pytest

import children
from guest import EXIT, LAST_RESORT, PATIENT, ROOT, Shell, run
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
    words = ['harts=some', 'maxharts=0', 'hartwait=soon', 'hartlate=-1', 'hartlate=2', 'loglevel=9',
             'color=x', 'frobnicate', 'shell=zsh', 'watchdog=x', 'mmfail=', 'lockchaos=x',
             'relax=never', 'harts=0,4', 'fault=hart2:hang@mmu', 'fault=hart1:hang', 'fault=',
             'x"y=1']
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


def test_report_tells_the_stages_of_every_hart_in_order_and_fits_a_terminal():
    # After that test each has run a thread.
    got = boot("harts=tree", "test hart.every_online; harts -t; harts -t --csv", smp=8)
    rows = [line.split(",") for line in got.lines(r"^bringup,(\d.*)$")]
    assert [int(r[0]) for r in rows] == list(range(8)), got.text
    for row in rows:
        # Of the boot hart: no call; its first instruction is the beginning of all time.
        times = [int(t) for t in row[5:11] if t]
        assert len(times) == (5 if row[2] == "1" else 6) and times == sorted(times), row
        assert row[3:5] == ["online", "tree"]
    bars = got.lines(r"^ +\d+ \|([^|]*)\|$")
    assert len(bars) == 8 and {len(b) for b in bars} == {86}, got.text
    assert all(re.fullmatch(r"\.*f?f*e*m*t*=*#*-*", b) for b in bars), got.text
    report = got.text[got.text.index("hart  hartid  state       start-us"):]
    report = report[:report.index("bringup,")]
    said = [l for l in report.splitlines() if not l.startswith("[")]
    assert max(map(len, said)) <= 100, report


def test_harts_that_were_started_later_are_charted_each_from_its_own_call():
    with Shell(smp=4, append=f"shell=kernel {PATIENT} maxharts=2") as shell:
        later = [h for h, state in enumerate(states(shell.ask("harts"))) if state == "stopped"]
        first = shell.ask("harts -t")
        assert len(re.findall(r"^ +\d+ \|", first, re.M)) == 4, first
        assert "started later" not in first, first
        for hart in later:
            shell.ask(f"hart start {hart}")
        both = shell.ask("harts -t")
        boot, _, by_hand = both.partition("started later: ")
        assert len(re.findall(r"^ +\d+ \|", boot, re.M)) == 2, both
        bars = re.findall(r"^ +(\d+) \|f+e*m*t*=*#*\|$", by_hand.replace("\r", ""), re.M)
        assert list(map(int, bars)) == later and len(later) == 2, both
        assert both.count("f in the firmware") == 1, both


def test_a_stopped_hart_that_parked_and_one_that_never_started_are_told_apart():
    got = boot("harts=lazy,0 maxharts=1", "harts -t --csv", smp=2)
    rows = [line.split(",") for line in got.lines(r"^bringup,(\d.*)$")]
    parked = next(r for r in rows if r[2] == "0")
    assert parked[3] == "stopped" and parked[8] and not parked[9] and int(parked[11]) > 0, rows
    got = boot("harts=cold maxharts=1", "harts -t; harts -t --csv", smp=2)
    rows = [line.split(",") for line in got.lines(r"^bringup,(\d.*)$")]
    cold = next(r for r in rows if r[2] == "0")
    assert cold[3] == "offline" and not any(cold[5:11]) and cold[11] == "0", rows
    assert "no hart was started at boot" in got.text, got.text


def test_the_sweep_draws_its_plot_and_leaves_the_data_beside_it(tmp_path):
    env = dict(os.environ, SMP="1..2", BOOTS="1")
    done = children.run([str(ROOT / "tests" / "bench" / "bringup"), str(tmp_path)], LAST_RESORT,
                        env=env)
    assert done.returncode == 0, done.stdout
    boots = (tmp_path / "boots.csv").read_text().split()
    assert [b.split(",")[:2] for b in boots] == [
        [mode, n] for mode in ("parallel", "sequential", "tree", "lazy", "cold") for n in "12"]
    assert (tmp_path / "median.csv").read_text().split() == boots  # of one boot each
    assert all(float(b.split(",")[2]) > 0 for b in boots), boots
    assert all(bool(b.split(",")[3]) == (b.split(",")[1] == "2") for b in boots), boots
    assert "<svg" in (tmp_path / "bringup.svg").read_text()
    assert (tmp_path / "bringup.png").read_bytes().startswith(b"\x89PNG")
    env["SMP"] = "4..2"
    done = children.run([str(ROOT / "tests" / "bench" / "bringup"), str(tmp_path)], LAST_RESORT,
                        env=env)
    assert done.returncode == 2 and "SMP=4..2" in done.stdout, done.stdout


def test_what_the_sweep_plots_is_the_median_of_its_boots(tmp_path, monkeypatch):
    bringup = importlib.machinery.SourceFileLoader(
        "bringup", str(ROOT / "tests" / "bench" / "bringup")).load_module()
    row = dict.fromkeys(bringup.COLUMNS, "") | {"boot": "1", "sched": "1000000"}
    boots = iter([2, 9, 4] * len(bringup.CURVES))

    def boot(smp, mode):
        ms = next(boots)
        other = row | {"boot": "0", "call": "2000000", "sched": str(2000000 + 1000 * ms)}
        return [row, other][:smp], 1000000 + 1000000 * ms

    monkeypatch.setattr(bringup, "boot", boot)
    bringup.sweep(str(tmp_path), [2], 3)
    assert (tmp_path / "median.csv").read_text().split() == [
        mode + ",2,4.000,4.0" for mode in bringup.CURVES]
    assert len((tmp_path / "boots.csv").read_text().split()) == 3 * len(bringup.CURVES)
    assert len((tmp_path / "harts.csv").read_text().split()) == 1 + 6 * len(bringup.CURVES)
