"""Private PostgreSQL and MariaDB servers for measure.py, filled with a generated data set, and what to compare with on them.

A server runs on a free loopback port with a data folder of its own, under the package's system user where root starts it,
and goes when the program ends. The peers from PyPI live in a virtual environment beside the data.
"""

import atexit
import csv
import glob
import os
import shutil
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time

TABLES = {"items": "current.db", "items_backup": "backup.db"}
COLUMNS = "id, name, note, price, active, updated_at"


def lend(folder, user):
    """Servers refuse to run as root, so root lends them their own system user."""
    if os.getuid() != 0:
        return []
    shutil.chown(folder, user, user)
    os.chmod(folder, 0o700)
    return ["setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups", "--"]


class Server:
    """One server with the tables `items` (current) and `items_backup`."""

    def __init__(self, data):
        self.data, self.folder = data, tempfile.mkdtemp(prefix="merganser-bench-")
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = str(probe.getsockname()[1])
        self.process = None
        atexit.register(self.stop)

    def start(self, command, probe):
        log = open(os.path.join(self.folder, "log"), "wb")
        self.process = subprocess.Popen(command, stdout=log, stderr=log, cwd="/")
        for _ in range(600):
            if subprocess.run(probe, capture_output=True).returncode == 0:
                return
            time.sleep(0.1)
        sys.exit(f"the server did not start: {open(log.name).read()}")

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    def rows(self, name):
        connection = sqlite3.connect(f"file:{os.path.join(self.data, name)}?mode=ro", uri=True)
        return connection.execute(f"SELECT {COLUMNS} FROM items ORDER BY id")


class Postgres(Server):
    def __init__(self, data):
        super().__init__(data)
        programs = sorted(glob.glob("/usr/lib/postgresql/*/bin"))[-1]
        own = lend(self.folder, "postgres")
        cluster = os.path.join(self.folder, "data")
        subprocess.run([*own, f"{programs}/initdb", "-D", cluster, "-A", "trust", "-U", "bench", "-E", "UTF8",
                        "--locale=C.UTF-8", "--no-sync"], check=True, capture_output=True, cwd="/")
        self.url = f"postgresql://bench@127.0.0.1:{self.port}/postgres"
        self.start([*own, f"{programs}/postgres", "-D", cluster, "-p", self.port, "-c", "listen_addresses=127.0.0.1",
                    "-c", "unix_socket_directories=", "-c", "fsync=off", "-c", "shared_buffers=256MB"],
                   ["psql", self.url, "-Atc", "SELECT 1"])
        for table, name in TABLES.items():
            self.sql(f"CREATE TABLE {table} (id integer PRIMARY KEY, name text NOT NULL, note text, "
                     "price numeric(10,2) NOT NULL, active boolean NOT NULL, updated_at timestamptz NOT NULL)")
            load = subprocess.Popen(["psql", self.url, "-qc", f"COPY {table} FROM STDIN (FORMAT csv)"],
                                    stdin=subprocess.PIPE, text=True)
            csv.writer(load.stdin).writerows(self.rows(name))
            load.stdin.close()
            if load.wait():
                sys.exit("the data could not be loaded")
        self.sql("VACUUM ANALYZE")

    def sql(self, text):
        subprocess.run(["psql", self.url, "-qc", text], check=True)

    def floor(self):
        """The table in binary to a client that throws it away."""
        return ["psql", self.url, "-qc", r"\copy items to '/dev/null' with (format binary)"]

    def reladiff_url(self):
        return self.url


