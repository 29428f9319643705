# SPDX-License-Identifier: MIT
"""The gallery of bugs, shortly: each planted bug is found, each fix passes a few of the seeds."""
import os
import sys

import pytest

TESTS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(TESTS, "gallery"))

import showing
from showing import hunting

FIXED_SEEDS = 3


@pytest.fixture(scope="module")
def counted():
    return showing.counted()


@pytest.fixture(scope="module")
def verdicts():
    return showing.verdicts()


def test_there_are_enough():
    assert len(showing.names("CHECKED") + showing.names("HUNTED")) >= 24


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
def test_hunt_finds(name, verdicts):
    row = showing.hunted(name, verdicts[name], FIXED_SEEDS)
    assert row.is_found, row.found
    assert row.is_fixed, row.fixed


def test_a_bug_that_is_none_is_noticed():
    """The proof can fail: the fix, in place of the bug, is not found."""
    options = hunting.Options("gallery_post_lost_fixed")
    assert all(hunting.run(options, seed).passed for seed in range(1, 6))
    row = showing.hunted("post_lost", "deadlock", 1)
    assert not row.is_found	# it goes wrong, but not as was promised
