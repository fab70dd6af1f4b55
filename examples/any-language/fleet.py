"""A controller in Python's standard library alone: a Fleet has so many pods of one image, and old
ones are replaced one at a time. What there is it reads anew whenever something has changed, so it
has nothing to forget when it is killed."""

import base64
import http.client
import json
import os
import ssl
import threading
import time
import urllib.request

FLEETS = "/apis/example.com/v1/fleets"
MAX_UNAVAILABLE = 1
RESYNC = 5
# Refused, broken off, or not what was expected: the next look shows what became of it.
TROUBLE = (OSError, http.client.HTTPException)


class Api:
    """The API server that a kubeconfig leads to. Shakedown writes it as JSON, which is YAML too."""

    def __init__(self, kubeconfig):
        with open(kubeconfig, encoding="utf-8") as file:
            config = json.load(file)
        cluster = config["clusters"][0]["cluster"]
        authority = base64.b64decode(cluster["certificate-authority-data"]).decode()
        self.tls = ssl.create_default_context(cadata=authority)
        self.server = cluster["server"]
        self.token = config["users"][0]["user"]["token"]

    def open(self, method, path, body=None):
        headers = {
            "Authorization": f"Bearer {self.token}",
            "Content-Type": "application/json",
            "User-Agent": "fleet/1",
        }
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.server + path, data, headers, method=method)
        return urllib.request.urlopen(request, context=self.tls, timeout=60)

    def ask(self, method, path, body=None):
        with self.open(method, path, body) as answer:
            return json.load(answer)


def watch(api, path, changed):
    """Says so whenever something of a list changes, for ever."""
    while True:
        try:
            with api.open("GET", f"{path}?watch=true") as events:
                for _ in events:
                    changed.set()
        except TROUBLE as error:
            print(f"the watch of {path} broke: {error}", flush=True)
        changed.set()
        time.sleep(1)


def is_ready(pod):
    conditions = pod.get("status", {}).get("conditions", [])
    return any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)


def belongs(pod, fleet):
    owners = pod["metadata"].get("ownerReferences", [])
    return any(owner["uid"] == fleet["metadata"]["uid"] for owner in owners)


def new_pod(fleet):
    name, uid = fleet["metadata"]["name"], fleet["metadata"]["uid"]
    owner = {
        "apiVersion": "example.com/v1", "kind": "Fleet", "name": name, "uid": uid,
        "controller": True, "blockOwnerDeletion": True,
    }
    container = {
        "name": "app", "image": fleet["spec"]["image"], "args": ["netexec", "--http-port=8080"],
        "readinessProbe": {"httpGet": {"path": "/healthz", "port": 8080}, "periodSeconds": 1},
    }
    return {
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {
            "generateName": f"{name}-", "labels": {"fleet": name}, "ownerReferences": [owner],
        },
        "spec": {"containers": [container], "terminationGracePeriodSeconds": 2},
    }


def reconcile(api, fleet):
    """One look at a Fleet and its pods, and what has to be done about them."""
    pods = f"/api/v1/namespaces/{fleet['metadata']['namespace']}/pods"
    own = [pod for pod in api.ask("GET", pods)["items"] if belongs(pod, fleet)]
    live = [pod for pod in own if "deletionTimestamp" not in pod["metadata"]]

    def delete(pod):
        print(f"delete {pod['metadata']['name']}", flush=True)
        live.remove(pod)
        api.ask("DELETE", f"{pods}/{pod['metadata']['name']}")

    for pod in [pod for pod in live if pod["status"].get("phase") in ("Failed", "Succeeded")]:
        delete(pod)
    wanted = fleet["spec"]["replicas"]
    # Those that serve nobody go first.
    live.sort(key=is_ready)
    for pod in live[: max(0, len(live) - wanted)]:
        delete(pod)
    for pod in [pod for pod in live if pod["spec"]["containers"][0]["image"] != fleet["spec"]["image"]]:
        available = sum(map(is_ready, live))
        if not is_ready(pod) or wanted - available < MAX_UNAVAILABLE:
            delete(pod)
    for _ in range(wanted - len(live)):
        print("create a pod", flush=True)
        live.append(api.ask("POST", pods, new_pod(fleet)))


def main():
    api, changed = Api(os.environ["KUBECONFIG"]), threading.Event()
    for path in (FLEETS, "/api/v1/pods"):
        threading.Thread(target=watch, args=(api, path, changed), daemon=True).start()
    while True:
        changed.wait(RESYNC)
        changed.clear()
        try:
            for fleet in api.ask("GET", FLEETS)["items"]:
                reconcile(api, fleet)
        except TROUBLE as error:
            print(f"again in a second: {error}", flush=True)
            time.sleep(1)
            changed.set()


main()
