# SPDX-License-Identifier: MIT
"""Takes a failing schedule apart: which of its entries does it need?"""


def shrink(entries, fails):
    """A part of `entries` that still fails and of which no entry can be left out.

    `fails(part)` runs it. Halves and smaller parts are left out first (delta debugging, after
    Zeller), then one entry after the other until nothing changes any more.
    """
    if fails([]):
        return []
    parts = 2
    while len(entries) >= 2:
        size = max(1, len(entries) // parts)
        for start in range(0, len(entries), size):
            rest = entries[:start] + entries[start + size:]
            if rest and fails(rest):
                entries = rest
                parts = max(2, parts - 1)
                break
        else:
            if size == 1:
                break
            parts = min(len(entries), parts * 2)
    return entries


def last_round(entries):
    """Those of the last round that has any: a program makes its state new for each."""
    if not entries:
        return []
    last = max(int(e.split(".")[0]) for e in entries)
    return [e for e in entries if int(e.split(".")[0]) == last]
