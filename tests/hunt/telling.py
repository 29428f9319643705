# SPDX-License-Identifier: MIT
"""Tables and stories: what a hunt prints."""
import re

WIDTH = 100
SAYS = {
    "irqlock_acquired": "takes %s",
    "irqlock_tried": "takes %s by a try",
    "irqlock_contended": "waits for %s",
    "irqlock_release": "gives %s up",
    "irqrwlock_acquired": "takes %s",
    "irqrwlock_contended": "waits for %s",
    "irqrwlock_read_release": "gives %s up (reader)",
    "irqrwlock_write_release": "gives %s up (writer)",
    "mutex_locked": "takes %s",
    "mutex_tried": "takes %s by a try",
    "mutex_unlock": "gives %s up",
    "mixlock_locked": "takes %s",
    "mixlock_tried": "takes %s by a try",
    "mixlock_unlock": "gives %s up",
    "mixlock_post_takes": "takes %s for a post",
    "mixlock_append": "posts to %s, which is held",
    "mixlock_run": "runs a post of %s",
    "pilock_contended": "waits for %s",
    "rwmutex_read_locked": "takes %s (reader)",
    "rwmutex_read_unlock": "gives %s up (reader)",
    "rwmutex_write_locked": "takes %s (writer)",
    "rwmutex_write_leave": "gives %s up (writer)",
    "waitq_enqueue": "queues for %s",
    "waitq_wake": "wakes the first of %s",
    "completion_wait": "waits for %s",
    "semaphore_wait": "waits for %s",
    "condvar_wait": "waits for %s",
    "hunt_step": "%s",
    "hunt_waits": "waits for %s",
    "hunt_got": "takes %s",
    "hunt_gave": "gives %s up",
    "hunt_handler": "the handler begins",
}
ENTRIES = {0: "-- goes behind all others --", 1: "-- timer interrupt in %d ticks --",
           2: "-- sends an interrupt to hart %d --"}


class Told:
    """A line of the story."""

    def __init__(self, line):
        words = line.split()
        self.number, self.hart, self.kind = int(words[1]), int(words[2]), words[3]
        self.entry = self.kind == "entry"
        if self.entry:
            self.what, self.n = int(words[4]), int(words[5])
            return
        self.point, self.lock_class, self.lock, self.thread = words[4:8]
        self.where = words[8].split("+")[0]
        self.text = " ".join(words[9:])


def of_program(told, program):
    """Is it about the program, rather than about the kernel below it?"""
    family = program.split("_")[0]
    return told.entry or told.point.startswith("hunt_") \
        or told.kind == "event" and told.lock_class.split(".")[0] == family


def lock_name(told, instances):
    """A class's name, numbered where it has several locks."""
    if told.lock_class == "-":
        return told.text
    known = instances.setdefault(told.lock_class, [])
    if told.lock not in known:
        known.append(told.lock)
    return told.lock_class if len(known) == 1 else "%s#%d" % (told.lock_class,
                                                              known.index(told.lock) + 1)


def phrase(told, instances):
    if told.entry:
        text = ENTRIES[told.what]
        return text % told.n if "%" in text else text
    says = SAYS.get(told.point, told.point + " %s")
    if "%s" in says:
        says %= lock_name(told, instances)
    # Who waits does so in the lock's own code, which says nothing.
    if told.where != "-" and not says.startswith("waits"):
        says += ", in " + told.where
    return ("(interrupt) " if told.thread == "irq" else "") + says


def columns(lines, harts):
    """Hart beside hart."""
    wide = (WIDTH - 8) // max(1, len(harts)) - 2
    heads = "".join(("hart %d" % h).ljust(wide + 2) for h in harts)
    rows = ["%7s  %s" % ("event", heads.rstrip())]
    for number, hart, text in lines:
        place = harts.index(hart)
        pieces = [text[i:i + wide] for i in range(0, len(text), wide)]
        for n, piece in enumerate(pieces):
            rows.append("%7s  %s%s" % (number if n == 0 else "", " " * (wide + 2) * place, piece))
    return "\n".join(rows)


def story(text, program, verdict):
    """The last round of a run with hunt_story=1."""
    told = [Told(l) for l in re.findall(r"^hunt-story: .*$", text, re.M)]
    begins = [i for i, t in enumerate(told) if not t.entry and t.point == "hunt_begin"]
    told = told[begins[-1] + 1 if begins else 0:]
    ends = [i for i, t in enumerate(told) if not t.entry and t.point == "hunt_end"]
    kept = [t for t in told[:ends[0] if ends else None] if of_program(t, program)]
    instances = {}
    lines = [(t.number, t.hart, phrase(t, instances)) for t in kept]
    if not lines:
        return "(nothing of %s was recorded)" % program
    return columns(lines, sorted({t.hart for t in kept})) + "\n%7s  %s" % ("", verdict)


class Table:
    """Seeds in their order, as they are known."""

    HEAD = "%10s  %-10s %14s %9s %7s" % ("seed", "verdict", "virtual us", "events", "new")

    def __init__(self, out=print):
        self.out, self.seen, self.rows = out, 0, 0

    def add(self, run):
        fresh = bin(run.orders & ~self.seen).count("1")
        self.seen |= run.orders
        if not self.rows:
            self.out(self.HEAD)
        self.rows += 1
        self.out("%10d  %-10s %14.1f %9d %7d" % (run.seed, run.verdict, run.ns / 1000, run.event,
                                                  fresh))
