#!/usr/bin/env python3
"""Measures a diff of a repository of many kustomize overlays with the real kubectl: where one of them changed, and
where all did.

    python3 benches/overlays.py [OVERLAYS]    default: 200

Needs the release binary (cargo build --release --bin netpol-review) and kubectl on the PATH.
"""

import json
import os
import pathlib
import shutil
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
PROGRAM = ROOT / "target/release/netpol-review"
WORK = ROOT / "target/performance/overlays"
RUNS = 3

WORKLOADS = ["front", "web", "worker", "cache", "db"]


def policy(name, to, peers):
    peers = "".join(f"        - podSelector: {{matchLabels: {{app: {peer}}}}}\n" for peer in peers)
    return (f"apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata:\n  name: {name}\nspec:\n"
            f"  podSelector:\n    matchLabels: {{app: {to}}}\n  ingress:\n    - from:\n{peers}")


def workload(name):
    return (f"apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: {name}\nspec:\n  template:\n    metadata:\n"
            f"      labels: {{app: {name}}}\n    spec:\n      containers: [{{name: {name}, image: {name}}}]\n")


def write(path, text):
    path = WORK / path
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def git(*arguments):
    command = ["git", "-C", WORK, "-c", "user.name=bench", "-c", "user.email=bench@example.invalid"]
    subprocess.run([*command, *arguments], check=True, capture_output=True)


def commit(message):
    git("add", "--all")
    git("commit", "--quiet", "--message", message)


def repository(overlays):
    """A base of five workloads and their policies; each overlay has a namespace and a policy of its own."""
    shutil.rmtree(WORK, ignore_errors=True)
    WORK.mkdir(parents=True)
    git("init", "--quiet", "--initial-branch=main", ".")
    resources = ["deny.yaml"]
    write("base/deny.yaml", "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: deny}\n"
                            "spec: {podSelector: {}, policyTypes: [Ingress]}\n")
    for at, name in enumerate(WORKLOADS):
        resources += [f"{name}.yaml", f"{name}-policy.yaml"]
        write(f"base/{name}.yaml", workload(name))
        write(f"base/{name}-policy.yaml", policy(name, name, WORKLOADS[at - 1:at] or ["ingress"]))
    write("base/kustomization.yaml", f"resources: [{', '.join(resources)}]\n")
    for number in range(overlays):
        place = f"overlays/shop-{number:03}"
        write(f"{place}/kustomization.yaml",
              f"namespace: shop-{number:03}\nresources: [../../base, own.yaml]\n")
        write(f"{place}/own.yaml", policy("own", "db", ["worker"]))
    commit("as it was")
    write(f"overlays/shop-{overlays // 2:03}/own.yaml", policy("own", "db", ["worker", "front"]))
    commit("one overlay")
    write("base/db-policy.yaml", policy("db", "db", ["cache", "web"]))
    commit("the base")
    write("README.md", "words\n")
    commit("nothing that is built")


def diff(revisions):
    """CPU of all processes and wall time in seconds, and how many environments opened something."""
    start = time.perf_counter()
    process = subprocess.Popen([PROGRAM, "diff", "--git", revisions, "--repo", WORK, "--format", "json"],
                               stdout=subprocess.PIPE)
    report = json.loads(process.stdout.read())
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.perf_counter() - start
    if os.waitstatus_to_exitcode(status) != 0 or report["notEvaluated"]:
        sys.exit(f"error: exit code {os.waitstatus_to_exitcode(status)}: {report['notEvaluated'][:3]}")
    opened = sum(1 for environment in report["environments"] if environment["opened"])
    return usage.ru_utime + usage.ru_stime, wall, opened


def main():
    overlays = int(sys.argv[1]) if len(sys.argv) > 1 else 200
    repository(overlays)
    print(f"{overlays} overlays, {sum(1 for _ in WORK.rglob('*.yaml'))} files, {os.cpu_count()} cores")
    print("| what changed | environments that open | CPU, kubectl included | wall |")
    print("|---|---:|---:|---:|")
    for name, revisions, expected in [
        ("nothing that is built", "HEAD~1..HEAD", 0),
        ("one overlay", "HEAD~3..HEAD~2", 1),
        ("the base of all", "HEAD~2..HEAD~1", overlays),
    ]:
        cpu, wall, opened = min(diff(revisions) for _ in range(RUNS))
        if opened != expected:
            sys.exit(f"error: {name}: {opened} environments opened something, not {expected}")
        print(f"| {name} | {opened} | {cpu:.2f} s | {wall:.2f} s |")


if __name__ == "__main__":
    main()
