"""The domain letters against a platform: it waits for what it needs, agrees with `mesh
apply`, writes each notice exactly once though it is killed in the midst of transactions, shuts
out the process before it, and refuses what its contract does not know.

The platform is `mesh up`, on the embedded broker, or on the empty Kafka cluster that
MESH_KAFKA_BOOTSTRAP names."""

import argparse
import datetime
import itertools
import json
import os
import pathlib
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
import uuid
from decimal import Decimal

from confluent_kafka import Consumer, KafkaError, Producer, TopicPartition
from confluent_kafka.schema_registry import Schema, SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroDeserializer, AvroSerializer
from confluent_kafka.serialization import MessageField, SerializationContext

HERE = pathlib.Path(__file__).resolve().parent.parent
INPUT, OUTPUT = "loan.decisions.v1", "letters.notices.v1"
DECISIONS, LEAST_KILLS, MOST_KILLS = 12_000, 2, 40
POINTS = ("begun", "before_offsets", "before_commit", "committed")
KINDS = {"APPROVED": "GRANTED", "DECLINED": "REFUSED", "REFERRED": "IN_REVIEW"}


def say(text):
    print(f"[{time.strftime('%T')}] {text}", flush=True)


def expect(truth, text):
    if not truth:
        sys.exit(f"letters: {text}")


def until(what, seconds, step):
    """What `step` answers once it is true."""
    end = time.monotonic() + seconds
    while True:
        found = step()
        if found:
            return found
        expect(time.monotonic() < end, f"{what}: not in {seconds} s")
        time.sleep(0.05)


class Platform:
    def __init__(self, programs, work):
        self.program, self.log = programs / "mesh", work / "mesh.log"
        command = [self.program, "up", "--data-dir", work / "mesh", "--registry-port", "0", "--http-port", "0", "--postgres-port", "0", "--flight-port", "0"]
        given = os.environ.get("MESH_KAFKA_BOOTSTRAP")
        command += ["--kafka", given] if given else ["--kafka-port", "0"]
        with open(self.log, "w") as out:
            self.process = subprocess.Popen(command, stdout=out, stderr=subprocess.STDOUT)

        def up():
            expect(self.process.poll() is None, f"mesh up has ended:\n{self.log.read_text()[-2000:]}")
            return re.search(r"Kafka +(\S+)\n +Registry +(\S+)\n +Catalog +(http://[^/]+)", self.log.read_text())

        found = until("mesh up", 60, up).groups()
        self.kafka, self.registry, self.url = found
        self.kafka = given or self.kafka

    def run(self, command, *arguments, codes=(0,)):
        where = {
            "sql": ["--url", self.url],
            "plan": ["--kafka", self.kafka, "--registry", self.registry, "--url", self.url],
            "apply": ["--kafka", self.kafka, "--registry", self.registry, "--url", self.url],
        }
        done = subprocess.run([self.program, command, *where.get(command, []), *map(str, arguments)],
                              capture_output=True, text=True, timeout=120, check=False)
        expect(done.returncode in codes, f"mesh {command} ends with {done.returncode}: {done.stdout[-800:]}{done.stderr[-800:]}")
        return done.stdout

    def sql(self, statement):
        return json.loads(self.run("sql", "--format", "json", statement))["rows"]

    def get(self, url):
        try:
            with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(url, timeout=10) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            try:
                self.process.wait(30)
            except subprocess.TimeoutExpired:
                self.process.kill()


