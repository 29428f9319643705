# SPDX-License-Identifier: MIT
"""The gallery of bugs, seen from the host: what there is, and the proof of each entry.

An entry has two results, each of which passes or fails: the bug was found as its source promises,
and the fixed variant gave nothing. `checked` entries are proven by reports of the lock checker,
`hunted` ones by the first seed that goes wrong, and by the fixed variant under the same seeds, or
some more.

What there is, the kernel's list, the kernel's programs of the hunt and the sources have to agree
on: an entry that one of them lacks would be left out in silence.
"""
import glob
import os
import re
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "tests/hunt"))
sys.dont_write_bytecode = True

import hunting
import launcher

SEEDS = 200		# in which a hunted bug must show
FIXED_SEEDS = 20	# at least, under which its fix passes
CHECK_HARTS = 2		# of the boots in which the lock checker is asked
OUT = os.path.join(ROOT, "build/hunt/gallery")


def names(kind):
    """Of the entries that the sources declare; kind is CHECKED or HUNTED."""
    found = []
    for path in sorted(glob.glob(os.path.join(ROOT, "tests/gallery/*.c"))):
        found += names_in(kind, open(path).read())
    return found


def names_in(kind, text):
    return re.findall(r"^GALLERY_%s\(\s*(\w+)," % kind, text, re.M)


class Row:
    """One entry's line of the table."""

    def __init__(self, name, by):
        self.name, self.by = name, by
        self.found, self.fixed = "", ""		# what is printed
        self.is_found = self.is_fixed = False

    def cells(self):
        return [self.name, self.by, self.found if self.is_found else "FAILED: " + self.found,
                self.fixed if self.is_fixed else "FAILED: " + self.fixed]


# ---- By the lock checker -------------------------------------------------------------------

def boot(commands, log):
    """Status and text of one boot of the hunt's image."""
    os.makedirs(OUT, exist_ok=True)
    path = os.path.join(OUT, log + ".log")
    if os.path.exists(path):
        os.unlink(path)
    guest = launcher.Guest(smp=CHECK_HARTS, mem=hunting.MEM, kernel=hunting.KERNEL, icount=0,
                           serial_file=path, timeout=hunting.LAST_RESORT,
                           append='relax=turn watchdog=0 shell=kernel run="%s"' % commands)
    status = guest.run()
    if status == launcher.NOT_STARTED:
        raise hunting.Failed("QEMU did not run: %s" % guest.output.strip())
    return status, hunting.read_log(path)


class Listed:
    """What the kernel lists of the gallery.

    checked  {name: (kind, what)} of the reports that are promised
    hunted   {name: verdict that is promised}
    """

    def __init__(self, text, programs):
        self.checked = {name: (kind, what) for name, kind, what in re.findall(
            r"^gallery: bug=(\w+) by=checker kind=(\S+) what=(\S+) ", text, re.M)}
        self.hunted = {name: programs.get("gallery_" + name, ("none",))[0] for name in
                       re.findall(r"^gallery: bug=(\w+) by=hunt: ", text, re.M)}
        self.programs = programs

    def demand_whole(self, checked, hunted):
        """Failed unless the kernel lists the entries of the sources, all of them and no other."""
        run = ["gallery_" + n for n in hunted] + ["gallery_%s_fixed" % n for n in hunted]
        pairs = [("checked bugs", checked, self.checked), ("hunted bugs", hunted, self.hunted),
                 ("programs", run, [n for n in self.programs if n.startswith("gallery_")])]
        for what, declared, there in pairs:
            missing, more = set(declared) - set(there), set(there) - set(declared)
            if missing or more or not there:
                raise hunting.Failed("the kernel has other %s than the sources: missing %s, more %s"
                                     % (what, sorted(missing), sorted(more)))


def listed():
    """The kernel's own list, which is that of the sources."""
    status, text = boot("gallery", "list")
    if status:
        raise hunting.Failed("the list ended with %s (%d)" % (launcher.exit_name(status), status))
    known = Listed(text, hunting.programs())
    known.demand_whole(names("CHECKED"), names("HUNTED"))
    return known


def counted(promised):
    """{name: Row} of the checked entries {name: (kind, what)}, from one boot in which reports are
    counted."""
    _, text = boot("gallery check", "check")
    rows = {name: Row(name, "checker") for name in promised}
    for name, row in rows.items():
        kind, what = promised[name]
        said = {variant: (reports, verdict) for variant, reports, verdict in re.findall(
            r"^gallery: bug=%s variant=(\w+)(.*) verdict=(.*)$" % name, text, re.M)}
        reports, verdict = said.get("buggy", ("", "no result"))
        row.found = "%s, %s" % (kind, what)
        row.is_found = verdict == "ok" and (" kind=%s what=%s " % (kind, what)) in reports
        row.found += "" if row.is_found else " promised; came%s, %s" % (reports, verdict)
        reports, verdict = said.get("fixed", ("", "no result"))
        row.is_fixed = verdict == "ok" and not reports
        row.fixed = "no report" if row.is_fixed else reports + " " + verdict
    return rows


def confirm_report(row):
    """The buggy variant alone: its report ends the system, and with the status of a report."""
    kind, what = promises_of(row)
    status, text = boot("gallery run " + row.name, "run-" + row.name)
    name = launcher.exit_name(status)
    lines = re.findall(r"^lockcheck: kind=(\S+) what=(\S+) ", text, re.M)
    if name != "lockcheck" or lines != [(kind, what)]:
        row.is_found = False
        row.found = "ended with %s, reports %s" % (name, lines)


def promises_of(row):
    return tuple(row.found.split(", ")[:2])


# ---- By the hunt ---------------------------------------------------------------------------

def first_bad(program, seeds):
    """The first run that does not pass, or None."""
    options = hunting.Options(program)
    for seed in seeds:
        run = hunting.run(options, seed)
        if not run.passed:
            return run
    return None


def hunted(name, wanted, seeds=SEEDS, fixed_seeds=FIXED_SEEDS):
    """Row of one hunted entry: seeds from 1 until it goes wrong; its fix under the same ones, and
    under fixed_seeds at least."""
    row = Row(name, "hunt")
    bad = first_bad("gallery_" + name, range(1, seeds + 1))
    if not bad:
        row.found, row.fixed = "nothing in %d seeds" % seeds, "not asked"
        return row
    row.found = "%s, seed %d, %.1f us" % (bad.verdict, bad.seed, bad.ns / 1000)
    row.is_found = bad.verdict == wanted
    if not row.is_found:
        row.found += ", but %s is promised" % wanted
    again = hunting.run(hunting.Options("gallery_" + name), bad.seed, tag="-again")
    if again.hash != bad.hash:
        row.is_found, row.found = False, row.found + ", and otherwise when it is replayed"
    last = max(bad.seed, fixed_seeds)
    worse = first_bad("gallery_%s_fixed" % name, range(1, last + 1))
    row.is_fixed = worse is None
    row.fixed = "passes 1..%d" % last if row.is_fixed else \
        "%s, seed %d" % (worse.verdict, worse.seed)
    return row
