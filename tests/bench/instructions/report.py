# Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
"""The table of what was counted, and how it is judged."""
import json
import pathlib
import platform
import re
import subprocess

import calls
from server import package_of

ALLOWED = 1.03  # of a budget
UNITS = {"instructions": "instructions", "wal": "bytes of WAL", "trips": "round trips"}


def place(server):
    """What the figures depend on."""
    libc = next(pathlib.Path("/").glob("lib/*/libc.so.6"), "libc.so.6") # as the package names it, not resolved
    valgrind = subprocess.run(["valgrind", "--version"], capture_output=True, text=True, check=True)
    models = re.findall(r"^model name\s*: (.*)$", pathlib.Path("/proc/cpuinfo").read_text(), re.M)
    cpu = models[0] if models else platform.machine()
    return {"server": server.version, "package": package_of(server.binaries / "postgres"),
            "libc": package_of(libc), "valgrind": valgrind.stdout.strip(), "cpu": cpu}


def read(path):
    return json.loads(path.read_text()) if path.exists() else None


def write(path, what):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(what, indent=2) + "\n")


def grouped(number):
    return f"{number:,}".replace(",", " ")


def ratio(counted, name, other):
    found = counted.get(other)
    return f"{counted[name]['instructions'] / found['instructions']:.2f}" if found and other != name else ""


def against(now, budget, field="instructions"):
    return f"{100 * (now[field] / budget[field] - 1):+.1f} %" if budget and budget[field] else ""


def lines(now, budgets):
    """`halves`: how far the two halves of the count are apart, the same in each run; a table that grows."""
    counted, known = now["calls"], (budgets or {}).get("calls", {})
    yield ["row", "one call", "instructions", "of bare", "of by hand", "budget", "", "WAL bytes", "round trips", "halves"]
    for name, one in counted.items():
        call, budget = calls.NAMED[name], known.get(name)
        hand = call.beside if call.beside not in (None, "bare") else None
        yield [name, call.title, grouped(one["instructions"]), ratio(counted, name, "bare"),
               ratio(counted, name, hand) if hand else "", grouped(budget["instructions"]) if budget else "",
               against(one, budget), grouped(one["wal"]), f"{one['trips']:g}", f"{100 * one['spread']:.2f} %"]


def table(now, budgets):
    rows = list(lines(now, budgets))
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    pad = lambda row: "  ".join(f"{text:<{width}}" if column < 2 else f"{text:>{width}}"
                                for column, (text, width) in enumerate(zip(row, widths)))
    return "\n".join([facts(now)] + [pad(row).rstrip() for row in rows])


def facts(now):
    where = now["place"]
    return (f"{now['date']}, {where['package']}, {where['libc']},\n{where['valgrind']}, {where['cpu']}; for one call on "
            f"PostgreSQL {where['server'].split()[0]}")


def document(budgets):
    """The table of the page, made of the budgets alone."""
    counted = budgets["calls"]
    rows = [["row", "one call", "instructions", "of `bare`", "of by hand", "WAL bytes", "round trips"],
            ["---", "---"] + ["--:"] * 5]
    for name, one in counted.items():
        call = calls.NAMED[name]
        hand = ratio(counted, name, call.beside) if call.beside not in (None, "bare") else ""
        rows.append([f"`{name}`", call.title, grouped(one["instructions"]),
                     ratio(counted, name, "bare"), hand and f"{hand} (`{call.beside}`)", grouped(one["wal"]),
                     f"{one['trips']:g}"])
    return "\n".join([facts(budgets) + ":", ""] + ["| " + " | ".join(row) + " |" for row in rows]) + "\n\n"


BEGIN, END = "<!-- output of tests/bench/run --instructions --update-budgets -->\n", "<!-- end of that output -->\n"


def split_page(path):
    """What stands before, in and behind the table."""
    before, _, rest = path.read_text().partition(BEGIN)
    inside, _, behind = rest.partition(END)
    return before + BEGIN, inside, END + behind


def update(path, page, budgets, now):
    """Rows that were not counted keep their budget if they were counted in the same place."""
    kept = budgets["calls"] if budgets and budgets["place"] == now["place"] else {}
    merged = {**kept, **{name: {field: one[field] for field in UNITS} for name, one in now["calls"].items()}}
    budgets = {"place": now["place"], "date": now["date"],
               "calls": {name: merged[name] for name in calls.NAMED if name in merged}}
    entries = ",\n".join(f"    {json.dumps(name)}: {json.dumps(one)}" for name, one in budgets["calls"].items())
    path.write_text(f'{{"place": {json.dumps(budgets["place"], indent=2)},\n"date": {json.dumps(budgets["date"])},\n'
                    f'"calls": {{\n{entries}\n}}}}\n')
    print(f"written: {path}")
    if page:
        before, _, behind = split_page(page)
        page.write_text(before + document(budgets) + behind)
        print(f"written: {page}")


def check(now, budgets):
    """@return the exit status"""
    if not budgets:
        print("not judged: there are no budgets (--update-budgets writes them)")
        return 0
    for what in ("server", "package"):
        here, there = now["place"][what], budgets["place"][what]
        if here != there:
            print(f"not judged: the {what} here is {here}, and the budgets were counted with {there}")
            return 0
    passed = 0
    for name, one in now["calls"].items():
        budget = budgets["calls"].get(name)
        if not budget:
            print(f"{name}: no budget yet (--update-budgets writes it)")
            continue
        for field, unit in UNITS.items():
            if one[field] > budget[field] * ALLOWED:
                passed += 1
                print(f"PASSED: {name} costs {grouped(one[field])} {unit}, and its budget is {grouped(budget[field])}")
        if one["instructions"] * ALLOWED < budget["instructions"]:
            print(f"{name} costs {against(one, budget)} of its budget: lower that (--update-budgets --only {name})")
    print(f"{passed} budgets are passed" if passed else f"all {len(now['calls'])} calls keep to their budgets")
    return 1 if passed else 0
