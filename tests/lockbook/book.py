# SPDX-License-Identifier: MIT
"""The lock book's judgement: what the kernel said of its lock classes (the command lockbook,
kernel/shell/cmd_lockbook.c) against what they declare and what tests/lockbook/excuses says.

Runs are read one by one (read) and laid together (Book.add); problems() then lists all that is
wrong, each as (rule, class or edge, sentence). Rules:

  name		two classes share a name
  context	a class was asked for where it does not say it may be
  hold		a hold was longer than declared
  generous	a declared maximum is more than GENEROUS times what was seen
  edge		a class was asked for under one whose rank is not smaller
  uncontended	nobody ever waited for a class
  unused	a class was never acquired
  column	nobody at all was contended, parked, timed out, or was handed a lock: what is
		counted there was not seen to be. The kernel has no lock that it waits for with a
		limit, so classes of tests count here
  excuse	an excuse names no class, or one that does not need it

What an edge may be is declared by the ranks (kernel/lock/rank.h), which order every pair of
classes; two of one rank have an order only where a helper states it, and then an excuse names that
helper. Edges to and from what is no lock (events, threads, handlers) have no rank and are shown
only.

Holds are judged in runs on one hart alone: there, under -icount shift=0, a nanosecond is an
instruction of that hart, so 1 us of max_hold_us is 1000 instructions; with more harts the time of
all of them is one. Sleeping and mixed locks are held for time, whoever runs: they are judged by the
same numbers, but not where stress programs let many threads wait for the hart. Classes of tests and
of crash commands, which deadlock on purpose, are not in the book.
"""
import re

GENEROUS = 20
LEAST_US = 1	# nothing is declared in less; so much is generous to nobody
THREAD, IRQ = 1, 2
COUNTS = ("acquired", "contended", "stolen", "parked", "timed_out", "handed_off")
KEYS = {
    "class": ("name", "file", "rank", "sleeps", "contexts", "seen", "max_us", "hold_ns",
              "at") + COUNTS,
    "edge": ("from", "to", "held", "asked"),
    "irqsoff": ("hart", "ns", "begin", "at"),
    "end": ("classes", "edges", "harts"),
}
COLUMNS = ("contended", "parked", "timed_out", "handed_off")
OUTSIDE = re.compile(r"tests/|kernel/shell/crash_")


class Malformed(Exception):
    pass


class Run:
    """What one boot said."""

    def __init__(self, harts):
        self.harts, self.classes, self.edges, self.sections = harts, [], [], []
        self.busy = False


def pairs(words):
    found = dict(w.split("=", 1) for w in words if "=" in w)
    if len(found) != len(words):
        raise Malformed("not key=value pairs: %s" % " ".join(words))
    return found


def read(text):
    """The records of a boot's output."""
    run, end = Run(0), None
    for line in re.findall(r"^lockbook: (.*?)\r?$", text, re.M):
        kind, *words = line.split()
        record = pairs(words)
        lacking = [k for k in KEYS.get(kind, ()) if k not in record]
        if lacking:
            raise Malformed("a record of kind %s lacks %s" % (kind, ", ".join(lacking)))
        if kind == "class":
            for key in record:
                if key not in ("name", "file", "at"):
                    record[key] = int(record[key])
            run.classes.append(record)
        elif kind == "edge":
            run.edges.append(record)
        elif kind == "irqsoff":
            record["ns"] = int(record["ns"])
            run.sections.append(record)
        elif kind == "end":
            end = {k: int(v) for k, v in record.items()}
        else:
            raise Malformed("a record of kind %s" % kind)
    if not end:
        raise Malformed("there is no last record")
    told = (end["classes"], end["edges"], end["harts"])
    got = (len(run.classes), len(run.edges), len(run.sections))
    if told != got:
        raise Malformed("%s classes, edges, harts were told and %s arrived" % (told, got))
    run.harts = end["harts"]
    run.busy = bool(re.search(r'run="[^"]*\bstress\b', text))
    return run


