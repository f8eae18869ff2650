"""What a schema registry answers to its clients, step by step: Confluent's client for Python,
its serializers for Avro, JSON Schema and Protobuf, and the paths that user interfaces ask for.

An id is called after the step that saw it first, JSON texts are read, and of an error status
and code count, so that the answers of two registries can be held against each other.
"""

import json

import requests
from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.schema_registry.error import SchemaRegistryError
from languages import LANGUAGES

CONTENT_TYPE = "application/vnd.schemaregistry.v1+json"

# Seconds after which nothing is waited for any more.
NO_ANSWER = 10


def parsed(text):
    try:
        return json.loads(text)
    except ValueError:
        return text


class Recorder:
    """The answers of the registry at `url`, by the names of the steps."""

    def __init__(self, url):
        self.url = url
        self.answers = {}
        self.ids = {}
        self.step = ""

    def client(self):
        """A client that has cached nothing yet."""
        # Apicurio Registry leaves a request without an answer now and then; asked again it answers.
        settings = {"timeout": NO_ANSWER, "max.retries": 2, "retries.wait.ms": 100}
        return SchemaRegistryClient({"url": self.url} | settings)

    def id(self, number):
        return self.ids.setdefault(number, f"id of {self.step}")

    def note(self, step, answer):
        assert step not in self.answers, f"the step {step} stands twice"
        self.answers[step] = answer

    def ask(self, step, call, shape=lambda answer: answer):
        """Notes what a call of the client gives, or its error; returns the bare answer."""
        self.step = step
        try:
            answer = call(self.client())
        except SchemaRegistryError as error:
            self.note(step, f"error {error.http_status_code}/{error.error_code}")
            return None
        self.note(step, shape(answer))
        return answer

    def register(self, step, subject, schema, **more):
        return self.ask(step, lambda it: it.register_schema(subject, schema, **more), self.id)

    def http(self, step, method, path, body=None, shape=lambda body: body, raw=None):
        """Notes what a request gives that no client wraps."""
        self.step = step
        data = raw if raw is not None else None if body is None else json.dumps(body)
        headers = {"content-type": CONTENT_TYPE, "accept": CONTENT_TYPE}
        for last in [False, False, True]:
            try:
                answer = requests.request(
                    method, self.url + path, data=data, headers=headers, timeout=NO_ANSWER
                )
                break
            except requests.exceptions.ReadTimeout:
                if last:
                    raise
        content = parsed(answer.text)
        if answer.status_code >= 400:
            code = content.get("error_code") if isinstance(content, dict) else None
            self.note(step, f"error {answer.status_code}/{code}")
        else:
            self.note(step, shape(content))
        return answer

    def version(self, found):
        """A version as the client shows it."""
        schema = self.schema(found.schema)
        return {
            "subject": found.subject,
            "version": found.version,
            "id": self.id(found.schema_id),
        } | schema

    def schema(self, schema):
        references = [(it.name, it.subject, it.version) for it in schema.references or []]
        return {
            "type": schema.schema_type or "AVRO",
            "schema": parsed(schema.schema_str),
            "references": references,
        }


def level(answer):
    return answer["compatibility"]


def server(it):
    it.ask("server.types", lambda client: sorted(client.get_schema_types()))
    it.ask("server.contexts", lambda client: client.get_contexts())
    it.ask("server.mode", lambda client: client.get_global_mode())
    it.ask("server.config", lambda client: client.get_compatibility())
    it.ask("server.config.set", lambda client: client.set_compatibility(level="BACKWARD"), level)
    it.http("server.root", "GET", "/", shape=lambda body: type(body).__name__)
    it.http("server.id", "GET", "/v1/metadata/id", shape=lambda body: sorted(body))
    answer = it.http("server.subjects.none", "GET", "/subjects")
    it.note("server.content-type", answer.headers["content-type"].split(";")[0])
    it.http("server.unknown-path", "GET", "/nothing/here")
    it.http("server.unknown-method", "DELETE", "/subjects")


