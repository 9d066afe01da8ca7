"""Pull requests, reviewed by the Action through act against the test GitHub. See action.sh.

Each scenario has a repository, a test GitHub and a runner of its own. Most run the program as a
step on this machine, with the inputs in its environment as a container would have them; those that
end in `in a container` run the six lines of README.md, action.yml and the image.
"""

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
REPOSITORY = "octo/shop"
BOT = "github-actions[bot]"

STEP = """\
on: pull_request
jobs:
  review:
    runs-on: ubuntu-latest
    steps:
      - id: review
        shell: bash
        env:
          INPUT_TOKEN: ${{ github.token }}
        run: |
          code=0
          # A shell has no variables with such names, a container's environment does.
          env INPUT_FAIL-ON="$FAIL_ON" INPUT_SARIF-FILE=review.sarif "$PROGRAM" pr || code=$?
          echo "$code" >"$RESULTS/code"
          cp "$GITHUB_STEP_SUMMARY" "$RESULTS/summary.md" || true
          cp review.sarif "$RESULTS/review.sarif" || true
          exit "$code"
      - if: always()
        shell: bash
        env:
          OUTPUTS: ${{ toJSON(steps.review.outputs) }}
        run: |
          printf '%s' "$OUTPUTS" >"$RESULTS/outputs.json"
          report=$(sed -n 's/.*"report-json": "\\(.*\\)".*/\\1/p' "$RESULTS/outputs.json")
          [ -z "$report" ] || cp "$report" "$RESULTS/report.json"
"""


def run(*command, cwd=None):
    environment = os.environ | {
        "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_AUTHOR_NAME": "Somebody", "GIT_AUTHOR_EMAIL": "somebody@example.com",
        "GIT_COMMITTER_NAME": "Somebody", "GIT_COMMITTER_EMAIL": "somebody@example.com",
    }
    done = subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"error: {' '.join(map(str, command))}\n{done.stdout}{done.stderr}")
    return done.stdout.strip()


def fixture(name):
    """What puts a side of a fixture in the place of all manifests."""
    def put(directory):
        shutil.rmtree(directory / "k8s", ignore_errors=True)
        shutil.copytree(ROOT / "fixtures" / name, directory / "k8s")
    return put


class Run:
    """What one run of the Action left behind."""

    def __init__(self, results, log, code, state):
        def text(name):
            path = results / name
            return path.read_text() if path.exists() else ""
        self.log, self.job, self.state = log, code, state
        self.code = int(text("code") or -1)
        self.summary = text("summary.md")
        self.outputs = json.loads(text("outputs.json") or "{}")
        if not self.outputs:
            self.outputs = dict(re.findall(r"::set-output:: ([a-z-]+)=(.*)", log))
            self.summary = "\n".join(re.findall(r"Summary - (.*)", log))
        self.report = json.loads(text("report.json") or "null")
        self.written = json.dumps(state) + self.summary + json.dumps([self.outputs, self.report])
        for path in (results.parent / "workspace").rglob("*"):
            self.written += path.read_bytes().decode("latin-1") if path.is_file() else ""
        self.sarif = json.loads(text("review.sarif") or "null")
        shop = state["repositories"][REPOSITORY]
        self.head = shop["pulls"]["1"]["head_sha"]
        self.comments = [comment for comment in shop["comments"] if comment["login"] == BOT]
        self.lines = shop["review_comments"]
        self.checks = [check for check in shop["check_runs"] if check["head_sha"] == self.head]
        self.statuses = shop["statuses"]

    def count(self, name):
        return int(self.outputs.get(f"{name}-count", -1))


