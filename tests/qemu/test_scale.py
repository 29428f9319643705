# SPDX-License-Identifier: MIT
"""128 harts, the most that OpenSBI 1.1 starts: they boot, take part, go and come; what costs."""
import importlib.machinery
import os
import re
import sys

import children
from guest import EXIT, LAST_RESORT, ROOT, run

HARTS = 128
SCALE = os.path.join(ROOT, "tests/bench/scale")


# Each has every hart do something to one thing; all others are `make test-scale`.
OF_ALL_HARTS = ["hart.", "leaf_calls_of_all_harts", "starves_nobody", "no_page_has_two_owners"]


def test_128_harts_boot_and_take_part():
    tests = "; ".join("test " + t for t in OF_ALL_HARTS)
    done = run(f"harts; {tests}; hart stop 127; hart suspend 0; hart start 127; hart resume 0",
               smp=HARTS, mem="4G")
    assert done.status == EXIT["EXIT_OK"], done.text
    assert done.lines("harts: 128 of 128 online")
    assert len(re.findall(r"^ +\d+ +\d+ +online ", done.text, re.M)) == HARTS
    closing = re.findall(r"^[1-9]\d* passed, 0 failed$", done.text, re.M)
    assert len(closing) == len(OF_ALL_HARTS), done.text


def test_costs_do_not_grow_with_the_number_of_harts():
    """The sweep of `make bench-scale`, as far as it is short."""
    done = children.run([sys.executable, "-B", SCALE, "--most", "16"], LAST_RESORT, cwd=ROOT)
    assert done.returncode == 0, done.stdout
    assert re.search(r"^[1-9]\d* passed, 0 failed$", done.stdout, re.M)


def test_what_grows_is_found():
    scale = importlib.machinery.SourceFileLoader("scale", str(SCALE)).load_module()
    flat, linear = ([(n, cost(n)) for n in (1, 2, 64, 128)]
                    for cost in (lambda n: 100.0 + n % 2, lambda n: 100.0 + n))
    assert scale.growth(flat)[0] <= scale.GROWTH < scale.growth(linear)[0]
    assert scale.growth([(1, 0.0), (128, 5.0)])[0] > scale.GROWTH
    verdicts = scale.Verdicts()
    sweep = {n: {"kernel_memory": 1000 + 49 * n, "firmware_memory": 1} for n in (1, 2, 128)}
    scale.memory_table(sweep, verdicts)
    scale.cost_table({n: {"irqlock_pair": 100.0 + n} for n in (1, 128)}, verdicts)
    assert (verdicts.passed, verdicts.failed) == (0, 1 + len(scale.COSTS) + len(scale.NOT_JUDGED))
