#!/usr/bin/env python3
"""Counts what the whole catalogue of rules says of real manifests (docs/rules-calibration.md).

    python3 benches/calibration.py PROGRAM CORPORA [--findings FILE] [--update docs/rules-calibration.md]

CORPORA holds a folder `before` and a folder `after` in each folder that is a pair, and whole trees in `trees/`. The
table counts for each rule and persona the findings of all snapshots (both sides of every pair, and every tree), and
what the changes from before to after introduce and annotate. Every snapshot is also compared with itself, which must
introduce nothing; otherwise this ends with code 1. `--findings` writes every finding to a file, a line of JSON each,
for judging them; `--update` writes the counts into the table of a document and leaves its verdicts alone. Trees of
kustomizations need kubectl or kustomize on the PATH.
"""

import argparse
import collections
import json
import pathlib
import re
import subprocess
import sys

PERSONAS = ["regular", "pedantic", "auditor"]
# Codes that come with a whole report: done, something opened, something was not evaluated.
REPORTED = {0, 10, 11}


def run(program, *arguments):
    done = subprocess.run([program, *arguments], capture_output=True, text=True)
    return done.returncode, done.stdout, done.stderr


def report(program, *arguments):
    """The JSON of one run, or None where there is nothing to analyse."""
    code, out, err = run(program, *arguments, "--format", "json")
    if code == 3:
        return None
    if code not in REPORTED:
        sys.exit(f"{' '.join(map(str, arguments))} ended with {code}:\n{err}")
    return json.loads(out)


def lint(program, directory, persona):
    """The findings of a snapshot; those of several environments once each."""
    base = ["lint", directory, "--persona", persona]
    code, out, err = run(program, *base, "--format", "json")
    if code == 2 and "several environments" in err:
        names = re.findall(r"`([^`]+)`", err.splitlines()[0])
        reports = [report(program, *base, "--environment", name) for name in names]
    else:
        reports = [report(program, *base)]
    return list(once(finding for each in reports if each for finding in each["findings"]))


def once(findings):
    """Findings without those that another environment has too."""
    seen = {}
    for finding in findings:
        seen.setdefault((finding["fingerprint"], json.dumps(finding.get("location"))), finding)
    return seen.values()


def diff(program, before, after, persona):
    """What a change introduces, and what rules say of the rows that it opens and closes."""
    found = report(program, "diff", before, after, "--persona", persona)
    environments = found["environments"] if found else []
    findings = once(each for environment in environments for each in environment["findings"])
    introduced = [finding for finding in findings if finding["introduced"]]
    said = {}
    for environment in environments:
        for row in environment["opened"] + environment["closed"]:
            for rule in row.get("rules", []):
                said.setdefault((row["fingerprint"], rule["rule"], rule["message"]), {**rule, "row": row["fingerprint"]})
    return introduced, list(said.values())


class Tally:
    def __init__(self):
        self.counts = collections.Counter()
        self.kept = []

    def add(self, how, persona, where, findings):
        for finding in findings:
            self.counts[how, persona, finding["rule"]] += 1
            self.kept.append({"how": how, "asked": persona, "where": where, **finding})

    def rows(self, rules):
        for rule in rules:
            yield rule, [self.counts[how, persona, rule] for how in ("snapshot", "introduced") for persona in PERSONAS] + [
                self.counts["row", "auditor", rule]]


def catalogue(program):
    """The ids of all rules, in the catalogue's order."""
    code, out, err = run(program, "rules")
    if code != 0:
        sys.exit(f"rules ended with {code}:\n{err}")
    return [line.split()[0] for line in out.splitlines() if line and not line[0].isspace()]


def table(rules, tally):
    print("| rule | snapshots: regular | pedantic | auditor | introduced: regular | pedantic | auditor | opened rows |")
    print("|---|---|---|---|---|---|---|---|")
    for rule, numbers in tally.rows(rules):
        print(f"| `{rule}` | {' | '.join(map(str, numbers))} |")


def update(document, rules, tally):
    """Writes the counts into the rows of a table whose first cell names a rule; the last cell is the verdict."""
    numbers = dict(tally.rows(rules))
    lines = document.read_text().splitlines()
    told = set()
    for index, line in enumerate(lines):
        row = re.match(r"\| `([a-z0-9-]+)` \|", line)
        if row and row[1] in numbers:
            told.add(row[1])
            verdict = line.rstrip(" |").rsplit(" | ", 1)[1]
            lines[index] = f"| `{row[1]}` | {' | '.join(map(str, numbers[row[1]]))} | {verdict} |"
    document.write_text("\n".join(lines) + "\n")
    if untold := [rule for rule in rules if rule not in told]:
        sys.exit(f"{document}: no row for {', '.join(untold)}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program", type=pathlib.Path)
    parser.add_argument("corpora", type=pathlib.Path)
    parser.add_argument("--findings", type=pathlib.Path)
    parser.add_argument("--update", type=pathlib.Path)
    given = parser.parse_args()
    program, corpora = given.program.resolve(), given.corpora

    pairs = sorted(each.parent for each in corpora.glob("*/before") if (each.parent / "after").is_dir())
    trees = sorted(each for each in (corpora / "trees").glob("*") if each.is_dir())
    if not pairs and not trees:
        sys.exit(f"{corpora}: no folder with `before` and `after`, and nothing in `trees/`")
    snapshots = [side for pair in pairs for side in (pair / "before", pair / "after")] + trees

    tally, disturbed = Tally(), []
    for persona in PERSONAS:
        for snapshot in snapshots:
            where = str(snapshot.relative_to(corpora))
            tally.add("snapshot", persona, where, lint(program, snapshot, persona))
            introduced, said = diff(program, snapshot, snapshot, persona)
            disturbed += [f"{where}: {each['rule']}: {each['message']}" for each in introduced + said]
        for pair in pairs:
            introduced, said = diff(program, pair / "before", pair / "after", persona)
            tally.add("introduced", persona, pair.name, introduced)
            tally.add("row", persona, pair.name, said)

    print(f"{len(pairs)} pairs, {len(trees)} trees, {len(snapshots)} snapshots\n")
    table(catalogue(program), tally)
    if given.findings:
        given.findings.write_text("".join(json.dumps(each) + "\n" for each in tally.kept))
    if given.update:
        update(given.update, catalogue(program), tally)
    if disturbed:
        sys.exit("a snapshot compared with itself introduces something:\n" + "\n".join(disturbed))
    print(f"\nEach of the {len(snapshots)} snapshots compared with itself introduces nothing.")


if __name__ == "__main__":
    main()
