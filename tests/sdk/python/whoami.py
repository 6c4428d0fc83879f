"""One question to STS or EKS Auth with whatever credentials the AWS SDK for Python finds.

usage: whoami.py caller-identity | session-token | assume-role ROLE [POLICY]
       | web-identity ROLE TOKEN_FILE | pod-identity CLUSTER TOKEN_FILE

Prints one line of JSON, and one more, asked by the same client, for each line on standard input:
an empty one asks the same again, another has the next question's words with tabs between.
"""

import functools
import json
import sys
import time

import boto3

SESSION = "whoami"


@functools.cache
def client(service="sts"):
    return boto3.client(service)


def token_in(file):
    with open(file, encoding="ascii") as token:
        return token.read()


def ask(command, role="", more=""):
    if command == "caller-identity":
        return client().get_caller_identity()["Arn"]
    if command == "assume-role":
        policy = {"Policy": more} if more else {}
        answer = client().assume_role(RoleArn=role, RoleSessionName=SESSION, **policy)
        return answer["AssumedRoleUser"]["Arn"]
    if command == "web-identity":
        answer = client().assume_role_with_web_identity(
            RoleArn=role, RoleSessionName=SESSION, WebIdentityToken=token_in(more)
        )
        return answer["AssumedRoleUser"]["Arn"]
    if command == "session-token":
        return client().get_session_token()["Credentials"]["AccessKeyId"][:4]
    if command == "pod-identity":
        eks = client("eks-auth")
        answer = eks.assume_role_for_pod_identity(clusterName=role, token=token_in(more))
        return answer["assumedRoleUser"]["arn"]
    raise SystemExit(__doc__)


def describe(error):
    response = getattr(error, "response", {})
    return {
        "class": type(error).__name__,
        "code": response.get("Error", {}).get("Code"),
        "status": response.get("ResponseMetadata", {}).get("HTTPStatusCode"),
        "message": str(error),
    }


def use(words):
    started = time.monotonic()
    try:
        line = {"arn": ask(*words)}
    except Exception as error:  # whatever an application would see
        line = {"error": describe(error)}
    line["ms"] = round((time.monotonic() - started) * 1000)
    print(json.dumps(line), flush=True)


command = sys.argv[1:]
use(command)
for line in sys.stdin:
    command = line.strip("\n").split("\t") if line.strip() else command
    use(command)
