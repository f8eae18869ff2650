"""The domain letters: a notice to the client for each decision on a loan.

It reads `loan.decisions` and writes `letters.notices` exactly once: the notices of a batch
and the offsets of their decisions are one Kafka transaction. docs/python.md tells what it
shares with the domains in Rust."""

import argparse
import json
import logging
import os
import pathlib
import secrets
import signal
import sys
import threading
import time
import tomllib
import urllib.error
import urllib.request
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition
from confluent_kafka.schema_registry import Schema, SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroDeserializer, AvroSerializer
from confluent_kafka.schema_registry.error import SchemaRegistryError
from confluent_kafka.serialization import MessageField, SerializationContext, SerializationError
from fastavro.read import SchemaResolutionError

HERE = pathlib.Path(__file__).resolve().parent
DOMAIN, PRODUCT, VERSION = "letters", "notices", "1.0.0"
INPUT, OUTPUT = "loan.decisions.v1", "letters.notices.v1"
# The consumer group and the transactional id; `mesh acls domain` allows both by their prefix.
NAME = "letters.notices"
KINDS = {"APPROVED": "GRANTED", "DECLINED": "REFUSED", "REFERRED": "IN_REVIEW"}
# The namespace of ids that follow from their cause, as mesh-core has it.
IDS = uuid.UUID(int=0x6D65_7368_2D65_5656_8000_0000_0000_0001)
WATCH_SECONDS = 3
# How often the catalog is asked whether the input ends.
ENDS_SECONDS = 60
# What bytes that are not as they should be make the decoder raise; all else is the registry's.
UNREADABLE = (SerializationError, SchemaResolutionError, ValueError, TypeError, LookupError, EOFError, ArithmeticError)

log = logging.getLogger(DOMAIN)


class Unknown(Exception):
    """What the catalog does not have."""


class Refused(Exception):
    """What trying again does not change; its text holds no value of a record."""


class Ended(Exception):
    """That an input may not be read, or not any more."""


class Stopped(Exception):
    """The process is to stop in the midst of a transaction."""


def derived(*parts):
    """The id that always follows from the same parts."""
    return uuid.uuid5(IDS, "\x1f".join(parts))


def child(traceparent):
    """A new span of the trace of `traceparent`, or of a new trace (W3C Trace Context)."""
    parts = (traceparent or "").split("-")
    if len(parts) != 4 or [len(part) for part in parts] != [2, 32, 16, 2]:
        parts = ["00", secrets.token_hex(16), "", "01"]
    return "-".join(["00", parts[1], secrets.token_hex(8), parts[3]])


def notice(event_id, decision):
    """What the client of a decision is told."""
    granted = decision["outcome"] == "APPROVED"
    return {
        "notice_id": str(derived(NAME, event_id, "notice")),
        "application_id": decision["application_id"],
        "client_id": decision["client_id"],
        "kind": KINDS[decision["outcome"]],
        "monthly_payment": decision["monthly_payment"] if granted else None,
        "reason_codes": decision["reason_codes"],
        "decided_at": decision["decided_at"],
    }


class Status:
    """What `/readyz` and `/status` show."""

    def __init__(self):
        self.lock = threading.Lock()
        self.waiting = {"start": "the process is starting"}
        self.handled = self.published = 0

    def wait(self, part, reason):
        with self.lock:
            if self.waiting.get(part) != reason:
                log.warning("waiting part=%s reason=%s", part, reason)
            self.waiting[part] = reason

    def clear(self, part):
        with self.lock:
            if self.waiting.pop(part, None) is not None:
                log.info("there part=%s", part)

    def count(self, handled, published):
        with self.lock:
            self.handled += handled
            self.published += published

    def readyz(self):
        with self.lock:
            return {"ready": not self.waiting, "waiting": dict(self.waiting)}

    def report(self):
        with self.lock:
            return {
                "domain": DOMAIN,
                "ready": not self.waiting,
                "waiting": dict(self.waiting),
                "products": [{"topic": OUTPUT, "published": self.published}],
                "handlers": [{"name": PRODUCT, "group": NAME, "topic": INPUT, "handled": self.handled}],
            }


