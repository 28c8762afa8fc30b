"""That every command of the documentation works: each is run here, or where it is said below.

PYCHECK_BUILD is the build directory, and PYCHECK_CLI the built python-check.
"""

import fnmatch
import importlib.util
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import unittest
from typing import Dict, List

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ["PYCHECK_BUILD"])
CLI = os.environ["PYCHECK_CLI"]
AGENT_PYTHON = ROOT / ".cache/agent/bin/python"
DOCUMENTS = ("README.md", "CONTRIBUTING.md", "integration/README.md",
             *(str(path.relative_to(ROOT)) for path in (ROOT / "docs").glob("*.md")))

# Commands that take too long or change too much to be run here, and the file that runs them: each
# has the text behind.
ELSEWHERE = {
    "tools/demo": (".ci/run", "step 'the demonstration' tools/demo"),
    "tools/test": (".ci/run", "tools/test build -Dwerror=true"),
    "tools/package x86_64": (".ci/run", "tools/package x86_64"),
    "tools/package --test aarch64": (".ci/run", "tools/package --test aarch64"),
    "tools/bench": (".ci/run", "step 'benchmarks' tools/bench"),
    "tools/interpreters 3.15t": (".ci/run", "step 'Pythons to test against' tools/interpreters"),
    "clang-format *": (".ci/run", "clang-format --dry-run -Werror"),
    "clang-tidy *": (".ci/run", "clang-tidy -p build --quiet"),
    "export CC=clang CXX=clang++": (".ci/run", "export CC=clang CXX=clang++"),
    "tools/build": ("tools/test", 'tools/build "$@"'),
    "tools/build -t doors": ("tools/demo", "tools/build -t doors"),
    "tools/build -t tests/* build-sanitize *": (".ci/run", "tools/test build-sanitize"),
    ".cache/build/bin/meson test -C build* --no-rebuild *": ("tools/test", "meson test -C"),
    "sudo * datadog-agent integration install -w *": (
        "tests/packaging/packages_test.py", '"install", "--constraint"'),
    "sudo systemctl edit datadog-agent": ("tests/fleet/container_test.py", "dac_read_search"),
    "pip install ddtrace": ("tools/requirements/apps.txt", "ddtrace=="),
    "pip install datadog": ("tools/requirements/apps.txt", "datadog=="),
    "* ddtrace-run <COMMAND>": ("tests/fleet/tracer_test.py", '"ddtrace-run")'),
}

# A person, and what a machine with an Agent has: by the name, what it does. `vi` writes the
# instance that a person would write.
STAND_INS = {
    "sudo": 'while :; do case $1 in -u) shift 2 ;; --) shift ;; *) exec "$@" ;; esac; done',
    "vi": 'printf "init_config:\\ninstances:\\n  - {{name: app, pid: {pid}}}\\n" >"$1"',
    "systemctl": '[ "$*" = "restart datadog-agent" ]',
    "datadog-agent": '[ "$*" = "check python --check-rate" ] || exit 1\n'
                     'exec {python} -B {root}/tests/agent/run_check.py --runs 2 --interval 0.2 '
                     '--door /etc/datadog-agent/checks.d '
                     '--conf /etc/datadog-agent/conf.d/python.d/conf.yaml',
}

# Where another /etc can be mounted.
APART = ("unshare", "--mount")

# A sanitizer's runtime is meant for the check in an Agent's Python, and for nothing else.
PLAIN = {name: value for name, value in os.environ.items()
         if name not in ("ASAN_OPTIONS", "LD_PRELOAD")}

# Waits until its standard input ends.
WAITS = "import sys; sys.stdout.write('\\n'); sys.stdout.flush(); sys.stdin.read()"


def blocks(document: str) -> List[List[str]]:
    """The commands of each block that is typed, without their comments and output."""
    text = (ROOT / document).read_text()
    found = []
    for kind, block in re.findall(r"^ *```(console|shell)$(.*?)^ *```$", text, re.M | re.S):
        lines = block.replace("\\\n", "").strip().splitlines()
        if kind == "console":
            lines = [line.strip()[2:] for line in lines if line.strip().startswith("$ ")]
        found.append([re.sub(r" +", " ", re.sub(r" +#.*", "", line)).strip() for line in lines])
    return found


def code_of(file: str) -> str:
    """Without the lines that are comments."""
    lines = (ROOT / file).read_text().splitlines()
    return "\n".join(line for line in lines if not line.lstrip().startswith("#"))


def block_with(document: str, beginning: str) -> List[str]:
    """The first block that has a command which begins so."""
    return next(block for block in blocks(document)
                if any(line.startswith(beginning) for line in block))


