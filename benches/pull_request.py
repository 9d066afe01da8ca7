#!/usr/bin/env python3
"""Measures a pull request's review from the event to the posted comment, against the test GitHub.

    python3 benches/pull_request.py [WORKLOADS [POLICIES]]    default: 3300 1650, 5,000 manifests and more

Needs the release binary and the examples: cargo build --release --bin netpol-review --examples
"""

import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import time
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parent.parent
PROGRAM = ROOT / "target/release/netpol-review"
EXAMPLES = ROOT / "target/release/examples"
WORK = ROOT / "target/performance/pull-request"
NAME = "shop/manifests"


def git(*arguments):
    command = ["git", "-C", WORK / "tree", "-c", "user.name=bench", "-c", "user.email=bench@example.invalid"]
    return subprocess.run([*command, *arguments], check=True, capture_output=True, text=True).stdout.strip()


def side(branch, folder):
    git("checkout", "--quiet", "-B", branch)
    for path in (WORK / "tree").iterdir():
        if path.name != ".git":
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    shutil.copytree(folder, WORK / "tree", dirs_exist_ok=True)
    git("add", "--all")
    git("commit", "--quiet", "--message", branch)
    return sum(1 for path in folder.rglob("*.yaml"))


def review(url, workspace):
    (WORK / "event.json").write_text(json.dumps({"pull_request": {"number": 1}}))
    environment = {
        "PATH": os.environ["PATH"], "INPUT_TOKEN": "test-token", "GITHUB_REPOSITORY": NAME,
        "GITHUB_EVENT_NAME": "pull_request", "GITHUB_EVENT_PATH": str(WORK / "event.json"),
        "GITHUB_API_URL": url, "GITHUB_SERVER_URL": url, "GITHUB_RUN_ID": str(time.time()),
        "GITHUB_WORKSPACE": str(workspace),
    }
    start = time.perf_counter()
    process = subprocess.Popen([PROGRAM, "pr"], env=environment, cwd=WORK,
                               stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    said = process.stderr.read().decode()
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.perf_counter() - start
    if os.waitstatus_to_exitcode(status) != 10:
        sys.exit(f"error: exit code {os.waitstatus_to_exitcode(status)}\n{said}")
    return usage.ru_utime + usage.ru_stime, wall, usage.ru_maxrss / 1024


def main():
    workloads, policies = (sys.argv[1:] + ["3300", "1650"][len(sys.argv) - 1:])[:2]
    shutil.rmtree(WORK, ignore_errors=True)
    WORK.mkdir(parents=True)
    subprocess.run([EXAMPLES / "generate", "--workloads", workloads, "--policies", policies,
                    "--change", "bounded", WORK / "pair"], check=True, stdout=subprocess.DEVNULL)
    (WORK / "tree").mkdir()
    git("init", "--quiet", "--initial-branch=main", ".")
    files = side("main", WORK / "pair/before")
    side("feature", WORK / "pair/after")
    bare = WORK / "bare.git"
    subprocess.run(["git", "clone", "--quiet", "--bare", WORK / "tree", bare], check=True)
    for key in ["uploadpack.allowAnySHA1InWant", "uploadpack.allowFilter"]:
        subprocess.run(["git", "-C", bare, "config", key, "true"], check=True)
    (WORK / "pull.json").write_text(json.dumps({"repository": NAME, "number": 1}))
    server = subprocess.Popen([EXAMPLES / "test-github", "--port", "0", "--repo", f"{NAME}={bare}",
                               "--pull", WORK / "pull.json", "--token", "test-token=actions"],
                              stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        url = re.search(r"http://\S+", server.stdout.readline()).group(0)
        (WORK / "empty").mkdir()
        for name, workspace in [("no checkout: fetched", WORK / "empty"), ("full checkout", bare)]:
            with urllib.request.urlopen(f"{url}/_state") as answer:
                before = len(json.load(answer)["requests"])
            cpu, wall, memory = min(review(url, workspace) for _ in range(3))
            with urllib.request.urlopen(f"{url}/_state") as answer:
                calls = [r for r in json.load(answer)["requests"][before:] if "git-" not in r["path"]
                         and "info/refs" not in r["path"]]
            print(f"{files} manifest files, {name}: {cpu:.2f} s of CPU, {wall:.2f} s, "
                  f"{memory:.0f} MiB, {len(calls) // 3} calls of GitHub's interface")
    finally:
        server.kill()


if __name__ == "__main__":
    main()