def serve(status, listen):
    """The HTTP side; answers its URL."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):  # noqa: N802, the name that http.server asks for
            code, kind, body = 200, "application/json", None
            if self.path == "/healthz":
                kind, body = "text/plain; charset=utf-8", "ok\n"
            elif self.path == "/readyz":
                found = status.readyz()
                code, body = 200 if found["ready"] else 503, json.dumps(found)
            elif self.path == "/status":
                body = json.dumps(status.report())
            else:
                problem = {"title": "there is no such path; there are /healthz, /readyz and /status", "status": 404}
                code, kind, body = 404, "application/problem+json", json.dumps(problem)
            data = body.encode()
            self.send_response(code)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_):
            pass

    host, _, port = listen.rpartition(":")
    server = ThreadingHTTPServer((host, int(port)), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return f"http://{host}:{server.server_port}"


class Catalog:
    """The catalog's REST API, as far as a domain needs it."""

    def __init__(self, url):
        self.url = url.rstrip("/")
        # The services of a mesh reach each other directly.
        self.open = urllib.request.build_opener(urllib.request.ProxyHandler({})).open

    def call(self, method, path, body=None):
        request = urllib.request.Request(
            f"{self.url}/api/v1/{path}",
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Content-Type": "application/json"},
        )
        try:
            with self.open(request, timeout=10) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            said = error.read().decode(errors="replace")
            if error.code == 404 and method == "GET":
                raise Unknown(path) from error
            if error.code >= 500 or error.code == 429:
                raise ConnectionError(f"the catalog answers {error.code}") from error
            raise Refused(f"the catalog refuses {method} {path} with {error.code}: {said}") from error


