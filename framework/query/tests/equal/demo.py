"""The seven domains with rows of every kind: `mesh demo`, what clients and viewers then do over
the domains' APIs, and the same platform again without its domains, so that nothing is written
any more."""

import concurrent.futures
import datetime
import json
import re
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
import uuid

NAMES = uuid.UUID("7d1f3f0e-52a4-4c5c-9d11-0d6a4f6f7a10")
FUND = 9_000_000_001
CUSTOMERS, VIEWERS = 500, 300
# Requests that are sent at a time.
CALLERS = 4
HTTP = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def say(text):
    print(f"[{time.strftime('%T')}] {text}", flush=True)


def expect(truth, text):
    if not truth:
        sys.exit(f"sql-equal: {text}")


def until(what, seconds, step):
    """What `step` answers once it is true."""
    end = time.monotonic() + seconds
    while True:
        found = step()
        if found:
            return found
        expect(time.monotonic() < end, f"{what}: not in {seconds} s")
        time.sleep(0.2)


class Refused(Exception):
    """A statement or a request that was answered with a problem document."""


def call(url, body=None, purpose="analysis"):
    headers = {"Mesh-Principal": "user:analyst", "Mesh-Purpose": purpose, "Content-Type": "application/json"}
    data = None if body is None else json.dumps(body).encode()
    try:
        with HTTP.open(urllib.request.Request(url, data, headers), timeout=120) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as error:
        raise Refused(f"{error.code} {error.read().decode()}") from None


class Mesh:
    """A process of `mesh` and the address of its catalog and SQL."""

    def __init__(self, arguments, log, pattern, seconds):
        self.log = log
        with open(log, "w") as out:
            self.process = subprocess.Popen(arguments, stdout=out, stderr=subprocess.STDOUT)

        def up():
            expect(self.process.poll() is None, f"mesh {arguments[1]} has ended:\n{log.read_text()[-2000:]}")
            return re.search(pattern, log.read_text())

        try:
            self.url = until(f"mesh {arguments[1]}", seconds, up).group(1)
        except BaseException:
            self.stop()
            raise

    def sql(self, statement):
        answer = call(f"{self.url}/api/v1/sql", {"sql": statement})
        if "error" in answer:
            raise Refused(json.dumps(answer["error"]))
        return answer

    def rows(self, statement):
        return self.sql(statement)["rows"]

    def tables(self):
        """`domain.product` of each product; versions under their own names are the same rows."""
        listed = ((row[0], row[1]) for row in self.rows("SHOW TABLES"))
        # What the platform tells of itself grows with each statement.
        return sorted(
            f"{domain}.{name}" for domain, name in listed if domain != "platform" and not re.search(r"_v\d+$", name)
        )

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            try:
                self.process.wait(60)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait(30)


def demo(programs, workspace, work, kafka):
    where = ["--kafka", kafka] if kafka else ["--kafka-port", "0"]
    return Mesh([programs / "mesh", "demo", "--mesh", "all", "--programs", programs, "--workspace", workspace, "--data-dir", work / "mesh",
                 "--customers", str(CUSTOMERS), "--viewers", str(VIEWERS), "--registry-port", "0", "--http-port", "0", "--postgres-port", "0", "--flight-port", "0", "--domain-port", "0", *where],
                work / "demo.log", r"mesh sql --url (\S+)[^\0]*The mesh stays up", 600)


def platform(programs, work, kafka):
    """The platform of a demo that has ended."""
    where = ["--kafka", kafka] if kafka else ["--kafka-port", "0"]
    return Mesh([programs / "mesh", "up", "--data-dir", work / "mesh" / "platform", "--registry-port", "0", "--http-port", "0", "--postgres-port", "0", "--flight-port", "0", *where],
                work / "up.log", r"Catalog +(http://[^/]+)", 60)


