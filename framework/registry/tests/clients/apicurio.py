"""Holds our answers against those of Apicurio Registry, by the same steps.

    apicurio.py OURS APICURIO DOCUMENT

The document lists the differences in a table: names of steps, the first column, may end with
`*`. A step that differs and is not in the table is a failure, and so is an entry of the table
by which no step differs.
"""

import re
import sys
from fnmatch import fnmatchcase

import answers
import answers_of_serializers
import changes
from answers import Recorder
from languages import LANGUAGES

HEADING = "## Beside Apicurio Registry"


def answered(url):
    it = Recorder(url.rstrip("/"))
    answers.server(it)
    for language in LANGUAGES:
        answers.language(it, language)
    for part in [
        answers.lists,
        answers.settings,
        answers.errors,
        answers.deletion,
        answers.contexts,
    ]:
        part(it)
    for part in ["avro", "json_schema", "protobuf"]:
        getattr(answers_of_serializers, part)(it)
    changes.changes(it)
    return it.answers


def listed(document):
    """The names in the first column of the table under the heading."""
    with open(document, encoding="utf-8") as file:
        _, _, section = file.read().partition(f"\n{HEADING}\n")
    section = section.partition("\n## ")[0]
    rows = [line for line in section.splitlines() if line.startswith("| `")]
    return [name for row in rows for name in re.findall(r"`([^`]+)`", row.split("|")[1])]


def main(ours, other, document):
    ours, other = answered(ours), answered(other)
    assert ours.keys() == other.keys()
    names = listed(document)
    differ = [step for step in ours if ours[step] != other[step]]
    failed = False
    for step in differ:
        known = any(fnmatchcase(step, name) for name in names)
        print(f"{step}{'' if known else ' IS NOT LISTED'}")
        print(f"    ours:     {ours[step]}\n    Apicurio: {other[step]}")
        failed = failed or not known
    for name in names:
        if not any(fnmatchcase(step, name) for step in differ):
            print(f"{document} lists {name}, and no such step differs")
            failed = True
    print(f"{len(ours)} steps, {len(ours) - len(differ)} the same, {len(differ)} different")
    if failed:
        sys.exit("Apicurio's answers and ours differ otherwise than the document says")
    print("ok")


if __name__ == "__main__":
    main(*sys.argv[1:])
