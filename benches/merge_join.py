"""A naive comparison of an SQLite file with another, or with a server: an ordered merge-join, as one writes it in half an hour.

It says how many records are new, updated, in conflict or only in current; it makes no plan.
"""

import sqlite3
import sys


SELECT = "SELECT id, name, note, price, active, updated_at FROM items ORDER BY id"


def rows(path):
    if path.startswith("postgresql:"):
        import psycopg

        cursor = psycopg.connect(path).cursor(name="items")
        cursor.itersize = 10_000
        return map(plain, cursor.execute(SELECT))
    if path.startswith("mysql:"):
        import urllib.parse

        import pymysql

        place = urllib.parse.urlparse(path)
        connection = pymysql.connect(host=place.hostname, port=place.port, user=place.username, database=place.path[1:],
                                     cursorclass=pymysql.cursors.SSCursor)
        cursor = connection.cursor()
        cursor.execute(SELECT)
        return map(plain, cursor)
    return iter(sqlite3.connect(f"file:{path}?mode=ro", uri=True).execute(SELECT))


def plain(row):
    """Spells a server's record as SQLite has it."""
    at = row[5].replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"
    return (row[0], row[1], row[2], float(row[3]), int(row[4]), at)


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
