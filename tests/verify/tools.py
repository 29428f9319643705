# SPDX-License-Identifier: MIT
"""Runs one program or model, as it is or with a mutant, and says what its tool says of it."""
import os
import re
import subprocess
import time

import build
import children
import code_table
import model_table

LAST_RESORT = 1800	# seconds; nothing that works comes near it
MUTANT_TRIES = 12	# with pthreads, each longer than the one before, up to 16 times
LOOKS = 10		# in a row at which all threads of a program were asleep


class Verdict:
    def __init__(self, flagged, kind, count="", broken=False, log=""):
        self.flagged, self.kind, self.count = flagged, kind, count
        self.broken, self.log = broken, log


def keep(tool, subject, mutant, text):
    path = "%s/%s-%s-%s.log" % (build.OUT, tool, subject, mutant or "good")
    path = re.sub(r"[^\w./-]", "_", path)
    os.makedirs(build.OUT, exist_ok=True)
    with open(path, "w") as f:
        f.write(text)
    return path


# ---- Programs ------------------------------------------------------------------------------

def switches(pid):
    """Of each thread of the process and its children: whether it sleeps, and how often it was
    switched; None if one of them does not sleep."""
    counts = []
    pids = [pid]
    for p in pids:
        try:
            for task in os.listdir("/proc/%d/task" % p):
                base = "/proc/%d/task/%s/" % (p, task)
                if open(base + "stat").read().rsplit(")", 1)[1].split()[0] != "S":
                    return None
                status = open(base + "status").read()
                counts.append((task, re.findall(r"switches:\s*(\d+)", status)))
                pids += [int(c) for c in open(base + "children").read().split()]
        except OSError:
            return None
    return sorted(counts)


def run_threads(words, log):
    """(status, text). Asleep for good, because nothing but a kick ends a sleep: all threads sleep
    and none has been switched to at several looks in a row, however long they are apart."""
    env = dict(os.environ, TSAN_OPTIONS="halt_on_error=1 exitcode=66 report_signal_unsafe=0 "
               "report_thread_leaks=0")
    with open(log, "w+b") as out:
        child = children.start(words, env=env, stdin=subprocess.DEVNULL, stdout=out,
                               stderr=subprocess.STDOUT)
        try:
            same = watch(child)
            ended = child.poll() is not None
        finally:
            children.end(child)
        if not ended:
            return "asleep" if same >= LOOKS else "late", ""
        out.seek(0)
        return child.returncode, out.read().decode("utf-8", "replace")


def watch(child):
    """Returns when the child has ended, is asleep for good, or is late; at how many looks in a row
    it was asleep."""
    last, same, began = None, 0, time.monotonic()
    while same < LOOKS and time.monotonic() - began < LAST_RESORT:
        try:
            child.wait(0.3)
            break
        except subprocess.TimeoutExpired:
            now = switches(child.pid)
            same = same + 1 if now is not None and now == last else 0
            last = now
    return same


def judge_threads(program, subject, quick, log, mutant):
    """A mutant that only harts which meet badly can show is given more and longer runs until they
    do: on a busy machine a hart may do all its rounds before the next one begins."""
    cases, rounds = code_table.THREADS[subject]
    rounds = rounds // 4 if quick else rounds
    for seed in range(1, 1 + (MUTANT_TRIES if mutant else 1)):
        verdict = judge_threads_once(program, cases, rounds << min(seed - 1, 4), seed, log)
        if verdict.flagged:
            break
    return verdict


def judge_threads_once(program, cases, rounds, seed, log):
    status, text = run_threads(["setarch", "-R", program, str(cases), str(rounds), str(seed)], log)
    runs = "%d x %d x %d" % (cases, build.HARTS["threads"], rounds)
    if status == 0:
        return Verdict(False, "", runs, log=log)
    if status == 66:
        return Verdict(True, "data race" if "data race" in text else "sanitizer", runs, log=log)
    if status == "asleep":
        return Verdict(True, "all asleep", runs, log=log)
    return Verdict(True, "promise" if status == 1 else "status %s" % status, runs,
                   status != 1, log)


