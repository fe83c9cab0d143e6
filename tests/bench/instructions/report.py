# Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
"""The table of what was counted, and how it is judged."""
import json
import pathlib
import subprocess

import calls
from server import package_of

ALLOWED = 1.03  # of a budget
UNITS = {"instructions": "instructions", "wal": "bytes of WAL", "trips": "round trips"}


def place(server):
    """What the figures depend on."""
    libc = next(pathlib.Path("/").glob("lib/*/libc.so.6"), "libc.so.6") # as the package names it, not resolved
    valgrind = subprocess.run(["valgrind", "--version"], capture_output=True, text=True, check=True)
    return {"server": server.version, "package": package_of(server.binaries / "postgres"),
            "libc": package_of(libc), "valgrind": valgrind.stdout.strip()}


def read(path):
    return json.loads(path.read_text()) if path.exists() else None


def write(path, what):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(what, indent=4) + "\n")


def grouped(number):
    return f"{number:,}".replace(",", " ")


def ratio(counted, name, other):
    found = counted.get(other)
    return f"{counted[name]['instructions'] / found['instructions']:.2f}" if found and other != name else ""


def against(now, budget, field="instructions"):
    return f"{100 * (now[field] / budget[field] - 1):+.1f} %" if budget and budget[field] else ""


def lines(now, budgets):
    counted, known = now["calls"], (budgets or {}).get("calls", {})
    yield ["row", "one call", "instructions", "of bare", "of by hand", "budget", "", "WAL bytes", "round trips", "spread"]
    for name, one in counted.items():
        call, budget = calls.NAMED[name], known.get(name)
        hand = call.beside if call.beside not in (None, "bare") else None
        yield [name, call.title, grouped(one["instructions"]), ratio(counted, name, "bare"),
               ratio(counted, name, hand) if hand else "", grouped(budget["instructions"]) if budget else "",
               against(one, budget), grouped(one["wal"]), f"{one['trips']:g}", f"{100 * one['spread']:.2f} %"]


def table(now, budgets, markdown=False):
    rows = list(lines(now, budgets))
    facts = now["place"]
    head = (f"{now['date']}, PostgreSQL {facts['server']} ({facts['package']}), {facts['libc']}, {facts['valgrind']}; "
            "instructions of the server for one call, without full-page images")
    if markdown:
        rows = [[f"`{row[0]}`" if n else row[0], *row[1:]] for n, row in enumerate(rows)]
        rows.insert(1, ["---", "---"] + ["--:"] * (len(rows[0]) - 2))
        return "\n".join([head + "\n"] + ["| " + " | ".join(row) + " |" for row in rows])
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    pad = lambda row: "  ".join(f"{text:<{width}}" if column < 2 else f"{text:>{width}}"
                                for column, (text, width) in enumerate(zip(row, widths)))
    return "\n".join([head] + [pad(row).rstrip() for row in rows])


def update(path, budgets, now):
    """Rows that were not counted keep their budget if they were counted in the same place."""
    kept = budgets["calls"] if budgets and budgets["place"] == now["place"] else {}
    merged = {**kept, **{name: {field: one[field] for field in UNITS} for name, one in now["calls"].items()}}
    write(path, {"place": now["place"], "date": now["date"],
                 "calls": {name: merged[name] for name in calls.NAMED if name in merged}})
    print(f"written: {path}")


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
