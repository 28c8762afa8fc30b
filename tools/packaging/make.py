"""Makes a wheel and a tarball of one architecture's objects:  make.py BUILD ARCHITECTURE OUTPUT

The same objects give the same bytes: times, owners, modes and order are fixed. Ends where the
objects want a newer C library than they are meant for.
"""

import base64
import gzip
import hashlib
import io
import pathlib
import re
import subprocess
import sys
import tarfile
import zipfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "integration/datadog_checks/python"
CONFIGURATION = ROOT / "conf.d/python.d"

# Where the oldest Agents run: RHEL 7.
LIBC = (2, 17)

WHEEL_TIME = (1980, 1, 1, 0, 0, 0)  # the earliest that there is in a zip file

METADATA = """\
Metadata-Version: 2.1
Name: datadog-python
Version: {version}
Summary: Runtime metrics of Python processes, read from outside
License: Apache-2.0
Classifier: License :: OSI Approved :: Apache Software License
Classifier: Operating System :: POSIX :: Linux
Requires-Python: >=3.8
Requires-Dist: datadog-checks-base>=25.1.0
"""

WHEEL = """\
Wheel-Version: 1.0
Generator: datadog-python-check
Root-Is-Purelib: false
"""

Files = dict[str, tuple[bytes, int]]  # contents and mode, by path


def read_version() -> str:
    """Of the project."""
    return re.search(r"^  version: '([^']+)'", (ROOT / "meson.build").read_text(), re.M)[1]


def platform_tags(architecture: str) -> list[str]:
    """As PEP 600 names it, and as an older pip does."""
    return [f"manylinux_{LIBC[0]}_{LIBC[1]}_{architecture}", f"manylinux2014_{architecture}"]


def package_names(architecture: str, version: str) -> tuple[str, str]:
    """The wheel's and the tarball's."""
    tags = ".".join(platform_tags(architecture))
    return (f"datadog_python-{version}-cp38-abi3-{tags}.whl",
            f"datadog-python-check-{version}-{architecture}.tar.gz")


def wheel_files(build: pathlib.Path, architecture: str, version: str) -> Files:
    """What is in a wheel, but for its record. (datadog_checks/__init__.py is the base class's.)"""
    package = "datadog_checks/python"
    information = f"datadog_python-{version}.dist-info"
    tags = "".join(f"Tag: cp38-abi3-{tag}\n" for tag in platform_tags(architecture))
    files = {f"{package}/{file.name}": (file.read_bytes(), 0o644)
             for file in PACKAGE.glob("*.py")}
    return {
        **files,
        f"{package}/data/conf.yaml.example":
            ((CONFIGURATION / "conf.yaml.example").read_bytes(), 0o644),
        f"{package}/python.abi3.so":
            ((build / "check/rtloader/python.abi3.so").read_bytes(), 0o755),
        f"{information}/LICENSE": ((ROOT / "LICENSE").read_bytes(), 0o644),
        **{f"{information}/{name}": entry for name, entry in licences().items()},
        f"{information}/METADATA": (METADATA.format(version=version).encode(), 0o644),
        f"{information}/WHEEL": ((WHEEL + tags).encode(), 0o644)}


def make_wheel(files: Files, path: pathlib.Path, version: str) -> None:
    """The wheel, whose record comes last."""
    record = f"datadog_python-{version}.dist-info/RECORD"
    lines = [f"{name},sha256={digest(contents)},{len(contents)}\n"
             for name, (contents, _) in sorted(files.items())]
    everything = [*sorted(files.items()),
                  (record, ("".join([*lines, f"{record},,\n"]).encode(), 0o644))]
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as wheel:
        for name, (contents, mode) in everything:
            entry = zipfile.ZipInfo(name, WHEEL_TIME)
            entry.external_attr = (0o100000 | mode) << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            wheel.writestr(entry, contents)


def digest(contents: bytes) -> str:
    """As a wheel's record has it."""
    return base64.urlsafe_b64encode(hashlib.sha256(contents).digest()).rstrip(b"=").decode()


def licences() -> Files:
    """Of what is compiled into the objects."""
    files = [*ROOT.glob("subprojects/*/LICENSE*"), *ROOT.glob("subprojects/*/License")]
    compiler = ROOT.glob(".cache/package/lib/python3*/site-packages/ziglang/lib/libcxx/LICENSE.TXT")
    named = [(file.parent.name, file) for file in files if file.is_file()]
    named += [("libcxx", file) for file in compiler]
    return {f"LICENSES/{name}.txt": (file.read_bytes(), 0o644) for name, file in named}


def tarball_files(build: pathlib.Path) -> Files:
    """What is in a tarball."""
    configuration = {f"conf.d/python.d/{file.relative_to(CONFIGURATION)}":
                     (file.read_bytes(), 0o644)
                     for file in CONFIGURATION.rglob("*") if file.is_file()}
    packaging = ROOT / "tools/packaging"
    return {
        **configuration,
        **licences(),
        "LICENSE": ((ROOT / "LICENSE").read_bytes(), 0o644),
        "checks.d/python.abi3.so": ((build / "check/rtloader/python.abi3.so").read_bytes(), 0o755),
        "checks.d/libdatadog-agent-python.so":
            ((build / "check/native/libdatadog-agent-python.so").read_bytes(), 0o755),
        "systemd/python-check.conf": ((packaging / "python-check.conf").read_bytes(), 0o644),
        "install": ((packaging / "install").read_bytes(), 0o755)}


def make_tarball(files: Files, path: pathlib.Path) -> None:
    """The tarball, with one folder in it that is named as it is."""
    folder = path.name.removesuffix(".tar.gz")
    with path.open("wb") as output, \
            gzip.GzipFile("", "wb", 9, output, mtime=0) as compressed, \
            tarfile.open(fileobj=compressed, mode="w", format=tarfile.GNU_FORMAT) as tarball:
        for name, (contents, mode) in sorted(files.items()):
            entry = tarfile.TarInfo(f"{folder}/{name}")
            entry.size, entry.mode = len(contents), mode
            tarball.addfile(entry, io.BytesIO(contents))


def check_libc(build: pathlib.Path) -> None:
    """Ends where an object wants a newer C library."""
    for name in ("check/rtloader/python.abi3.so", "check/native/libdatadog-agent-python.so"):
        symbols = subprocess.run(["readelf", "--wide", "--version-info", str(build / name)],
                                 check=True, stdout=subprocess.PIPE, text=True).stdout
        newest = max(tuple(map(int, version.split(".")))
                     for version in re.findall(r"GLIBC_([0-9.]+)", symbols))
        if newest > LIBC:
            sys.exit(f"{name} wants glibc {'.'.join(map(str, newest))}")


def main() -> None:
    """Makes both, and says where they are."""
    build, architecture, output = pathlib.Path(sys.argv[1]), sys.argv[2], pathlib.Path(sys.argv[3])
    version = read_version()
    check_libc(build)
    wheel, tarball = (output / name for name in package_names(architecture, version))
    make_wheel(wheel_files(build, architecture, version), wheel, version)
    make_tarball(tarball_files(build), tarball)
    for path in (wheel, tarball):
        print(f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path}")


if __name__ == "__main__":
    main()
