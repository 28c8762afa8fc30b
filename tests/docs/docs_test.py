"""That the documentation is true of files, commands, options, gauges, and who includes whom.

PYCHECK_BUILD is the build directory, and PYCHECK_CLI the built python-check.
"""

import glob
import json
import os
import re
import subprocess
import sys
import tempfile
import unittest
from typing import Any, Dict, Iterator, List, Set, Tuple

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
BUILD = os.environ["PYCHECK_BUILD"]
CLI = os.environ["PYCHECK_CLI"]

# A path that begins with one of these is one of the repository's, but for an Agent's own.
FOLDERS = (".ci", *(entry.name for entry in os.scandir(ROOT)
                    if entry.is_dir() and not entry.name.startswith((".", "build"))))
AGENTS_OWN_PATHS = {"conf.d/python.d/conf.yaml"}

# The Agent takes these from any instance of any check.
AGENTS_OWN_OPTIONS = {"loader", "service", "empty_default_hostname", "namespace", "no_index"}

# The shorter names of gauges leave this out.
PREFIX = "runtime.python."

# Waits until its standard input ends.
WAITS = "import sys; sys.stdout.write('\\n'); sys.stdout.flush(); sys.stdin.read()"


def documents() -> Dict[str, str]:
    """The documentation's texts, by their paths."""
    paths = ["README.md", "CONTRIBUTING.md", *glob.glob("docs/*.md", root_dir=ROOT)]
    texts = {}
    for path in paths:
        with open(os.path.join(ROOT, path), encoding="utf-8") as file:
            texts[path] = file.read()
    return texts


def without_blocks(text: str) -> str:
    """The text without its blocks of code."""
    return re.sub(r"^ *```.*?^ *```$", "", text, flags=re.MULTILINE | re.DOTALL)


def spans(text: str) -> List[str]:
    """What stands in backticks."""
    return re.findall(r"`([^`\n]+)`", without_blocks(text))


def console_lines(text: str) -> List[str]:
    """The commands in blocks of console text, one of several lines as its first."""
    blocks = re.findall(r"^ *```console$(.*?)^ *```$", text, flags=re.MULTILINE | re.DOTALL)
    return [line.strip()[2:] for block in blocks for line in block.splitlines()
            if line.strip().startswith("$ ")]


def words(text: str) -> Iterator[str]:
    """The words of what stands in backticks or is typed on a console; a target is the build's."""
    for line in spans(text) + console_lines(text):
        yield from (word.rstrip(",.;:)") for word in line.replace(" -t ", " -t build/").split())


def is_built(path: str) -> bool:
    """Whether the build makes it, or has made it."""
    target = "^build (.* )?{}[ :|]".format(re.escape(path))
    with open(os.path.join(BUILD, "build.ninja"), encoding="utf-8") as file:
        is_target = re.search(target, file.read(), re.MULTILINE)
    return bool(is_target) or os.path.exists(os.path.join(BUILD, path))


def is_there(path: str) -> bool:
    """Whether the repository has it, or the build makes it; of a pattern, whether any is so."""
    if path.startswith("build/"):
        return is_built(path[len("build/"):])
    return path in AGENTS_OWN_PATHS or bool(glob.glob(os.path.join(ROOT, path)))


def wrong_links(text: str, folder: str) -> List[str]:
    """The relative links of a document in this folder that lead nowhere."""
    targets = re.findall(r"\]\(([^)\s]+)\)", without_blocks(text))
    files = [target.partition("#")[0] for target in targets if not re.match(r"[a-z]+:", target)]
    return [file for file in files if file and not os.path.exists(os.path.join(folder, file))]


def wrong_paths(text: str) -> List[str]:
    """The paths of the repository or the build that are not there."""
    beginnings = tuple(folder + "/" for folder in (*FOLDERS, "build"))
    return [word for word in words(text) if word.startswith(beginnings) and not is_there(word)]


def wrong_commands(text: str) -> List[str]:
    """The commands of tools/ that are not there, or cannot be executed."""
    named = re.findall(r"(?:^|[\s`=])(tools/[\w./-]*[\w-])", text, flags=re.MULTILINE)
    # What is typed first is a command; what is only named, where its name says no other kind.
    typed = {line.split()[0] for line in console_lines(text)}
    wrong = set()
    for each in named:
        path = os.path.join(ROOT, each)
        is_command = each in typed or "." not in each and not os.path.isdir(path)
        if not os.path.exists(path) or is_command and not os.access(path, os.X_OK):
            wrong.add(each)
    return sorted(wrong)


