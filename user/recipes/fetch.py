# SPDX-License-Identifier: MIT
"""Fetches the source package that a recipe names, through the machine's own apt sources.

usage: fetch.py RECIPE_DIR OUT_DIR

Leaves OUT_DIR/src (a folder, or a link to the one that the recipe's override variable names) and
OUT_DIR/version (package version, file name, sha256). A tarball that is already in OUT_DIR is used
again, so that the network is needed once.

apt works in a state of its own below OUT_DIR and needs no root: source lines are derived from the
machine's (/etc/apt, both formats). A mirror may list a version whose tarball it does not have, so
every version of the machine's own suites is tried, then those of newer suites of the same mirror.
"""
import glob
import hashlib
import os
import re
import shutil
import subprocess
import sys

NEWER = {"debian": ["trixie", "forky", "sid"], "ubuntu": ["plucky", "questing", "resolute"]}


class Recipe:
    def __init__(self, folder):
        self.name = os.path.basename(folder.rstrip("/"))
        self.sha256 = {}
        for line in open(os.path.join(folder, "recipe")):
            word = line.split("#")[0].split()
            if not word:
                continue
            if word[0] == "package":
                self.package = word[1]
            elif word[0] == "override":
                self.override = word[1]
            elif word[0] == "probe":
                self.probe = word[1:]
            elif word[0] == "sha256":
                self.sha256[word[1]] = word[2]
            else:
                sys.exit("%s: unknown word '%s'" % (folder, word[0]))

    def holds(self, folder):
        return any(os.path.exists(os.path.join(folder, p)) for p in self.probe)


def os_release():
    fields = dict(re.findall(r'^(\w+)="?([^"\n]*)"?$', open("/etc/os-release").read(), re.M))
    family = "ubuntu" if "ubuntu" in (fields.get("ID", ""), fields.get("ID_LIKE", "")) else "debian"
    return family, fields.get("VERSION_CODENAME", "")


def stanzas(text):
    """The paragraphs of a deb822 file as dictionaries."""
    for block in re.split(r"\n\s*\n", text):
        fields, key = {}, None
        for line in block.splitlines():
            if line.startswith("#"):
                continue
            if line[:1].isspace() and key:
                fields[key] += "\n" + line.strip()
            elif ":" in line:
                key, value = line.split(":", 1)
                key = key.strip().lower()
                fields[key] = value.strip()
        if fields:
            yield fields


def machine_sources():
    """(uri, suite, components, signed-by) of everything that the machine installs from."""
    for path in glob.glob("/etc/apt/sources.list.d/*.sources"):
        for s in stanzas(open(path).read()):
            if s.get("enabled", "yes").lower() == "no" or "deb" not in s.get("types", ""):
                continue
            for uri in s.get("uris", "").split():
                for suite in s.get("suites", "").split():
                    yield uri, suite, s.get("components", ""), s.get("signed-by", "")
    for path in ["/etc/apt/sources.list"] + glob.glob("/etc/apt/sources.list.d/*.list"):
        if not os.path.exists(path):
            continue
        for line in open(path):
            m = re.match(r"\s*deb(?:-src)?\s+(?:\[([^]]*)\]\s+)?(\S+)\s+(\S+)\s+([^#]*)", line)
            if m:
                signed = re.search(r"signed-by=(\S+)", m.group(1) or "", re.I)
                yield m.group(2), m.group(3), m.group(4).strip(), signed.group(1) if signed else ""


def own_sources():
    """The distribution's own lines; all lines where none carries its code name."""
    found = list(dict.fromkeys(machine_sources()))
    codename = os_release()[1]
    own = [s for s in found if codename and s[1].split("-")[0] == codename]
    return own or found


def newer_sources():
    family, codename = os_release()
    suites = NEWER[family]
    if codename in suites:
        suites = suites[suites.index(codename) + 1:]
    base = [s for s in own_sources() if s[1] == codename] or own_sources()[:1]
    return [(uri, suite, parts, key) for suite in suites for uri, _, parts, key in base]


