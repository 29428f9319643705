# SPDX-License-Identifier: MIT
"""Commands of gdb for the kernel: harts, threads, locks, bt-all. `make debug` loads them.

They read the kernel's own structures through its debug information, so they work at any stop after
the kernel's page tables stand. What cannot be read is said, not guessed.
"""
import gdb

DEEPEST = 64	# frames of one backtrace


def value(expression):
    return gdb.parse_and_eval(expression)


def string(pointer):
    try:
        return pointer.string(errors="replace") if int(pointer) else "-"
    except gdb.error:
        return "?"


def elements(array):
    """Of an array, which is read as a whole."""
    low, high = array.type.range()
    if high >= low:
        array.fetch_lazy()
    return [array[i] for i in range(low, high + 1)]


def name_of(thread):
    try:
        return thread["name"].string(errors="replace")
    except gdb.error:
        return "?"


def where(address):
    """symbol+offset (file:line) of a code address."""
    symbol = gdb.execute("info symbol %#x" % address, to_string=True).split(" in section")[0]
    line = gdb.find_pc_line(address)
    place = " (%s:%d)" % (line.symtab.filename, line.line) if line.symtab else ""
    return symbol.strip() + place if "No symbol" not in symbol else "%#x" % address


def pointer_to(type_name, address):
    return gdb.Value(int(address)).cast(gdb.lookup_type(type_name).pointer())


def all_harts():
    return [value("harts[%d]" % i) for i in range(int(value("nr_harts")))]


def running(hart):
    """The thread that a hart runs, None before there is one."""
    at = int(hart["lock"]["thread"])
    return pointer_to("struct thread", at) if at else None


def all_threads():
    """Every thread, by the slots of its table (kernel/task)."""
    node_type = gdb.lookup_type("struct thread")
    offset = next(f.bitpos // 8 for f in node_type.fields() if f.name == "all_node")
    head = value("&thread_list.head")
    node = head["next"]
    while int(node) and int(node) != int(head):
        yield pointer_to("struct thread", int(node) - offset)
        node = node["next"]


def enum_name(kind, number):
    for field in gdb.lookup_type("enum " + kind).fields():
        if field.enumval == int(number):
            return field.name.split("_", 1)[1].lower()
    return str(int(number))


def frames_from(pc, fp, stack_base, stack_top):
    """Return addresses along the frame pointers of a stack."""
    word = gdb.lookup_type("unsigned long")
    size = word.sizeof
    yield pc
    for _ in range(DEEPEST):
        if not stack_base < fp <= stack_top or fp % size:
            return
        pc = int(gdb.Value(fp - size).cast(word.pointer()).dereference())
        outer = int(gdb.Value(fp - 2 * size).cast(word.pointer()).dereference())
        if not pc:
            return
        yield pc
        if outer <= fp:
            return
        fp = outer


def waiting_backtrace(thread):
    """Of a thread that is switched out."""
    context = thread["arch"]["context"]
    stack = thread["stack"]
    return frames_from(int(context["ra"]), int(context["s"][0]), int(stack["base"]),
                       int(stack["top"]))


def held(owner):
    """What the checker has on record for a hart or a thread."""
    slots = [owner["held"][i] for i in range(int(owner["nr_held"]))]
    return [slot for slot in slots if int(slot["lock"])]


def tell_held(what, owner):
    for h in held(owner):
        print("  %-28s holds %#x of class %s, since %s" % (
            what, int(h["lock"]), string(h["class"]["name"]), where(int(h["pc"]))))
    if int(owner["wait"]["serial"]["v"]) & 1:
        print("  %-28s waits for %#x" % (what, int(owner["wait"]["what"]["v"])))


class Command(gdb.Command):
    """Says what went wrong in a line instead of a traceback."""

    def __init__(self, name):
        super().__init__(name, gdb.COMMAND_STATUS)
        self.name = name

    def invoke(self, argument, from_tty):
        try:
            self.show()
        except gdb.error as why:
            print("%s: cannot be read now: %s" % (self.name, why))


class Harts(Command):
    """harts: a line a hart: index, hartid, state, interrupt depth, running thread."""

    def show(self):
        print("%-5s %-7s %-9s %-5s %-8s %s" % ("hart", "hartid", "state", "depth", "handler",
                                              "thread"))
        for h in all_harts():
            lock, thread = h["lock"], running(h)
            print("%-5d %-7d %-9s %-5d %-8s %s" % (
                int(h["index"]), int(h["hartid"]), enum_name("hart_state", h["state"]["v"]),
                int(lock["irq_depth"]), enum_name("irq_kind", lock["in_irq"]),
                name_of(thread) if thread else "-"))


class Threads(Command):
    """threads: a line a thread: address, state, priority, name, and where it waits."""

    def show(self):
        print("%-18s %-14s %-5s %-24s %s" % ("thread", "state", "prio", "name", "at"))
        on_hart = {int(running(h)) for h in all_harts() if running(h)}
        for t in all_threads():
            at = "on a hart" if int(t) in on_hart else next(
                (where(pc) for n, pc in enumerate(waiting_backtrace(t)) if n == 1), "-")
            print("%#018x %-14s %-5d %-24s %s" % (
                int(t), enum_name("thread_state", t["state"]["v"]), int(t["prio_effective"]),
                name_of(t), at))


class Locks(Command):
    """locks: a line a class (acquisitions, contentions), and who holds what."""

    def show(self):
        start = int(value("(unsigned long)&__start_linkset_lock_class"))
        stop = int(value("(unsigned long)&__stop_linkset_lock_class"))
        size = gdb.lookup_type("unsigned long").sizeof
        kind = gdb.lookup_type("struct lock_class").pointer().pointer()
        print("%-24s %5s %14s %12s" % ("class", "rank", "acquired", "contended"))
        for at in range(start, stop, size):
            c = gdb.Value(at).cast(kind).dereference()
            counts = self.counts(c["stats"])
            print("%-24s %5d %14s %12s" % (string(c["name"]), int(c["rank"]), *counts))
        for h in all_harts():
            tell_held("hart %d" % int(h["index"]), h["lock"])
        for t in all_threads():
            tell_held(name_of(t), t["lock"])

    def counts(self, stats):
        """As lock_stat_read sums them: of most acquisitions only the length of the hold is kept."""
        if not elements(stats):
            return "-", "-"
        shards = elements(elements(stats)[0]["shards"])
        acquired, contended = (int(value(name)) for name in ("LOCK_ACQUIRED", "LOCK_CONTENDED"))
        return (sum(int(s["n"][acquired]["v"]) + sum(int(b["v"]) for b in elements(s["holds"]))
                    for s in shards),
                sum(int(s["n"][contended]["v"]) for s in shards))


class BacktraceAll(Command):
    """bt-all: the backtrace of every hart and of every thread that is on none."""

    def show(self):
        gdb.execute("thread apply all -s backtrace")
        on_hart = {int(running(h)) for h in all_harts() if running(h)}
        for t in all_threads():
            if int(t) in on_hart:
                continue
            print("\nthread %s (%s)" % (name_of(t), enum_name("thread_state", t["state"]["v"])))
            for n, pc in enumerate(waiting_backtrace(t)):
                print("#%-3d %#x in %s" % (n, pc, where(pc)))


Harts("harts")
Threads("threads")
Locks("locks")
BacktraceAll("bt-all")