def table_after(text: str, heading: str) -> List[List[str]]:
    """The rows of the first table that has these cells as its heading, without their borders."""
    rows = text[text.index(heading) + len(heading):].split("\n\n")[0].splitlines()
    return [[cell.strip() for cell in row.strip().strip("|").split("|")] for row in rows[2:]]


def documented_options(readme: str) -> Set[str]:
    """The options in the README's table."""
    rows = table_after(readme, "| option | type | default | meaning |")
    return {option for row in rows for option in re.findall(r"^`([^`]+)`$", row[0])}


def gauge_names(text: str) -> Set[str]:
    """What looks like the name of a gauge or a service check, or like what several begin with."""
    whole = set(re.findall(r"\bruntime\.python(?:\.[a-z0-9_]+)+", text))
    in_spans = set()
    for span in spans(text):
        if re.fullmatch(r"python(\.[a-z_]+){2,}", span):
            in_spans.add(span)
        if re.fullmatch(r"(cpu|gc|mem)(\.[a-z0-9_]+)+", span):
            in_spans.add(PREFIX + span)
    return whole | in_spans


def wrong_gauges(text: str, known: Set[str]) -> List[str]:
    """The names that are neither known nor stand for several that are."""
    return sorted(name for name in gauge_names(text)
                  if name not in known and not any(each.startswith(name + ".") for each in known))


def run_check(instances: List[Dict[str, Any]], init_config: Dict[str, Any],
              runs: int) -> Dict[str, Any]:
    """What python-check says of instances."""
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as conf:
        json.dump({"init_config": init_config, "instances": instances}, conf)  # JSON is YAML
        conf.flush()
        done = subprocess.run(
            [CLI, "--conf=" + conf.name, "--format=json", "--runs={}".format(runs),
             "--interval=100ms"], stdout=subprocess.PIPE, check=False)
    return json.loads(done.stdout)


def known_options(section: str) -> Set[str]:
    """The options that the check knows, as its error says for one that is like none of them."""
    none_such = {"x" * 40: 1}
    instance: Dict[str, Any] = {"name": "a", "pid": 1}
    if section == "instance":
        instance.update(none_such)
    errors = run_check([instance], none_such if section == "init_config" else {}, 1)["errors"]
    (message,) = [error["message"] for error in errors]
    return set(message.partition("the options are ")[2].split(", "))


def allowed_includes(table: List[List[str]]) -> Iterator[Tuple[str, Set[str]]]:
    """The folders of a table, and those that each may include."""
    libraries = {"lib/" + name for name in os.listdir(os.path.join(ROOT, "lib"))}
    for folders, may in table:
        names = re.findall(r"[a-z]+", re.sub(r"`[^`]*`", "", may))
        allowed = {"lib/" + name for name in names} & libraries
        if may.startswith("all of `lib/` but"):
            allowed = libraries - allowed
        for folder in re.findall(r"`([^`]+)/`", folders):
            yield folder, allowed | {folder} | set(re.findall(r"`(check/[^`]+\.h)`", may))


def wrong_includes(folder: str, allowed: Set[str]) -> List[str]:
    """What the files of a folder include of others than these folders and files."""
    wrong = []
    for path in glob.glob(os.path.join(ROOT, folder, "*.*")):
        with open(path, encoding="utf-8") as file:
            included = re.findall(r'^#include "((?:lib|check)/[^"]+)"', file.read(), re.MULTILINE)
        wrong += ["{} includes {}".format(path, header) for header in included
                  if os.path.dirname(header) not in allowed and header not in allowed]
    return wrong


