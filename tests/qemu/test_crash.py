# SPDX-License-Identifier: MIT
"""Every kind that `crash` lists ends as it says: its report, its status, or a dead thread only."""
import re

import pytest

from guest import EXIT, ROOT, kernel_is_built, run

SOURCES = [*(ROOT / "kernel" / "shell").glob("crash_*.c")]
# What the report must say, beside the status.
SAYS = {
    EXIT["EXIT_PANIC"]: r"panic",
    EXIT["EXIT_ASSERT"]: r"assert",
    EXIT["EXIT_FAULT"]: r"fault|illegal|access|misaligned",
    EXIT["EXIT_STACK_OVERFLOW"]: r"overflow",
    EXIT["EXIT_DOUBLE_PANIC"]: r"panic",
    EXIT["EXIT_LOCKCHECK"]: r"^lockcheck: kind=\w+",
    EXIT["EXIT_DEADLOCK"]: r"deadlock|abandoned",
    EXIT["EXIT_LOCKUP"]: r"hart \d+.* for \d+ beats",
}


def listed():
    """The kinds as the guest lists them: (name, status)."""
    return [(name, int(status)) for name, status in
            re.findall(r"^  (\S+)\s+[\w -]+\((\d+)\)  ", run("crash").text, re.M)]


KINDS = listed() if kernel_is_built() else []


def test_the_list_is_whole():
    names = {name for name, _ in KINDS}
    assert {"stack-overflow", "null", "wild-jump", "write-text", "assert", "double-panic",
            "irq-fault", "hang"} <= names, names
    written = sum(len(re.findall(r"^(?:CRASH|FAULT_CRASH)\w*\(\w", s.read_text(), re.M))
                  for s in SOURCES)
    assert len(names) >= written, names


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


def test_hang_on_the_only_hart_with_interrupts_on_is_noticed():
    got = run("crash hang", smp=1)
    assert got.status == EXIT["EXIT_LOCKUP"], got.text