class CommandsTest(unittest.TestCase):
    """As a person types them."""

    run_here: Dict[str, List[str]] = {
        "by hand": block_with("README.md", "build/check/cli/python-check"),
        "install": [*block_with("integration/README.md", "tar xzf"),
                    *block_with("README.md", "cd /etc/datadog-agent"),
                    *block_with("integration/README.md", "sudo -u dd-agent -- datadog-agent check")],
        "a test": [line for block in blocks("CONTRIBUTING.md") for line in block
                   if line.startswith("build/tests/")],
        "a layout": block_with("CONTRIBUTING.md", "tools/layout/print"),
        "packages": ["ls dist"],
    }

    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        watched = subprocess.Popen([sys.executable, "-c", WAITS], stdin=subprocess.PIPE,
                                   stdout=subprocess.PIPE)
        self.addCleanup(watched.communicate)
        watched.stdout.readline()
        self.pid = watched.pid

    def run_script(self, lines: List[str], *apart: str, **options: object) -> str:
        """What the commands print, by a shell that `apart` runs; the first that fails ends it."""
        done = subprocess.run([*apart, "bash", "-euc", "\n".join(lines)], stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, check=False,
                              **{"cwd": ROOT, "env": PLAIN, **options})
        self.assertEqual(done.returncode, 0, done.stdout)
        return done.stdout

    def test_each_is_run(self) -> None:
        said = {line for document in DOCUMENTS for block in blocks(document) for line in block}
        here = {line for lines in self.run_here.values() for line in lines}
        elsewhere = {line for pattern in ELSEWHERE for line in fnmatch.filter(said, pattern)}
        self.assertEqual(said - here - elsewhere, set(), "nothing runs these")
        for pattern, (file, text) in ELSEWHERE.items():
            with self.subTest(pattern):
                self.assertTrue(fnmatch.filter(said, pattern), "nobody is told to type it")
                self.assertIn(text, code_of(file))

    def test_those_by_hand(self) -> None:
        conf = self.folder / "conf.yaml"
        conf.write_text(f"instances: [{{name: app, pid: {self.pid}}}]\n")
        lines = [line.replace("build/check/cli/python-check", CLI)
                 .replace("--pid=1234", f"--pid={self.pid}")
                 .replace("/etc/datadog-agent/conf.d/python.d/conf.yaml", str(conf))
                 for line in self.run_here["by hand"]]
        output = self.run_script(lines)
        self.assertIn("gen0", output)
        self.assertIn('"runtime.python.thread_count"', output)

    def test_that_of_one_case(self) -> None:
        (line,) = self.run_here["a test"]
        output = self.run_script([line.replace("build/", f"{BUILD}/", 1)])
        self.assertRegex(output, r"\[  PASSED  \] [1-9]")

    def test_that_of_a_layout(self) -> None:
        (line,) = self.run_here["a layout"]
        if not os.path.isdir(os.path.expanduser(line.split()[1])):
            self.skipTest("what tools/interpreters brings is missing")
        self.assertRegex(self.run_script([line]), r"\{.*\}")

    def test_packages_are_called_as_it_is_said(self) -> None:
        text = (ROOT / "README.md").read_text()
        said = re.search(r"^\$ ls dist\n(.*?)^```$", text, re.M | re.S)[1].split()
        self.assertEqual(said, sorted(make.package_names("x86_64", make.read_version())))

    def test_those_that_install_it(self) -> None:
        if subprocess.call([*APART, "true"], stderr=subprocess.DEVNULL) != 0:
            self.skipTest("no other /etc can be mounted here")
        if not AGENT_PYTHON.exists():
            self.skipTest("no environment with the base class: tools/setup agent")
        etc = self.folder / "etc"
        (etc / "datadog-agent").mkdir(parents=True)
        (etc / "passwd").write_text("root:x:0:0::/:/bin/sh\ndd-agent:x:1234:4321::/:/bin/false\n")
        (etc / "group").write_text("root:x:0:\ndd-agent:x:4321:\n")
        shutil.copy("/etc/ld.so.cache", etc)
        tarball = self.folder / "datadog-python-check-<VERSION>-<ARCHITECTURE>.tar.gz"
        make.make_tarball(make.tarball_files(BUILD), tarball)
        stand_ins = self.folder / "bin"
        stand_ins.mkdir()
        for name, script in STAND_INS.items():
            path = stand_ins / name
            path.write_text("#!/bin/sh\n" + script.format(
                pid=self.pid, python=AGENT_PYTHON, root=ROOT))
            path.chmod(0o755)
        lines = [re.sub(r"<[A-Z]+>", r"'\g<0>'", line) for line in self.run_here["install"]]
        output = self.run_script(
            ["mount --bind etc /etc", *lines], *APART, cwd=self.folder,
            env={**os.environ, "PATH": f"{stand_ins}:{os.environ['PATH']}"})
        self.assertEqual(output.count("python.gc.readable: OK"), 2, output)


def load_make() -> object:
    """What makes the packages."""
    path = ROOT / "tools/packaging/make.py"
    specification = importlib.util.spec_from_file_location("make", path)
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


make = load_make()


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT / "tests/agent"))
    import tap

    sys.exit(0 if tap.run(unittest.defaultTestLoader.loadTestsFromName("__main__")) else 1)