class World:
    """A repository with a pull request on the test GitHub."""

    def __init__(self, arguments, name, before, after, fork=False):
        self.arguments, self.name, self.fork, self.runs = arguments, name, fork, 0
        self.directory = arguments.work / name.replace(" ", "-")
        shutil.rmtree(self.directory, ignore_errors=True)
        self.work = self.directory / "work"
        self.work.mkdir(parents=True)
        self.git("init", "--quiet", "--initial-branch", "main")
        (self.work / "README.md").write_text("The shop.\n")
        before(self.work)
        self.commit("begin")
        self.git("checkout", "--quiet", "-b", "feature")
        after(self.work)
        self.commit("change")
        self.bare = self.directory / "shop.git"
        run("git", "clone", "--quiet", "--bare", str(self.work), str(self.bare))
        self.pull = {"repository": REPOSITORY, "number": 1, "head": "feature", "base": "main",
                     "title": "A change"}
        if fork:
            self.pull["fork"] = "stranger/shop"
        pull = self.directory / "pull.json"
        pull.write_text(json.dumps(self.pull))
        self.server = subprocess.Popen(
            [arguments.test_github, "--repo", f"{REPOSITORY}={self.bare}", "--pull", str(pull),
             "--token", f"test-token={'fork' if fork else 'actions'}"],
            stdout=subprocess.PIPE, text=True)
        line = self.server.stdout.readline()
        if not line.startswith("listening on "):
            sys.exit(f"error: the test GitHub said {line!r}")
        self.url = line.removeprefix("listening on ").strip()

    def git(self, *arguments):
        return run("git", *arguments, cwd=self.work)

    def commit(self, message):
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "--message", message)

    def push(self, change):
        change(self.work)
        self.commit("again")
        self.git("push", "--quiet", str(self.bare), "feature")
        self.request("/_pulls", json.dumps(self.pull).encode())

    def request(self, path, body=None):
        with urllib.request.urlopen(self.url + path, body, timeout=20) as answer:
            return json.loads(answer.read() or "null")

    def event(self, action):
        pull = self.request("/_state")["repositories"][REPOSITORY]["pulls"]["1"]
        owner, name = REPOSITORY.split("/")
        home = {"full_name": REPOSITORY, "name": name, "owner": {"login": owner}, "fork": False,
                "default_branch": "main"}
        there = home | {"full_name": self.pull["fork"], "fork": True} if self.fork else home
        return {
            "action": action, "number": 1, "repository": home, "sender": {"login": "contributor"},
            "pull_request": {
                "number": 1, "title": pull["title"], "draft": False, "state": "open",
                "user": {"login": pull["user"]},
                "merge_commit_sha": pull["merge_commit_sha"],
                "head": {"sha": pull["head_sha"], "ref": pull["head"], "repo": there},
                "base": {"sha": pull["base_sha"], "ref": pull["base"], "repo": home},
            },
        }, pull

    def review(self, action="opened", container=False, checkout=False, fail_on="low"):
        self.runs += 1
        place = self.directory / f"run-{self.runs}"
        results, runner = place / "results", place / "workspace"
        results.mkdir(parents=True)
        event, pull = self.event(action)
        (place / "event.json").write_text(json.dumps(event))
        if checkout:
            # As actions/checkout leaves it: one commit, the merge, and an address to fetch from.
            run("git", "init", "--quiet", str(runner))
            merge = ["+refs/pull/1/merge:refs/remotes/pull/1/merge"]
            run("git", "fetch", "--quiet", "--depth", "1", f"file://{self.bare}", *merge, cwd=runner)
            run("git", "checkout", "--quiet", "refs/remotes/pull/1/merge", cwd=runner)
            run("git", "remote", "add", "origin", f"{self.url}/{REPOSITORY}", cwd=runner)
        else:
            runner.mkdir()
        workflow = place / "review.yml"
        workflow.write_text(six_lines() if container else STEP)
        settings = {
            "GITHUB_API_URL": self.url, "GITHUB_SERVER_URL": self.url,
            "GITHUB_GRAPHQL_URL": f"{self.url}/graphql",
            "GITHUB_REPOSITORY": REPOSITORY, "GITHUB_SHA": pull["merge_commit_sha"] or pull["head_sha"],
            "PROGRAM": self.arguments.program, "RESULTS": str(results), "FAIL_ON": fail_on,
        }
        where = ["-P", "ubuntu-latest=-self-hosted"]
        if container:
            # act gives a container the network of the job's, so that has to be one as well.
            where = ["-P", f"ubuntu-latest={self.arguments.base}", "--network", "host",
                     "--local-repository", f"netpol-review/netpol-review@v0={ROOT}"]
        command = ["act", "pull_request", "--pull=false", "--rebuild=false", "--no-cache-server", "--rm",
                   "-W", str(workflow), "-e", str(place / "event.json"), "-C", str(runner),
                   "--action-cache-path", str(place / "act"), "-s", "GITHUB_TOKEN=test-token", *where]
        for key, value in settings.items():
            command += ["--env", f"{key}={value}"]
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                              stdin=subprocess.DEVNULL, timeout=180)
        (place / "act.log").write_text(done.stdout)
        state = self.request("/_state")
        (place / "state.json").write_text(json.dumps(state, indent=1))
        self.log = done.stdout
        return Run(results, done.stdout, done.returncode, state)

    def close(self):
        self.server.kill()
        self.server.wait()


