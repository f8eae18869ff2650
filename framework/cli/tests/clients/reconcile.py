"""Are the books right? Judged from the topics alone, by a client that is not ours.

Every application is decided exactly once; every approved loan is paid exactly once; no
other loan is paid; each payment goes through its steps in order; and the balance of each
account is the sum of its transactions to the cent. Each paid loan is opened once, and its client
is told of each decision and each payment once. Where there are receipts, each completed payment
has exactly one, written after its last step was counted.
"""

import argparse
from collections import Counter, defaultdict
from decimal import Decimal

from mesh_reader import Mesh, login

STEPS = ["INITIATED", "BALANCE_VERIFIED", "COMPLETED"]


def check_receipts(mesh, payments):
    steps = Counter(row["payment_id"] for row in payments)
    amounts = {row["payment_id"]: row["amount"] for row in payments}
    completed = sorted((row["payment_id"], steps[row["payment_id"]], row["amount"]) for row in payments if row["status"] == "COMPLETED")
    receipts = sorted((row["payment_id"], row["steps"], row["amount"]) for row in mesh.log("receipts.receipts.v1"))
    assert receipts == completed, f"{len(receipts)} receipts of {len(completed)} completed payments: {receipts} and {completed}"
    progress = {row["payment_id"]: (row["steps"], row["amount"]) for row in mesh.latest("receipts.progress.v1")}
    expected = {payment: (count, amounts[payment]) for payment, count in steps.items()}
    assert progress == expected, f"the progress of payments: {progress}, not {expected}"


def check_loans(mesh, decisions):
    opened = Counter(row["application_id"] for row in mesh.latest("loan.loans.v1"))
    approved = Counter(row["application_id"] for row in decisions if row["outcome"] == "APPROVED")
    assert opened == approved, f"{len(opened)} loans of {len(approved)} approved applications"


def check_deliveries(mesh, decisions, payments):
    deliveries = mesh.log("notification.deliveries.v1")
    causes = Counter(row["cause_event_id"] for row in deliveries)
    assert max(causes.values()) == 1, f"{sum(n > 1 for n in causes.values())} events are told twice"
    told = Counter(row["cause_topic"] for row in deliveries)
    completed = sum(row["status"] == "COMPLETED" for row in payments)
    assert told["loan.decisions.v1"] == len(decisions), f"{told} of {len(decisions)} decisions"
    assert told["transaction.payments.v1"] >= completed, f"{told} of {completed} completed payments"


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("bootstrap", "registry"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--login", help="a file with the table [kafka]")
    parser.add_argument("--applications", type=int)
    parser.add_argument("--imported", type=int, help="transactions read from files")
    parser.add_argument("--profiles", type=int)
    parser.add_argument("--accounts", type=int)
    parser.add_argument("--receipts", action="store_true", help="those of the kill test's own domain")
    args = parser.parse_args()
    mesh = Mesh(args.bootstrap, args.registry, args.login and login(args.login))

    applications = mesh.log("loan.applications.v1")
    decisions = mesh.log("loan.decisions.v1")
    payments = mesh.log("transaction.payments.v1")
    transactions = mesh.log("transaction.transactions.v1")
    accounts = mesh.latest("transaction.accounts.v1")
    profiles = mesh.latest("customer.profiles.v1")

    for name, rows, expected in (
        ("applications", applications, args.applications),
        ("accounts", accounts, args.accounts),
        ("profiles", profiles, args.profiles),
    ):
        assert expected is None or len(rows) == expected, f"{len(rows)} {name}, not {expected}"

    once = Counter(row["application_id"] for row in applications)
    assert max(once.values()) == 1, f"{sum(n > 1 for n in once.values())} applications stand twice"
    decided = Counter(row["application_id"] for row in decisions)
    assert decided == once, f"{len(once)} applications, {sum(decided.values())} decisions on {len(decided)}"

    steps = defaultdict(list)
    for row in payments:
        if row["kind"] != "TRANSFER":
            steps[row["application_id"]].append(row)
    payouts = defaultdict(list)
    for row in transactions:
        if row["source"] == "LOAN_PAYOUT" and row["payment_kind"] != "TRANSFER":
            payouts[row["payment_id"]].append(row)
    paid = Decimal(0)
    for decision in decisions:
        rows = steps.pop(decision["application_id"], [])
        if decision["outcome"] != "APPROVED":
            assert not rows, f"application {decision['application_id']} is paid and was not approved"
            continue
        names = [row["status"] for row in rows]
        assert names == STEPS, f"application {decision['application_id']} went through {names}"
        assert len({row["payment_id"] for row in rows}) == 1
        booked = payouts.pop(rows[0]["payment_id"], [])
        assert len(booked) == 1, f"application {decision['application_id']} is booked {len(booked)} times"
        assert booked[0]["account_id"] == decision["account_id"]
        assert booked[0]["amount"] == rows[2]["amount"] == decision["amount"]
        paid += decision["amount"]
    assert not steps and not payouts, "payments without a decision"

    ids = Counter(row["transaction_id"] for row in transactions)
    assert max(ids.values()) == 1, f"{sum(n > 1 for n in ids.values())} transactions stand twice"
    imported = sum(row["source"] == "IMPORT" for row in transactions)
    assert args.imported is None or imported == args.imported, f"{imported} transactions imported"
    sums = defaultdict(Decimal)
    for row in transactions:
        assert abs(row["signed_amount"]) == row["amount"]
        sums[row["account_id"]] += row["signed_amount"]
    wrong = [a["account_id"] for a in accounts if a["balance"] != sums[a["account_id"]]]
    assert not wrong, f"{len(wrong)} accounts do not add up, such as {wrong[:3]}"

    check_loans(mesh, decisions)
    check_deliveries(mesh, decisions, payments)
    if args.receipts:
        check_receipts(mesh, payments)

    outcomes = Counter(row["outcome"] for row in decisions)
    assert outcomes["APPROVED"] > 0, f"nothing was approved: {outcomes}"
    print(
        f"{len(decisions)} decisions {dict(sorted(outcomes.items()))}, {paid} paid out in "
        f"{outcomes['APPROVED']} payments, {len(transactions)} transactions "
        f"({imported} imported), {len(accounts)} accounts add up, {len(profiles)} profiles"
    )


main()
