"""Every route of every domain refuses, as problem+json, who names no principal or no purpose, and
what makes no sense. The routes are read from the domains' sources, so that none is left out."""

import argparse
import json
import pathlib
import re
import urllib.error
import urllib.request

WHO = {"Mesh-Principal": "user:stranger", "Mesh-Purpose": "test"}


def ask(method, url, headers, body):
    request = urllib.request.Request(url, data=body, method=method, headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status, answer.headers.get("content-type"), answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.headers.get("content-type"), error.read()


def check(what, answer, statuses):
    status, kind, body = answer
    assert status in statuses, f"{what}: {status} {body[:300]}"
    assert kind == "application/problem+json", f"{what}: {kind}"
    problem = json.loads(body)
    assert problem["status"] == status and problem["title"], f"{what}: {problem}"
    assert b"SECRET" not in body, f"{what}: a value stands in the answer: {body[:300]}"


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("bootstrap", "registry", "http"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--workspace", type=pathlib.Path, required=True)
    args = parser.parse_args()
    with urllib.request.urlopen(f"{args.http}/api/v1/domains?limit=500") as answer:
        found = {one["domain"]: one["api_url"] for one in json.load(answer)["items"] if one.get("api_url")}
    assert len(found) >= 3, f"the catalog names only {sorted(found)}"
    asked = 0
    for domain, base in sorted(found.items()):
        source = (args.workspace / "domains" / domain / "src/lib.rs").read_text()
        routes = re.findall(r'\.(get|post)\(\s*"(/v1/[^"]+)"', source)
        assert routes, f"{domain} has no routes"
        for method, path in routes:
            method = method.upper()
            url = base.rstrip("/") + re.sub(r"\{[^}]+\}", "SECRET", path)
            what, body = f"{method} {domain} {path}", b'{"no": "SECRET"' if method == "POST" else None
            for left_out in WHO:
                headers = {name: value for name, value in WHO.items() if name != left_out}
                check(f"{what} without {left_out}", ask(method, url, headers, body), {400, 401, 403})
            check(f"{what} with nonsense", ask(method, url, WHO, body), {400, 404, 422})
            asked += 1
    print(f"{asked} routes of {len(found)} domains refuse what they have to")


if __name__ == "__main__":
    main()