class DocumentationTest(unittest.TestCase):
    """What the documents say."""

    maxDiff = None

    def setUp(self) -> None:
        self.documents = documents()

    def test_links_lead_to_files(self) -> None:
        wrong = {path: wrong_links(text, os.path.join(ROOT, os.path.dirname(path)))
                 for path, text in self.documents.items()}
        self.assertEqual(wrong, dict.fromkeys(self.documents, []))

    def test_paths_are_there(self) -> None:
        wrong = {path: wrong_paths(text) for path, text in self.documents.items()}
        self.assertEqual(wrong, dict.fromkeys(self.documents, []))

    def test_commands_can_be_executed(self) -> None:
        wrong = {path: wrong_commands(text) for path, text in self.documents.items()}
        self.assertEqual(wrong, dict.fromkeys(self.documents, []))

    def test_options_are_those_of_the_check(self) -> None:
        documented = documented_options(self.documents["README.md"])
        for section in ("instance", "init_config"):
            known = known_options(section)
            self.assertGreater(len(known), 1)
            mine = {option.partition(".")[2] if section == "init_config" else option
                    for option in documented
                    if option.startswith("init_config.") == (section == "init_config")}
            with self.subTest(section):
                self.assertEqual(mine - known, set(), "the check does not know these")
                self.assertEqual(known - mine - AGENTS_OWN_OPTIONS, set(), "the README lacks these")

    def test_gauges_are_those_of_the_check(self) -> None:
        with subprocess.Popen([sys.executable, "-c", WAITS], stdin=subprocess.PIPE,
                              stdout=subprocess.PIPE) as watched:
            watched.stdout.readline()
            instances = [{"name": "a", "pid": watched.pid, "aggregation": aggregation}
                         for aggregation in ("per_process", "sum")]
            said = run_check(instances, {}, 2)
            watched.stdin.close()
        self.assertEqual(said["errors"], [])
        gauges = {metric["name"] for metric in said["metrics"]}
        checks = {check["name"]: check["status"] for check in said["service_checks"]}
        if checks["python.gc.readable"] != "OK":
            self.skipTest("a child's memory may not be read here")
        for path, text in self.documents.items():
            with self.subTest(path):
                self.assertEqual(wrong_gauges(text, gauges | set(checks)), [])
        self.assertEqual((gauges | set(checks)) - gauge_names(self.documents["README.md"]), set(),
                         "the README lacks these")

    def test_folders_include_what_the_design_allows(self) -> None:
        design = self.documents["docs/design.md"]
        table = table_after(design, "| folder | includes, beside itself |")
        allowed = dict(allowed_includes(table))
        folders = {os.path.relpath(path, ROOT) for kind in ("lib", "check")
                   for path in glob.glob(os.path.join(ROOT, kind, "*/"))}
        self.assertEqual(set(allowed), {os.path.normpath(folder) for folder in folders})
        wrong = [each for folder, may in allowed.items() for each in wrong_includes(folder, may)]
        self.assertEqual(wrong, [])


class MistakesTest(unittest.TestCase):
    """That the tests above can fail."""

    def test_link(self) -> None:
        text = "[a](docs/design.md#doors) [b](docs/nothing.md) [c](https://docs.datadoghq.com)"
        self.assertEqual(wrong_links(text, ROOT), ["docs/nothing.md"])

    def test_path(self) -> None:
        text = ("`lib/base/file.h` `lib/base/nothing.h` `lib/*/nothing*.h` `subprojects/*.wrap` "
                "`build/check/cli/nothing` `build/check/cli/python-check`, `tests/nothing/`")
        self.assertEqual(wrong_paths(text), [
            "lib/base/nothing.h", "lib/*/nothing*.h", "build/check/cli/nothing", "tests/nothing/"])

    def test_command(self) -> None:
        text = ("tools/test `tools/nothing -x` tools/interpreters.d/files\n"
                "```console\n$ tools/nowhere\n$ tools/summary.py FILE\n```")
        self.assertEqual(wrong_commands(text),
                         ["tools/nothing", "tools/nowhere", "tools/summary.py"])

    def test_option(self) -> None:
        readme = ("\n| option | type | default | meaning |\n| --- | --- | --- | --- |\n"
                  "| `name` | string | | |\n| **and** | | | |\n"
                  "| `init_config.x` | string | | |\n\n| `y` |")
        self.assertEqual(documented_options(readme), {"name", "init_config.x"})

    def test_gauge(self) -> None:
        text = ("runtime.python.a.b, `runtime.python.*`, `a.b`, `mem.x` and `gc.count`, "
                "`python.p.q`, `python.abi3.so`, `python.d/`, runtime.python.a.c")
        known = {"runtime.python.a.b", "runtime.python.gc.count.gen0", "python.p.q"}
        self.assertEqual(wrong_gauges(text, known), ["runtime.python.a.c", "runtime.python.mem.x"])

    def test_include(self) -> None:
        table = [["`lib/procfs/`", "–"], ["`lib/sink/`", "base, config"],
                 ["`check/x/`", "all of `lib/` but elf"]]
        allowed = dict(allowed_includes(table))
        self.assertEqual(allowed["lib/sink"], {"lib/sink", "lib/base", "lib/config"})
        self.assertNotIn("lib/elf", allowed["check/x"])
        self.assertEqual(wrong_includes("lib/sink", allowed["lib/sink"]), [])
        self.assertNotEqual(wrong_includes("lib/procfs", allowed["lib/procfs"]), [])


if __name__ == "__main__":
    sys.path.insert(0, os.path.join(ROOT, "tests", "agent"))
    import tap

    sys.exit(0 if tap.run(unittest.defaultTestLoader.loadTestsFromName("__main__")) else 1)
