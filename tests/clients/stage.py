"""AWS and a node, in a network of their own: moto behind the sandbox at AWS's own names, and the agent at 169.254.170.23.

It runs in namespaces that `run` has made: the loopback device alone, an /etc over the machine's, and an empty /run.
"""

import base64
import json
import os
import re
import ssl
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path

import yaml

from api_server import NAMESPACE, NODE, ApiServer

ACCOUNT = "111122223333"
REGION = "us-east-1"
ISSUER = "https://oidc.example.test/id"
SANDBOX = "http://127.0.0.1:4566"
MOTO = "http://127.0.0.1:5000"
AGENT = "http://169.254.170.23"
BUNDLE = Path("/etc/ssl/certs/ca-certificates.crt")
# What the network's names are, all of them the sandbox.
NAMES = [f"{service}.{REGION}.amazonaws.com" for service in ("sts", "s3", "s3.dualstack", "kafka")]
NAMES += [f"clients.{name}" for name in NAMES if name.startswith("s3")]
NAMES += ["sts.amazonaws.com", "s3.amazonaws.com", "clients.s3.amazonaws.com", "oidc.example.test"]


class Stage:
    """All of them, running until this process ends: `run` gives it a PID namespace."""

    def __init__(self, folder, binaries, clients):
        self.folder, self.binaries = Path(folder), Path(binaries)
        self.variables = {way: self._injected(way) for way in ("web-identity", "container")}
        self._network()
        ca, certificate, key = self._certificate()
        self.ca, self.store = ca, self._java_store(ca)
        sandbox = self.folder / "sandbox.yaml"
        sandbox.write_text(json.dumps(_accounts(clients)))
        self._start("moto", [_beside_python("moto_server"), "-p", "5000"])
        flags = ["--config", sandbox, "--issuer-url", ISSUER, "--upstream", MOTO]
        flags += ["--tls-bind", "127.0.0.1:443", "--tls-cert", certificate, "--tls-key", key]
        self._start("sandbox", [self.binaries / "podrole-sandbox", *flags])
        _wait(f"{SANDBOX}/_podrole/decisions", self.folder)
        self.api = ApiServer(f"{SANDBOX}/id")
        kubeconfig = self.folder / "kubeconfig"
        kubeconfig.write_text(self.api.kubeconfig())
        flags = ["--kubeconfig", kubeconfig, "--node-name", NODE, "--region", REGION]
        flags += ["--sts-endpoint-url", SANDBOX, "--metrics-address", "127.0.0.1"]
        self._start("agent", [self.binaries / "podrole-agent", *flags])
        _wait("http://127.0.0.1:2705/readyz", self.folder)
        _wait(MOTO, self.folder)
        self._bucket()

    def pod(self, name, way):
        """A pod's variables by that way, its token in a file of its own. `name` is its ServiceAccount's name too."""
        uid = f"uid-of-{name}"
        request = {"namespace": NAMESPACE, "serviceAccount": name, "serviceAccountUid": uid}
        request |= {"pod": {"name": name, "uid": uid}, "expirationSeconds": 86400}
        token = post(f"{SANDBOX}/_podrole/tokens", request)
        self.api.add(name, role(name), uid, uid)
        home = self.folder / name
        home.mkdir(exist_ok=True)
        (home / "token").write_bytes(token)
        variables = dict(self.variables[way])
        for variable in variables:
            if variable.endswith("_TOKEN_FILE"):
                variables[variable] = str(home / "token")
        if way == "web-identity":
            variables["AWS_ROLE_ARN"] = role(name)
        return {"HOME": str(home), "PATH": os.environ["PATH"], **variables}

    def _injected(self, way):
        """The variables that the webhook adds, by the program that shares its code."""
        manifest = self.folder / "pod.yaml"
        manifest.write_text(MANIFEST)
        command = [self.binaries / "podrole", "inject", "--credentials", way]
        command += ["--aws-default-region", REGION, "-f", manifest]
        printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        (pod,) = [one for one in yaml.safe_load_all(printed) if one["kind"] == "Pod"]
        return {one["name"]: one["value"] for one in pod["spec"]["containers"][0]["env"]}

    def _network(self):
        Path("/etc/hosts").write_text(f"127.0.0.1 localhost {' '.join(NAMES)}\n")

    def _certificate(self):
        """The CA, and the sandbox's certificate and key. The CA goes where the system's are."""
        at = {name: str(self.folder / name) for name in ("ca.crt", "ca.key", "tls.crt", "tls.key")}
        new = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
        new += ["-nodes", "-days", "2"]
        ca = [*new, "-subj", "/CN=clients test", "-addext", "keyUsage=critical,keyCertSign"]
        _quiet([*ca, "-keyout", at["ca.key"], "-out", at["ca.crt"]])
        leaf = [*new, "-subj", "/CN=amazonaws.com", "-CA", at["ca.crt"], "-CAkey", at["ca.key"]]
        names = ",".join(f"DNS:{name}" for name in NAMES)
        leaf += ["-addext", f"subjectAltName={names}", "-addext", "basicConstraints=CA:FALSE"]
        _quiet([*leaf, "-keyout", at["tls.key"], "-out", at["tls.crt"]])
        with BUNDLE.open("a") as bundle:
            bundle.write(Path(at["ca.crt"]).read_text())
        return at["ca.crt"], at["tls.crt"], at["tls.key"]

    def _java_store(self, ca):
        """The same CA for Java, which does not read the system's."""
        store = self.folder / "store.p12"
        command = ["keytool", "-importcert", "-noprompt", "-storetype", "PKCS12", "-storepass", "changeit"]
        _quiet([*command, "-alias", "test", "-file", ca, "-keystore", str(store)])
        return str(store)

    def _start(self, name, command):
        log = (self.folder / f"{name}.log").open("wb")
        subprocess.Popen([str(word) for word in command], stdout=log, stderr=subprocess.STDOUT)

    def _bucket(self):
        """Straight into moto, so that the sandbox's log has the clients alone."""
        for path, body in (("/clients", b""), ("/clients/a.csv", b"a,b\n1,2\n")):
            request = urllib.request.Request(MOTO + path, data=body, method="PUT")
            request.add_header("Content-Type", "text/csv")
            request.add_header("Authorization", f"AWS4-HMAC-SHA256 Credential=a/b/{REGION}/s3/aws4_request")
            urllib.request.urlopen(request).close()