def six_lines():
    readme = (ROOT / "README.md").read_text()
    return readme.split("```yaml\n# .github/workflows/netpol-review.yml\n", 1)[1].split("```", 1)[0]


class Wrong(Exception):
    """Something is not as it has to be."""


def same(what, got, expected):
    if got != expected:
        raise Wrong(f"{what}: {got!r}, expected {expected!r}")


def holds(what, truth):
    if not truth:
        raise Wrong(what)


def told(run, code, result, conclusion, comments):
    """What every run has to leave behind."""
    same("violations of GitHub's description", run.state["violations"], [])
    if run.code != -1:
        same("exit code", run.code, code)
    same("the job fails", run.job != 0, code != 0)
    same("result", run.outputs.get("result"), result)
    same("comments of the bot", len(run.comments), comments)
    holds("the token was written where others read", "test-token" not in run.written)
    if conclusion:
        ends = [(check["status"], check["conclusion"]) for check in run.checks]
        same("check runs of the head", ends, [("completed", conclusion)])
    if run.report is not None:
        same("result in report-json", run.report["result"], result)
        opened = sum(len(e["opened"]) for e in run.report["environments"])
        same("opened-count", run.count("opened"), opened)


def causes_are_told(run, file):
    """The file that caused it is in the comment, and a comment stands on its lines."""
    holds(f"{file} is not in the comment", file in run.comments[0]["body"])
    same("comment-url ends in the comment's id",
         run.outputs.get("comment-url", "").endswith(str(run.comments[0]["id"])), True)
    told = [line for line in run.lines if line["path"] == file]
    holds(f"no comment on {file}", told)
    rows = [row for e in (run.report or {"environments": []})["environments"] for row in e["opened"]]
    places = [cause["location"] for row in rows for cause in row["causes"]]
    after = [place for place in places if place["file"] == file and place["side"] == "after"]
    if after:
        holds(f"no comment on {file} stands on lines that opened something", any(
            line["side"] == "RIGHT" and place["startLine"] <= line["line"] <= place["endLine"]
            for line in told for place in after))
    holds("no annotation", any(check["annotations"] for check in run.checks))
    holds("no job summary", run.summary.strip())
    # A fingerprint has 32 digits, a commit 40.
    names = [re.findall(r"\b[0-9a-f]{32}\b", line["body"]) or line["body"] for line in run.lines]
    places = [(line["path"], line["side"], line["line"], str(name))
              for line, name in zip(run.lines, names)]
    same("comments on lines that are there twice", len(places), len(set(places)))


def quiet(world, **options):
    run = world.review(**options)
    told(run, 0, "unchanged", "success", comments=0)
    same("comments on lines", run.lines, [])
    same("opened-count", run.count("opened"), 0)


def opened(world, **options):
    run = world.review(**options)
    told(run, 10, "widened", "failure", comments=1)
    same("opened-count", run.count("opened"), 2)
    causes_are_told(run, "k8s/payments/policies.yaml")
    if run.sarif:
        told_of = run.count("opened") + run.count("findings")
        same("SARIF results", len(run.sarif["runs"][0]["results"]), told_of)
    return run


def closed_only(world):
    # Nothing opens; how a rule is written would fail at low.
    run = world.review(fail_on="medium")
    told(run, 0, "narrowed", "success", comments=1)
    same("closed-count", run.count("closed"), 2)
    same("comments on lines", run.lines, [])


def file_deleted(world):
    run = world.review(checkout=True)
    told(run, 10, "widened", "failure", comments=1)
    causes_are_told(run, "k8s/deny.yaml")
    sides = {line["side"] for line in run.lines if line["path"] == "k8s/deny.yaml"}
    holds(f"the deleted rule is commented on {sides}", sides <= {"LEFT", None})


