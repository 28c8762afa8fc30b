"""Every selector of Datadog's process check chooses what it chooses there.

The processes are Pythons, with odd names and command lines, users and descents; the rule is
process_rule.py's, by psutil.
"""

import json
import os
import resource
import signal
import subprocess
import sys
import tempfile
from typing import Any, Dict, List, Sequence, Set, Union

import fleet

# Anybody may run it.
PYTHON = os.path.realpath(sys.executable)
NOBODY = 65534
NAMELESS = 4242424  # a user that no file gives a name

READY = "import os, signal, sys; {}; os.write(1, b'\\n'); signal.pause()"
STILL = READY.format("0")
TAKE_NAME = READY.format("open('/proc/self/comm', 'wb').write(os.fsencode(sys.argv[1]))")
TAKE_TITLE = READY.format("import setproctitle; setproctitle.setproctitle(sys.argv[1])")
NAME_A_THREAD = READY.format(
    "import threading, time; thread = threading.Thread(target=signal.pause, daemon=True); "
    "thread.start(); open('/proc/self/task/%d/comm' % thread.native_id, 'w').write(sys.argv[1])")
# Does as it is told, a line at a time.
OBEY = ("import os, setproctitle, sys\n"
        "def take_name(name): open('/proc/self/comm', 'w').write(name)\n"
        "os.write(1, b'\\n')\n"
        "for line in sys.stdin: exec(line); os.write(1, b'\\n')")
TAKE_USER = READY.format("os.setresuid(*map(int, sys.argv[2:5]))")

Text = Union[str, bytes]


