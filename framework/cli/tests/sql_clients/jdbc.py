"""JDBC, by pgjdbc and the program beside this one."""

import os
import pathlib
import subprocess
import tempfile

HERE = pathlib.Path(__file__).resolve().parent


def check(server, jars):
    driver = next(iter(sorted(jars.glob("postgresql-*.jar"))))
    url = f"jdbc:postgresql://{server.host}:{server.port}/mesh?options=-c%20mesh.purpose=analysis"
    url += f"&sslmode=verify-full&sslrootcert={server.ca}" if server.ca else "&sslmode=disable"
    with tempfile.TemporaryDirectory() as classes:
        subprocess.run(["javac", "-d", classes, HERE / "Jdbc.java"], check=True, timeout=120)
        found = subprocess.run(
            ["java", "-Duser.timezone=Europe/Berlin", "-cp", f"{classes}:{driver}", "Jdbc", url, server.user],
            env=os.environ | {"JDBC_PASSWORD": server.password or ""}, capture_output=True, text=True, timeout=120, check=False,
        )
    assert found.returncode == 0, found.stdout + found.stderr
