# SPDX-License-Identifier: MIT
"""Code of many kinds, to compare stacks on: each scenario ends in checkpoint(), which says on
standard output where it is, and waits for a line on standard input.

    code.py DUMP

SIGUSR1 writes the stacks of all threads to the file DUMP, as faulthandler sees them.
"""
import asyncio
import contextlib
import ctypes
import faulthandler
import functools
import re
import signal
import sys
import threading
import time

dump = open(sys.argv[1], "w")
faulthandler.register(signal.SIGUSR1, file=dump, all_threads=True)


def checkpoint(*ignored):
    """Tells the frames of this thread that are behind it, for stacks that are deeper than
    faulthandler goes."""
    names = []
    frame = sys._getframe(1)
    while frame is not None:
        names.append(frame.f_code.co_name + ":" + str(frame.f_lineno))
        frame = frame.f_back
    print(scenario.__name__, len(names), *names[:2000])
    sys.stdout.flush()
    sys.stdin.readline()
    return 0


def recursion():
    def down(n):
        if n == 0:
            return checkpoint()
        return down(n - 1) + 1
    down(60)


def mutual_recursion():
    def even(n):
        return checkpoint() if n == 0 else odd(n - 1)

    def odd(n):
        return (
            even(
                n - 1
            )
        )
    even(40)


def deep():
    sys.setrecursionlimit(5000)

    def down(n):
        if n:
            down(n - 1)
        else:
            checkpoint()
    down(900)


def deepest():
    sys.setrecursionlimit(20000)
    threading.stack_size(256 << 20)
    thread = threading.Thread(target=lambda: down(4500))

    def down(n):
        if n:
            down(n - 1)
        else:
            checkpoint()
    thread.start()
    thread.join()
    threading.stack_size(0)


def generators():
    def numbers(n):
        for i in range(n):
            if i == n - 1:
                checkpoint()
            yield i

    def doubled(source):
        for i in source:
            yield i * 2

    def chained(source):
        yield from doubled(source)
    for _ in chained(numbers(5)):
        pass
    list(map(lambda x: x, (x + 1 for x in numbers(3))))


def comprehensions():
    [checkpoint() for _ in range(1)]
    {checkpoint() for _ in range(1)}
    {n: checkpoint() for n in range(1)}
    sum(checkpoint() for _ in range(1))
    [
        [
            checkpoint()
            for _ in range(1)
            if
            True
        ]
        for _ in range(1)
    ]


def lambdas():
    call = lambda f: (lambda g: (
        lambda h: h())(g))(f)
    call(checkpoint)
    call(lambda:
         checkpoint())


def traced(function):
    @functools.wraps(function)
    def wrapper(*args, **kwargs):
        return function(*args,
                        **kwargs)
    return wrapper


@traced
@traced
@functools.lru_cache
def decorated(
    a,
    b=1,
):
    checkpoint(
        a,
        b,
    )


def decorators():
    decorated(1)


def c_callbacks():
    sorted([2, 1], key=lambda k: checkpoint())
    functools.reduce(lambda a, b: checkpoint(), [1, 2])
    list(map(checkpoint, [1]))
    list(filter(
        lambda n: checkpoint(),
        [1]))
    re.sub("a", lambda m: str(checkpoint()), "a")
    max([1, 2], key=checkpoint)
    functools.partial(functools.partial(checkpoint, 1), 2)()


def ctypes_callback():
    compare_type = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_int),
                                    ctypes.POINTER(ctypes.c_int))
    numbers = (ctypes.c_int * 2)(2, 1)
    libc = ctypes.CDLL(None)
    libc.qsort(numbers, 2, ctypes.sizeof(ctypes.c_int),
               compare_type(lambda a, b: checkpoint() or
                            a[0] - b[0]))


class Größe:
    """Names in Latin-1, in two and in four bytes a character."""

    def __init__(self):
        self.größe()

    def größe(self):
        self.尺寸()

    def 尺寸(self):
        self.𝔰ize_𝔲𝔫𝔦()

    def 𝔰ize_𝔲𝔫𝔦(self):
        checkpoint()

    @property
    def eigenschaft(self):
        return checkpoint()

    @classmethod
    def klasse(cls):
        checkpoint()

    @staticmethod
    def statisch():
        checkpoint()

    def __getattr__(self, name):
        return checkpoint()

    def __lt__(self, other):
        checkpoint()
        return True

    def __del__(self):
        pass


def names():
    g = Größe()
    g.eigenschaft
    g.klasse()
    g.statisch()
    g.unbekannt
    g < g