class Mariadb(Server):
    def __init__(self, data):
        super().__init__(data)
        own = lend(self.folder, "mysql")
        folder = os.path.join(self.folder, "data")
        subprocess.run([*own, "mariadb-install-db", "--no-defaults", f"--datadir={folder}", "--skip-test-db"],
                       check=True, capture_output=True, cwd="/")
        grants = os.path.join(self.folder, "init.sql")
        with open(grants, "w") as file:
            file.write("CREATE DATABASE IF NOT EXISTS bench;\nCREATE USER IF NOT EXISTS 'bench'@'%';\n"
                       "GRANT ALL ON *.* TO 'bench'@'%';\n")
        os.chmod(grants, 0o644)
        self.client = ["mariadb", "--no-defaults", "-h127.0.0.1", f"-P{self.port}", "-ubench", "--local-infile=1"]
        self.start([*own, shutil.which("mariadbd") or "/usr/sbin/mariadbd", "--no-defaults", f"--datadir={folder}",
                    f"--socket={self.folder}/sock", f"--pid-file={self.folder}/pid", f"--init-file={grants}",
                    f"--port={self.port}", "--bind-address=127.0.0.1", "--skip-name-resolve", "--local-infile=1",
                    "--innodb-flush-log-at-trx-commit=0", "--innodb-buffer-pool-size=512M",
                    "--character-set-server=utf8mb4"], [*self.client, "bench", "-e", "SELECT 1"])
        self.url = f"mysql://bench@127.0.0.1:{self.port}/bench"
        for table, name in TABLES.items():
            self.sql(f"CREATE TABLE {table} (id int PRIMARY KEY, name varchar(200) NOT NULL, note text, "
                     "price decimal(10,2) NOT NULL, active boolean NOT NULL, updated_at datetime(3) NOT NULL)")
            path = os.path.join(self.folder, "load.tsv")
            with open(path, "w") as file:
                for row in self.rows(name):
                    row = [*row[:5], row[5].replace("T", " ").rstrip("Z")]
                    file.write("\t".join("\\N" if cell is None else str(cell) for cell in row) + "\n")
            self.sql(f"LOAD DATA LOCAL INFILE '{path}' INTO TABLE {table} CHARACTER SET utf8mb4")
            os.remove(path)
        self.sql("ANALYZE TABLE items, items_backup")

    def sql(self, text):
        subprocess.run([*self.client, "bench", "-e", text], check=True, stdout=subprocess.DEVNULL)

    def floor(self):
        """The table by the server's own client, streamed to nowhere."""
        return [*self.client, "bench", "--quick", "--skip-column-names", "-e", "SELECT * FROM items"]

    def reladiff_url(self):
        return f"mysql://bench@127.0.0.1:{self.port}/bench"

    def table_sync(self):
        """Says what would make `items` like `items_backup`; nothing is changed."""
        place = f"h=127.0.0.1,P={self.port},u=bench,D=bench"
        return ["pt-table-sync", "--print", "--no-check-slave", "--no-bin-log", "--no-foreign-key-checks",
                f"{place},t=items_backup", f"{place},t=items"]


def environment(folder):
    """Makes a virtual environment with the peers from PyPI; returns its folder of programs."""
    programs = os.path.join(folder, "peers", "bin")
    if not os.path.exists(os.path.join(programs, "reladiff")):
        subprocess.run([sys.executable, "-m", "venv", os.path.join(folder, "peers")], check=True)
        subprocess.run([os.path.join(programs, "pip"), "install", "--quiet", "reladiff[mysql,postgresql]==0.6.0",
                        "psycopg[binary]", "pymysql", "setuptools<81"], check=True)
    return programs


def install(package, program):
    """Installs a Debian package where its program is missing."""
    if not shutil.which(program):
        sudo = [] if os.getuid() == 0 else ["sudo"]
        subprocess.run([*sudo, "apt-get", "install", "-y", "-qq", package], check=True, stdout=subprocess.DEVNULL)


def reladiff(programs, server):
    columns = [part for name in COLUMNS.split(", ")[1:] for part in ("-c", name)]
    return [os.path.join(programs, "reladiff"), server.reladiff_url(), "items", "items_backup", "-k", "id", *columns]


def merge_join(programs, server, backup):
    here = os.path.dirname(os.path.abspath(__file__))
    return [os.path.join(programs, "python"), os.path.join(here, "merge_join.py"), backup, server.url]
