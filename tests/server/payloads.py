#!/usr/bin/env python3
"""Real webhooks, for tests/server/payloads.rs.

    tests/server/payloads.py [target/webhook-examples.json]

Takes the examples from the npm package @octokit/webhooks-examples (MIT), which `npm pack` fetches into target/ and
checks against the registry's digest. Does nothing where the result is there already.
"""

import pathlib
import subprocess
import sys
import tarfile

VERSION = "7.6.1"


def main():
    goal = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else "target/webhook-examples.json")
    if goal.exists():
        return
    work = goal.parent
    work.mkdir(parents=True, exist_ok=True)
    archive = work / f"octokit-webhooks-examples-{VERSION}.tgz"
    if not archive.exists():
        command = ["npm", "pack", "--silent", f"@octokit/webhooks-examples@{VERSION}"]
        subprocess.run(command, cwd=work, check=True, stdout=subprocess.DEVNULL)
    with tarfile.open(archive) as tar:
        text = tar.extractfile("package/api.github.com/index.json").read()
    part = goal.with_suffix(".part")
    part.write_bytes(text)
    part.replace(goal)
    print(f"{goal}: {len(text) // 1024} KiB")


main()