class Apt:
    """An apt state of its own, for source packages only."""

    def __init__(self, folder, sources):
        self.folder = os.path.abspath(folder)
        shutil.rmtree(self.folder, ignore_errors=True)
        for sub in ("lists/partial", "cache/archives/partial", "parts"):
            os.makedirs(os.path.join(self.folder, sub))
        open(os.path.join(self.folder, "status"), "w").close()
        with open(os.path.join(self.folder, "own.sources"), "w") as out:
            for uri, suite, parts, key in sources:
                out.write("Types: deb-src\nURIs: %s\nSuites: %s\n" % (uri, suite))
                if parts:
                    out.write("Components: %s\n" % parts)
                if key:
                    out.write("Signed-By: %s\n" % key.replace("\n", "\n "))
                out.write("\n")
        shutil.move(os.path.join(self.folder, "own.sources"),
                    os.path.join(self.folder, "parts/own.sources"))

    def run(self, *args, cwd=None):
        options = {
            "Dir::State": self.folder,
            "Dir::State::lists": self.folder + "/lists",
            "Dir::State::status": self.folder + "/status",
            "Dir::Cache": self.folder + "/cache",
            "Dir::Etc::sourcelist": "/dev/null",
            "Dir::Etc::sourceparts": self.folder + "/parts",
            "Acquire::Languages": "none",
            "Acquire::Retries": "2",
            "APT::Sandbox::User": "root",
        }
        command = [args[0]]
        for key, value in options.items():
            command += ["-o", "%s=%s" % (key, value)]
        return subprocess.run(command + list(args[1:]), cwd=cwd, text=True,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT)

    def versions(self, package):
        out = self.run("apt-cache", "showsrc", "--only-source", package).stdout
        found = re.findall(r"^Version: (\S+)$", out, re.M)
        return list(dict.fromkeys(found))


def tarball_in(folder):
    found = sorted(glob.glob(os.path.join(folder, "*.orig.tar.*")))
    return [f for f in found if not f.endswith((".asc", ".partial"))]


def download(recipe, out):
    """Returns the tarball's path and the package version."""
    log = []
    for label, sources in (("own", own_sources()), ("newer", newer_sources())):
        if not sources:
            continue
        apt = Apt(os.path.join(out, "apt-" + label), sources)
        log.append(apt.run("apt-get", "update").stdout)
        for version in apt.versions(recipe.package):
            done = apt.run("apt-get", "source", "--download-only", "--tar-only",
                           "%s=%s" % (recipe.package, version), cwd=out)
            log.append(done.stdout)
            found = tarball_in(out)
            if done.returncode == 0 and found:
                return found[-1], version
            for broken in found:
                os.unlink(broken)
    sys.stderr.write("".join(log[-4:]))
    sys.exit("%s: apt gives no source of package '%s'.\n"
             "Fetch that package's source yourself, unpack it and say where it is: make %s=FOLDER"
             % (recipe.name, recipe.package, recipe.override))


def upstream(version):
    return re.sub(r"^\d+:", "", version).rsplit("-", 1)[0].split("+")[0]


def check(recipe, tarball, version):
    digest = hashlib.sha256(open(tarball, "rb").read()).hexdigest()
    known = recipe.sha256.get(upstream(version))
    if known and known != digest:
        os.unlink(tarball)
        sys.exit("%s: %s has sha256 %s, expected %s; it was removed"
                 % (recipe.name, os.path.basename(tarball), digest, known))
    return digest


def unpack(recipe, tarball, src):
    shutil.rmtree(src + ".new", ignore_errors=True)
    os.makedirs(src + ".new")
    subprocess.run(["tar", "-xf", tarball, "-C", src + ".new", "--strip-components=1"], check=True)
    if not recipe.holds(src + ".new"):
        sys.exit("%s: %s does not hold %s" % (recipe.name, tarball, recipe.probe[0]))
    os.rename(src + ".new", src)


def main():
    recipe, out = Recipe(sys.argv[1]), sys.argv[2]
    os.makedirs(out, exist_ok=True)
    src = os.path.join(out, "src")
    if os.path.islink(src):
        os.unlink(src)
    else:
        shutil.rmtree(src, ignore_errors=True)

    given = os.environ.get(recipe.override, "")
    if given:
        if not recipe.holds(given):
            sys.exit("%s=%s: no %s there" % (recipe.override, given, recipe.probe[0]))
        os.symlink(os.path.abspath(given), src)
        record = "given %s\n" % os.path.abspath(given)
    else:
        kept = tarball_in(out)
        if kept:
            tarball = kept[-1]
            version = os.path.basename(tarball).split("_", 1)[1].split(".orig.tar", 1)[0]
        else:
            if not shutil.which("apt-get"):
                sys.exit("%s: there is no apt here; say where the source of '%s' is: make %s=FOLDER"
                         % (recipe.name, recipe.package, recipe.override))
            tarball, version = download(recipe, out)
        digest = check(recipe, tarball, version)
        unpack(recipe, tarball, src)
        record = "%s %s %s\n" % (version, os.path.basename(tarball), digest)
    with open(os.path.join(out, "version"), "w") as f:
        f.write(record)


if __name__ == "__main__":
    main()
