"""Are the books right? Judged from the topics alone, by a client that is not ours.

Every transfer that was ordered ended exactly once, in COMPLETED or REJECTED, after its steps in
order, with the amount and the accounts that were ordered. Each completed one has exactly one
booking on either side and no rejected one has any. No account was ever below 0, whichever booking
is taken as the last; each balance is what the account was opened with and what was booked; and all
of them together are what they were at the beginning. With --clean: removes the domain's topics
from a cluster that is there for tests.
"""

import argparse
import json
from collections import Counter, defaultdict
from decimal import Decimal
from uuid import UUID, uuid4

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroDeserializer
from confluent_kafka.serialization import MessageField, SerializationContext

TOPICS = [f"transaction.{name}.v1" for name in ("accounts", "transactions", "payments", "transfer_orders")]


def clean(bootstrap):
    admin = AdminClient({"bootstrap.servers": bootstrap})
    named = {*TOPICS, *(f"{topic}.dlq" for topic in TOPICS), "loan.decisions.v1"}
    there = sorted(named & set(admin.list_topics(timeout=30).topics))
    if not there:
        return
    for topic, done in admin.delete_topics(there, operation_timeout=30).items():
        try:
            done.result()
        except KafkaException as error:
            assert error.args[0].code() == KafkaError.UNKNOWN_TOPIC_OR_PART, f"{topic}: {error}"


def read(bootstrap, registry, topic):
    """The committed rows of a topic with their keys, in order within each partition."""
    decode = AvroDeserializer(SchemaRegistryClient({"url": registry}))
    consumer = Consumer(
        {
            "bootstrap.servers": bootstrap,
            "group.id": f"judge-{uuid4()}",
            "enable.auto.commit": False,
            "isolation.level": "read_committed",
            "enable.partition.eof": True,
        }
    )
    partitions = consumer.list_topics(topic, timeout=30).topics[topic].partitions
    left = set(partitions)
    consumer.assign([TopicPartition(topic, partition, 0) for partition in partitions])
    context = SerializationContext(topic, MessageField.VALUE)
    rows, empty = [], 0
    while left:
        found = consumer.consume(1000, timeout=0.2)
        empty = 0 if found else empty + 1
        assert empty < 300, f"{topic}: the ends of {left} do not come"
        for message in found:
            error = message.error()
            if error is not None and error.code() == KafkaError._PARTITION_EOF:
                left.discard(message.partition())
                continue
            assert error is None, error
            row = decode(message.value(), context)
            rows.append((message.key(), {name: str(value) if isinstance(value, UUID) else value for name, value in row.items()}))
    consumer.close()
    return rows


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bootstrap", required=True)
    parser.add_argument("--registry")
    parser.add_argument("--clean", action="store_true")
    parser.add_argument("--ordered", help="a JSON file with what was ordered, and the payments' ids")
    parser.add_argument("--accounts", type=int)
    parser.add_argument("--opening", type=Decimal)
    args = parser.parse_args()
    if args.clean:
        return clean(args.bootstrap)
    accounts, entries, payments, orders = (read(args.bootstrap, args.registry, topic) for topic in TOPICS)
    with open(args.ordered) as file:
        ordered = {order["payment_id"]: order for order in json.load(file)}

    taken = Counter(row["payment_id"] for _, row in orders)
    assert taken == Counter(ordered.keys()), f"{len(ordered)} orders, {sum(taken.values())} taken for {len(taken)} payments"

    steps = defaultdict(list)
    for _, row in payments:
        steps[row["payment_id"]].append(row)
    assert steps.keys() == ordered.keys(), f"{len(ordered)} ordered, {len(steps)} payments"
    bookings = defaultdict(list)
    for _, row in entries:
        bookings[row["payment_id"]].append(row)
    assert len(bookings.pop(None)) == args.accounts, "one imported deposit for each account"
    ends, reasons = Counter(), Counter()
    for payment, order in ordered.items():
        rows = steps[payment]
        names = [row["status"] for row in rows]
        end = names[-1]
        ends[end] += 1
        done = ["INITIATED", "BALANCE_VERIFIED", "COMPLETED"]
        assert names in (done, ["INITIATED", "REJECTED"]), f"{payment} went through {names}"
        for row in rows:
            seen = (row["kind"], row["from_account"], row["account_id"], row["amount"])
            told = ("TRANSFER", order["from_account"], order["to_account"], Decimal(order["amount"]))
            assert seen == told, f"{payment} is not what was ordered"
            assert (row["reason"] is not None) == (row["status"] == "REJECTED")
        last = rows[-1]
        booked = {row["transaction_id"]: (row["account_id"], row["signed_amount"]) for row in bookings.pop(payment, [])}
        expected = {}
        if end == "COMPLETED":
            expected = {
                last["debit_transaction_id"]: (last["from_account"], -last["amount"]),
                last["transaction_id"]: (last["account_id"], last["amount"]),
            }
            assert len(expected) == 2
        else:
            reasons[last["reason"]] += 1
            unknown = order["to_account"] > args.accounts
            assert last["reason"] == ("UNKNOWN_ACCOUNT" if unknown else "INSUFFICIENT_FUNDS"), last["reason"]
        assert booked == expected, f"{payment}: {end}, and {len(booked)} bookings"
    assert not bookings, f"{len(bookings)} payments are booked and were not ordered"
    numbers = Counter(row["transaction_id"] for _, row in entries)
    assert max(numbers.values()) == 1, "a booking stands twice"

    # The bookings of one account are in one partition, in the order of booking.
    balances, lowest = defaultdict(Decimal), Decimal("Infinity")
    for _, row in entries:
        balances[row["account_id"]] += row["signed_amount"]
        lowest = min(lowest, balances[row["account_id"]])
    assert lowest >= 0, f"an account was at {lowest}"
    latest = {key: row for key, row in accounts}
    shown = {row["account_id"]: row["balance"] for row in latest.values()}
    assert shown == dict(balances), "a balance is not what was booked"
    assert len(shown) == args.accounts
    for _, row in accounts:
        assert row["balance"] >= 0, "a balance below 0 was published"
    total = args.opening * args.accounts
    assert sum(shown.values()) == total, f"{sum(shown.values())} in all, not {total}"
    assert ends["COMPLETED"] > 1000 and reasons["INSUFFICIENT_FUNDS"] > 100 and reasons["UNKNOWN_ACCOUNT"] > 10, (ends, reasons)
    print(
        f"{len(ordered)} transfers {dict(sorted(ends.items()))} {dict(sorted(reasons.items()))}, {len(entries)} bookings, "
        f"lowest balance {lowest}, {total} in {len(shown)} accounts as at the beginning"
    )


main()