def relabelled(world):
    run = world.review()
    told(run, 10, "widened", "failure", comments=1)
    causes_are_told(run, "k8s/job.yaml")


def broken(world):
    run = world.review(checkout=True)
    told(run, 11, "unknown", "failure", comments=1)
    holds("not-evaluated-count", run.count("not-evaluated") >= 1)
    holds("the file is not in the comment", "k8s/web/policies.yaml" in run.comments[0]["body"])


def fork(world, **options):
    run = world.review(**options)
    told(run, 10, "widened", None, comments=0)
    same("check runs", run.checks, [])
    same("comments on lines", run.lines, [])
    holds("no job summary", run.summary.strip())
    holds("no annotation in the log", re.search(r"::(error|warning|notice) file=k8s/payments/policies\.yaml,", run.log))


def fixed(world):
    first = opened(world)
    world.push(fixture("shop/before"))
    run = world.review("synchronize")
    told(run, 0, "unchanged", "success", comments=1)
    same("the comment", run.comments[0]["id"], first.comments[0]["id"])
    holds("the comment is as it was", run.comments[0]["body"] != first.comments[0]["body"])
    holds("the comment does not say that it is resolved", "resolved" in run.comments[0]["body"].lower())
    same("stale comments on lines", run.lines, [])


def worse(world):
    first = opened(world, checkout=True)

    def change(directory):
        (directory / "k8s/payments/policies.yaml").unlink()
    world.push(change)
    run = world.review("synchronize")
    told(run, 10, "widened", "failure", comments=1)
    same("the comment", run.comments[0]["id"], first.comments[0]["id"])
    holds("the comment is as it was", run.comments[0]["body"] != first.comments[0]["body"])
    causes_are_told(run, "k8s/payments/policies.yaml")


def reformat(directory):
    for path in sorted((directory / "k8s").rglob("*.yaml")):
        lines = path.read_text().splitlines()
        path.write_text("# Put into order.\n" + "\n\n".join(f"{line}  # as before" if line.endswith(":")
                                                            else line for line in lines) + "\n")


def readme(directory):
    (directory / "README.md").write_text("The shop, and its policies.\n")


def breaking(directory):
    path = directory / "k8s/web/policies.yaml"
    path.write_text(path.read_text() + "---\nkind: NetworkPolicy\n  spec: [\n")


SHOP = ("shop/before", fixture("shop/after"))
SCENARIOS = {
    "opened": (*SHOP, opened, {}),
    "closed only": ("shop/after", fixture("shop/before"), closed_only, {}),
    "unchanged": ("shop/before", readme, quiet, {}),
    "reformatted only": ("shop/before", reformat, quiet, {"checkout": True}),
    "file deleted": ("isolation-lost-deletion/before", fixture("isolation-lost-deletion/after"),
                     file_deleted, {}),
    "workload relabelled": ("workload-relabelled/before", fixture("workload-relabelled/after"),
                            relabelled, {}),
    "broken manifest": ("shop/before", breaking, broken, {}),
    "fork": (*SHOP, fork, {}),
    "second push that fixes it": (*SHOP, fixed, {}),
    "second push that makes it worse": (*SHOP, worse, {}),
    "opened in a container": (*SHOP, opened, {"container": True}),
    "fork in a container": (*SHOP, fork, {"container": True}),
}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    for option in ["program", "test-github", "base"]:
        parser.add_argument(f"--{option}", required=True)
    parser.add_argument("--work", required=True, type=Path)
    parser.add_argument("scenarios", nargs="*", metavar="SCENARIO", help="default: all")
    arguments = parser.parse_args()
    failed = 0
    for name in arguments.scenarios or SCENARIOS:
        before, after, check, options = SCENARIOS[name]
        start = time.monotonic()
        world = World(arguments, name, fixture(before), after, fork=check is fork)
        try:
            check(world, **options)
            verdict = "as it should be"
        except Wrong as wrong:
            failed += 1
            verdict = f"WRONG: {wrong}\n{world.log}"
        finally:
            world.close()
        print(f"{name} ({time.monotonic() - start:.1f} s): {verdict}", flush=True)
    if failed:
        sys.exit(f"error: {failed} scenarios are wrong; {arguments.work} has what they left behind")


if __name__ == "__main__":
    main()
