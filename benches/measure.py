"""Runs commands side by side (A B C A B C …) and prints medians, ratios and peak memory.

Called by peers.sh with the folder of the programs, the folder of the data, the rounds and a list of what to run.
"""

import os
import shutil
import statistics
import subprocess
import sys
import time
import zipfile

PROGRAM, ALONE, DATA, ROUNDS, WHAT = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4]), sys.argv[5].split(",")
HERE = os.path.dirname(os.path.abspath(__file__))
HOME = os.path.join(DATA, "home")


def data(size, name):
    return os.path.join(DATA, size, name)


def merganser(*arguments, exits=(0,)):
    return Command([PROGRAM, *arguments, "--data-dir", HOME, "--quiet", "--no-progress", "--yes"], exits)


class Command:
    """One command; `prepare` runs before each timed run and is not timed."""

    def __init__(self, arguments, exits=(0,), prepare=None):
        self.arguments, self.exits, self.prepare = arguments, exits, prepare

    def run(self):
        """Returns wall seconds, processor seconds and peak memory in MiB."""
        if self.prepare:
            self.prepare()
        begun = time.perf_counter()
        child = subprocess.Popen(self.arguments, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        said = child.stderr.read()
        _, status, usage = os.wait4(child.pid, 0)
        wall = time.perf_counter() - begun
        child.returncode = os.waitstatus_to_exitcode(status)
        if child.returncode not in self.exits:
            sys.exit(f"{' '.join(self.arguments)} failed ({child.returncode}): {said.decode()}")
        return wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def analyze(size, backup, *more):
    plan = os.path.join(DATA, "bench.mplan")
    command = merganser("analyze", data(size, backup), "--to", "sqlite:" + data(size, "current.db"), "-o", plan, *more)
    command.prepare = lambda: os.path.exists(plan) and os.remove(plan)
    return command


def sqldiff(size):
    return Command(["sqldiff", "--primarykey", data(size, "current.db"), data(size, "backup.db")])


def against_sqldiff(title, size):
    peers = {"sqldiff": sqldiff(size)}
    if size == "small":
        peers["merge-join in Python"] = Command(
            [sys.executable, os.path.join(HERE, "merge_join.py"), data(size, "backup.db"), data(size, "current.db")]
        )
    table(title, {"merganser analyze": analyze(size, "backup.db"), **peers}, ["sqldiff"])


def against_alone(title, size):
    peers = {
        "parse alone": Command([ALONE, "parse", data(size, "backup.json")]),
        "scan alone": Command([ALONE, "scan", data(size, "current.db")]),
    }
    table(title, {"merganser analyze": analyze(size, "backup.json"), **peers}, list(peers))


def three_way():
    base = ("--base", data("small", "base.db"))
    table("SQLite against SQLite, three-way against a base",
          {"merganser analyze": analyze("small", "backup.db", *base), "sqldiff (no base)": sqldiff("small")}, [])


def writing():
    work, plan = os.path.join(DATA, "work.db"), os.path.join(DATA, "work.mplan")
    shutil.copy(data("writes", "current.db"), work)
    target = ("--to", "sqlite:" + work)

    def planned():
        if os.path.exists(plan):
            os.remove(plan)
        merganser("analyze", data("writes", "backup.db"), *target, "-o", plan).run()

    merge = merganser("merge", plan, *target)
    merge.prepare = planned
    table("Merging 12,000 changes and taking them back", {"merganser merge": merge, "merganser undo": merganser("undo", *target)}, [])


def forms_of(size):
    """Packs the JSON backup as people do, with the programs that people use; the digest of what is in it stays the same."""
    plain, zipped, gzipped, sealed = (data(size, "backup.json" + ending) for ending in ("", ".zip", ".gz", ".age"))
    if not os.path.exists(zipped):
        with zipfile.ZipFile(zipped, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.write(plain, "backup.json")
    if not os.path.exists(gzipped):
        with open(gzipped, "wb") as out:
            subprocess.run(["gzip", "-c", plain], stdout=out, check=True)
    identity = data(size, "identity.txt")
    if not os.path.exists(sealed):
        if not os.path.exists(identity):
            subprocess.run(["age-keygen", "-o", identity], stderr=subprocess.DEVNULL, check=True)
        recipient = subprocess.run(["age-keygen", "-y", identity], capture_output=True, text=True, check=True).stdout.strip()
        subprocess.run(["age", "-r", recipient, "-o", sealed, plain], check=True)
    return identity


def formats():
    """What writing costs, and what a backup's packing adds to its analysis."""
    identity = forms_of("small")
    table("Analyzing the same JSON, packed in several ways, against SQLite", {
        "plain": analyze("small", "backup.json"),
        "ZIP": analyze("small", "backup.json.zip"),
        "gzip": analyze("small", "backup.json.gz"),
        "age": analyze("small", "backup.json.age", "--identity", identity),
    }, ["plain"])
    written = {}
    for format, ending in (("smart-backup", "json"), ("django", "zip")):
        file = os.path.join(DATA, "written." + ending)
        written[f"written as {format}"] = Command([ALONE, "write", format, data("small", "current.db"), file])
    table("Writing 1 M records from SQLite", written, [])
    subprocess.run([ALONE, "write", "django", data("tenth", "current.db"), data("tenth", "django.zip")],
                   stdout=subprocess.DEVNULL, check=True)
    subprocess.run([ALONE, "write", "django", data("small", "backup.db"), data("small", "django.zip")],
                   stdout=subprocess.DEVNULL, check=True)
    table("Analyzing Django's archive against SQLite", {
        "100,000 records": analyze("tenth", "django.zip"),
        "1 M records, 1 % changed": analyze("small", "django.zip"),
    }, [])


def on_server(title, kind, size):
    """JSON against a server; the yardsticks are the table streamed by the server's own client, and the parse alone."""
    import engines

    programs = engines.environment(DATA)
    server = engines.Postgres(data(size, "")) if kind == "postgres" else engines.Mariadb(data(size, ""))
    plan = os.path.join(DATA, "server.mplan")
    forget = lambda: os.path.exists(plan) and os.remove(plan)
    only = ("--only-tables", "items", "-o", plan)
    floor = "COPY alone" if kind == "postgres" else "SELECT * alone"
    commands = {
        "merganser analyze": merganser("analyze", data(size, "backup.json"), "--to", server.url, *only),
        floor: Command(server.floor()),
        "parse alone": Command([ALONE, "parse", data(size, "backup.json")]),
        "reladiff": Command(engines.reladiff(programs, server)),
        "merge-join in Python": Command(engines.merge_join(programs, server, data(size, "backup.db"))),
    }
    commands["merganser analyze"].prepare = forget
    if kind == "mariadb":
        engines.install("percona-toolkit", "pt-table-sync")
        # It ends with 2 where tables differ.
        commands["pt-table-sync"] = Command(server.table_sync(), exits=(0, 2))
    table(title, commands, [floor, "parse alone"])
    if size == "writes":
        merge = merganser("merge", plan, "--to", server.url)
        merge.prepare = lambda: (forget(), commands["merganser analyze"].run())
        undo = merganser("undo", "--to", server.url)
        table("Merging 12,000 changes and taking them back", {"merganser merge": merge, "merganser undo": undo}, [])
    server.stop()


def table(title, commands, yardsticks):
    """Prints medians; the ratio is to the slowest of the yardsticks."""
    runs = {name: [] for name in commands}
    for command in commands.values():
        # Once for the page cache; not where a run changes the data.
        if not command.prepare or "analyze" in command.arguments:
            command.run() if "undo" not in command.arguments else None
    for _ in range(ROUNDS):
        for name, command in commands.items():
            runs[name].append(command.run())
    middle = {name: [statistics.median(figure) for figure in zip(*of)] for name, of in runs.items()}
    reference = max((middle[name][0] for name in yardsticks), default=None)
    print(f"\n{title}")
    for name, (wall, processor, memory) in middle.items():
        peak = max(run[2] for run in runs[name])
        ratio = f"{wall / reference:5.2f} ×" if reference else "       "
        print(f"  {name:<24}{wall:8.3f} s {ratio}   processor {processor:7.3f} s   peak {peak:6.0f} MiB")


ALL = {
    "sqlite": lambda: against_sqldiff("SQLite against SQLite, 1 M records, 1 % changed", "small"),
    "json": lambda: against_alone("JSON against SQLite, 1 M records, 1 % changed", "small"),
    "shuffled": lambda: against_alone("JSON in no order against SQLite, 1 M records, 1 % changed", "shuffled"),
    "many": lambda: against_sqldiff("SQLite against SQLite, 1 M records, 30 % changed", "many"),
    "formats": formats,
    "base": three_way,
    "writes": writing,
    "postgres": lambda: on_server("JSON against PostgreSQL, 1 M records, 1 % changed", "postgres", "writes"),
    "postgres-many": lambda: on_server("JSON against PostgreSQL, 1 M records, 30 % changed", "postgres", "many"),
    "mariadb": lambda: on_server("JSON against MariaDB, 1 M records, 1 % changed", "mariadb", "writes"),
    "mariadb-many": lambda: on_server("JSON against MariaDB, 1 M records, 30 % changed", "mariadb", "many"),
    "large": lambda: against_alone("JSON against SQLite, 10 M records, 1 % changed", "large"),
    "large-shuffled": lambda: against_alone("JSON in no order, 10 M records, 1 % changed", "large-shuffled"),
}
print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, medians of {ROUNDS} rounds side by side")
for what in WHAT:
    ALL[what]()
