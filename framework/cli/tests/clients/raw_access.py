"""What each user of a demo with access control can do with raw topics, and what it cannot."""

import argparse
import time
import uuid
from pathlib import Path

from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from mesh_reader import Mesh, login

MAY_READ = {
    "customer": ["customer.profiles.v1", "transaction.transactions.v1"],
    "transaction": ["transaction.payments.v1", "loan.decisions.v1"],
    "loan": ["loan.decisions.v1", "customer.credit_scores.v1", "transaction.transactions.v1", "transaction.payments.v1"],
    "notification": ["loan.decisions.v1", "transaction.payments.v1"],
    "platform": ["loan.decisions.v1", "customer.profiles.v1", "transaction.payments.v1"],
}
MAY_NOT_READ = {
    "customer": ["loan.decisions.v1", "loan.applications.v1", "transaction.payments.v1"],
    "transaction": ["customer.profiles.v1", "loan.applications.v1"],
    "loan": ["transaction.accounts.v1", "customer.changes.v1"],
    "notification": ["customer.profiles.v1", "loan.applications.v1"],
    "stranger": ["loan.decisions.v1", "customer.profiles.v1"],
}


def expect(code, found, what):
    name = found.name() if found is not None else "it is let in"
    assert found is not None and found.code() == code, f"{what}: {name}"


def read_error(bootstrap, settings, topic, group=None):
    """The error that a reader of `topic` is told, or None once it has a record."""
    consumer = Mesh(bootstrap, "http://unused", settings).consumer(group)
    if group:
        consumer.subscribe([topic])
    else:
        told = consumer.list_topics(topic, timeout=30).topics[topic]
        if told.error is not None:
            consumer.close()
            return told.error
        consumer.assign([TopicPartition(topic, partition, 0) for partition in told.partitions])
    until = time.time() + 30
    try:
        while time.time() < until:
            message = consumer.poll(1)
            if message is None:
                continue
            error = message.error()
            if error and (error.retriable() or (not group and error.code() == KafkaError.GROUP_AUTHORIZATION_FAILED)):
                # Who assigns its partitions itself needs no group, though its client looks for one.
                continue
            return error
    finally:
        consumer.close()
    raise AssertionError(f"{topic} tells neither a record nor an error")


def write_error(bootstrap, settings, topic):
    delivered = []
    producer = Producer({"bootstrap.servers": bootstrap, "message.timeout.ms": 20_000, **settings})
    producer.produce(topic, b"raw", on_delivery=lambda error, _: delivered.append(error))
    producer.flush(30)
    assert len(delivered) == 1, f"{topic}: a record was not answered"
    return delivered[0]


def create_error(bootstrap, settings, topic):
    admin = AdminClient({"bootstrap.servers": bootstrap, **settings})
    try:
        admin.create_topics([NewTopic(topic, 1, 1)])[topic].result(30)
    except KafkaException as refused:
        return refused.args[0]
    return None


def transaction_error(bootstrap, settings, name):
    producer = Producer({"bootstrap.servers": bootstrap, "transactional.id": name, **settings})
    try:
        producer.init_transactions(20)
    except KafkaException as refused:
        return refused.args[0]
    return None


def check_login(bootstrap, settings, code, what):
    errors = []
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": "x", "error_cb": errors.append, **settings})
    try:
        consumer.list_topics(timeout=5)
        raise AssertionError(f"{what}: it is let in")
    except KafkaException:
        pass
    consumer.poll(0)
    assert code in [error.code() for error in errors], f"{what}: {errors}"
    consumer.close()


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("bootstrap", "registry", "logins"):
        parser.add_argument(f"--{name}", required=True)
    args = parser.parse_args()
    bootstrap, logins = args.bootstrap, Path(args.logins)
    users = {name: login(logins / f"{name}.toml") for name in [*MAY_READ, "stranger"]}

    check_login(bootstrap, {}, KafkaError._ALL_BROKERS_DOWN, "a client without a login")
    wrong = {**users["loan"], "sasl.password": "wrong"}
    check_login(bootstrap, wrong, KafkaError._AUTHENTICATION, "a wrong password")

    for user, topics in MAY_READ.items():
        for topic in topics:
            error = read_error(bootstrap, users[user], topic)
            assert error is None, f"{user} cannot read {topic}: {error}"
    for user, topics in MAY_NOT_READ.items():
        for topic in topics:
            error = read_error(bootstrap, users[user], topic)
            expect(KafkaError.TOPIC_AUTHORIZATION_FAILED, error, f"{user} reads {topic}")
            error = write_error(bootstrap, users[user], topic)
            expect(KafkaError.TOPIC_AUTHORIZATION_FAILED, error, f"{user} writes {topic}")
    error = write_error(bootstrap, users["platform"], "loan.decisions.v1")
    expect(KafkaError.TOPIC_AUTHORIZATION_FAILED, error, "the platform writes a product")

    name = uuid.uuid4().hex[:8]
    error = create_error(bootstrap, users["customer"], f"customer.{name}.v1")
    assert error is None, f"customer cannot make a topic of its own: {error}"
    error = write_error(bootstrap, users["customer"], f"customer.{name}.v1")
    assert error is None, f"customer cannot write a topic of its own: {error}"
    error = create_error(bootstrap, users["customer"], f"loan.{name}.v1")
    expect(KafkaError.TOPIC_AUTHORIZATION_FAILED, error, "customer makes a topic of another domain")
    error = read_error(bootstrap, users["customer"], "customer.profiles.v1", "loan.assess")
    expect(KafkaError.GROUP_AUTHORIZATION_FAILED, error, "customer joins a group of another domain")
    error = transaction_error(bootstrap, users["customer"], "loan.outbox.x")
    expect(KafkaError.TRANSACTIONAL_ID_AUTHORIZATION_FAILED, error, "customer fences another domain")
    print("every user does its own work and no other's")


main()