def judge_relacy(program, subject, quick, log, _):
    executions, rounds = code_table.RELACY[subject]
    executions = executions // 4 if quick else executions
    done = children.run([program, str(executions), str(rounds)], LAST_RESORT)
    with open(log, "w") as f:
        f.write(done.stdout)
    m = re.search(r"^execution (\d+): (\w+(?: \w+)*) \(", done.stdout, re.M)
    if done.returncode == 0:
        return Verdict(False, "", "%d executions" % executions, log=log)
    if done.returncode == 1 and m:
        kind = {"user assert failed": "promise"}.get(m.group(2).lower(), m.group(2).lower())
        return Verdict(True, kind, "%s executions" % m.group(1), log=log)
    return Verdict(True, "status %d" % done.returncode, "", True, log)


def program(subject, tool, mutant, _, quick):
    log = keep(tool, subject, mutant and mutant[0], "")
    try:
        if mutant:
            path = build.build_mutant(subject, tool, *mutant)
        else:
            path = "%s/%s/%s/program" % (build.OUT, tool, subject)
        judge = judge_threads if tool == "threads" else judge_relacy
        # A mutant ends when it is flagged: it is given the whole of the runs even in a short form.
        return judge(path, subject, quick and not mutant, log, mutant)
    except (build.Broken, subprocess.TimeoutExpired) as wrong:
        with open(log, "w") as f:
            f.write(str(wrong))
        return Verdict(False, "could not be run", "", True, log)


# ---- Models --------------------------------------------------------------------------------

def model(subject, tool, mutant, text, quick):
    folder = "%s/spin/%s/%s" % (build.OUT, subject, re.sub(r"\W+", "-", text))
    folder += "/" + (mutant[0] if mutant else "good")
    os.makedirs(folder, exist_ok=True)
    log = folder + "/log"
    try:
        defines, options, _ = model_table.RUNS[subject, text]
        source = open("tests/verify/models/%s.pml" % subject).read()
        if mutant:
            source = build.mutate(source, "models/%s.pml" % subject, *mutant[1])
        with open(folder + "/model.pml", "w") as f:
            f.write(source)
        said = search(folder, defines, options)
    except (build.Broken, subprocess.TimeoutExpired) as wrong:
        with open(log, "w") as f:
            f.write(str(wrong))
        return Verdict(False, "could not be run", "", True, log)
    with open(log, "w") as f:
        f.write(said)
    return judge_model(said, log)


def search(folder, defines, options):
    """pan's own words; with the trail, if it found something."""
    safety = [] if "-a" in options else ["-DSAFETY"]
    defs = ["-D" + d for d in defines]
    made = children.run(["spin", "-a", *defs, "model.pml"], LAST_RESORT, cwd=folder)
    if made.returncode or "error" in made.stdout.lower():
        raise build.Broken(made.stdout)
    made = children.run(["gcc", "-O2", "-w", "-DMEMLIM=4000", "-DCOLLAPSE", "-DNFAIR=4", *safety,
                         "-o", "pan", "pan.c"], LAST_RESORT, cwd=folder)
    if made.returncode:
        raise build.Broken(made.stdout)
    text = children.run(["./pan", "-m2000000", "-w24", *options], LAST_RESORT, cwd=folder).stdout
    if os.path.exists(folder + "/model.pml.trail"):
        text += children.run(["spin", "-t", "-p", "-g", *defs, "model.pml"], LAST_RESORT,
                             cwd=folder).stdout
        os.unlink(folder + "/model.pml.trail")
    return text


def judge_model(said, log):
    errors = re.search(r"errors: (\d+)", said)
    states = re.search(r"([\d.e+]+) states, stored", said)
    count = "%d states" % float(states.group(1)) if states else ""
    if not errors or "out of memory" in said or "max search depth too small" in said:
        return Verdict(False, "search did not end", count, True, log)
    if errors.group(1) == "0":
        return Verdict(False, "", count, log=log)
    first = re.search(r"pan:\d+: (.*)", said)
    if not first:
        return Verdict(False, "an error without its kind", count, True, log)
    first = first.group(1)
    kind = "deadlock" if "invalid end state" in first else \
        "no progress" if "non-progress" in first or "acceptance" in first else "promise"
    return Verdict(True, kind, count, log=log)
