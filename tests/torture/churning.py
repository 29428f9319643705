# SPDX-License-Identifier: MIT
"""make torture HARTS=churn: harts stop, start, are suspended and resumed under load, and nothing is
lost (tests/torture/churn.h).

From the environment, as make passes them:
  CYCLES  times that a hart leaves and comes back (10000); or a twin's name, or `twins`
  SMP	  harts (4)
  SEED	  what all that is random is made from (another one each time)
"""
import os
import random
import re

import launcher

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
CYCLES = 10000
CYCLES_MAX = 1000000000	# of the command churn
SEED_MAX = (1 << 64) - 1
# What the guest says that is none of the console traffic that belongs to the load.
TOLD = re.compile(r"(ok|FAILED) churn|churn:|panic|assert|lockcheck:"
                  r"|\[ *\d+\.\d+\].*(error|warning):|  \w+ +\d+ [a-z ]+ +\d+ [a-z ]+$")


def twins():
    """Names of the busted twins, as the source has them."""
    with open(os.path.join(ROOT, "tests/torture/churn.c")) as source:
        return re.findall(r'^\t\{"(\w+)", LEDGER_', source.read(), re.M)


def names():
    """What `churn` tells verdicts of."""
    return ["churn"] + ["churn.%s" % t for t in twins()]


def command(name, cycles, seed):
    """The guest's command for one of names()."""
    return "churn %s %s" % (name.partition(".")[2] or cycles, seed)


def main():
    if os.environ["HARTS"] != "churn":
        raise launcher.CannotStart("HARTS=%s: there is HARTS=churn" % os.environ["HARTS"])
    word = os.environ.get("CYCLES") or str(CYCLES)
    if word != "twins" and word not in twins():
        launcher.number(word, "CYCLES", 1, CYCLES_MAX)
    smp = launcher.number(os.environ.get("SMP") or 4, "SMP", 2, launcher.SMP_MAX)
    seed = launcher.number(os.environ.get("SEED") or random.randrange(1 << 32), "SEED", 0, SEED_MAX)
    config = os.environ.get("CONFIG") or "debug"
    log = "build/churn-%s-smp%s.log" % (config, smp)
    append = 'shell=kernel run="churn %s %s" %s' % (word, seed, os.environ.get("APPEND") or "")
    guest = launcher.Guest(smp=smp, config=config, mem=os.environ.get("MEM"),
                           cpu=os.environ.get("CPU"), append=append.strip(),
                           timeout=os.environ.get("TIMEOUT") or 86400)

    def line(text):
        if TOLD.match(text):
            print(text, flush=True)

    try:
        status = guest.run(line)
    finally:
        with open(log, "w") as f:
            f.write(guest.output)
    print("%s (%d); all of it: %s" % (launcher.exit_name(status), status, log))
    print("again: make torture HARTS=churn CONFIG=%s CYCLES=%s SMP=%s SEED=%s"
          % (config, word, smp, seed))
    return status