class Domain:
    """A process of the domain."""

    def __init__(self, platform, work, dies_at=None):
        self.platform, self.log = platform, work / f"domain-{uuid.uuid4().hex[:8]}.log"
        environment = {
            **os.environ, "MESH_BOOTSTRAP": platform.kafka, "MESH_REGISTRY_URL": platform.registry,
            "MESH_CATALOG_URL": platform.url, "MESH_LISTEN": "127.0.0.1:0",
        }
        with open(self.log, "w") as out:
            program = [HERE / "tests" / "dying.py", dies_at] if dies_at else [HERE / "letters.py"]
            self.process = subprocess.Popen([sys.executable, *program], stderr=out, env=environment)

        def listening():
            expect(self.process.poll() is None, f"the domain has ended:\n{self.text()[-1500:]}")
            return re.search(r"listening url=(\S+)", self.text())

        self.url = until("the domain listens", 30, listening).group(1)

    def text(self):
        return self.log.read_text()

    def get(self, path):
        code, body = self.platform.get(self.url + path)
        return code, json.loads(body) if body.startswith("{") else body

    def ready(self):
        until(f"the domain is ready:\n{self.text()[-1500:]}", 60, lambda: self.get("/readyz")[0] == 200)

    def kill(self):
        self.process.kill()
        self.process.wait(30)


def consumer(platform, isolation):
    return Consumer({"bootstrap.servers": platform.kafka, "group.id": f"check-{uuid.uuid4()}", "enable.auto.commit": False,
                     "isolation.level": isolation, "enable.partition.eof": True, "auto.offset.reset": "earliest"})


def read(platform, topic, isolation="read_committed"):
    """All messages of a topic."""
    reader = consumer(platform, isolation)
    partitions = reader.list_topics(topic, timeout=30).topics[topic].partitions
    reader.assign([TopicPartition(topic, partition, 0) for partition in partitions])
    messages, left, end = [], set(partitions), time.monotonic() + 120
    while left:
        expect(time.monotonic() < end, f"{topic}: the ends of {left} do not come")
        for message in reader.consume(2000, timeout=1):
            error = message.error()
            if error is not None and error.code() == KafkaError._PARTITION_EOF:
                left.discard(message.partition())
            else:
                expect(error is None, f"{topic}: {error}")
                messages.append(message)
    reader.close()
    return messages


class Lending:
    """Writes decisions as the domain loan does."""

    def __init__(self, platform):
        self.registry = SchemaRegistryClient({"url": platform.registry})
        self.schema = self.registry.get_latest_version(f"{INPUT}-value").schema.schema_str
        given = {"auto.register.schemas": False}
        self.key = AvroSerializer(self.registry, self.registry.get_latest_version(f"{INPUT}-key").schema.schema_str, conf=given)
        self.value = AvroSerializer(self.registry, self.schema, conf=given)
        self.producer = Producer({"bootstrap.servers": platform.kafka, "transactional.id": "loan.check", "partitioner": "murmur2_random", "log_level": 2})
        self.producer.init_transactions(30)
        self.traces, self.random, self.clients, self.outcomes = {}, random.Random(7), {}, {}

    def decide(self, numbers, encode=None, **change):
        self.producer.begin_transaction()
        for number in numbers:
            outcome = self.random.choice(list(KINDS))
            record = {
                "application_id": number, "account_id": number + 1, "client_id": number % 700 + 1, "outcome": outcome,
                "reason_codes": ["SCORE_SUFFICIENT"], "amount": Decimal("120000.00"), "duration_months": 12,
                "monthly_payment": Decimal(number % 9000 + 1).quantize(Decimal("0.01")), "as_of": datetime.date(1998, 1, 5),
                "decided_at": datetime.datetime(2026, 1, 1, tzinfo=datetime.timezone.utc) + datetime.timedelta(seconds=number),
                "policy_version": "1.0.0",
                "observed": {
                    "age_years": 40, "owns_account": True, "score_points": 600, "score_band": "A", "scorecard_version": "1.0.0",
                    "average_balance": None, "minimum_balance": None, "history_months": 24, "history_transactions": 90,
                    "days_since_last": 3, "monthly_inflow": Decimal("20000.00"), "monthly_commitments": Decimal("0.00"),
                },
                **change,
            }
            trace = uuid.uuid4().hex
            self.traces[number], self.clients[number], self.outcomes[number] = trace, record["client_id"], record["outcome"]
            headers = [("mesh-event-id", str(uuid.uuid4())), ("mesh-contract-version", "1.0.0"),
                       ("traceparent", f"00-{trace}-{uuid.uuid4().hex[:16]}-01")]
            self.producer.produce(INPUT, (encode or self.value)(record, SerializationContext(INPUT, MessageField.VALUE)),
                                  key=self.key(number, SerializationContext(INPUT, MessageField.KEY)), headers=headers)
            self.producer.poll(0)
        self.producer.commit_transaction(60)


