#!/usr/bin/env python3
"""Measures what a run costs, and writes the tables of docs/PERFORMANCE.md.

    python3 benches/performance.py                    every size and change, some minutes
    python3 benches/performance.py --sizes 500,5000   some of them
    python3 benches/performance.py --print            to the terminal, the document stays as it is

Everything is measured in one run on one machine: the program, a bare read of the same files, and
PyYAML's C loader over the side after the change. Needs a Rust toolchain, Python 3 with venv, and PyPI.
"""

import argparse
import os
import pathlib
import platform
import re
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
WORK = ROOT / "target" / "performance"
DOCUMENT = ROOT / "docs" / "PERFORMANCE.md"
BEGIN, END = "<!-- measured: begin -->", "<!-- measured: end -->"

POLICIES = {500: 250, 5_000: 2_500, 20_000: 10_000, 100_000: 20_000}
CHANGES = ["bounded", "block", "open-to-all", "drop-deny"]

PYYAML = """
import sys, time, yaml
files = sys.stdin.read().splitlines()
start = time.process_time()
for name in files:
    with open(name, "rb") as file:
        for document in yaml.load_all(file, yaml.CSafeLoader):
            pass
print(time.process_time() - start)
"""


def run(command, environment=None, stdin=None):
    """Runs a command: wall, CPU (user and system) in seconds, peak memory in bytes, both outputs."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        start = time.perf_counter()
        process = subprocess.Popen(
            [str(part) for part in command],
            cwd=ROOT,
            env={**os.environ, **(environment or {})},
            stdin=stdin,
            stdout=out,
            stderr=err,
        )
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        err.seek(0)
        stdout, stderr = out.read().decode(), err.read().decode()
    if process.returncode != 0:
        sys.exit(f"{' '.join(map(str, command))} ended with {process.returncode}:\n{stderr}")
    return {
        "wall": wall,
        "cpu": usage.ru_utime + usage.ru_stime,
        "memory": usage.ru_maxrss * (1 if platform.system() == "Darwin" else 1024),
        "out": stdout,
        "err": stderr,
    }


def phases(stderr):
    """The program's own timing, lines like `reading 12.3 ms`, in seconds by name and in order."""
    found = re.findall(r"^([a-z][a-z ]*?):? +([0-9.]+) ms$", stderr, re.MULTILINE)
    return {name: float(value) / 1000 for name, value in found}


def median(runs, key):
    return statistics.median(each[key] for each in runs)


def build():
    subprocess.run(
        ["cargo", "build", "--release", "--locked", "--bin", "netpol-review", "--example", "generate"],
        cwd=ROOT,
        check=True,
    )
    release = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "release"
    return release / "netpol-review", release / "examples" / "generate"


def pyyaml():
    """A Python that has PyYAML with its C loader."""
    python = WORK / "venv" / "bin" / "python3"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", WORK / "venv"], check=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", "pyyaml==6.0.3"], check=True)
    return python


def measure_pyyaml(python, after):
    files = sorted(str(path) for path in after.rglob("*.yaml"))
    with tempfile.TemporaryFile("w+") as names:
        names.write("\n".join(files))
        names.seek(0)
        return float(run([python, "-c", PYYAML], stdin=names)["out"])


def measure(workloads, change, tools, repeat):
    program, generate, python = tools
    directory = WORK / f"{workloads}-{change}"
    policies = POLICIES[workloads]
    print(f"{workloads} workloads, {policies} policies, {change} ...", file=sys.stderr, flush=True)
    run([generate, "--workloads", workloads, "--policies", policies, "--change", change, directory])
    # The first read fills the file cache.
    reads = [run([generate, "--read", directory]) for _ in range(1 + repeat)][1:]
    command = [program, "diff", directory / "before", directory / "after", "--format", "json"]
    environment = {"NETPOL_REVIEW_TIMINGS": "1"}
    runs = [run(command, environment) for _ in range(1 + repeat)][1:]
    named = [phases(each["err"]) for each in runs]
    result = {
        "workloads": workloads,
        "policies": policies,
        "change": change,
        "bytes": int(reads[0]["out"].split()[0]),
        "files": sum(1 for _ in directory.rglob("*.yaml")),
        "read": {key: median(reads, key) for key in ("cpu", "wall")},
        "run": {key: median(runs, key) for key in ("cpu", "wall", "memory")},
        "phases": {name: statistics.median(each[name] for each in named) for name in named[0]},
    }
    if change == "bounded":
        result["pyyaml"] = measure_pyyaml(python, directory / "after")
    subprocess.run(["rm", "-rf", directory], check=True)
    return result