def language(it, of):
    """Registered, found, checked, referred to."""
    p, subject = of.prefix, f"{of.prefix}-pay"
    it.register(f"{p}.register", subject, of.first)
    it.register(f"{p}.register.again", subject, of.first)
    it.register(f"{p}.register.other-spaces", subject, of.same)
    it.register(f"{p}.register.plain", f"{p}-normalized", of.first)
    it.register(f"{p}.register.normalized", f"{p}-normalized", of.same, normalize_schemas=True)
    number = it.register(f"{p}.register.elsewhere", f"{p}-other", of.first)
    it.register(f"{p}.register.invalid", subject, of.invalid)
    it.ask(
        f"{p}.register.response",
        lambda client: client.register_schema_full_response(subject, of.first).version,
    )

    it.ask(f"{p}.lookup", lambda client: client.lookup_schema(subject, of.first), it.version)
    it.ask(
        f"{p}.lookup.other-spaces",
        lambda client: client.lookup_schema(subject, of.same),
        it.version,
    )
    it.ask(
        f"{p}.lookup.unknown-schema",
        lambda client: client.lookup_schema(subject, of.good),
        it.version,
    )
    it.ask(
        f"{p}.lookup.unknown-subject",
        lambda client: client.lookup_schema(f"{p}-none", of.first),
        it.version,
    )
    it.ask(
        f"{p}.lookup.invalid", lambda client: client.lookup_schema(subject, of.invalid), it.version
    )

    it.ask(f"{p}.by-id", lambda client: client.get_schema(number), it.schema)
    it.http(f"{p}.by-id.text", "GET", f"/schemas/ids/{number}/schema")
    it.ask(f"{p}.by-id.subjects", lambda client: sorted(client.get_subjects_by_schema_id(number)))
    it.ask(
        f"{p}.by-id.versions",
        lambda client: sorted((v.subject, v.version) for v in client.get_schema_versions(number)),
    )
    it.register(f"{p}.register.elsewhere.other-spaces", f"{p}-spaced", of.same)

    it.ask(f"{p}.versions", lambda client: client.get_versions(subject))
    it.ask(f"{p}.version", lambda client: client.get_version(subject, 1), it.version)
    it.ask(f"{p}.version.latest", lambda client: client.get_latest_version(subject), it.version)
    it.http(
        f"{p}.version.minus-one",
        "GET",
        f"/subjects/{subject}/versions/-1",
        shape=lambda body: body.get("version"),
    )
    it.http(f"{p}.version.text", "GET", f"/subjects/{subject}/versions/1/schema")
    it.http(
        f"{p}.version.body",
        "GET",
        f"/subjects/{subject}/versions/1",
        shape=lambda body: sorted(body),
    )

    it.ask(f"{p}.check.good", lambda client: client.test_compatibility(subject, of.good))
    it.ask(f"{p}.check.bad", lambda client: client.test_compatibility(subject, of.bad))
    it.ask(f"{p}.check.invalid", lambda client: client.test_compatibility(subject, of.invalid))
    it.ask(f"{p}.check.all", lambda client: client.test_compatibility_all_versions(subject, of.bad))
    it.ask(
        f"{p}.check.unknown-subject",
        lambda client: client.test_compatibility(f"{p}-none", of.first),
    )
    it.ask(
        f"{p}.check.unknown-version",
        lambda client: client.test_compatibility(subject, of.first, version=9),
    )
    body = {"schema": of.bad.schema_str, "schemaType": of.kind}
    told = lambda body: {
        "is_compatible": body.get("is_compatible"),
        "told": bool(body.get("messages")),
    }
    check = f"/compatibility/subjects/{subject}/versions/latest"
    it.http(f"{p}.check.quiet", "POST", check, body, told)
    it.http(f"{p}.check.verbose", "POST", f"{check}?verbose=true", body, told)

    it.register(f"{p}.register.bad", subject, of.bad)
    it.register(f"{p}.register.good", subject, of.good)
    it.ask(f"{p}.versions.two", lambda client: client.get_versions(subject))
    it.ask(f"{p}.level.none", lambda client: client.set_compatibility(subject, "NONE"), level)
    it.ask(f"{p}.level.is", lambda client: client.get_compatibility(subject))
    it.register(f"{p}.register.bad.level-none", subject, of.bad)

    it.register(f"{p}.reference.missing", f"{p}-lacking", of.alone)
    it.register(f"{p}.reference.to-nowhere", f"{p}-lacking", of.nowhere)
    it.register(f"{p}.reference.shared", f"{p}-shared", of.shared)
    number = it.register(f"{p}.reference.register", f"{p}-referring", of.referring)
    it.ask(f"{p}.reference.by-id", lambda client: client.get_schema(number), it.schema)
    it.ask(
        f"{p}.reference.lookup",
        lambda client: client.lookup_schema(f"{p}-referring", of.referring),
        it.version,
    )
    it.ask(
        f"{p}.reference.by",
        lambda client: client.get_referenced_by(f"{p}-shared", 1),
        lambda ids: [it.id(number) for number in ids],
    )
    it.ask(f"{p}.reference.delete", lambda client: client.delete_subject(f"{p}-shared"))


def lists(it):
    # Whether a schema was taken that lacks a reference stands above.
    names = lambda found: sorted(name for name in found if not name.endswith("-lacking"))
    it.ask("list.subjects", lambda client: client.get_subjects(), names)
    it.ask(
        "list.subjects.prefix", lambda client: client.get_subjects(subject_prefix="avro-"), names
    )
    it.http("list.subjects.page", "GET", "/subjects?offset=1&limit=2", shape=len)
    brief = lambda body: sorted((one.get("subject"), one.get("version")) for one in body)
    it.http("list.schemas", "GET", "/schemas?subjectPrefix=json-pay", shape=brief)
    it.http(
        "list.schemas.latest", "GET", "/schemas?subjectPrefix=json-pay&latestOnly=true", shape=brief
    )