def check_schemas(platform):
    """The schemas in the folder are those that follow from the contracts."""
    for contract, form, file in (("products/notices", "avro", "notices-value"), ("products/notices", "avro-key", "notices-key"),
                                 ("inputs/decisions.odcs.yaml", "avro", "decisions-value")):
        made = platform.run("contract", "export", HERE / contract, "--format", form)
        kept = (HERE / "schemas" / f"{file}.avsc").read_text()
        expect(json.loads(made) == json.loads(kept),
               f"schemas/{file}.avsc is not what follows from {contract}; run `mesh contract export {contract} --format {form} --output schemas/{file}.avsc`")
    platform.run("contract", "lint", HERE)
    say("the schemas in the folder follow from the contracts")


def check_start(platform, work, loan):
    """A process that comes before its topics waits, and says for what."""
    domain = Domain(platform, work)
    code, body = until("the missing topic is told", 30,
                       lambda: (found := domain.get("/readyz")) and "kafka" in found[1]["waiting"] and found)
    expect(code == 503 and f"no topic {OUTPUT}" in body["waiting"]["kafka"] and "mesh apply" in body["waiting"]["kafka"], f"/readyz: {code} {body}")
    expect(domain.get("/healthz") == (200, "ok\n"), "/healthz")
    expect(domain.get("/none")[0] == 404, "a path that is not there")
    platform.run("apply", "--yes", "--folder", HERE)
    until("the input's topic is missed", 30, lambda: f"no topic {INPUT}" in domain.get("/readyz")[1]["waiting"].get("kafka", ""))
    platform.run("apply", "--yes", "--folder", loan)
    domain.ready()
    found = json.loads(platform.get(f"{platform.url}/api/v1/domains/letters")[1])
    expect(found["api_url"].rstrip("/") == domain.url, f"the catalog has the domain at {found['api_url']}, not {domain.url}")
    platform.run("plan", "--detailed-exitcode", "--folder", HERE)
    say("it waits for its topics, registers itself, and a plan after it finds no changes")
    return domain


def check_kills(platform, work, domain, lending):
    """Killed while transactions are open, again and again."""
    numbers = iter(range(1, DECISIONS + 1))
    watcher = consumer(platform, "read_uncommitted")
    partitions = watcher.list_topics(OUTPUT, timeout=30).topics[OUTPUT].partitions
    watcher.assign([TopicPartition(OUTPUT, partition, 0) for partition in partitions])
    kills = aborted = 0
    while kills < LEAST_KILLS or not aborted:
        expect(kills < MOST_KILLS, f"{kills} kills, and none of them in the midst of a transaction")
        while any(message.error() is None for message in watcher.consume(5000, timeout=0.3)):
            pass
        batch = list(itertools.islice(numbers, 700))
        lending.decide(batch)

        def written():
            expect(domain.process.poll() is None, f"the domain has ended:\n{domain.text()[-1500:]}")
            return any(message.error() is None for message in watcher.consume(1, timeout=0.05))

        # The first record of a transaction is seen before the transaction ends.
        until(f"a record comes after kill {kills}", 60, written)
        domain.kill()
        kills += 1
        # Nobody writes now: what only uncommitted readers see was in a transaction that did not end.
        aborted = len(read(platform, OUTPUT, "read_uncommitted")) - len(read(platform, OUTPUT))
        domain = Domain(platform, work)
        domain.ready()
    watcher.close()
    say(f"killed {kills} times; transactions that were open left {aborted} records that no reader of committed ones sees")
    for point in POINTS:
        domain.process.send_signal(signal.SIGTERM)
        domain.process.wait(20)
        lending.decide(list(itertools.islice(numbers, 700)))
        domain = Domain(platform, work, dies_at=point)
        until(f"it dies at {point}", 60, lambda: domain.process.poll() is not None)
        expect(domain.process.returncode == -signal.SIGKILL, f"at {point} it ends with {domain.process.returncode}:\n{domain.text()[-1500:]}")
        domain = Domain(platform, work)
        domain.ready()
    say(f"killed at each step of a transaction: {', '.join(POINTS)}")
    rest = list(numbers)
    for at in range(0, len(rest), 2000):
        lending.decide(rest[at:at + 2000])
    return domain