def role(name):
    return f"arn:aws:iam::{ACCOUNT}:role/{name}"


def decisions():
    with urllib.request.urlopen(f"{SANDBOX}/_podrole/decisions") as answer:
        return json.load(answer)


def post(url, body):
    with urllib.request.urlopen(url, data=json.dumps(body).encode()) as answer:
        return answer.read()


def follow(url):
    """Asks by a URL that a client signed. What is behind the sandbox may not know the service; the sandbox has checked the signature by then."""
    try:
        urllib.request.urlopen(url, context=ssl.create_default_context(cafile=BUNDLE)).close()
    except urllib.error.HTTPError:
        pass


def signed_url(printed):
    """The URL in what a client printed: as it is, or as MSK wants it, whose user agent is added to what was signed."""
    last = printed.strip().splitlines()[-1]
    if last.startswith("https://"):
        return last
    url = base64.urlsafe_b64decode(last + "=" * (-len(last) % 4)).decode()
    return re.sub(r"&User-Agent=[^&]*", "", url)


def _accounts(clients):
    issuer = ISSUER.removeprefix("https://")
    provider = f"arn:aws:iam::{ACCOUNT}:oidc-provider/{issuer}"

    def trust(name):
        subject = f"system:serviceaccount:{NAMESPACE}:{name}"
        same = {f"{issuer}:sub": subject, f"{issuer}:aud": "sts.amazonaws.com"}
        statement = {"Effect": "Allow", "Principal": {"Federated": provider}}
        statement |= {"Action": "sts:AssumeRoleWithWebIdentity", "Condition": {"StringEquals": same}}
        return {"Version": "2012-10-17", "Statement": [statement]}

    # A pod whose name ends in "-denied" has a role that trusts another.
    roles = {name: trust(name.replace("-denied", "-other")) for name in clients}
    roles = {name: {"arn": role(name), "trustPolicy": policy} for name, policy in roles.items()}
    providers = [{"url": ISSUER, "clientIds": ["sts.amazonaws.com"]}]
    return {"accounts": {ACCOUNT: {"oidcProviders": providers, "roles": roles}}}


def _beside_python(program):
    import sys

    return str(Path(sys.executable).parent / program)


def _quiet(command):
    subprocess.run(command, check=True, capture_output=True)


def _wait(url, folder, seconds=30):
    for _ in range(seconds * 20):
        try:
            urllib.request.urlopen(url).close()
            return
        except urllib.error.HTTPError:
            if "readyz" not in url:
                return
        except OSError:
            pass
        time.sleep(0.05)
    logs = [f"{log}:\n{log.read_text()[-1000:]}" for log in sorted(folder.glob("*.log"))]
    raise SystemExit("\n".join([*logs, f"nothing answers at {url}: the logs, above, say why"]))


MANIFEST = f"""
apiVersion: v1
kind: Namespace
metadata: {{name: {NAMESPACE}, labels: {{podrole.io/injection: enabled}}}}
---
apiVersion: v1
kind: ServiceAccount
metadata: {{name: app, namespace: {NAMESPACE}, annotations: {{eks.amazonaws.com/role-arn: "{role('app')}"}}}}
---
apiVersion: v1
kind: Pod
metadata: {{name: app, namespace: {NAMESPACE}}}
spec: {{serviceAccountName: app, containers: [{{name: app, image: app}}]}}
"""