def seconds(value):
    return f"{value:.2f} s" if value >= 1 else f"{value * 1000:.{0 if value >= 0.1 else 1}f} ms"


def mebibytes(value):
    return f"{value / 2**20:,.0f} MiB"


def table(header, rows, words=1):
    """Rows as Markdown; the first columns are words, the others figures."""
    rule = "|---" * words + "|---:" * (len(header) - words) + "|"
    lines = ["| " + " | ".join(header) + " |", rule]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows])


def size(result):
    return f"{result['workloads']:,} / {result['policies']:,}"


def machine():
    with open("/proc/meminfo", encoding="utf-8") as file:
        memory = int(re.search(r"MemTotal: +(\d+)", file.read()).group(1)) / 2**20
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        model = re.search(r"model name\s*: (.*)", file.read())
    processor = re.sub(r"\s+", " ", model.group(1)).strip() if model else platform.machine()
    rust = subprocess.run(["rustc", "--version"], capture_output=True, text=True, check=True).stdout.split()[1]
    return f"{os.cpu_count()} cores ({processor}), {memory:.0f} GiB of memory, {platform.system()}, Rust {rust}"


def document(results, repeat):
    bounded = [each for each in results if each["change"] == "bounded"]
    parts = [
        f"Measured on {time.strftime('%Y-%m-%d')}: {machine()}; the median of {repeat} runs after one to warm the file cache.",
        "### A change with bounded peers: three policies gain a peer\n",
        table(
            ["workloads / policies", "files, both sides", "MB", "CPU", "wall", "peak memory", "PyYAML, after side once",
             "CPU / PyYAML", "bare read, CPU", "CPU / bare read"],
            [
                [
                    size(each), f"{each['files']:,}", f"{each['bytes'] / 1e6:.1f}", seconds(each["run"]["cpu"]),
                    seconds(each["run"]["wall"]), mebibytes(each["run"]["memory"]),
                    seconds(each["pyyaml"]),
                    f"{each['run']['cpu'] / each['pyyaml']:.3f}", seconds(each["read"]["cpu"]),
                    f"{each['run']['cpu'] / each['read']['cpu']:.1f}",
                ]
                for each in bounded
            ],
        ),
        "### Where the time goes\n",
        "Wall time of each phase, as the program tells it.\n",
    ]
    names = list(dict.fromkeys(name for each in results for name in each["phases"]))
    parts.append(
        table(
            ["workloads / policies", "change", *names, "wall", "peak memory"],
            [
                [size(each), each["change"], *(seconds(each["phases"][n]) if n in each["phases"] else "" for n in names),
                 seconds(each["run"]["wall"]), mebibytes(each["run"]["memory"])]
                for each in results
            ],
            words=2,
        )
    )
    by_size = {each["workloads"]: each for each in bounded}
    for name in names:
        if name.startswith("analy") and by_size.get(500) and by_size.get(5_000):
            ratio = by_size[5_000]["phases"][name] / max(by_size[500]["phases"][name], 1e-9)
            parts.append(f"`{name}` from 500 to 5,000 workloads, the same bounded change: times {ratio:.2f}.")
    return "\n\n".join(part.strip() for part in parts)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", default=",".join(map(str, POLICIES)), help="workloads, of " + ", ".join(map(str, POLICIES)))
    parser.add_argument("--changes", default=",".join(CHANGES), help="of " + ", ".join(CHANGES))
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--print", action="store_true", help="do not touch docs/PERFORMANCE.md")
    arguments = parser.parse_args()
    sizes = [int(each) for each in arguments.sizes.split(",")]
    changes = arguments.changes.split(",")
    if set(sizes) - set(POLICIES) or set(changes) - set(CHANGES):
        parser.error("unknown size or change")
    WORK.mkdir(parents=True, exist_ok=True)
    tools = (*build(), pyyaml())
    results = [measure(size, change, tools, arguments.repeat) for size in sizes for change in changes]
    text = document(results, arguments.repeat)
    if arguments.print:
        print(text)
        return
    old = DOCUMENT.read_text(encoding="utf-8")
    head, rest = old.split(BEGIN)
    DOCUMENT.write_text(f"{head}{BEGIN}\n{text}\n{END}{rest.split(END)[1]}", encoding="utf-8")


main()
