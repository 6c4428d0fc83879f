"""Measures the tables inside of the namespaces that `run` has made."""

import argparse
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import denials
import docs
import outage
from clients import CLIENTS, WAYS
from sdks import PAIRS
from stage import Stage, decisions, follow, signed_url

TABLES = ("clients", "denials", "outage")
SDKS = [newest for newest, _ in PAIRS.values()]


class Run:
    """What a client printed, and what the sandbox saw."""

    def __init__(self, client, name, code, text):
        self.client, self.name, self.code, self.text = client, name, code, text

    @property
    def signed(self):
        """Whether the sandbox passed a request on, or answered it, that this pod's role signed."""
        wanted = f"signed by arn:aws:sts::111122223333:assumed-role/{self.name}/"
        return any(one["allowed"] and wanted in one["reason"] for one in decisions())


class Clients:
    def __init__(self, folder, kits, stage):
        self.folder, self.kits, self.stage = folder, kits, stage

    def run(self, client, way, name):
        """Runs a client as a pod of that name, whose role has the same name."""
        variables = self.stage.pod(name, way)
        words = {"{name}": name, "{ca}": self.stage.ca, "{store}": self.stage.store}

        def filled(text):
            for word, value in words.items():
                text = text.replace(word, value)
            return text

        variables |= {key: filled(value) for key, value in client.env.items()}
        command = [filled(word) for word in client.command(self.kits, way)]
        try:
            ended = subprocess.run(
                command,
                env=variables,
                cwd=variables["HOME"],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                timeout=client.seconds,
            )
            code, text = ended.returncode, ended.stdout.decode(errors="replace")
        except subprocess.TimeoutExpired as late:
            code, text = None, (late.stdout or b"").decode(errors="replace")
            text += f"\nkilled after {client.seconds} s"
        (self.folder / f"{name}.out").write_text(f"{command}\n{text}\nexit code {code}\n")
        if client.signs and code == 0:
            follow(signed_url(text))
        return Run(client, name, code, text)


def slug(client, more):
    """The name of a pod, its ServiceAccount and its role, which has at most 64 characters."""
    client, more = (re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-") for text in (client.name, more))
    return f"{client[:43].strip('-')}-{more}"


def clients_cell(run, way):
    """What the table says, and whether it is as it is known to be."""
    known = run.client.fails.get(way)
    if run.code == 0 and run.signed and not run.text.startswith('{"error"'):
        return "pass", known is None
    if known and re.search(known[0], run.text, re.DOTALL):
        return f"fail: {known[1]}", True
    return f"fail: {last_line(run.text)}", False


def last_line(text):
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return (lines[-1] if lines else "it printed nothing")[:200]


def clients_table(clients, chosen):
    def row(client):
        cells, right = [], True
        for way in WAYS:
            if way in client.without:
                cells.append(f"— ({client.without[way]})")
                continue
            cell, as_known = clients_cell(clients.run(client, way, slug(client, way)), way)
            cells.append(cell)
            right = right and as_known
        say(client, cells)
        return [client.name, client.version, *cells], right

    return measured(row, chosen)


def measured(row, chosen):
    # Two at a time: most of them wait.
    with ThreadPoolExecutor(2) as pool:
        rows = list(pool.map(row, chosen))
    return [cells for cells, _ in rows], all(right for _, right in rows)


def say(client, cells):
    print(f"{client.name} {client.version}: {' | '.join(cells)}", flush=True)


def chosen_of(clients, words, kits):
    for client in clients:
        if words and not any(word.lower() in client.name.lower() for word in words):
            continue
        if client.kit not in kits:
            print(f"SKIPPED: {client.name}: its kit {client.kit} cannot be made (why is said above)")
            continue
        yield client


def main():
    parser = argparse.ArgumentParser()
    for flag in ("--folder", "--kits", "--binaries"):
        parser.add_argument(flag, type=Path, required=True)
    parser.add_argument("--table", choices=TABLES)
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--list", action="store_true")
    parser.add_argument("words", nargs="*")
    said = parser.parse_args()
    if said.list:
        print("\n".join(client.name for client in [*SDKS, *CLIENTS]))
        return
    kits = {kit.name: kit.read_text().split("\n")[:-1] for kit in said.kits.iterdir()}
    asked = list(chosen_of(CLIENTS, said.words, kits))
    denied = list(chosen_of([*SDKS, *CLIENTS], said.words, kits))
    pairs = {name: pair for name, pair in PAIRS.items() if pair[0] in denied}
    pairs = outage.pairs_of(pairs, asked)
    names = [slug(client, way) for client in asked for way in WAYS]
    names += denials.names(denied, slug)
    names += outage.names(pairs, slug)
    stage = Stage(said.folder, said.binaries, names)
    clients = Clients(said.folder, kits, stage)
    right = True
    for table in TABLES if not said.table else (said.table,):
        print(f"\n== {table}")
        if table == "clients":
            rows, ok = clients_table(clients, asked)
        elif table == "denials":
            rows, ok = denials.table(clients, denied, slug)
        else:
            rows, ok = outage.table(clients, pairs, kits, slug)
        # What was not as it is known to be is not written down.
        same = docs.keep(table, rows, said.write and ok, whole=not said.words)
        right = same and ok and right
    sys.exit(not right)


if __name__ == "__main__":
    main()
