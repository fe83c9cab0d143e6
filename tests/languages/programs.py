# Copyright (c) 2026 The once authors. Distributed under the Boost Software License, Version 1.0.
"""How the programs of examples/languages are built, into build/languages, and run."""
import hashlib
import os
import pathlib
import shutil
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
SOURCES, CACHE = ROOT / "examples/languages", ROOT / "build/languages"
JARS = "/usr/share/java/postgresql.jar:/usr/share/java/gson.jar"
# tool, its commands, what runs then
RECIPES = {
    "go": ("go", [["go", "build", "-o", "shop", "."]], ["{}/shop"]),
    "java": ("javac", [["javac", "-Xlint:all", "-Werror", "-cp", JARS, "-d", "classes", "Requests.java", "Shop.java"]],
             ["java", "-XX:TieredStopAtLevel=1", "-cp", JARS + ":{}/classes", "Shop"]),
    "node": ("npm", [["npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts"]], ["node", "{}/shop.mjs"]),
    "python": (sys.executable, [[sys.executable, "-m", "venv", "venv"],
                                ["venv/bin/python", "-m", "pip", "install", "-q", "-r", "requirements.txt"]],
               ["{}/venv/bin/python", "{}/shop.py"]),
    "rust": ("cargo", [["cargo", "build", "--locked", "--quiet"]], ["{}/target/debug/shop"]),
}


class Missing(Exception):
    """It cannot be had here; the text says why."""


def digest(folder):
    """Of all sources, so that what has changed is built again."""
    sources = sorted(path for path in folder.rglob("*") if path.is_file())
    return hashlib.sha256(b"".join(str(path).encode() + path.read_bytes() for path in sources)).hexdigest()


def build(language):
    """@return the command that runs it"""
    tool, commands, run = RECIPES[language]
    source, place = SOURCES / language, CACHE / language
    if not shutil.which(tool):
        raise Missing(f"{tool} is not here: tools/dev/dependencies --languages")
    complete, wanted = place / "complete", digest(source)
    if not complete.exists() or complete.read_text() != wanted:
        shutil.rmtree(place, ignore_errors=True) # a source that is gone must not be compiled
        shutil.copytree(source, place)
        for command in commands:
            done = subprocess.run(command, cwd=place, capture_output=True, text=True, stdin=subprocess.DEVNULL)
            if done.returncode:
                raise Missing(f"{' '.join(command)} fails: {(done.stderr or done.stdout).strip()[-600:]}")
        complete.write_text(wanted)
    return [word.format(place) for word in run]


def environment(port, user, database, secret):
    return {**os.environ, "PGHOST": "127.0.0.1", "PGPORT": str(port), "PGUSER": user, "PGDATABASE": database,
            "PGSSLMODE": "disable", "WEBHOOK_SECRET": "whsec_" + secret, "GOFLAGS": "-mod=readonly"}
