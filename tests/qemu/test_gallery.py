# SPDX-License-Identifier: MIT
"""The gallery of bugs, shortly: each planted bug is found, each fix passes a few of the seeds."""
import os
import re
import sys

import pytest

TESTS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(TESTS, "gallery"))

import showing
from showing import hunting

FIXED_SEEDS = 3


@pytest.fixture(scope="module")
def listed():
    return showing.listed()


@pytest.fixture(scope="module")
def counted(listed):
    return showing.counted(listed.checked)


def test_the_sources_list_what_the_kernel_lists(listed):
    """The tests below are made from the sources: they are all that the kernel has."""
    assert sorted(showing.names("CHECKED")) == sorted(listed.checked)
    assert sorted(showing.names("HUNTED")) == sorted(listed.hunted)
    assert len(listed.checked) + len(listed.hunted) >= 24


def test_a_name_is_read_however_its_line_is_laid_out():
    text = ("GALLERY_CHECKED(one, \"a\", 1)\n{\n}\nGALLERY_CHECKED(\n\ttwo, \"b\", 1)\n"
            " * GALLERY_CHECKED(told, \"in a comment\")\nGALLERY_HUNTED(three, \"c\");\n")
    assert showing.names_in("CHECKED", text) == ["one", "two"]
    assert showing.names_in("HUNTED", text) == ["three"]


def test_an_entry_that_one_list_lacks_is_noticed(listed, monkeypatch):
    checked, hunted = list(listed.checked), list(listed.hunted)
    listed.demand_whole(checked, hunted)
    for wrong in ((checked[1:], hunted), (checked + ["more"], hunted), (checked, hunted[1:]),
                  (checked, hunted + ["more"]), ([], [])):
        with pytest.raises(hunting.Failed):
            listed.demand_whole(*wrong)
    monkeypatch.delitem(listed.programs, "gallery_%s_fixed" % hunted[0])
    with pytest.raises(hunting.Failed, match="programs .* missing .*%s_fixed" % hunted[0]):
        listed.demand_whole(checked, hunted)


@pytest.mark.parametrize("name", showing.names("CHECKED"))
def test_checker_reports(name, counted):
    row = counted[name]
    assert row.is_found, row.found
    assert row.is_fixed, row.fixed


def test_report_ends_the_system(counted):
    row = counted["abba"]
    showing.confirm_report(row)
    assert row.is_found, row.found


@pytest.mark.parametrize("name", showing.names("HUNTED"))
def test_hunt_finds(name, listed):
    row = showing.hunted(name, listed.hunted[name], fixed_seeds=FIXED_SEEDS)
    assert row.is_found, row.found
    assert row.is_fixed, row.fixed


# Circles that no table of waits has: why who has the lock does not go on.
CIRCLES = {
    "try_window": r"of one hart: that thread goes on when the handler that interrupted it ends",
    "queued_irqs_on": r"of one hart: that thread goes on when the handler that interrupted it ends",
    "holder_preempted": r"by the scheduler: it is ready on hart 0, .*, of priority 50 against 0",
}
LOST = ["lost_wakeup", "lost_park", "lost_completion"]
PCS = r"(?:    0x[0-9a-f]+ \S+\+0x[0-9a-f]+\n)+"


def cards_of(name):
    """The cards of the seeds that go wrong. Which of them finds the holder where it says that it is
    one, and not an instruction before, depends on the image."""
    for seed in range(1, showing.SEEDS + 1):
        run = hunting.run(hunting.Options("gallery_" + name), seed)
        if run.passed:
            continue
        assert run.verdict == "deadlock", run.text
        card = re.search(r"^deadlock card of the program's own waits:\n((?: .*\n)+)", run.text,
                         re.M)
        assert card, run.text
        yield card.group(1)


@pytest.mark.parametrize("name", CIRCLES)
def test_the_card_closes_the_circle_of_a_lock_of_the_program(name):
    shape = (r"^ hart \d, (the handler over )?thread \S+ \(0x\w+\), interrupts (on|off)\n"
             r"  waits for [\w ]+ for \d+ us; waits at\n" + PCS +
             r"  thread \S+ \(0x\w+\) has it, acquired on hart \d \d+ us ago at\n" + PCS +
             r"   a circle " + CIRCLES[name])
    cards = cards_of(name)
    assert any(re.search(shape, card, re.M) for card in cards), "none in %d seeds" % showing.SEEDS


@pytest.mark.parametrize("name", LOST)
def test_the_card_of_what_was_lost_says_that_nobody_has_it(name):
    card = next(cards_of(name))
    assert "   no circle: nobody has it\n" in card and " has it, acquired" not in card, card


def test_a_bug_that_ends_otherwise_than_promised_is_noticed():
    """post_lost goes wrong, and it was found; but a deadlock it is not."""
    row = showing.hunted("post_lost", "deadlock", fixed_seeds=1)
    assert not row.is_found and row.is_fixed, row.found
    assert row.found.startswith("wrong, seed ") and row.found.endswith("deadlock is promised")


def test_a_bug_that_is_none_is_noticed(monkeypatch):
    """The fix in place of the bug, and the bug in place of the fix."""
    run = hunting.run
    swapped = {"gallery_post_lost": "gallery_post_lost_fixed",
               "gallery_post_lost_fixed": "gallery_post_lost"}

    def run_the_other(options, *words, **how):
        return run(hunting.Options(swapped[options.program]), *words, **how)

    monkeypatch.setattr(hunting, "run", run_the_other)
    row = showing.hunted("post_lost", "wrong", seeds=3)
    assert not row.is_found and row.found == "nothing in 3 seeds"
    monkeypatch.setitem(swapped, "gallery_post_lost", "gallery_post_lost")
    row = showing.hunted("post_lost", "wrong")
    assert row.is_found and not row.is_fixed and row.fixed.startswith("wrong, seed "), row.fixed