def settings(it):
    it.ask("config.none", lambda client: client.get_compatibility("avro-other"))
    it.http("config.default-to-global", "GET", "/config/avro-other?defaultToGlobal=true")
    for name in ["BACKWARD_TRANSITIVE", "FORWARD", "FORWARD_TRANSITIVE", "FULL", "FULL_TRANSITIVE"]:
        it.ask(f"config.{name}", lambda client: client.set_compatibility("avro-other", name), level)
    it.ask("config.get", lambda client: client.get_compatibility("avro-other"))
    it.http("config.body", "GET", "/config/avro-other")
    it.http("config.invalid", "PUT", "/config/avro-other", {"compatibility": "SIDEWARD"})
    it.http("config.unknown-subject", "PUT", "/config/avro-none", {"compatibility": "FULL"}, level)
    it.http("config.set.body", "PUT", "/config/avro-none", {"compatibility": "FULL"})
    it.http("config.delete", "DELETE", "/config/avro-other")
    it.http("config.delete.again", "DELETE", "/config/avro-other")
    it.ask("mode.none", lambda client: client.get_mode("avro-other"))
    it.http("mode.default-to-global", "GET", "/mode/avro-other?defaultToGlobal=true")
    it.http("mode.readonly", "PUT", "/mode", {"mode": "READONLY"})
    it.register("mode.readonly.register", "avro-locked", LANGUAGES[0].first)
    it.http("mode.readwrite", "PUT", "/mode", {"mode": "READWRITE"})
    it.http("mode.invalid", "PUT", "/mode", {"mode": "SOMETIMES"})


def errors(it):
    it.ask("error.unknown-id", lambda client: client.get_schema(2_000_000_000), it.schema)
    it.http("error.id.no-number", "GET", "/schemas/ids/abc")
    it.ask(
        "error.unknown-subject", lambda client: client.get_latest_version("avro-none"), it.version
    )
    it.ask("error.unknown-subject.versions", lambda client: client.get_versions("avro-none"))
    it.ask("error.unknown-subject.delete", lambda client: client.delete_subject("avro-none"))
    it.ask("error.unknown-version", lambda client: client.get_version("avro-other", 9), it.version)
    it.ask("error.unknown-version.delete", lambda client: client.delete_version("avro-other", 9))
    it.http("error.version.no-number", "GET", "/subjects/avro-other/versions/abc")
    it.http("error.version.zero", "GET", "/subjects/avro-other/versions/0")
    it.http("error.empty-schema", "POST", "/subjects/avro-new/versions", {"schema": ""}, len)
    it.http("error.no-schema", "POST", "/subjects/avro-new/versions", {})
    it.http("error.no-json", "POST", "/subjects/avro-new/versions", raw="{")
    body = {"schema": "x", "schemaType": "XML"}
    it.http("error.unknown-type", "POST", "/subjects/avro-new/versions", body)
    other = LANGUAGES[1].first
    it.register("error.other-type", "avro-other", other)


def deletion(it):
    subject = "avro-other"
    first, good = LANGUAGES[0].first, LANGUAGES[0].good
    it.register("delete.second-version", subject, good)
    it.ask(
        "delete.version.hard-first",
        lambda client: client.delete_version(subject, 1, permanent=True),
    )
    it.ask("delete.version", lambda client: client.delete_version(subject, 1))
    it.ask("delete.version.again", lambda client: client.delete_version(subject, 1))
    it.ask("delete.version.left", lambda client: client.get_versions(subject))
    it.http("delete.version.with-deleted", "GET", f"/subjects/{subject}/versions?deleted=true")
    it.ask("delete.version.get", lambda client: client.get_version(subject, 1), it.version)
    it.ask(
        "delete.version.get-deleted",
        lambda client: client.get_version(subject, 1, deleted=True),
        it.version,
    )
    it.ask("delete.version.lookup", lambda client: client.lookup_schema(subject, first), it.version)
    it.ask("delete.version.hard", lambda client: client.delete_version(subject, 1, permanent=True))
    it.http("delete.version.gone", "GET", f"/subjects/{subject}/versions?deleted=true")
    it.ask(
        "delete.subject.hard-first", lambda client: client.delete_subject(subject, permanent=True)
    )
    it.ask("delete.subject", lambda client: client.delete_subject(subject))
    it.ask("delete.subject.again", lambda client: client.delete_subject(subject))
    it.ask("delete.subject.list", lambda client: subject in client.get_subjects())
    it.ask(
        "delete.subject.list-deleted", lambda client: subject in client.get_subjects(deleted=True)
    )
    it.register("delete.subject.register", subject, good)
    it.ask("delete.subject.versions", lambda client: client.get_versions(subject))
    it.ask("delete.subject.soft", lambda client: client.delete_subject(subject))
    it.ask("delete.subject.hard", lambda client: client.delete_subject(subject, permanent=True))
    it.ask("delete.subject.gone", lambda client: client.get_versions(subject))
    it.register("delete.subject.anew", subject, first)
    it.ask("delete.subject.anew.versions", lambda client: client.get_versions(subject))


def contexts(it):
    it.ask(
        "context.register",
        lambda client: client.register_schema(":.apart:s", LANGUAGES[0].first) > 0,
    )
    it.ask("context.subjects", lambda client: ":.apart:s" in client.get_subjects())
    it.ask("context.versions", lambda client: client.get_versions(":.apart:s"))
    it.http("context.path", "GET", "/contexts/.apart/subjects")