def check_notices(platform, lending, least):
    """One notice for each decision, with all that the mesh asks of a record."""
    messages = until(f"{least} notices", 120, lambda: len(found := read(platform, OUTPUT)) >= least and found)
    decode = AvroDeserializer(lending.registry)
    seen, homes, ids = set(), {}, set()
    for message in messages:
        record = decode(message.value(), SerializationContext(OUTPUT, MessageField.VALUE))
        key = decode(message.key(), SerializationContext(OUTPUT, MessageField.KEY))
        number, headers = record["application_id"], {name: value.decode() for name, value in message.headers()}
        expect(number not in seen, f"application {number} has two notices")
        seen.add(number)
        expect(key == record["client_id"] == lending.clients[number], f"application {number}: the key is not its client")
        expect(record["kind"] == KINDS[lending.outcomes[number]], f"application {number}: the wrong kind")
        expect((record["monthly_payment"] is not None) == (record["kind"] == "GRANTED"), f"application {number}: the payment")
        expect(homes.setdefault(key, message.partition()) == message.partition(), f"client {key} is in two partitions")
        expect(headers["mesh-contract-version"] == "1.0.0", "the contract's version")
        expect(headers["traceparent"].split("-")[1] == lending.traces[number], f"application {number}: the trace is lost")
        ids.add(uuid.UUID(headers["mesh-event-id"]))
    expect(seen == set(lending.clients), f"{len(set(lending.clients) - seen)} decisions have no notice")
    expect(len(ids) == len(seen), "event ids stand twice")
    say(f"{len(seen)} decisions have one notice each, by their keys and headers in order")


def check_sql(platform, lending):
    """The product is a table like any other."""
    count, distinct = platform.sql("SELECT count(*), count(DISTINCT application_id) FROM letters.notices")[0]
    expect(count == distinct == len(lending.clients), f"SQL counts {count} notices for {distinct} applications")
    rows = platform.sql(
        "SELECT d.outcome, n.kind, count(*) FROM loan.decisions d LEFT JOIN letters.notices n "
        "ON n.application_id = d.application_id GROUP BY d.outcome, n.kind")
    wanted = {outcome: sum(one == outcome for one in lending.outcomes.values()) for outcome in KINDS}
    expect({(outcome, kind): number for outcome, kind, number in rows} == {(one, KINDS[one]): wanted[one] for one in KINDS},
           f"SQL joins decisions and notices to {rows}")
    say(f"mesh sql: {count} notices, joined with their decisions across the two domains")


def check_fence(platform, work, old, lending):
    """A newer process shuts the older one out."""
    new = Domain(platform, work)
    new.ready()
    lending.decide(range(DECISIONS + 1, DECISIONS + 401))

    def fenced():
        if old.process.poll() is None:
            last = max(lending.clients)
            lending.decide(range(last + 1, last + 41))
            time.sleep(0.5)
        return old.process.poll() is not None

    until("the older process is shut out", 60, fenced)
    expect(old.process.returncode == 1 and "fenced" in old.text().lower(), f"the older process ends with {old.process.returncode}:\n{old.text()[-800:]}")
    check_notices(platform, lending, len(lending.clients))
    say("a second process shuts the first one out, which ends with 1, and nothing is written twice")
    return new


