"""What a person reads of a role that AWS denies: in a client's own error, and in the pod's Event."""

import json
import re
import time

from clients import WAYS
from stage import decisions


def names(clients, slug):
    return [slug(client, f"{way} denied") for client in clients for way in WAYS]


def table(clients, chosen, slug):
    """One after another, so that an unsigned request has one possible sender."""
    rows, right = [], True
    for client in chosen:
        known = [way for way in WAYS if way not in client.without and way not in client.fails]
        cells = []
        for way in WAYS:
            cell = _cell(clients, client, way, slug(client, f"{way} denied")) if way in known else "—"
            right = right and "WRONG" not in cell
            cells.append(cell)
        print(f"{client.name}: {' | '.join(cells)}", flush=True)
        if known:
            rows.append([client.name, *cells])
    return rows, right


def _cell(clients, client, way, name):
    before = decisions()[-1:]
    run = clients.run(client, way, name)
    since = [one for one in decisions() if not before or one["at"] > before[0]["at"]]
    if run.signed:
        return "WRONG: the role was not denied"
    if way == "container" and not _has_event(clients.stage, name):
        return "WRONG: the pod has no Event"
    unsigned = any("missing Authentication Token" in one["reason"] for one in since)
    shown = _shown(run.text.replace(str(clients.folder), "…"), way, unsigned)
    return f"{shown}; it goes on with **unsigned** requests" if unsigned else shown


def _has_event(stage, pod):
    """It is written beside the answer, not before it."""
    for _ in range(50):
        if any(one["regarding"]["name"] == pod for one in list(stage.api.events)):
            return True
        time.sleep(0.1)
    return False


def _shown(text, way, unsigned):
    """Where the reason can be read, and what the error has if it is not there."""
    if "in its trust policy" in text:
        return "error and Event"
    if "Not authorized to perform" in text:
        return "error"
    lines = [_readable(line) for line in text.splitlines()]
    lines = [line for line in lines if line and not re.match(r"SLF4J|Picked up|at ", line)]
    errors = [line for line in lines if re.search(r"error|exception|fatal|failed", line, re.IGNORECASE)]
    # The status of an unsigned request is that of S3's or STS's answer to it, not that of the denial.
    status = [line for line in lines if re.search(r"\b403\b", line) and not unsigned]
    excerpt = _cut((status or errors or [*lines, "no output"])[0])
    return f"**{'Event' if way == 'container' else 'CloudTrail'} only**: `{excerpt}`"


def _readable(line):
    """A line of an error, without what wraps it and without what differs from run to run."""
    line = line.strip()
    if line.startswith('{"error"'):
        line = json.loads(line)["error"]["message"].split("\n")[0]
    if "ContainerCredentialsProvider(): " in line:
        line = (
            "ContainerCredentialsProvider(): "
            + line.split("ContainerCredentialsProvider(): ")[-1].split(".,")[0]
        )
    line = re.sub(r"\x1b\[\d*m", "", line.replace('Exception in thread "main" ', ""))
    line = re.sub(r"\?\S*WebIdentityToken=\S+", "?…WebIdentityToken=(the token)…", line)
    return line.replace("`", "").replace("|", "/")


def _cut(line):
    """At most 110 characters of it, those with its status if it has one."""
    found = re.search(r"\b403\b", line)
    if len(line) <= 110 or not found or found.end() <= 109:
        return line if len(line) <= 110 else line[:109] + "…"
    return "…" + line[max(0, found.end() - 108) : found.end()]