@fleet.NEEDS_APPS
class SelectionTest(fleet.FleetTestCase):
    """The pids of the series against those of the rule."""

    def setUp(self) -> None:
        super().setUp()
        self.mark = fleet.unique("odd")

    def start_ready(self, command: Sequence[Text], **options: Any) -> int:
        """The pid of a program that has said that it is ready."""
        workload = self.start(command, stdout=subprocess.PIPE, **options)
        self.assertEqual(workload.process.stdout.readline(), b"\n")
        return workload.pid

    def start_python(self, code: str, *arguments: Text, **options: Any) -> int:
        """The pid of a Python with this code and these arguments."""
        return self.start_ready([PYTHON, "-c", code, *arguments], **options)

    def start_from_input(self, command: Sequence[Text], executable: str) -> int:
        """The pid of a Python whose command line names neither it nor what it runs."""
        with tempfile.TemporaryFile() as program:
            program.write(STILL.encode())
            program.seek(0)
            return self.start_ready(command, executable=executable, stdin=program)

    def start_titled(self, title: str) -> int:
        """The pid of a Python that has put a title in the place of its command line."""
        return self.start_ready([fleet.APPS_PYTHON, "-c", TAKE_TITLE, title])

    def link_python(self, name: str) -> str:
        """The path of a Python of this name."""
        path = os.path.join(self.make_directory(), name)
        os.symlink(PYTHON, path)
        return path

    def assert_same(self, selectors: List[Dict[str, Any]], others: Set[int] = frozenset()) -> (
            List[Set[int]]):
        """Both choose the same, also when asked again, but for `others`; the chosen pids."""
        rule = subprocess.run(
            fleet.python_command("process_rule.py"), check=True,
            input=json.dumps(selectors).encode(), env=fleet.ENVIRONMENT, stdout=subprocess.PIPE)
        expected = [set(pids) - others for pids in json.loads(rule.stdout)]
        for selector, pids in zip(selectors, expected):
            with self.subTest(selector=selector):
                instance = self.make({"name": "odd", **selector})
                for _ in range(2):
                    self.assertEqual(self.observe(instance).pids, pids)
                    self.assertEqual(fleet.values_of("python.process.count"), [len(pids)])
        return expected

    def names(self, *search_string: str) -> Dict[str, Any]:
        """Selects by these names."""
        return {"search_string": list(search_string)}

    def patterns(self, *search_string: str) -> Dict[str, Any]:
        """Selects by what is found in command lines."""
        return {"search_string": list(search_string), "exact_match": False}

    def test_names(self) -> None:
        number = str(os.getpid())
        odd = [self.mark, ") R 1 (" + number, "(a) (b " + number, " " + number + " ",
               "%s\\" + number]
        pids = [self.start_python(TAKE_NAME, name) for name in odd]
        self.start_python(NAME_A_THREAD, self.mark)
        found = self.assert_same([
            *map(self.names, odd),
            self.names(*odd),
            self.names(self.mark, self.mark),
            self.names(self.mark.upper()),
            self.names(self.mark[:-1]),
            self.names(self.mark + "."),
            self.names("no-such-name", self.mark),
            {**self.names(self.mark), "exact_match": True},
        ])
        self.assertEqual(found[:5], [{pid} for pid in pids])
        self.assertEqual(found[-5:], [set(), set(), set(), {pids[0]}, {pids[0]}])

    def test_names_that_the_kernel_cuts(self) -> None:
        long_name = self.mark + "-longer-than-comm"
        script = os.path.join(self.make_directory(), long_name + ".py")
        with open(script, "w", encoding="utf-8") as file:
            file.write("#!{}\n{}".format(PYTHON, STILL))
        os.chmod(script, 0o755)
        only_word = self.mark + "-one-argument"
        pids = [
            self.start_ready([self.link_python(long_name), "-c", STILL]),
            self.start_ready([script]),
            self.start_titled(long_name + ": a title"),
            self.start_titled(long_name + "/" + self.mark),
            self.start_from_input([only_word + " of more words"], self.link_python(only_word)),
        ]
        found = self.assert_same([self.names(name) for name in (
            long_name, long_name[:15], long_name[:16], long_name + ": a title",
            long_name + ".py", self.mark, only_word, only_word + " of more words")])
        self.assertEqual(found[0], {pids[0]})
        self.assertEqual(found[1], {pids[1], pids[3]})

    def test_patterns(self) -> None:
        number = str(os.getpid())
        pids = [
            self.start_python(STILL, self.mark, "web", "--port=8000"),
            self.start_python(STILL, self.mark, "web", "--port=8001", ""),
            self.start_python(STILL, "two words " + self.mark, "worker"),
            self.start_titled(self.mark + ": master [app]"),
            self.start_titled(self.mark + ": worker [app]"),
            self.start_ready(["{} as it calls itself".format(self.mark), "-c", STILL],
                             executable=PYTHON),
        ]
        found = self.assert_same([self.patterns(pattern) for pattern in (
            self.mark,
            self.mark.upper(),
            "(?i)" + self.mark.upper(),
            self.mark + " web",
            self.mark + r" web --port=800\d",
            self.mark + r" web --port=(8001|8002)",
            self.mark + ": worker",
            self.mark + r": worker \[app\]",
            "^" + self.mark,
            "^" + self.mark + ": ",
            r"words odd-\d+ w.*r$",
            r"words odd-{} worke[^r]".format(number),
            r"\b{}\b.*--port".format(number),
            "^{} as ".format(self.mark),
            "o[a-d]+-{}".format(number),
        )] + [
            self.patterns("no-such-line", self.mark + " web", self.mark + ": master"),
            {**self.patterns(self.mark), "exact_match": True},
        ])
        self.assertEqual(found[0], set(pids))
        self.assertEqual(found[6], {pids[4]})

    def test_command_lines_that_are_long_or_no_text(self) -> None:
        def raise_limit() -> None:
            _, most = resource.getrlimit(resource.RLIMIT_STACK)
            resource.setrlimit(resource.RLIMIT_STACK, (64 << 20, most))

        pids = [
            self.start_python(STILL, *17 * ["x" * 125_000], self.mark + "-last",
                              preexec_fn=raise_limit),
            self.start_python(STILL, b"\xff\xfe", self.mark.encode() + b"-\xff-\xc3."),
            self.start_python(STILL, self.mark + "\nnext line"),
        ]
        found = self.assert_same([self.patterns(pattern) for pattern in (
            self.mark,
            self.mark + "-last",
            "xx {}-last$".format(self.mark),
            self.mark + r"-.-.\.",
            " .. " + self.mark,
            " ... " + self.mark,
            self.mark + ".next",
            self.mark + r"\snext",
        )])
        self.assertEqual(found[0], set(pids))
        self.assertEqual(found[1:5], [{pids[0]}, {pids[0]}, {pids[1]}, {pids[1]}])

    def test_patterns_of_more_than_ascii(self) -> None:
        e_acute, snowman = "\N{LATIN SMALL LETTER E WITH ACUTE}", "\N{SNOWMAN}"
        pids = [self.start_python(STILL, argument.format(self.mark)) for argument in (
            "{}-" + e_acute, "{}-" + snowman, "{}-" + 2 * snowman)]
        found = self.assert_same([self.patterns(self.mark + pattern) for pattern in (
            "-" + e_acute,
            "-.$",
            "-..$",
            "-[{}]$".format(e_acute + snowman),
            "-[^{}]$".format(snowman),
            "-{}?$".format(snowman),
            "-{}{{2}}$".format(snowman),
            "-(?i:{})$".format(e_acute.upper()),
        )])
        self.assertEqual(found[:3], [{pids[0]}, set(pids[:2]), {pids[2]}])

    def test_what_changes_between_two_runs(self) -> None:
        workload = self.start([fleet.APPS_PYTHON, "-c", OBEY], stdin=subprocess.PIPE,
                              stdout=subprocess.PIPE)
        workload.process.stdout.readline()
        other = fleet.unique("other")

        def tell(line: str) -> None:
            workload.process.stdin.write(line.encode() + b"\n")
            workload.process.stdin.flush()
            workload.process.stdout.readline()

        execute = "os.execv(sys.executable, [sys.executable, '-c', {!r}, '{}'])"
        for selector, change in (
                (self.names(self.mark), "take_name('{}')"),
                (self.patterns(self.mark), "setproctitle.setproctitle('{}')"),
                (self.patterns(self.mark), execute.format(OBEY, "{}"))):
            instance = self.make({"name": "odd", **selector})
            for name in 10 * [other, self.mark]:
                tell(change.format(name))
                self.assertEqual(self.observe(instance).pids,
                                 {workload.pid} if name == self.mark else set(), change)
        if os.geteuid() == 0:
            instance = self.make({"name": "odd", "pid": workload.pid, "user": "nobody"})
            for user in 5 * [0, NOBODY]:
                tell("os.setreuid({}, 0)".format(user))
                self.assertEqual(self.observe(instance).pids, {workload.pid} if user else set())

    def test_pids(self) -> None:
        pid = self.start_python(STILL)
        ended = self.start([PYTHON, "-c", ""])
        ended.process.wait()
        path = os.path.join(self.make_directory(), "pid")
        for text in ("{}", "{}\n", "  {} \n", "{}\nnot a number\n", "0{}\n"):
            with open(path, "w", encoding="ascii") as file:
                file.write(text.format(pid))
            self.assertEqual(self.assert_same([{"pid_file": path}]), [{pid}])
        self.assertEqual(
            self.assert_same([{"pid": pid}, {"pid": str(pid)}, {"pid": ended.pid}]),
            [{pid}, {pid}, set()])

    @fleet.NEEDS_ROOT
    def test_users(self) -> None:
        user = {"group": NOBODY, "extra_groups": []}
        pids = [
            self.start_python(TAKE_NAME, self.mark),
            self.start_python(TAKE_NAME, self.mark, user=NOBODY, **user),
            self.start_python(TAKE_NAME, self.mark, user=NAMELESS, **user),
            # Real, effective and saved user.
            self.start_python(TAKE_USER, self.mark, str(NOBODY), "0", "0"),
            self.start_python(TAKE_USER, self.mark, "0", str(NOBODY), "0"),
        ]
        names = ("root", "nobody", str(NAMELESS))
        found = self.assert_same([
            {**selector, "user": name} for name in names
            for selector in (self.patterns(self.mark), self.names(self.mark), {"pid": pids[1]})])
        self.assertEqual(found[0], {pids[0], pids[4]})
        self.assertEqual(found[3], {pids[1], pids[3]})
        self.assertEqual(found[6], {pids[2]})

    def test_descendants(self) -> None:
        for arguments in ([], ["adopt"]):
            name = self.mark + "".join(arguments)[:1]
            workload = self.start(fleet.python_command("workloads/tree.py", name, *arguments),
                                  stdout=subprocess.PIPE)
            others = set(json.loads(workload.process.stdout.readline()))
            found = self.assert_same([
                self.names(name),
                {**self.names(name), "collect_children": True},
                {"pid": workload.pid, "collect_children": True},
                {"pid": workload.pid, "collect_children": False},
                {**self.patterns("tree.py {}$".format(" ".join([name, *arguments]))),
                 "collect_children": True},
            ], others)
            self.assertEqual(found[0], {workload.pid})
            # The chain, the thread's child and where it is adopted the orphan.
            self.assertEqual(len(found[1]), 1 + 20 + 1 + len(arguments))

    def test_descendants_of_who_has_ended(self) -> None:
        workload = self.start(fleet.python_command("workloads/tree.py", self.mark),
                              stdout=subprocess.PIPE)
        workload.process.stdout.readline()
        instances = [self.make({"name": "odd", **selector, "collect_children": True})
                     for selector in (self.names(self.mark), {"pid": workload.pid})]
        for instance in instances:
            self.assertIn(workload.pid, self.observe(instance).pids)
        os.kill(workload.pid, signal.SIGKILL)
        os.waitid(os.P_PID, workload.pid, os.WEXITED | os.WNOWAIT)
        for instance in instances:
            self.assertEqual(self.observe(instance).pids, set())

    @fleet.NEEDS_ROOT
    def test_descendants_of_another_user(self) -> None:
        code = ("import os, signal, sys; reader, writer = os.pipe()\n"
                "if os.fork() == 0: "
                "os.setuid(int(sys.argv[1])); os.write(writer, b'.'); signal.pause()\n"
                "os.read(reader, 1)\n" + STILL)
        pid = self.start_python(code, str(NOBODY))
        (child,) = fleet.children(pid)
        found = self.assert_same([
            {"pid": pid, "user": name, "collect_children": collect}
            for name in ("root", "nobody") for collect in (False, True)])
        self.assertEqual(found, [{pid}, {pid}, set(), {child}])