def read_excuses(text):
    """{(rule, what): reason}; a line each: `uncontended tty_input: why`, `edge a>b: why`."""
    found = {}
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        m = re.fullmatch(r"(\w+) (\S+): (\S.*)", line)
        if not m:
            raise Malformed("excuses, line %d: `RULE WHAT: REASON` is wanted" % number)
        if m.group(1) not in ("uncontended", "unused", "generous", "edge"):
            raise Malformed("excuses, line %d: %s is never excused" % (number, m.group(1)))
        found[m.group(1), m.group(2)] = m.group(3)
    return found


class Book:
    def __init__(self):
        self.classes, self.edges, self.sections, self.wrong = {}, {}, [], []
        self.files = {}
        self.by = {column: set() for column in COLUMNS}

    def add(self, run):
        self.names(run)
        for c in run.classes:
            for column in COLUMNS:
                if c[column]:
                    self.by[column].add(c["name"])
            if not OUTSIDE.match(c["file"]):
                self.add_class(c, run.harts == 1 and not (c["sleeps"] and run.busy))
        for e in run.edges:
            self.edges.setdefault((e["from"], e["to"]), e)
        if run.harts == 1:
            self.sections += [(run.busy, s) for s in run.sections]

    def names(self, run):
        files = {}
        for c in run.classes:
            if files.setdefault(c["name"], c["file"]) != c["file"]:
                self.wrong.append(("name", c["name"], "%s and %s have a class of this name"
                                   % (files[c["name"]], c["file"])))
        self.files.update(files)

    def add_class(self, c, judged):
        mine = self.classes.setdefault(c["name"], dict(
            c, seen=0, hold_ns=0, at="-", **{k: 0 for k in COUNTS}))
        mine["seen"] |= c["seen"]
        for k in COUNTS:
            mine[k] += c[k]
        if judged and c["hold_ns"] > mine["hold_ns"]:
            mine["hold_ns"], mine["at"] = c["hold_ns"], c["at"]

    def lock_edges(self):
        """((outer, inner), edge) of edges between classes of the book."""
        for (a, b), edge in sorted(self.edges.items()):
            a_kind, _, a_name = a.partition(":")
            b_kind, _, b_name = b.partition(":")
            if a_kind == b_kind == "class" and a_name in self.classes and b_name in self.classes:
                yield (a_name, b_name), edge

    # ---- Judgement ---------------------------------------------------------------------------

    def problems(self, excuses):
        found = list(self.wrong)
        for name, c in sorted(self.classes.items()):
            found += [(rule, name, text) for rule, text in self.judge(c)]
        found += [("column", column, "no class is in it, of the kernel or of its tests")
                  for column in COLUMNS if not self.by[column]]
        for (a, b), edge in self.lock_edges():
            if self.classes[a]["rank"] >= self.classes[b]["rank"]:
                found.append(("edge", "%s>%s" % (a, b), "rank %d is asked for under rank %d, by %s"
                              % (self.classes[b]["rank"], self.classes[a]["rank"],
                                 edge["asked"])))
        left = [p for p in found if p[:2] not in excuses]
        needed = {p[:2] for p in found}
        left += [("excuse", what, "%s is excused without need" % rule)
                 for rule, what in excuses if (rule, what) not in needed]
        return left

    @staticmethod
    def judge(c):
        if c["seen"] & ~c["contexts"]:
            yield "context", "seen in contexts %d, declared are %d" % (c["seen"], c["contexts"])
        if not c["acquired"] and not c["hold_ns"]:
            yield "unused", "was never acquired"
        elif not c["contended"]:
            yield "uncontended", "nobody ever waited for it, in %d acquires" % c["acquired"]
        most = c["max_us"] * 1000
        if c["hold_ns"] > most:
            yield "hold", "held for %.1f us, declared are %d, at %s" % (
                c["hold_ns"] / 1000, c["max_us"], c["at"])
        if c["acquired"] and most > GENEROUS * max(c["hold_ns"], LEAST_US * 1000):
            yield "generous", "%d us are declared, %.1f were seen" % (
                c["max_us"], c["hold_ns"] / 1000)


