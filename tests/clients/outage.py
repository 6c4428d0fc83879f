"""The newest and the oldest SDKs while STS answers 503 to everything for 1.5 s, from the first request on."""

import json
import threading
import time
import urllib.request

from stage import SANDBOX, post

AWAY = 1.5
TRIES = 5
OWN = ("minio-go", "minio-py", "opendal", "chDB (ClickHouse's `s3()`)")


def pairs_of(pairs, clients):
    """The SDKs, and the clients with credential code of their own, which have no older version here."""
    own = {client.name: (client, None) for client in clients if client.name in OWN}
    return pairs | own


def names(pairs, slug):
    return [
        slug(client, f"away {which} {number}")
        for pair in pairs.values()
        for which, client in enumerate(pair)
        if client
        for number in range(TRIES)
    ]


def table(clients, pairs, kits, slug):
    rows = []
    for name, pair in pairs.items():
        cells = []
        for which, client in enumerate(pair):
            if client is None or client.kit not in kits:
                cells.append("—")
                continue
            passed = sum(
                _passes(clients, client, slug(client, f"away {which} {number}")) for number in range(TRIES)
            )
            how = "pass" if passed == TRIES else "fail" if passed == 0 else f"{passed} of {TRIES} pass"
            cells.append(f"{client.version}: {how}")
        print(f"{name}: {' | '.join(cells)}", flush=True)
        rows.append([name, *cells])
    return rows, True


def _passes(clients, client, name):
    """The pod is new to the agent, so that nothing of it is cached."""
    post(
        f"{SANDBOX}/_podrole/faults",
        {"operation": "AssumeRoleWithWebIdentity", "status": 503, "code": "ServiceUnavailable"},
    )
    over = threading.Thread(target=_end_after_first)
    over.start()
    run = clients.run(client, "container", name)
    over.join()
    return run.signed


def _end_after_first():
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        with urllib.request.urlopen(f"{SANDBOX}/_podrole/faults") as answer:
            if json.load(answer)[0]["matched"]:
                break
        time.sleep(0.005)
    time.sleep(AWAY)
    urllib.request.urlopen(urllib.request.Request(f"{SANDBOX}/_podrole/faults", method="DELETE")).close()