class Domain:
    def __init__(self, options, status):
        self.status = status
        self.batch = options.batch_events
        self.stopping = threading.Event()
        self.catalog = Catalog(options.catalog_url)
        self.registry = SchemaRegistryClient({"url": options.registry_url, **registry_login()})
        settings = {"bootstrap.servers": options.bootstrap, **kafka_settings(options.config)}
        self.producer = Producer({
            **settings,
            "transactional.id": NAME,
            # As Java's clients and the domains in Rust choose the partition of a key.
            "partitioner": "murmur2_random",
            "linger.ms": 5,
        })
        self.consumer = Consumer({
            **settings,
            "group.id": NAME,
            "isolation.level": "read_committed",
            "enable.auto.commit": False,
            "auto.offset.reset": "earliest",
            "session.timeout.ms": 6000,
        })
        schema = {one: (HERE / "schemas" / f"{one}.avsc").read_text() for one in ("notices-key", "notices-value", "decisions-value")}
        self.schemas = {"key": schema["notices-key"], "value": schema["notices-value"]}
        given = {"auto.register.schemas": False}
        self.encode_key = AvroSerializer(self.registry, self.schemas["key"], conf=given)
        self.encode_value = AvroSerializer(self.registry, self.schemas["value"], conf=given)
        # The writer's schema may know more columns: fields are matched by name.
        self.decode = AvroDeserializer(self.registry, schema["decisions-value"])

    def persist(self, part, step):
        """Tries `step` until it succeeds, and shows why not yet; None if the process stops before."""
        pause = 0.2
        while not self.stopping.is_set():
            try:
                result = step()
            except Refused:
                raise
            except Ended as error:
                self.status.wait(part, str(error))
            except SchemaRegistryError as error:
                if 400 <= error.http_status_code < 500 and error.http_status_code != 429:
                    raise Refused(f"the registry refuses a schema: {error.error_message}") from error
                self.status.wait(part, f"the registry answers {error.http_status_code}")
            except KafkaException as error:
                if error.args[0].fatal():
                    raise
                self.status.wait(part, f"Kafka: {error.args[0].str()}")
            except Exception as error:  # httpx, urllib and sockets each have their own
                self.status.wait(part, f"does not answer ({type(error).__name__}); is its address right, and is it up?")
            else:
                self.status.clear(part)
                return result
            self.stopping.wait(pause)
            pause = min(pause * 2, 5)
        return None

    def topics(self):
        """That both topics are there, which is not this process's business to make."""
        there = self.producer.list_topics(timeout=10).topics
        for topic, mend in ((OUTPUT, f"run `mesh apply --folder {HERE.name}`"), (INPUT, "start the domain loan")):
            if topic not in there:
                raise KafkaException(KafkaError(KafkaError.UNKNOWN_TOPIC_OR_PART, f"there is no topic {topic}; {mend}"))

    def admitted(self):
        """That the input may be read: not after its end of life, and after the end of its
        support by those alone who read it before."""
        domain, product, major = INPUT.split(".")
        try:
            found = self.catalog.call("GET", f"products/{domain}/{product}/versions/{major}")
        except Unknown:
            return
        life = found["lifecycle"]
        instead = f"read {life['successor']} instead" if life["successor"] else f"ask the domain {domain} what to read instead"
        if found["status"] == "retired" or life["stage"] == "ended":
            raise Ended(f"{INPUT} has reached its end of life; {instead}")
        if life["stage"] == "unsupported" and DOMAIN not in [reader["domain"] for reader in found["readers"]]:
            raise Ended(f"the support of {INPUT} has ended: it takes no new readers; {instead}")

    def register(self, api_url):
        """Schemas, the domain and its product; the same again changes nothing."""
        def schemas():
            return {part: self.registry.register_schema(f"{OUTPUT}-{part}", Schema(text, "AVRO"))
                    for part, text in self.schemas.items()}

        ids = self.persist("registry", schemas)
        if ids is None:
            return
        folder = HERE / "products" / PRODUCT
        body = {
            "product": (folder / "product.odps.yaml").read_text(),
            "contract": (folder / "contract.odcs.yaml").read_text(),
            "topic": OUTPUT,
            "key_schema_id": ids["key"],
            "value_schema_id": ids["value"],
            "key_schema": self.schemas["key"],
            "value_schema": self.schemas["value"],
        }

        def entries():
            reads = [{"handler": PRODUCT, "topic": INPUT}]
            self.catalog.call("PUT", f"domains/{DOMAIN}", {"api_url": api_url, "reads": reads})
            self.catalog.call("PUT", f"products/{DOMAIN}/{PRODUCT}/versions/{VERSION}", body)

        self.persist("catalog", entries)

    def watch(self):
        """Shows which part of the platform does not answer."""
        parts = {
            "kafka": lambda: self.producer.list_topics(OUTPUT, timeout=WATCH_SECONDS),
            "registry": lambda: self.registry.get_latest_version(f"{OUTPUT}-value"),
            "catalog": lambda: self.catalog.call("GET", f"products/{DOMAIN}/{PRODUCT}"),
        }
        while not self.stopping.wait(WATCH_SECONDS):
            for part, ask in parts.items():
                try:
                    ask()
                    self.status.clear(part)
                except Exception as error:
                    self.status.wait(part, f"does not answer ({type(error).__name__})")

    def run(self, api_url):
        self.persist("kafka", self.topics)
        self.persist("input", self.admitted)
        self.register(api_url)
        # Ends what a process before this one has left open, and shuts that one out.
        self.persist("kafka", lambda: self.producer.init_transactions(30))
        if self.stopping.is_set():
            return
        threading.Thread(target=self.watch, daemon=True).start()
        self.consumer.subscribe([INPUT])
        self.status.clear("start")
        asked = time.monotonic()
        while not self.stopping.is_set():
            messages = []
            if time.monotonic() - asked >= ENDS_SECONDS:
                self.persist("input", self.admitted)
                asked = time.monotonic()
            for message in self.consumer.consume(self.batch, timeout=0.5):
                error = message.error()
                if error is None:
                    messages.append(message)
                elif error.fatal():
                    raise KafkaException(error)
                else:
                    log.warning("reading topic=%s code=%s", INPUT, error.name())
            if messages:
                try:
                    self.transaction(messages)
                except Stopped:
                    break
        self.consumer.close()

    def transaction(self, messages):
        """The notices of `messages` and the offsets behind them, all or nothing."""
        firsts, ends = {}, {}
        for message in messages:
            firsts.setdefault(message.partition(), message.offset())
            ends[message.partition()] = message.offset() + 1
        try:
            self.producer.begin_transaction()
            published = sum(self.handle(message) for message in messages)
            offsets = [TopicPartition(INPUT, partition, end) for partition, end in ends.items()]
            group = self.consumer.consumer_group_metadata()
            self.again(lambda: self.producer.send_offsets_to_transaction(offsets, group, 30))
            self.again(lambda: self.producer.commit_transaction(30))
        except (Refused, Stopped):
            # Else readers would wait for the transaction until it times out.
            self.producer.abort_transaction(30)
            raise
        except KafkaException as raised:
            error = raised.args[0]
            if not error.txn_requires_abort():
                raise
            log.warning("the transaction is given up and done again code=%s", error.name())
            self.again(lambda: self.producer.abort_transaction(30))
            for partition, first in firsts.items():
                try:
                    self.consumer.seek(TopicPartition(INPUT, partition, first))
                except KafkaException:
                    # Another process has it now, and begins where the group has committed.
                    log.info("no longer assigned partition=%s", partition)
            return
        self.status.count(len(messages), published)

    def again(self, step):
        """A step of a transaction, which librdkafka lets be repeated while it says so."""
        while True:
            try:
                return step()
            except KafkaException as raised:
                if not raised.args[0].retriable() or self.stopping.is_set():
                    raise
                log.warning("a step of a transaction is tried again code=%s", raised.args[0].name())
                time.sleep(0.2)

    def handle(self, message):
        """Writes the notice of a decision; how many records that are."""
        if message.value() is None:
            return 0
        # The registry is asked for schemas that are new here.
        sent = self.persist("registry", lambda: self.record(message))
        if sent is None:
            raise Stopped
        while True:
            try:
                self.producer.produce(OUTPUT, **sent)
                self.producer.poll(0)
                return 1
            except BufferError:
                self.producer.poll(0.1)

    def record(self, message):
        """The record of a notice as the producer takes it."""
        headers = {name: (value or b"").decode(errors="replace") for name, value in message.headers() or []}
        place = (INPUT, str(message.partition()), str(message.offset()))
        event_id = headers.get("mesh-event-id") or str(derived("kafka", *place))
        try:
            decision = self.decode(message.value(), SerializationContext(INPUT, MessageField.VALUE))
            made = notice(event_id, decision)
            return {
                "key": self.encode_key(made["client_id"], SerializationContext(OUTPUT, MessageField.KEY)),
                "value": self.encode_value(made, SerializationContext(OUTPUT, MessageField.VALUE)),
                "headers": [
                    ("mesh-event-id", str(derived(NAME, event_id, "0"))),
                    ("mesh-contract-version", VERSION),
                    ("traceparent", child(headers.get("traceparent"))),
                ],
            }
        except UNREADABLE as error:
            # What fastavro says may hold the record's values, so only its kind is told.
            raise Refused("{} partition {} offset {}: ".format(*place) + "the value is not read by inputs/decisions.odcs.yaml "
                          f"({type(error).__name__}); mend the copy of the contract, or have its owner mend the record") from None


