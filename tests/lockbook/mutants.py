# SPDX-License-Identifier: MIT
"""The lock book's judgement under mutated input: each rule must flag what breaks it, and nothing
else may be flagged; the book that is in order must pass."""
import book

CLASS = ("lockbook: class name=%(name)s file=%(file)s rank=%(rank)d sleeps=%(sleeps)d "
         "contexts=%(contexts)d seen=%(seen)d max_us=%(max_us)d acquired=%(acquired)d "
         "contended=%(contended)d stolen=0 parked=%(parked)d timed_out=%(timed_out)d "
         "handed_off=%(handed_off)d "
         "hold_ns=%(hold_ns)d at=f+0x2<g+0x4\n")
EDGE = "lockbook: edge from=%s to=%s held=f+0x2 asked=g+0x4\n"


def outer():
    return dict(name="outer", file="kernel/a.c", rank=3, sleeps=0, contexts=3, seen=1, max_us=10,
                acquired=7, contended=2, parked=1, timed_out=1, handed_off=1, hold_ns=9000)


def inner():
    return dict(outer(), name="inner", file="kernel/b.c", rank=4)


def text(*classes, edges=(("class:outer", "class:inner"),), harts=1, end=None, stress=False):
    out = 'shell: run="test; stress all 1; lockbook"\n' if stress else 'shell: run="test"\n'
    out += "".join(CLASS % c for c in classes) + "".join(EDGE % e for e in edges)
    out += "".join("lockbook: irqsoff hart=%d ns=100 begin=h+0x6 at=h+0x8\n" % i
                   for i in range(harts))
    return out + (end if end is not None else "lockbook: end classes=%d edges=%d harts=%d\n" % (
        len(classes), len(edges), harts))


def flagged(*texts, excuses=""):
    """The (rule, what) of all problems."""
    it = book.Book()
    for t in texts:
        it.add(book.read(t))
    problems = it.problems(book.read_excuses(excuses))
    assert "Wrong:" in book.table(it, {}, problems) or not problems
    drawn = book.graph(it, problems)
    assert ("color=red" in drawn) == any(p[0] not in ("excuse", "column") for p in problems)
    return [p[:2] for p in problems]


def refuses(work, *args):
    try:
        work(*args)
    except book.Malformed:
        return True
    return False


def of(**changes):
    """The problems of the book whose class inner is changed."""
    return flagged(text(outer(), dict(inner(), **changes)))


TESTS = {
    "in_order": lambda: flagged(text(outer(), inner())) == [],
    "context": lambda: of(contexts=1, seen=3) == [("context", "inner")],
    "hold": lambda: of(hold_ns=10100) == [("hold", "inner")],
    "hold_at_its_maximum_passes": lambda: of(hold_ns=10000) == [],
    "generous": lambda: of(max_us=181) == [("generous", "inner")],
    "twenty_times_is_not_generous": lambda: of(max_us=180) == [],
    "little_is_never_generous": lambda: of(max_us=20, hold_ns=100) == [],
    "uncontended": lambda: of(contended=0) == [("uncontended", "inner")],
    "unused": lambda: of(acquired=0, contended=0, hold_ns=0) == [("unused", "inner")],
    "edge_against_ranks": lambda: flagged(
        text(outer(), inner(), edges=[("class:inner", "class:outer")]))
        == [("edge", "inner>outer")],
    "edge_of_one_rank": lambda: of(rank=3) == [("edge", "outer>inner")],
    "edge_to_itself": lambda: flagged(
        text(outer(), inner(), edges=[("class:inner", "class:inner")]))
        == [("edge", "inner>inner")],
    "events_have_no_rank": lambda: flagged(
        text(outer(), inner(), edges=[("class:inner", "event:outer"), ("irq:hard", "class:outer")]))
        == [],
    "name": lambda: flagged(text(outer(), inner(), dict(inner(), file="kernel/c.c")))
        == [("name", "inner")],
    "excused": lambda: flagged(text(outer(), dict(inner(), contended=0)),
                               excuses="uncontended inner: only one hart has it\n") == [],
    "excuse_without_need": lambda: flagged(text(outer(), inner()),
                                           excuses="uncontended inner: why not\n")
        == [("excuse", "inner")],
    "excuse_of_nothing": lambda: flagged(text(outer(), inner()),
                                         excuses="uncontended inmer: a slip\n")
        == [("excuse", "inmer")],
    "excuse_without_reason": lambda: refuses(book.read_excuses, "uncontended inner:\n"),
    "excuse_of_a_hold": lambda: refuses(book.read_excuses, "hold inner: it is slow\n"),
    "excess_is_not_excused_by_another": lambda: flagged(
        text(outer(), dict(inner(), contended=0, hold_ns=10100)),
        excuses="uncontended inner: only one hart has it\n") == [("hold", "inner")],
    "tests_are_outside": lambda: flagged(
        text(outer(), inner(), dict(inner(), name="test", file="tests/a.c",
             hold_ns=1 << 40))) == [],
    "crashes_are_outside": lambda: flagged(
        text(outer(), inner(), dict(inner(), name="c", file="kernel/shell/crash_x.c", seen=4)))
        == [],
    "holds_of_many_harts_are_not_judged": lambda: flagged(
        text(outer(), inner()),
        text(outer(), dict(inner(), hold_ns=90000), harts=4)) == [],
    "hold_under_stress": lambda: flagged(
        text(outer(), dict(inner(), hold_ns=90000), stress=True)) == [("hold", "inner")],
    "holds_of_sleepers_under_stress_are_not_judged": lambda: flagged(
        text(outer(), inner()),
        text(outer(), dict(inner(), hold_ns=90000, sleeps=1), stress=True)) == [],
    "hold_of_a_sleeper": lambda: of(hold_ns=90000, sleeps=1) == [("hold", "inner")],
    "waits_of_many_harts_count": lambda: flagged(
        text(outer(), dict(inner(), contended=0)), text(outer(), inner(), harts=4)) == [],
    "context_of_any_run_counts": lambda: flagged(
        text(outer(), dict(inner(), contexts=1)),
        text(outer(), dict(inner(), contexts=1, seen=2), harts=4)) == [("context", "inner")],
    "column": lambda: [flagged(text(dict(outer(), **{c: 0}), dict(inner(), **{c: 0})))
                       for c in ("parked", "timed_out", "handed_off")]
        == [[("column", c)] for c in ("parked", "timed_out", "handed_off")],
    "column_of_one": lambda: of(parked=0, timed_out=0, handed_off=0) == [],
    "column_of_tests": lambda: flagged(
        text(dict(outer(), timed_out=0), dict(inner(), timed_out=0),
             dict(inner(), name="test", file="tests/a.c"))) == [],
    "column_is_not_excused": lambda: refuses(book.read_excuses, "column parked: it is slow\n"),
    "lost_line": lambda: refuses(book.read, text(outer(), inner()).replace(CLASS % outer(), "")),
    "no_end": lambda: refuses(book.read, text(outer(), inner(), end="")),
    "lacking_key": lambda: refuses(book.read, text(outer(), inner()).replace(" begin=h+0x6", "")),
    "torn_line": lambda: refuses(book.read, text(outer(), inner()).replace("seen=", "see\n", 1)),
}


def run():
    """[(name, passed)]"""
    return [(name, bool(test())) for name, test in TESTS.items()]
