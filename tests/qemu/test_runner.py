# SPDX-License-Identifier: MIT
"""What `make test` and `make bench` make of results: failed, skipped, missing, inconclusive."""
import importlib.machinery
import importlib.util
import xml.etree.ElementTree as xml

import pytest

from guest import ROOT


def load(path):
    loader = importlib.machinery.SourceFileLoader(path.replace("/", "_"), str(ROOT / path))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader(loader.name, loader))
    loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def runner():
    return load("tests/run")


@pytest.fixture(scope="module")
def bench():
    return load("tests/bench/run")


def boots(runner):
    return ["kernel/%s-smp%d" % (c, n) for c in runner.CONFIGS for n in runner.HARTS]


def test_lines_of_the_guest_are_results(runner):
    def told(line):
        r = runner.kernel_result("kernel/x", line, "log")
        return r and (r.name, r.ok, r.message, r.skipped)
    assert told("ok mutex.hands_off") == ("kernel/x/mutex.hands_off", True, "", "")
    assert told("[ 1.2] ok a.b # skip: one hart") == ("kernel/x/a.b", True, "", "one hart")
    assert told("FAILED a.b: x.c:3: n is 4") == ("kernel/x/a.b", False, "x.c:3: n is 4", "")
    assert told("3 passed, 0 failed") is None and told("all is ok here") is None


def test_many_commands_go_into_several_boots(runner):
    commands = ["test suite.name%d" % n for n in range(100)]
    lines = list(runner.parts(commands))
    assert "; ".join(lines).split("; ") == commands
    assert len(lines) > 1 and max(map(len, lines)) <= runner.RUN_MAX
    assert list(runner.parts(["test"])) == ["test"]


def test_skipped_tests_are_shown_and_counted_apart(runner, capsys, tmp_path):
    report = runner.Report()
    report.add([runner.Result("kernel/a/x.y", True), runner.Result("kernel/b/x.y", True,
                                                                   skipped="one <hart>")])
    assert not report.close()
    assert capsys.readouterr().out.splitlines() == [
        "ok     kernel/a/x.y", "skip   kernel/b/x.y: one <hart>", "1 skipped", "1 passed, 0 failed"]
    report.write_xml(tmp_path / "xml")
    suite = xml.parse(tmp_path / "xml").find("testsuite")
    assert (suite.get("tests"), suite.get("failures"), suite.get("skipped")) == ("2", "0", "1")
    assert [c.get("message") for c in suite.iter("skipped")] == ["one <hart>"]


def test_who_is_skipped_everywhere_has_failed(runner, capsys):
    everywhere = [runner.Result(b + "/x.y", True, skipped="no alarm") for b in boots(runner)]
    failed = runner.skipped_everywhere(everywhere)
    assert [(r.name, r.ok, r.message) for r in failed] == [
        ("kernel/x.y", False, "skipped everywhere: no alarm")]
    report = runner.Report()
    report.add(everywhere + failed)
    assert report.close() and capsys.readouterr().out.endswith("\n8 skipped\n0 passed, 1 failed\n")
    # It ran once, or runs were left out by the pattern.
    once = everywhere[:-1] + [runner.Result(everywhere[-1].name, True)]
    assert not runner.skipped_everywhere(once) and not runner.skipped_everywhere(everywhere[:-1])
    # Other groups run a test once.
    assert runner.skipped_everywhere([runner.Result("qemu/t::a", True, skipped="no gdb")])
    raced = [runner.Result("race/seed%d/%s" % (s, t), True, skipped="four harts")
             for s in runner.RACE_SEEDS for t in ("x.y", "race.z")]
    assert [r.name for r in runner.skipped_everywhere(raced)] == ["race/race.z"]


def test_what_gave_no_result_has_failed(runner, capsys):
    def work(_):
        return [runner.Result("a", True), runner.Result("b", True), runner.Result("b", False),
                runner.Result("whole", False)]
    told = {r.name: r.ok for r in runner.Job("host", ["a", "b", "c"], work).run()}
    assert told == {"a": True, "b": False, "c": False, "whole": False}

    def broken(_):
        raise OSError("no such program")
    assert [r.ok for r in runner.Job("host", ["a", "b"], broken).run()] == [False, False]
    assert runner.Report().close() and capsys.readouterr().out == "0 passed, 0 failed\n"


@pytest.mark.parametrize("tries, verdict, measured", [
    ([[3, 3, 3, 3]], "ok", 1),
    ([[1, 1, 1, 1]], "FAILED", 1),
    ([[1, 1, 1, 9], [1, 1, 3, 3]], "ok", 2),
    ([[1, 1, 1, 9], [1, 1, 1, 1]], "FAILED", 2),
    ([[1, 1, 1, 9]] * 3, "inconclusive", 3)])
def test_a_ratio_fails_only_if_its_whole_range_misses_the_bound(bench, capsys, tries, verdict,
                                                                measured):
    asked = []
    table = bench.Table()

    def measure(attempt):
        asked.append(attempt)
        return tries[attempt]
    bench.judged_ratio(table, "what", measure, 2)
    assert asked == list(range(measured))
    assert table.close() == (verdict == "FAILED")
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split()[-1] == verdict
    assert lines[1:-1] == (["1 inconclusive"] if verdict == "inconclusive" else [])
    assert lines[-1] == "%d passed, %d failed" % (verdict == "ok", verdict == "FAILED")


def test_shares_are_those_of_all_rounds(bench, monkeypatch):
    text = "".join("contend: round=%d kind=irqlock harts=2 acquired=9 ns=5 least=%d most=10\n"
                   % (r, r % bench.ROUNDS) for r in range(2 * bench.ROUNDS))
    monkeypatch.setattr(bench, "boot", lambda *_: text)
    shares = bench.Contest("kernel", 2, 9, 9, 1).ratios("share")
    assert shares == [n / 10 for n in range(bench.ROUNDS)]
