"""The wheel and the tarball, out of the objects that were just built."""

import hashlib
import importlib.util
import os
import pathlib
import re
import shutil
import stat
import subprocess
import sys
import tarfile
import tempfile
import unittest
import zipfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ["PYCHECK_BUILD"])
AGENTS = [ROOT / ".cache" / name for name in (
    "agent-py38", "agent-py39", "agent", "agent-py312", "agent-py313")]

sys.path.append(str(ROOT / "tests/agent"))
import tap  # noqa: E402

specification = importlib.util.spec_from_file_location("make", ROOT / "tools/packaging/make.py")
make = importlib.util.module_from_spec(specification)
specification.loader.exec_module(make)

VERSION = make.read_version()
MACHINE = os.uname().machine
USER, GROUP = 1234, 4321  # of dd-agent, in the other system

# As the Agent does it: `datadog_checks.python` first.
RUN = """
import os, sys
sys.path.append(sys.argv[1])
import stand_in
agent = stand_in.Agent().install()
check_class = stand_in.load_check_class("python")
instance = stand_in.Instance(check_class, "python:1", {}, {"name": "app", "pid": os.getpid()})
assert instance.run() == "", "it failed"
print(check_class.__module__)
"""


class WheelTest(unittest.TestCase):
    """What `agent integration install -w` and pip are given."""

    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.wheel = self.folder / make.package_names(MACHINE, VERSION)[0]
        self.files = make.wheel_files(BUILD, MACHINE, VERSION)
        make.make_wheel(self.files, self.wheel, VERSION)

    def test_the_same_objects_give_the_same_bytes(self) -> None:
        first = self.wheel.read_bytes()
        make.make_wheel(self.files, self.wheel, VERSION)
        self.assertEqual(self.wheel.read_bytes(), first)

    def test_it_says_what_the_agent_asks_for(self) -> None:
        with zipfile.ZipFile(self.wheel) as wheel:
            metadata = wheel.read(f"datadog_python-{VERSION}.dist-info/METADATA").decode()
            names = wheel.namelist()
        self.assertIn("\nName: datadog-python\n", metadata)
        self.assertIn("\nRequires-Dist: datadog-checks-base", metadata)
        self.assertIn("datadog_checks/python/data/conf.yaml.example", names)
        # The Agent would write it over what a person has configured.
        self.assertNotIn("datadog_checks/python/data/conf.yaml", names)
        # It is the base class's: removing the wheel would remove it.
        self.assertNotIn("datadog_checks/__init__.py", names)

    def test_the_licences_of_all_that_is_compiled_in_are_there(self) -> None:
        with zipfile.ZipFile(self.wheel) as wheel:
            names = " ".join(wheel.namelist())
        for wrap in (ROOT / "subprojects").glob("*.wrap"):
            directory = re.search(r"^directory = (.*)$", wrap.read_text(), re.M)[1]
            self.assertIn(f"/LICENSES/{directory}.txt", names)

    def test_an_agent_installs_it_beside_the_base_class_runs_it_and_removes_it(self) -> None:
        present = [agent for agent in AGENTS if (agent / "bin/python").exists()]
        if not present:
            self.skipTest("no environment with the base class: tools/setup agent")
        for agent in present:
            with self.subTest(agent.name):
                self.assert_comes_and_goes(agent)

    def assert_comes_and_goes(self, agent: pathlib.Path) -> None:
        """In a copy of an Agent's environment, by the commands that the Agent runs."""
        copy = self.folder / agent.name
        shutil.copytree(agent, copy, symlinks=True)
        python = copy / "bin/python"
        constraints = self.folder / "final_constraints-py3.txt"
        constraints.write_text(self.pip(python, "freeze"))
        before = files_in(copy)
        broken = self.broken_requirements(python)
        self.pip(python, "install", "--constraint", str(constraints), "--no-cache-dir",
                 "--no-index", "--no-deps", str(self.wheel))
        self.assertEqual(self.broken_requirements(python), broken)
        # The Agent takes from here what it puts into conf.d/python.d.
        (package,) = copy.glob("lib/python3*/site-packages/datadog_checks/python")
        self.assertEqual([path.name for path in (package / "data").iterdir()],
                         ["conf.yaml.example"])
        run = subprocess.run([python, "-B", "-c", RUN, str(ROOT / "tests/agent")], check=True,
                             stdout=subprocess.PIPE, text=True)
        self.assertEqual(run.stdout, "datadog_checks.python.python\n")
        self.pip(python, "uninstall", "-y", "datadog-python")
        self.assertEqual(files_in(copy), before)

    @staticmethod
    def broken_requirements(python: pathlib.Path) -> str:
        """Of the base class there are some: what the check does not need is not there."""
        return subprocess.run(
            [python, "-B", "-m", "pip", "check", "--disable-pip-version-check"],
            check=False, stdout=subprocess.PIPE, text=True).stdout

    @staticmethod
    def pip(python: pathlib.Path, command: str, *options: str) -> str:
        """What it prints."""
        return subprocess.run(
            [python, "-B", "-m", "pip", command, "--disable-pip-version-check", *options],
            check=True, stdout=subprocess.PIPE, text=True,
            env={**os.environ, "PIP_ROOT_USER_ACTION": "ignore"}).stdout


