"""As much of a Kubernetes API server as the agent asks: keys, one namespace, and whichever pods and ServiceAccounts exist.

Pods are in no list, so that the agent first hears of one when it asks. Events are kept.
"""

import json
import threading
import time
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

NAMESPACE = "shop"
NODE = "node-1"


class ApiServer:
    def __init__(self, issuer_documents):
        """`issuer_documents` is the URL below which the sandbox serves its issuer's documents."""
        self.issuer = issuer_documents
        self.roles, self.pods, self.events = {}, {}, []
        handler = type("Handler", (_Handler,), {"api": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def add(self, name, role, service_account_uid, pod_uid):
        """A ServiceAccount with that role, and a running pod of it by the same name."""
        self.roles[name] = (role, service_account_uid)
        self.pods[name] = pod_uid

    def kubeconfig(self):
        """It is JSON, which is YAML."""
        name = "clients"
        return json.dumps(
            {
                "apiVersion": "v1",
                "kind": "Config",
                "current-context": name,
                "clusters": [{"name": name, "cluster": {"server": self.url}}],
                "users": [{"name": name, "user": {}}],
                "contexts": [{"name": name, "context": {"cluster": name, "user": name}}],
            }
        )

    def find(self, path):
        words = path.strip("/").split("/")
        if path == "/.well-known/openid-configuration" or path == "/openid/v1/jwks":
            with urllib.request.urlopen(self.issuer + path) as answer:
                return json.load(answer)
        if words[:3] == ["api", "v1", "namespaces"] and len(words) == 4:
            return _object("Namespace", words[3], NAMESPACE)
        if words[:4] == ["api", "v1", "namespaces", NAMESPACE] and len(words) == 6:
            kind, name = words[4:]
            if kind == "serviceaccounts" and name in self.roles:
                role, uid = self.roles[name]
                found = _object("ServiceAccount", name, uid)
                found["metadata"]["annotations"] = {"eks.amazonaws.com/role-arn": role}
                return found
            if kind == "pods" and name in self.pods:
                found = _object("Pod", name, self.pods[name])
                containers = [{"name": "app", "image": "app"}]
                found["spec"] = {
                    "nodeName": NODE,
                    "serviceAccountName": name,
                    "containers": containers,
                }
                found["status"] = {"phase": "Running", "podIPs": [{"ip": "10.0.0.1"}]}
                return found
        return None


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    api = None

    def do_GET(self):
        url = urlsplit(self.path)
        if "watch" in parse_qs(url.query):
            self._watch()
            return
        found = self.api.find(url.path)
        if found is None and url.path.split("/")[-1] in ("pods", "serviceaccounts", "namespaces"):
            metadata = {"resourceVersion": "1"}
            found = {"apiVersion": "v1", "kind": "List", "metadata": metadata, "items": []}
        if found is None:
            self._answer(404, {"kind": "Status", "status": "Failure", "code": 404, "reason": "NotFound"})
        else:
            self._answer(200, found)

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        made = json.loads(body)
        if urlsplit(self.path).path.endswith("/events"):
            self.api.events.append(made)
        self._answer(201, made)

    do_PUT = do_PATCH = do_POST

    def _watch(self):
        """Nothing changes."""
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Connection", "close")
        self.end_headers()
        time.sleep(240)
        self.close_connection = True

    def _answer(self, status, body):
        text = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_):
        pass


def _object(kind, name, uid):
    metadata = {"name": name, "uid": uid, "resourceVersion": "1"}
    if kind != "Namespace":
        metadata["namespace"] = NAMESPACE
    return {"apiVersion": "v1", "kind": kind, "metadata": metadata}
