"""Real clients of PostgreSQL against `mesh up`: psql, psycopg 3 and 2, asyncpg, SQLAlchemy and
JDBC, in two rounds: without users on loopback, and with users (SCRAM-SHA-256) over TLS.

    check.py --programs FOLDER [--jdbc FOLDER-OF-JARS] [--only ROUND]
"""

import argparse
import datetime
import ipaddress
import os
import pathlib
import re
import signal
import subprocess
import sys
import tempfile
import time

import jdbc
import psql
import python_clients

HERE = pathlib.Path(__file__).resolve().parent
PASSWORD = "tälkien, =2C 'quoted'"


def expect(holds, message):
    if not holds:
        raise AssertionError(message)


def until(what, seconds, attempt):
    end = time.monotonic() + seconds
    while True:
        found = attempt()
        if found:
            return found
        expect(time.monotonic() < end, f"{what}: not in {seconds} s")
        time.sleep(0.1)


class Server:
    """Where clients connect, and as whom."""

    def __init__(self, port, user="anna", password=None, ca=None):
        self.host, self.port, self.user, self.password, self.ca = "127.0.0.1", port, user, password, ca

    def environment(self):
        """For psql and whatever else is built on libpq."""
        found = {"PGHOST": self.host, "PGPORT": str(self.port), "PGUSER": self.user, "PGDATABASE": "mesh"}
        if self.password:
            found["PGPASSWORD"] = self.password
        found |= {"PGSSLMODE": "verify-full", "PGSSLROOTCERT": str(self.ca)} if self.ca else {"PGSSLMODE": "disable"}
        return found

    def libpq(self, **more):
        """Keywords of libpq, as psycopg takes them."""
        words = {"host": self.host, "port": self.port, "user": self.user, "dbname": "mesh"}
        words |= {"options": "-c mesh.purpose=analysis"}
        if self.password:
            words["password"] = self.password
        words |= {"sslmode": "verify-full", "sslrootcert": str(self.ca)} if self.ca else {"sslmode": "disable"}
        return words | more


class Mesh:
    """A platform with the shop's products."""

    def __init__(self, programs, work, options=()):
        self.program, self.work, self.processes = programs / "mesh", work, []
        log = work / "mesh.log"
        ports = [f"--{name}-port=0" for name in ("kafka", "registry", "http", "postgres", "flight")]
        self.start(["up", f"--data-dir={work / 'mesh'}", *ports, *options], log)

        def up():
            expect(self.processes[0].poll() is None, f"mesh up has ended:\n{log.read_text()[-2000:]}")
            return re.search(r"Kafka +(\S+)\n +Registry +(\S+)\n +Catalog +(http://[^/]+).*Postgres +\S+:(\d+)", log.read_text(), re.S)

        kafka, registry, catalog, port = until("mesh up", 60, up).groups()
        self.port = int(port)
        self.start(
            ["run", HERE / "shop", f"--bootstrap={kafka}", f"--registry-url={registry}", f"--catalog-url={catalog}",
             f"--data-dir={work / 'shop'}", "--listen=127.0.0.1:0"],
            work / "shop.log",
        )

    def start(self, arguments, log):
        with open(log, "w") as out:
            self.processes.append(subprocess.Popen([self.program, *map(str, arguments)], stdout=out, stderr=subprocess.STDOUT))

    def stop(self):
        for process in reversed(self.processes):
            process.send_signal(signal.SIGTERM)
        for process in self.processes:
            process.wait(timeout=30)

    def wait_for_rows(self, server):
        import psycopg

        def there():
            expect(self.processes[1].poll() is None, f"mesh run has ended:\n{(self.work / 'shop.log').read_text()[-2000:]}")
            try:
                with psycopg.connect(**server.libpq(), autocommit=True) as connection:
                    sql = "SELECT (SELECT count(*) FROM shop.sales), (SELECT sum(visits) FROM shop.stores)"
                    return connection.execute(sql).fetchone() == (500, 49)
            except psycopg.errors.UndefinedTable:
                return False

        until("the shop's rows", 120, there)


def certificate(work):
    """A certificate for 127.0.0.1 that is its own authority."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.timezone.utc)
    addresses = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    made = (
        x509.CertificateBuilder()
        .subject_name(name).issuer_name(name).public_key(key.public_key()).serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1)).not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName(addresses), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA384())
    )
    files = work / "cert.pem", work / "key.pem"
    files[0].write_bytes(made.public_bytes(serialization.Encoding.PEM))
    private = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    files[1].write_bytes(key.private_bytes(serialization.Encoding.PEM, *private))
    return files


def clients(server, jars):
    for name, check in [
        ("psql", lambda: psql.check(server)),
        ("psycopg 3", lambda: python_clients.psycopg3(server)),
        ("psycopg 2", lambda: python_clients.psycopg2(server)),
        ("asyncpg", lambda: python_clients.asyncpg(server)),
        ("SQLAlchemy", lambda: python_clients.sqlalchemy(server)),
        ("JDBC", lambda: jdbc.check(server, jars)),
    ]:
        if name == "JDBC" and jars is None:
            print("  JDBC: skipped, there are no jars", flush=True)
            continue
        begin = time.monotonic()
        check()
        print(f"  {name}: {time.monotonic() - begin:.1f} s", flush=True)


def trust(programs, work, jars):
    mesh = Mesh(programs, work)
    try:
        server = Server(mesh.port)
        mesh.wait_for_rows(server)
        clients(server, jars)
    finally:
        mesh.stop()


def logins(programs, work, jars):
    users = work / "users.json"
    for name in ("anna", "service:loan"):
        command = [programs / "mesh", "users", "add", name, f"--users-file={users}"]
        subprocess.run(command, input=f"{PASSWORD}\n", text=True, check=True, capture_output=True, timeout=60)
    cert, key = certificate(work)
    mesh = Mesh(programs, work, [f"--sql-users={users}", f"--sql-tls-cert={cert}", f"--sql-tls-key={key}"])
    try:
        server = Server(mesh.port, password=PASSWORD, ca=cert)
        mesh.wait_for_rows(server)
        psql.check_logins(server, Server(mesh.port, user="service:loan", password=PASSWORD, ca=cert))
        clients(server, jars)
    finally:
        mesh.stop()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--programs", type=pathlib.Path, required=True)
    parser.add_argument("--jdbc", type=pathlib.Path)
    parser.add_argument("--only", choices=["trust", "logins"])
    options = parser.parse_args()
    for name in list(os.environ):
        if name.startswith(("PG", "MESH_")):
            del os.environ[name]
    for name, check in [("trust", trust), ("logins", logins)]:
        if options.only in (None, name):
            print(f"round {name}", flush=True)
            with tempfile.TemporaryDirectory() as work:
                check(options.programs.resolve(), pathlib.Path(work), options.jdbc and options.jdbc.resolve())


if __name__ == "__main__":
    sys.exit(main())