def files_in(folder: pathlib.Path) -> "set[str]":
    """Of everything beneath it, but for what an interpreter has compiled."""
    return {str(path) for path in folder.rglob("*") if "__pycache__" not in path.parts}


@unittest.skipIf(os.geteuid() != 0, "only root can give files to others")
class TarballTest(unittest.TestCase):
    """Its script, in the files of another system."""

    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.tarball = self.folder / make.package_names(MACHINE, VERSION)[1]
        make.make_tarball(make.tarball_files(BUILD), self.tarball)
        with tarfile.open(self.tarball) as tarball:
            tarball.extractall(self.folder)
        self.script = self.folder / self.tarball.name.removesuffix(".tar.gz") / "install"
        self.root = self.folder / "root"
        (self.root / "etc/datadog-agent").mkdir(parents=True)
        (self.root / "etc/passwd").write_text(f"dd-agent:x:{USER}:{GROUP}::/:/bin/false\n")
        (self.root / "etc/group").write_text(f"dd-agent:x:{GROUP}:\n")

    def install(self, *options: str) -> "subprocess.CompletedProcess[str]":
        """Runs the script on the other system."""
        return subprocess.run(["sh", self.script, f"--root={self.root}", *options],
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def install_here(self, machine: str) -> str:
        """What the script says on this system if uname(1) calls it so. It ends before it writes."""
        stand_ins = self.folder / "bin"
        stand_ins.mkdir(exist_ok=True)
        for name, line in {"uname": f"echo {machine}", "mktemp": "exit 1"}.items():
            (stand_ins / name).write_text(f"#!/bin/sh\n{line}\n")
            (stand_ins / name).chmod(0o755)
        done = subprocess.run(["sh", self.script], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              text=True, env={"PATH": f"{stand_ins}:{os.environ['PATH']}"})
        self.assertEqual((done.returncode, done.stdout), (1, ""))
        return done.stderr

    def snapshot(self) -> "dict[str, tuple[int, int, str]]":
        """Owner, group and mode of everything under the Agent's folder."""
        etc = self.root / "etc/datadog-agent"
        return {str(path.relative_to(etc)): (
            path.stat().st_uid, path.stat().st_gid, stat.filemode(path.stat().st_mode))
                for path in etc.rglob("*")}

    def test_the_same_objects_give_the_same_bytes(self) -> None:
        first = hashlib.sha256(self.tarball.read_bytes()).digest()
        make.make_tarball(make.tarball_files(BUILD), self.tarball)
        self.assertEqual(hashlib.sha256(self.tarball.read_bytes()).digest(), first)

    def test_owners_and_modes_are_those_that_the_loaders_demand(self) -> None:
        done = self.install()
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        object_mode, folder_mode = (0, GROUP, "-r-xr-x---"), (USER, GROUP, "drwxr-xr-x")
        self.assertEqual(self.snapshot(), {
            "checks.d": folder_mode,
            "checks.d/python.abi3.so": object_mode,
            "checks.d/libdatadog-agent-python.so": object_mode,
            "conf.d": folder_mode,
            "conf.d/python.d": folder_mode,
            "conf.d/python.d/conf.yaml.example": (USER, GROUP, "-rw-r--r--")})

    def test_it_replaces_its_own_files_and_leaves_a_configuration_alone(self) -> None:
        self.install()
        configuration = self.root / "etc/datadog-agent/conf.d/python.d/conf.yaml"
        configuration.write_text("instances: []\n")
        once = self.snapshot()
        self.assertEqual(self.install().returncode, 0)
        self.assertEqual(self.snapshot(), once)
        removed = self.install("--uninstall")
        self.assertEqual(removed.returncode, 0)
        self.assertIn("is left", removed.stdout)
        self.assertEqual(configuration.read_text(), "instances: []\n")

    def test_it_removes_all_that_it_brought(self) -> None:
        for folder in ("checks.d", "conf.d"):
            (self.root / "etc/datadog-agent" / folder).mkdir()
        before = self.snapshot()
        self.install()
        self.assertNotEqual(self.snapshot(), before)
        removed = self.install("--uninstall")
        self.assertEqual((removed.returncode, removed.stdout, removed.stderr), (0, "", ""))
        self.assertEqual(self.snapshot(), before)

    def test_it_tells_of_the_rights_that_are_left_when_it_is_gone(self) -> None:
        rights = self.root / "etc/systemd/system/datadog-agent.service.d/python-check.conf"
        rights.parent.mkdir(parents=True)
        shutil.copy(ROOT / "tools/packaging/python-check.conf", rights)
        (rights.parent / "limits.conf").write_text("[Service]\nLimitNOFILE=65536\n")
        self.install()
        self.assertEqual(self.install("--uninstall").stdout,
                         f"{rights} is left, which gives the Agent rights for the check\n")
        self.assertTrue(rights.exists())

    def test_objects_for_another_machine_stay_out_of_this_system(self) -> None:
        ours, other = "x86_64", "aarch64"
        if os.uname().machine == other:
            ours, other = other, ours
        self.assertEqual(
            self.install_here(other),
            f"install: {self.script.parent}/checks.d/python.abi3.so is for {ours}, and this "
            f"system is {other}: take the tarball for {other}, or give --root\n")
        self.assertNotIn("tarball", self.install_here(ours))

    def test_another_system_may_be_of_another_machine(self) -> None:
        for name, machine in {"python.abi3.so": 183, "libdatadog-agent-python.so": 62}.items():
            with (self.script.parent / "checks.d" / name).open("r+b") as file:
                file.seek(18)  # e_machine
                file.write(machine.to_bytes(2, "little"))
        done = self.install()
        self.assertEqual((done.returncode, done.stderr), (0, ""))

    def test_mistakes_are_named_with_their_remedy(self) -> None:
        (self.root / "etc/passwd").write_text("")
        cases = {
            ("--root=",): "--root: give a folder",
            ("--remove",): 'no option "--remove"; there are --root=DIR and --uninstall',
            ("--root=/no/such",): "--root: there is no folder /no/such",
            (): f"there is no user and group dd-agent in {self.root}/etc: install the Agent first"}
        for options, message in cases.items():
            with self.subTest(message):
                done = self.install(*options)
                self.assertEqual(done.returncode, 1)
                self.assertEqual(done.stderr, f"install: {message}\n")
                self.assertEqual(self.snapshot(), {})


class LibcTest(unittest.TestCase):
    """Objects that want a newer C library do not get into a package."""

    def test_what_was_built_for_this_machine_is_refused(self) -> None:
        oldest = make.LIBC
        self.addCleanup(setattr, make, "LIBC", oldest)
        make.LIBC = (2, 1)
        with self.assertRaisesRegex(SystemExit, "wants glibc"):
            make.check_libc(BUILD)
        make.LIBC = (3, 0)
        make.check_libc(BUILD)


if __name__ == "__main__":
    SUITE = unittest.defaultTestLoader.loadTestsFromModule(sys.modules["__main__"])
    sys.exit(0 if tap.run(SUITE) else 1)
