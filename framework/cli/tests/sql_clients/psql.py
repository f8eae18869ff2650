"""psql: what it shows, and what its backslash commands show."""

import os
import re
import subprocess


def run(server, *commands, **environment):
    """Exit code, and what was said on both outputs."""
    arguments = ["psql", "-X", "-v", "ON_ERROR_STOP=1", "-v", "VERBOSITY=verbose", "--no-password"]
    for command in commands:
        arguments += ["-c", command]
    given = {"PATH": os.environ["PATH"], "PGOPTIONS": "-c mesh.purpose=analysis", "LC_ALL": "C.UTF-8"}
    found = subprocess.run(
        arguments, env=given | server.environment() | environment,
        capture_output=True, text=True, timeout=120, check=False,
    )
    return found.returncode, found.stdout, found.stderr


def shows(server, command, *parts, never=()):
    code, out, err = run(server, command)
    assert code == 0, f"{command}: {err}"
    for part in parts:
        assert re.search(part, out), f"{command}: no {part!r} in\n{out}"
    for part in never:
        assert not re.search(part, out), f"{command}: {part!r} in\n{out}"


def fails(server, command, state, **environment):
    code, _, err = run(server, command, **environment)
    assert code != 0 and f"{state}:" in err, f"{command}: {code} {err}"


def check(server):
    shows(server, "SELECT count(*) FROM shop.sales", r"count", r"  500")
    shows(server, "SELECT sale_id, amount, sold_at, note FROM shop.sales WHERE sale_id IN (2, 3) ORDER BY 1",
          r"2 \| +0\.25 \| 2023-11-14 22:13:20\.000002\+00 \| *\n", r"3 \| +0\.35 \| .* \| note 3")
    shows(server, "SELECT opened_on, opens_at, labels, manager, open FROM shop.stores ORDER BY store",
          r'2001-02-03 \| 08:30:00 +\| \{a,"b,\\"c\\""\} \| \{"name":"Jo","age":null\} \| t', r"\| \{\} +\| +\| f")
    shows(server, r"\conninfo", "database \"mesh\"")
    shows(server, r"\l", r"mesh +\| mesh +\| UTF8")
    shows(server, r"\dn", r"shop +\| shop", never=["pg_catalog"])
    shows(server, r"\dt", r"shop +\| sales +\| table", r"shop +\| stores +\| table")
    shows(server, r"\dt shop.*", r"shop +\| sales +\| table", r"shop +\| stores_v1 +\| table")
    shows(server, r"\dt+ shop.sales", r"One sale in one store\.")
    shows(server, r"\d", r"shop +\| sales", r"shop +\| stores")
    shows(server, r"\d shop.sales", r'Table "shop.sales"', r"sale_id +\| bigint +\| +\| not null",
          r"amount +\| numeric\(12,2\)", r"sold_at +\| timestamp with time zone", r"note +\| text +\| +\| +\|")
    shows(server, r"\d shop.stores", r"labels +\| text\[\]", r"area +\| double precision", r"manager +\| json",
          r'"stores_pkey" PRIMARY KEY, btree \(store\)')
    shows(server, r"\d+ shop.sales", r"The sale's number\.")
    shows(server, r"\dv", "")
    shows(server, r"\df", "0 rows")
    shows(server, r"\du", r"anna")
    shows(server, r"\di", r"stores_pkey")
    shows(server, r"\z shop.sales", r"sales")
    code, _, err = run(server, r"\d shop.nothing")
    assert "Did not find any relation" in err, (code, err)

    shows(server, "SHOW mesh.purpose", "analysis")
    code, out, err = run(server, "SET mesh.purpose = 'fraud_review'", "SHOW mesh.purpose")
    assert code == 0 and "fraud_review" in out, err
    code, out, err = run(server, "BEGIN", "SELECT 1", "COMMIT")
    assert code == 0, err
    fails(server, "SELECT * FROM shop.nothing", "42P01")
    fails(server, "SELECT nothing FROM shop.sales", "42703")
    fails(server, "SELEC", "42601")
    fails(server, "INSERT INTO shop.sales VALUES (1)", "42501")
    fails(server, r"\copy shop.sales to '/dev/null'", "0A000")
    fails(server, "SELECT * FROM shop.sales", "28000", PGOPTIONS="")
    code, _, err = run(server, "SELECT 1", PGDATABASE="postgres")
    assert code != 0 and 'database "postgres" does not exist' in err, err


def check_logins(server, service):
    """With users, over TLS."""
    shows(service, "SELECT current_user", "service:loan")
    # Bound to the channel, and only so if the client insists.
    code, out, err = run(server, "SELECT 1", PGCHANNELBINDING="require")
    assert code == 0, err
    code, out, err = run(server, r"\conninfo")
    assert "SSL connection" in out, out
    for environment in ({"PGPASSWORD": "wrong"}, {"PGUSER": "nobody"}, {"PGPASSWORD": ""}):
        code, _, err = run(server, "SELECT 1", **environment)
        assert code == 2, (environment, err)
        assert "password authentication failed" in err or "no password supplied" in err, err
    code, _, err = run(server, "SELECT 1", PGSSLMODE="disable")
    assert code == 0, err