def registry_login():
    user, password = (os.environ.get(f"MESH_REGISTRY_{one}", "") for one in ("USER", "PASSWORD"))
    if bool(user) != bool(password):
        raise Refused("the login for the schema registry is not clear; set both MESH_REGISTRY_USER and MESH_REGISTRY_PASSWORD")
    return {"basic.auth.user.info": f"{user}:{password}"} if user else {}


def kafka_settings(config):
    """Settings of librdkafka, from the table [kafka] of a TOML file."""
    if not config:
        return {}
    try:
        with open(config, "rb") as opened:
            found = tomllib.load(opened).get("kafka", {})
    except (OSError, tomllib.TOMLDecodeError) as error:
        raise Refused(f"{config}: {error}; give a TOML file with a table [kafka]") from error
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)

    def option(name, default, text, kind=str):
        variable = "MESH_" + name.upper().replace("-", "_")
        value = os.environ.get(variable) or default
        parser.add_argument(f"--{name}", default=value, type=kind, help=f"{text} [env: {variable}] [default: {default}]")

    option("bootstrap", "127.0.0.1:9092", "Kafka's address")
    option("registry-url", "http://127.0.0.1:8081", "URL of the schema registry")
    option("catalog-url", "http://127.0.0.1:8080", "URL of the catalog")
    option("listen", "127.0.0.1:8110", "address of /healthz, /readyz and /status; port 0 is any free one")
    option("api-url", None, "URL at which others reach them; the address that it listens on by default")
    option("config", None, "a TOML file with a table [kafka] of settings of librdkafka")
    option("batch-events", 500, "decisions that share a transaction at most", int)
    options = parser.parse_args()
    # The registry's client tells of every request otherwise.
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(message)s", stream=sys.stderr)
    log.setLevel(logging.INFO)
    try:
        status = Status()
        domain = Domain(options, status)
        for one in (signal.SIGTERM, signal.SIGINT):
            signal.signal(one, lambda *_: domain.stopping.set())
        url = serve(status, options.listen)
        log.info("listening url=%s", url)
        domain.run(options.api_url or url)
    except Refused as error:
        log.error("%s", error)
        return 1
    except KafkaException as error:
        # Fenced by a newer process, or a fault that this one cannot mend.
        log.error("Kafka: %s; start the process again unless a newer one runs", error.args[0].str())
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