# ---- Shown -----------------------------------------------------------------------------------

def contexts(bits):
    return "+".join(n for bit, n in ((THREAD, "thread"), (IRQ, "irq")) if bits & bit) or "-"


def yes(n):
    return "yes" if n else "no"


def table(book, excuses, problems):
    """The book as text."""
    rows = [("class", "rank", "declared", "seen", "after", "max us", "hold us",
             "contended", "parked", "timed out", "handed off")]
    outer = {}
    for (a, b), _ in book.lock_edges():
        outer.setdefault(b, []).append(a)
    classes = sorted(book.classes.values(), key=lambda c: (c["rank"], c["name"]))
    for c in classes:
        rows.append((c["name"], str(c["rank"]), contexts(c["contexts"]), contexts(c["seen"]),
                     str(len(outer.get(c["name"], ()))), str(c["max_us"]),
                     "%.1f" % (c["hold_ns"] / 1000),
                     yes(c["contended"]), yes(c["parked"]), yes(c["timed_out"]),
                     yes(c["handed_off"])))
    widths = [max(len(r[i]) for r in rows) for i in range(len(rows[0]))]
    out = ["  ".join(w.ljust(n) for w, n in zip(r, widths)).rstrip() for r in rows]
    out += ["", "In no class of the kernel, but seen in those of its tests:"]
    for column in COLUMNS:
        if not any(c[column] for c in classes):
            names = sorted(book.by[column])
            out.append("  %-16s %s" % (column.replace("_", " "), ", ".join(names) or "nowhere"))
    out += ["", "Order seen between classes (by rank all are declared, unless named below):"]
    out += ["  %-16s after %s" % (c["name"], ", ".join(outer[c["name"]]))
            for c in classes if c["name"] in outer]
    out += ["", "Worst holds, with one hart, by the acquire:"]
    out += ["  %-16s %10.1f us  %s" % (c["name"], c["hold_ns"] / 1000, c["at"]) for c in classes]
    out += ["", "Longest sections with interrupts off, with one hart, by begin and end:"]
    out += ["  %-16s %10.1f us  %s to %s" % ("under stress" if busy else "in tests", s["ns"] / 1000,
                                             s["begin"], s["at"]) for busy, s in book.sections]
    out += ["", "Excused:"]
    out += ["  %s %s: %s" % (*key, reason) for key, reason in sorted(excuses.items())]
    out += ["", "Wrong:" if problems else "Nothing is wrong."]
    out += ["  %s: %s: %s" % p for p in problems]
    return "\n".join(out) + "\n"


def graph(book, problems):
    """The order as a graph, for dot: ranks from top to bottom."""
    bad = {what for rule, what, _ in problems if rule == "edge"}
    wrong = {what for rule, what, _ in problems if rule not in ("edge", "excuse")}
    out = ["digraph lockbook {", "\trankdir=TB; node [shape=box, fontname=Helvetica];"]
    by_rank = {}
    for c in book.classes.values():
        by_rank.setdefault(c["rank"], []).append(c)
        out.append('\t"%s" [label="%s\\nrank %d, %s\\n%.1f of %d us"%s];' % (
            c["name"], c["name"], c["rank"], contexts(c["seen"]), c["hold_ns"] / 1000,
            c["max_us"], ", color=red" if c["name"] in wrong else ""))
    for same in by_rank.values():
        out.append("\t{rank=same; %s}" % " ".join('"%s";' % c["name"] for c in same))
    for (a, b), _ in book.lock_edges():
        style = " [color=red, constraint=false]" if "%s>%s" % (a, b) in bad else ""
        out.append('\t"%s" -> "%s"%s;' % (a, b, style))
    return "\n".join(out + ["}"]) + "\n"
