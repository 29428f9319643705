# SPDX-License-Identifier: MIT
"""Results of tests, and what `make test` says of them: lines, JUnit XML, the sum at the end."""
import os
import re
import sys
import threading
import xml.etree.ElementTree as xml


class Result:
    """Of one test in one run. `skipped` says why it did not apply there; it is ok then."""

    def __init__(self, name, ok, seconds=0.0, message="", log="", skipped=""):
        self.name, self.ok, self.seconds = name, ok, seconds
        self.message, self.log, self.skipped = message, log, skipped

    def line(self):
        if self.skipped:
            return "skip   %s: %s" % (self.name, self.skipped)
        if self.ok:
            return "ok     %s" % self.name
        return "FAILED %s%s%s" % (self.name, ": " + self.message if self.message else "",
                                  " (output: %s)" % self.log if self.log else "")


class Report:
    """What is printed, by whichever job ends."""

    def __init__(self):
        self.lock = threading.Lock()
        self.results, self.seconds = [], {}

    def add(self, results, group=None, seconds=0.0):
        with self.lock:
            if group:
                self.seconds[group] = self.seconds.get(group, 0.0) + seconds
            self.results += results
            for r in results:
                print(r.line())
            sys.stdout.flush()

    def write_xml(self, path):
        top = xml.Element("testsuites")
        groups = {}
        for r in self.results:
            group = r.name.partition("/")[0]
            suite = groups.setdefault(group, xml.SubElement(top, "testsuite", name=group)
                                      if group not in groups else groups[group])
            case = xml.SubElement(suite, "testcase", classname=os.path.dirname(r.name) or group,
                                  name=os.path.basename(r.name), time="%.3f" % r.seconds)
            if r.skipped:
                xml.SubElement(case, "skipped", message=clean(r.skipped))
            elif not r.ok:
                fail = xml.SubElement(case, "failure", message=clean(r.message or "failed"))
                fail.text = clean(tail(r.log))
        for suite in groups.values():
            suite.set("tests", str(len(suite)))
            suite.set("failures", str(len(suite.findall("testcase/failure"))))
            suite.set("skipped", str(len(suite.findall("testcase/skipped"))))
        xml.ElementTree(top).write(path, encoding="utf-8", xml_declaration=True)

    def close(self):
        """The last lines; True: something failed, or nothing was tested."""
        failed = [r for r in self.results if not r.ok]
        skipped = [r for r in self.results if r.skipped]
        if failed:
            print("\nFailed:")
            for r in failed:
                print("  %s%s" % (r.name, "   " + r.log if r.log else ""))
        if skipped:
            print("%d skipped" % len(skipped))
        passed = len(self.results) - len(failed) - len(skipped)
        print("%d passed, %d failed" % (passed, len(failed)))
        return bool(failed) or not passed


def clean(text):
    """Without the characters that XML cannot hold."""
    return re.sub(r"[^\t\n\x20-\ud7ff\ue000-\ufffd]", "?", text)


def tail(path):
    if not path or not os.path.exists(path):
        return ""
    with open(path, errors="replace") as f:
        return f.read()[-20000:]
