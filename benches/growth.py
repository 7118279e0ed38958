#!/usr/bin/env python3
"""How the time of hard shapes grows: each is run with N records and with four times as many.

    cargo build --release
    python3 benches/growth.py [--count 2000] [--program target/release/merganser] [NAME ...]

Prints the seconds of analyzing, answering, merging and undoing for both, and the ratio of their sums. What grows with the
records comes to about 4 or, where starting a process counts, less; what compares each with each comes to 16.
Python's own SQLite makes the databases. References have no index, as nobody is made to index them.
"""

import argparse
import re
import sqlite3
import subprocess
import sys
import tempfile
import time
from pathlib import Path

USERS = """CREATE TABLE u (id INTEGER PRIMARY KEY, email TEXT NOT NULL UNIQUE, name TEXT);
           CREATE TABLE o (id INTEGER PRIMARY KEY, u_id INT NOT NULL REFERENCES u (id));"""
TREE = "CREATE TABLE t (id INTEGER PRIMARY KEY, parent INT REFERENCES t (id));"
CODES = """CREATE TABLE t (id INTEGER PRIMARY KEY, code TEXT NOT NULL UNIQUE);
           CREATE TABLE ch (id INTEGER PRIMARY KEY, code TEXT NOT NULL REFERENCES t (code));"""
PLACES = "CREATE TABLE t (id INTEGER PRIMARY KEY, place INTEGER NOT NULL UNIQUE, code TEXT NOT NULL UNIQUE);"
DELETES = ["--deletes", "apply"]


def users(count, shift=0):
    return [(i + shift, f"e{i}", "b" if shift else "c") for i in range(1, count + 1)]


def chain(count, last=None):
    return [(i, i + 1 if i < count else last) for i in range(1, count + 1)]


def shapes(n):
    """Name, schema, current, backup, options of analyze, answers, whether the backup's other side is the base."""
    ids = range(1, n + 1)
    pairs = [(i, i) for i in ids]
    codes = {"t": [(i, f"c{i}") for i in ids], "ch": [(i, f"c{i}") for i in ids]}
    yield "two tables that refer to each other", (
        "CREATE TABLE a (id INTEGER PRIMARY KEY, b_id INT REFERENCES b (id));"
        "CREATE TABLE b (id INTEGER PRIMARY KEY, a_id INT NOT NULL REFERENCES a (id));"
    ), {}, {"a": pairs, "b": pairs}, [], [], False
    yield "a chain of parents, new", TREE, {}, {"t": chain(n)}, [], [], False
    yield "a chain of parents, deleted", TREE, {"t": chain(n)}, {}, DELETES, [], True
    yield "a chain of parents without its first", TREE, {}, {"t": chain(n, n + 1)}, [], [], False
    yield "a chain of parents whose first is skipped", TREE, {}, {"t": chain(n)}, [], [["--record", f"t/{n}", "--take", "skip"]], False
    yield "parents and children, deleted", USERS, {"u": users(n), "o": pairs}, {}, DELETES, [], True
    yield "other ids, into the existing records", USERS, {"u": users(n)}, {
        "u": users(n, n), "o": [(i, i + n) for i in ids]
    }, ["--strategy", "manual"], [["--take", "into-existing"]], False
    yield "other ids, matched", USERS, {"u": users(n)}, {
        "u": users(n, n), "o": [(i, i + n) for i in ids]
    }, ["--match", "u=email"], [], False
    yield "references to a unique key, new", CODES, {}, codes, [], [], False
    yield "references to a unique key, deleted", CODES, codes, {}, DELETES, [], True
    yield "unique values in a ring", PLACES, {"t": [(i, i, f"c{i}") for i in ids]}, {
        "t": [(i, i % n + 1, f"c{i % n + 1}") for i in ids]
    }, [], [], False
    yield "places that move up, the first is held", PLACES, {
        "t": [(n + 1, 1, "new")] + [(i, i + 1, f"c{i}") for i in ids]
    }, {"t": [(i, i, f"c{i}") for i in ids]}, [], [], False
    yield "records without a key", "CREATE TABLE log (at TEXT, what TEXT);", {}, {
        "log": [(f"t{i}", f"w{i}") for i in ids]
    }, [], [], False


def database(path, schema, tables):
    connection = sqlite3.connect(path)
    connection.executescript(schema)
    for table, rows in tables.items():
        connection.executemany(f"INSERT INTO {table} VALUES ({', '.join('?' * len(rows[0]))})", rows)
    connection.commit()
    connection.close()


def timed(program, folder, *arguments, may_refuse=False):
    begin = time.perf_counter()
    command = [program, *arguments, "--data-dir", str(folder / "state"), "--no-progress"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    took = time.perf_counter() - begin
    if done.returncode != 0 and not may_refuse:
        sys.exit(f"{' '.join(command)}: {done.returncode}\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
    return took, done.stdout


def run(program, schema, current, backup, options, answers, has_base):
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        database(folder / "current.db", schema, current)
        database(folder / "backup.db", schema, backup)
        if has_base:
            database(folder / "base.db", schema, current)
            options = [*options, "--base", "base.db"]
        if "--strategy" not in options:
            options = ["--strategy", "backup-wins", *options]
        analyze, _ = timed(program, folder, "analyze", "backup.db", "--to", "current.db", "--out", "p.mplan", *options)
        resolve = sum(timed(program, folder, "resolve", "p.mplan", *answer, "-y")[0] for answer in answers)
        merge, said = timed(program, folder, "merge", "p.mplan", "-y", "--on-blocked", "skip", may_refuse=True)
        receipt = re.search(r"merganser undo (\S+)", said)
        undo = timed(program, folder, "undo", receipt.group(1), "-y")[0] if receipt else 0.0
        return [analyze, resolve, merge, undo]


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--count", type=int, default=2_000)
    arguments.add_argument("--program", default="target/release/merganser")
    arguments.add_argument("names", nargs="*", help="shapes whose name contains one of these")
    given = arguments.parse_args()
    program = str(Path(given.program).resolve())
    print(f"{'seconds: analyze, resolve, merge, undo':45} {given.count:>27} {4 * given.count:>27}  ratio")
    for few, many in zip(shapes(given.count), shapes(4 * given.count)):
        name = few[0]
        if given.names and not any(part in name for part in given.names):
            continue
        one, four = run(program, *few[1:]), run(program, *many[1:])
        cells = ["".join(f"{seconds:7.2f}" for seconds in row) for row in (one, four)]
        print(f"{name:45} {cells[0]} {cells[1]}  {sum(four) / sum(one):5.1f}", flush=True)


if __name__ == "__main__":
    main()