def exec_code():
    exec("def 𝔣():\n  checkpoint()\n\n\n𝔣()", {"checkpoint": checkpoint})
    exec(compile("\n" * 300 + "checkpoint()", "/tmp/" + "sehr/" * 90 + "länger.py", "exec"))
    eval("(\ncheckpoint\n(\n1\n))")
    many = "x = 0\n" * 3000 + "checkpoint()\n" + "x = 1\n" * 3000
    exec(compile(many, "many.py", "exec"))
    far = "if 1:\n    x = [\n" + "    1,\n" * 700 + "    checkpoint(),\n" + "    2,\n" * 700 + "]\n"
    exec(compile(far, "far.py", "exec"))
    exec(compile("#\n" * 70000 + "checkpoint()", "long.py", "exec"))


def multi_line():
    value = (
        1 +
        2 +
        checkpoint(
            3,
            4) +
        5
    )
    value = [1, 2, checkpoint(),
             4]
    text = f"""
    {value}
    {checkpoint()}
    """
    if (value and
            checkpoint() == 0 and
            text):
        value = {
            "a": 1,
            "b": checkpoint(),
        }
    return checkpoint() \
        or value


def exceptions():
    try:
        raise ValueError
    except ValueError:
        checkpoint()
    finally:
        checkpoint()
    try:
        try:
            {}["a"]
        finally:
            checkpoint()
    except KeyError as error:
        checkpoint(error)
    with contextlib.suppress(Exception):
        with manager():
            checkpoint()
    for _ in []:
        pass
    else:
        checkpoint()
    while True:
        checkpoint()
        break


@contextlib.contextmanager
def manager():
    checkpoint()
    try:
        yield
    finally:
        checkpoint()


async def inner():
    await asyncio.sleep(0)
    checkpoint()


async def ticker():
    for i in range(2):
        yield i
        checkpoint()


@contextlib.asynccontextmanager
async def async_manager():
    checkpoint()
    yield


async def outer():
    await inner()
    await asyncio.gather(inner(), asyncio.wait_for(inner(), 1000))
    async for _ in ticker():
        pass
    async with async_manager():
        checkpoint()
    [await asyncio.sleep(0) or checkpoint() async for _ in ticker()]
    await asyncio.get_running_loop().run_in_executor(None, checkpoint)
    asyncio.get_running_loop().call_soon(checkpoint)
    await asyncio.sleep(0.01)


def coroutines():
    asyncio.run(outer())


def match_and_walrus():
    if (n := checkpoint()) == 0:
        checkpoint(n)


class Meta(type):
    def __new__(mcs, name, bases, body):
        checkpoint()
        return super().__new__(mcs, name, bases, body)

    def __call__(cls, *args):
        checkpoint()
        return super().__call__(*args)


def classes():
    class Inner(metaclass=Meta):
        checkpoint()

        def __init_subclass__(cls):
            checkpoint()

        def __repr__(self):
            checkpoint()
            return ""

        def __iter__(self):
            checkpoint()
            yield 1

        def __enter__(self):
            checkpoint()

        def __exit__(self, *args):
            checkpoint()

    class Derived(Inner):
        pass
    with Inner() as i:
        repr(Derived())
        list(Inner())
        del i


def threads():
    """Several at once: one that runs, some that wait in different places."""
    stop = threading.Event()
    lock = threading.Lock()
    lock.acquire()

    def take():
        with lock:
            pass

    def nested(n):
        if n:
            nested(n - 1)
        else:
            stop.wait()
    those = [threading.Thread(target=take, name="nimmt-é")]
    those += [threading.Thread(target=nested, args=(i * 7,)) for i in range(8)]
    those += [threading.Thread(target=stop.wait)]
    for thread in those:
        thread.start()
    time.sleep(0.2)
    checkpoint()
    stop.set()
    lock.release()
    for thread in those:
        thread.join()


def subinterpreters():
    try:
        try:
            import _interpreters as interpreters
        except ImportError:
            import _xxsubinterpreters as interpreters
    except ImportError:
        return
    # a file, so that an end of the line at the other side of a lock is not waited for twice
    code = ("import os, sys\n"
            "def inside():\n"
            "    os.write(1, b'subinterpreters 0\\n')\n"
            "    os.read(0, 1)\n"
            "inside()\n")
    new = interpreters.create()
    run = getattr(interpreters, "run_string")
    run(new, code)
    interpreters.destroy(new)


for scenario in (recursion, mutual_recursion, deep, deepest, generators, comprehensions, lambdas,
                 decorators, c_callbacks, ctypes_callback, names, exec_code, multi_line, exceptions,
                 coroutines, match_and_walrus, classes, threads, subinterpreters):
    scenario()
print("end")
