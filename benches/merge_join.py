"""A naive comparison of two SQLite files: an ordered merge-join, as one writes it in half an hour.

It says how many records are new, updated, in conflict or only in current; it makes no plan.
"""

import sqlite3
import sys


def rows(path):
    connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    return connection.execute("SELECT id, name, note, price, active, updated_at FROM items ORDER BY id")


def main(backup, current):
    counts = {"new": 0, "updated": 0, "conflict": 0, "unchanged": 0, "current_only": 0}
    ours, theirs = rows(current), rows(backup)
    c, b = next(ours, None), next(theirs, None)
    while c or b:
        if b is None or (c and c[0] < b[0]):
            counts["current_only"] += 1
            c = next(ours, None)
        elif c is None or b[0] < c[0]:
            counts["new"] += 1
            b = next(theirs, None)
        else:
            if c[:-1] == b[:-1]:
                counts["unchanged"] += 1
            else:
                counts["updated" if b[-1] > c[-1] else "conflict"] += 1
            c, b = next(ours, None), next(theirs, None)
    print(counts)


main(*sys.argv[1:])