def live(mesh):
    """Clients and viewers act, so that no product stays empty: the same ones in every run."""
    apis = {one["domain"]: one["api_url"] for one in call(f"{mesh.url}/api/v1/domains")["items"]}
    failed = []

    def send(domain, path, purpose, bodies):
        def one(body):
            route = path.format(**body)
            taken = {key: value for key, value in body.items() if f"{{{key}}}" not in path}
            try:
                call(apis[domain] + route, taken, purpose)
            except Refused as refused:
                failed.append(f"{domain} {path}: {str(refused)[:300]}")

        with concurrent.futures.ThreadPoolExecutor(CALLERS) as callers:
            list(callers.map(one, bodies))
        expect(not failed, f"{len(failed)} requests failed, first {failed[:1]}")

    day = lambda text, plus: str(datetime.date.fromisoformat(text) + datetime.timedelta(days=plus))  # noqa: E731
    name = lambda *parts: str(uuid.uuid5(NAMES, "/".join(map(str, parts))))  # noqa: E731

    channels, muted = ("LOG", "EMAIL", "NONE"), ([], ["PAYMENTS"], ["LOANS", "PROFILE"])
    send("notification", "/v1/preferences", "servicing", (
        {"client_id": client, "channel": channels[client % 3], "muted_subjects": muted[client % 4 % 3], "language": ("en", "cs")[client % 2],
         **({"email": f"client{client}@example.org"} if client % 3 == 1 else {})} for client in range(1, 91)))

    owners = mesh.rows("SELECT account_id, owner_client_id FROM transaction.accounts ORDER BY account_id")
    send("customer", "/v1/credit_scores", "credit_assessment", (
        {"client_id": owner, "account_id": account, "as_of": day("1997-01-01", number * 31 % 700)}
        for number, (account, owner) in enumerate(owners[:330])))

    references = (None, "rent", "invoice 2017/{}", "gift to {}", "Rent, late: month {}")
    accounts = [account for account, _ in owners]
    send("transaction", "/v1/transfers", "payment", (
        {"transfer_id": f"order-{number}", "from_account": accounts[number * 7 % len(accounts)], "to_account": accounts[(number * 7 + 1 + number % 5) % len(accounts)],
         "amount": f"{(number * number * 37 % 90_000) + number / 100 + 1:.2f}", "value_date": day("1998-10-01", number % 80),
         **({"reference": text.format(number)} if (text := references[number % 5]) else {})} for number in range(160)))

    loans = mesh.rows("SELECT loan_id, account_id, payment_reference, monthly_instalment, granted_on FROM loan.loans ORDER BY loan_id")
    expect(loans, "the demo has granted no loan")
    send("transaction", "/v1/transfers", "payment", (
        {"transfer_id": f"instalment-{loan}-{month}", "from_account": account, "to_account": FUND, "amount": instalment, "reference": f"{reference} month {month}",
         "value_date": day(granted, 30 * month + loan % 9)}
        for at, (loan, account, reference, instalment, granted) in enumerate(loans) for month in range(1, 2 + at % 6 * 2)))

    send("customer", "/v1/clients/{client_id}/address", "servicing", (
        {"client_id": client, "request_id": name("move", client), "district_id": client * 5 % 8 + 1} for client in range(3, 240, 6)))
    send("customer", "/v1/clients/{client_id}/erasure", "servicing", ({"client_id": client} for client in range(11, 260, 24)))

    viewers, last = mesh.rows("SELECT count(DISTINCT user_id), max(viewed_at) FROM user_behavior.views")[0]
    after = datetime.datetime.fromisoformat(last) + datetime.timedelta(days=1)
    ages = ("AGE_18_24", "AGE_25_29", "AGE_30_34", "AGE_35_39", "AGE_45_49", "AGE_50_AND_OVER")

    # One view after the other: an earlier one after a later one would be late.
    for number in range(120):
        at = after + datetime.timedelta(minutes=number * 37)
        user = number * 13 % 40 + 1
        call(f"{apis['user_behavior']}/v1/views", {
            "view_id": name("view", number), "user_id": user, "item_id": number * 17 % 200 + 1, "viewed_at": at.isoformat(),
            **({"age_band": ages[user % len(ages)]} if user % 4 else {}),
            **({"rating": f"{number % 10 / 2 + 0.5:.1f}"} if number % 3 else {})}, "playback")
    expect(viewers == VIEWERS, f"{viewers} viewers of {VIEWERS}")

    until("audiences with an age", 60, lambda: mesh.rows("SELECT count(*) FROM user_behavior.audiences WHERE age_band IS NOT NULL")[0][0] > 10)
    shown = mesh.rows("SELECT pseudonym, age_band FROM user_behavior.audiences ORDER BY pseudonym LIMIT 60")
    ads = [ad for (ad,) in mesh.rows("SELECT ad_id FROM ads.ads ORDER BY ad_id LIMIT 20")]
    for kind, every, more in (("impression", 1, {"spend": "0.02"}), ("click", 3, {"spend": "1.35"}), ("conversion", 7, {})):
        send("ads", f"/v1/{kind}s", "advertising", (
            {f"{kind}_id": name(kind, number), "ad_id": ads[number * 3 % len(ads)], "viewer": viewer, "at": f"2017-09-{number % 5 + 1:02}T1{number % 10}:00:00Z",
             **({"kind": ("ENQUIRY", "APPROVED")[number % 2]} if kind == "conversion" else {}), **more}
            for number, (viewer, _) in enumerate(shown) if number % every == 0))


def settled(mesh, tables):
    """Waits until every product has rows and the domains have done what followed: no record more for some seconds."""
    counts = " UNION ALL ".join(f"SELECT '{table}', count(*), max(_timestamp) FROM {table}" for table in tables)
    seen, since = [], time.monotonic()
    end = since + 180
    while not seen or time.monotonic() < since + 6:
        expect(time.monotonic() < end, f"no rest in 180 s, or no rows in {[table for table, count, _ in seen if not count]}")
        found = sorted(mesh.rows(counts))
        if found != seen or not all(count for _, count, _ in found):
            seen, since = found, time.monotonic()
        time.sleep(1)
