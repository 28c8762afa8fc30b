"""A process that makes itself an environment as no Python has one: environments.py SECRET CASE.

It prints a line when that is there, and keeps it, or goes on changing it, until it is killed. The
secret stands where only what reads too much or the wrong thing can come upon it.
"""

import ctypes
import itertools
import mmap
import os
import struct
import sys

PAGE = mmap.PAGESIZE
LONGEST = 128 * 1024  # MAX_ARG_STRLEN
MOST_VARIABLES = 8192  # that the check looks at in a memory

C = ctypes.CDLL(None)
C.mmap.restype = ctypes.c_void_p
C.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int, ctypes.c_int,
                   ctypes.c_long]
C.munmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t]
COPY = ctypes.PyDLL(None).memcpy
COPY.restype = None
COPY.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_size_t]

NOWHERE = (8, 1 << 63, (1 << 64) - 1, 0xFFFFFFFF81000000, 1 << 56)


def allocate(size):
    """The address of whole pages of zeros."""
    flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS
    return C.mmap(None, size, mmap.PROT_READ | mmap.PROT_WRITE, flags, -1, 0)


def put(text):
    """The address of a copy, behind which there are zeros."""
    address = allocate(len(text) + PAGE)
    COPY(address, text, len(text))
    return address


def put_at_end(text):
    """The address of a copy that ends where the memory does; the secret is behind the gap."""
    pages = allocate(3 * PAGE)
    address = pages + PAGE - len(text)
    COPY(address, text, len(text))
    COPY(pages + 2 * PAGE, SECRET, len(SECRET))
    C.munmap(pages + PAGE, PAGE)
    return address


def array(*addresses):
    """The address of an array of these, with a NULL behind it."""
    return put(struct.pack("{}Q".format(len(addresses)), *addresses))


def set_environ(address):
    """What is there becomes the environment."""
    ctypes.c_uint64.in_dll(C, "environ").value = address


def use(*variables):
    """These texts, NULs and all, become the environment."""
    set_environ(array(*map(put, variables)))


def beside():
    """A secret begins where a variable has ended."""
    use(b"DD_SERVICE=Shop\0PASSWORD=" + SECRET, b"DD_VERSION\0=" + SECRET, b"DD_ENV=\0" + SECRET,
        b"=DD_TAGS=" + SECRET, b"\0DD_TAGS=" + SECRET, b"DD_TAGS")


def twice():
    """The second one of a name does not count."""
    use(b"DD_SERVICE=shop", b"DD_SERVICE=" + SECRET)


def without_nul():
    """The last variable of the memory has no end."""
    set_environ(array(put_at_end(b"DD_SERVICE=shop"), put_at_end(b"DD_EN")))


def too_long():
    """Variables go on to a secret, further than they can be long."""
    use(b"DD_SERVICE=" + b"s" * 250 + SECRET,
        b"DD_TAGS=k:" + b"v" * (LONGEST + PAGE) + b",password:" + SECRET)


def across_pages():
    """A name begins in one page and ends in the next one."""
    text = b"DD_SERVICE=shop\0" + SECRET
    address = allocate(2 * PAGE) + PAGE - len("DD_SER")
    COPY(address, text, len(text))
    set_environ(array(address))


def none():
    """As after clearenv(3)."""
    set_environ(0)


def nowhere(number):
    """No memory is there."""
    set_environ(NOWHERE[int(number)])


def all_nowhere():
    """All variables but one are in no memory."""
    gone = allocate(PAGE)
    set_environ(array(*NOWHERE, gone, put(b"DD_SERVICE=shop"), gone + 8, *NOWHERE))
    C.munmap(gone, PAGE)


def itself():
    """The array's variables are the array."""
    address = allocate(PAGE)
    COPY(address, struct.pack("3Q", *[address] * 3), 24)
    set_environ(address)


def endless():
    """There is no NULL among more variables than are looked at."""
    set_environ(array(*[put(b"PASSWORD=" + SECRET)] * (MOST_VARIABLES + 1)))


def without_null():
    """There is no NULL before the memory ends, but a text."""
    variables = struct.pack("2Q", put(b"PASSWORD=" + SECRET), put(b"DD_SERVICE=" + SECRET))
    set_environ(put_at_end(variables + SECRET))


def in_file(*texts):
    """Writes over what the process was started with, and keeps nothing else."""
    with open("/proc/self/stat", "rb") as file:
        begin, end = map(int, file.read().rpartition(b")")[2].split()[47:49])
    size = end - begin
    COPY(begin, b"".join(texts)[:size].ljust(size, b"\0"), size)
    set_environ(0)


def too_long_in_file():
    """As too_long(), where only /proc/PID/environ shows it."""
    in_file(b"DD_SERVICE=shop\0DD_TAGS=k:", b"v" * (LONGEST + PAGE), b",password:", SECRET)


def without_nul_in_file():
    """Its last variable has no end."""
    in_file(b"PASSWORD=", SECRET, b"\0DD_SERVICE=shop\0DD_TAGS=k:", b"v" * LONGEST)


def titled():
    """A title is written over what the process was started with."""
    import setproctitle

    setproctitle.setproctitle("title " * 1000)


def change():
    """Sets, replaces and unsets variables, so that the array grows, shrinks and moves."""
    for number in itertools.count():
        if number == 1000:
            yield
        value = (b"one", b"two")[number % 2]
        C.setenv(b"DD_SERVICE", value, 1)
        C.setenv(b"PASSWORD", SECRET + value, 1)
        C.setenv(b"DD_SERVICE_KEY%d" % (number % 500), SECRET, 1)
        C.unsetenv(b"DD_SERVICE_KEY%d" % (number * 7 % 500))
        C.setenv(b"DD_ENV", value, 1)
        C.unsetenv(b"PASSWORD" if number % 3 else b"DD_ENV")


def reuse():
    """The memory of a long variable is used for a secret, and again for the variable.

    At no time does the variable hold the secret: its name is gone before, and comes after.
    """
    name, text = b"DD_TAGS=", b"k:" + b"v" * (LONGEST - 2 * PAGE) + b",open:"
    address = put(name + text + b"open".ljust(len(SECRET)))
    end = address + len(name + text)
    set_environ(array(address))
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:1])
    yield
    while True:
        stay()
        COPY(address, b"PASSWD_=", len(name))
        COPY(end, SECRET, len(SECRET))
        stay()
        COPY(end, b"open".ljust(len(SECRET)), len(SECRET))
        COPY(address, name, len(name))


def stay():
    """Leaves all as it is for longer than a variable is read."""
    for _ in range(50_000):
        pass


def main():
    """Makes what is asked for."""
    going_on = globals()[sys.argv[2]](*sys.argv[3:])
    if going_on:
        next(going_on)
    os.write(1, b"\n")
    if going_on:
        next(going_on)
    os.read(0, 1)


SECRET = os.fsencode(sys.argv[1])
main()