def check_ends(platform, work, domain, loan):
    """The catalog names it as a reader, which it stays when the support of its input ends; nobody
    reads an input after its end of life."""
    readers = json.loads(platform.get(f"{platform.url}/api/v1/products/loan/decisions/versions/v1")[1])["readers"]
    expect(any((one["domain"], one["handler"]) == ("letters", "notices") for one in readers), f"the catalog's readers are {readers}")
    copy = work / "ends" / "loan"
    shutil.copytree(loan / "products", copy / "products")
    contract, product = (copy / "products" / "decisions" / name for name in ("contract.odcs.yaml", "product.odps.yaml"))
    end_of_support, end_of_life = (f"  - {{property: {end}}}\n" for end in (
        'endOfSupport, value: "2020-01-01"', 'endOfLife, value: "2020-06-01"'))
    texts = {file: file.read_text() for file in (contract, product)}
    for patch, ends in enumerate((end_of_support, end_of_support + end_of_life, ""), 1):
        for file, text in texts.items():
            # The version of the product, of the contract, and of the port that hands it out.
            text = re.sub(r'version: "1\.0\.0"(?=\n(status|    contractId: urn:mesh:contract:loan\.decisions\n))', f'version: "1.0.{patch}"', text)
            file.write_text(text.replace("slaProperties:\n", f"slaProperties:\n{ends}"))
        platform.run("apply", "--yes", "--folder", copy)
        if patch < 3:
            domain.kill()
            domain = Domain(platform, work)
        if patch == 2:
            until("the end of life is told", 30, lambda: "end of life" in domain.get("/readyz")[1]["waiting"].get("input", ""))
            expect(domain.get("/readyz")[0] == 503, "it is ready after the end of life of its input")
        else:
            domain.ready()
    say("the catalog names it as a reader; it goes on after the end of support of its input, waits after the end of life, and goes on once that is taken back")
    return domain


def check_stop(platform, work, domain):
    domain.process.send_signal(signal.SIGTERM)
    expect(domain.process.wait(20) == 0, f"SIGTERM ends it with {domain.process.returncode}:\n{domain.text()[-800:]}")
    say("SIGTERM ends it with 0")
    return Domain(platform, work)


def check_refusal(platform, domain, lending):
    """An outcome that the copy of the contract does not know: nothing is made up, the place is told, no value."""
    domain.ready()
    before = len(read(platform, OUTPUT))
    schema = json.loads(lending.schema)
    outcome = next(one for one in schema["fields"] if one["name"] == "outcome")["type"]
    outcome["symbols"].append("FORGOTTEN")
    subject = lambda context, name: "raw-decisions"  # noqa: E731
    lending.registry.register_schema("raw-decisions", Schema(json.dumps(schema), "AVRO"))
    encode = AvroSerializer(lending.registry, json.dumps(schema), conf={"auto.register.schemas": False, "subject.name.strategy": subject})
    lending.decide([DECISIONS + 90_000], encode, outcome="FORGOTTEN")
    until("the process ends", 30, lambda: domain.process.poll() is not None)
    said = domain.text()
    expect(domain.process.returncode == 1, f"it ends with {domain.process.returncode}")
    expect(re.search(rf"{re.escape(INPUT)} partition \d offset \d+: the value is not read by", said), f"the place is not told:\n{said[-800:]}")
    expect("FORGOTTEN" not in said, "a value stands in the log")
    expect(len(read(platform, OUTPUT)) == before, "a notice was written")
    say("a decision of an unknown kind ends it with 1, its place and no value in the log")


def main():
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--programs", type=pathlib.Path, required=True, help="folder with mesh")
    arguments.add_argument("--loan", type=pathlib.Path, default=HERE.parent.parent / "domains" / "loan", help="folder of the domain loan")
    options = arguments.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        work = pathlib.Path(folder)
        platform, domain = Platform(options.programs.resolve(), work), None
        try:
            say(f"the platform is up on {platform.kafka}")
            check_schemas(platform)
            domain = check_start(platform, work, options.loan)
            lending = Lending(platform)
            domain = check_kills(platform, work, domain, lending)
            check_notices(platform, lending, DECISIONS)
            check_sql(platform, lending)
            domain = check_fence(platform, work, domain, lending)
            domain = check_ends(platform, work, domain, options.loan)
            domain = check_stop(platform, work, domain)
            check_refusal(platform, domain, lending)
        finally:
            if domain is not None and domain.process.poll() is None:
                domain.kill()
            platform.stop()
    say("letters: all pass")


if __name__ == "__main__":
    main()
