"""Is everything that was watched and shown counted once? Judged from the topics alone, by a
client that is not ours, beside the files that the domains have read.

Every rating is one view; the views of a user's sessions and patterns are no more than theirs and
each is in one session; every viewer has one list of items that they have not seen; the report's
rows are each through or aside, and what is through adds up to the cent; no campaign's allotments
exceed its budget.
"""

import argparse
import csv
import gzip
import pathlib
from collections import Counter, defaultdict
from decimal import Decimal

from mesh_reader import Mesh


def rows(path):
    opened = gzip.open(path, "rt", newline="", encoding="utf-8") if path.suffix == ".gz" else open(path, newline="", encoding="utf-8")
    with opened as text:
        return list(csv.DictReader(text))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("bootstrap", "registry"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--files", type=pathlib.Path, required=True, help="the folder that the domains have read")
    args = parser.parse_args()
    mesh = Mesh(args.bootstrap, args.registry)

    ratings = next(path for name in ("ratings.csv.gz", "ratings.csv") if (path := args.files / name).exists())
    watched = Counter((int(row["userId"]), int(row["movieId"])) for row in rows(ratings))
    views = mesh.log("user_behavior.views.v1")
    assert Counter((view["user_id"], view["item_id"]) for view in views) == watched, f"{len(views)} views of {sum(watched.values())} ratings"
    assert len({view["view_id"] for view in views}) == len(views), "a view stands twice"
    per_user = Counter(view["user_id"] for view in views)

    sessions = mesh.log("user_behavior.sessions.v1")
    assert len({session["session_id"] for session in sessions}) == len(sessions), "a session stands twice"
    assert sessions, "no session was closed"
    in_sessions = Counter()
    for session in sessions:
        in_sessions[session["user_id"]] += session["views"]
        assert session["started_at"] <= session["ended_at"]
    assert all(in_sessions[user] <= count for user, count in per_user.items()), "a view is in two sessions"
    patterns = {row["user_id"]: row["views"] for row in mesh.latest("user_behavior.watch_patterns.v1")}
    assert patterns == dict(in_sessions), "patterns do not follow the sessions"

    seen = defaultdict(set)
    for user, item in watched:
        seen[user].add(item)
    lists = {row["user_id"]: row for row in mesh.latest("recommendation.lists.v1")}
    assert lists.keys() == seen.keys(), f"{len(lists)} lists of {len(seen)} viewers"
    for user, row in lists.items():
        items = [item["item_id"] for item in row["items"]]
        assert items and len(set(items)) == len(items) and not seen[user] & set(items), f"the list of a viewer: {len(items)} items"

    report = rows(args.files / "data.csv")
    # Lost columns leave two empty ones at the end.
    whole = [row for row in report if row["total_conversion"] != "" and row["approved_conversion"] != ""]
    aside = mesh.latest("ads.set_aside_rows.v1")
    assert len(aside) == len(report) - len(whole), f"{len(aside)} rows aside of {len(report) - len(whole)}"
    assert len(mesh.log("ads.report_rows.v1")) == len(report)
    shown = sum(row["shown"] for row in mesh.log("ads.impressions.v1"))
    assert shown == sum(int(row["impressions"]) for row in whole), f"{shown} shown"
    clicks = sum(row["clicks"] for row in mesh.log("ads.clicks.v1"))
    assert clicks == sum(int(row["clicks"]) for row in whole), f"{clicks} clicks"
    bought = sum(row["conversions"] for row in mesh.log("ads.conversions.v1") if row["kind"] == "APPROVED")
    assert bought == sum(int(row["approved_conversion"]) for row in whole), f"{bought} bought"

    budgets, allotted, decided = {}, defaultdict(Decimal), Counter()
    for decision in mesh.log("ads.budget_decisions.v1"):
        campaign = decision["campaign_id"]
        decided[campaign, decision["decided_for"]] += 1
        budgets[campaign] = decision["budget"]
        allotted[campaign] += decision["amount"]
        assert sum((one["amount"] for one in decision["allotments"]), Decimal(0)) <= decision["amount"]
    assert decided and max(decided.values()) == 1, f"days are decided twice, or none is: {decided}"
    assert all(allotted[campaign] <= budget for campaign, budget in budgets.items()), "a budget is exceeded"
    print(
        f"{len(views)} views, {len(sessions)} sessions, {len(lists)} lists, {len(whole)} rows of the report through and "
        f"{len(aside)} aside, {sum(decided.values())} budgets decided"
    )


if __name__ == "__main__":
    main()
