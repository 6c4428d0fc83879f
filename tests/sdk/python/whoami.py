"""One question to STS with whatever credentials the AWS SDK for Python finds.

usage: whoami.py caller-identity | assume-role ROLE | web-identity ROLE TOKEN_FILE

Prints one line of JSON, and one more, asked by the same client, for each line on standard input.
"""

import functools
import json
import sys
import time

import boto3

SESSION = "whoami"


@functools.cache
def client():
    return boto3.client("sts")


def ask(command, role="", token_file=""):
    if command == "caller-identity":
        return client().get_caller_identity()["Arn"]
    if command == "assume-role":
        answer = client().assume_role(RoleArn=role, RoleSessionName=SESSION)
        return answer["AssumedRoleUser"]["Arn"]
    if command == "web-identity":
        with open(token_file, encoding="ascii") as file:
            token = file.read()
        answer = client().assume_role_with_web_identity(
            RoleArn=role, RoleSessionName=SESSION, WebIdentityToken=token
        )
        return answer["AssumedRoleUser"]["Arn"]
    raise SystemExit(__doc__)


def told(error):
    response = getattr(error, "response", {})
    return {
        "class": type(error).__name__,
        "code": response.get("Error", {}).get("Code"),
        "status": response.get("ResponseMetadata", {}).get("HTTPStatusCode"),
        "message": str(error),
    }


def use():
    started = time.monotonic()
    try:
        line = {"arn": ask(*sys.argv[1:])}
    except Exception as error:  # whatever an application would see
        line = {"error": told(error)}
    line["ms"] = round((time.monotonic() - started) * 1000)
    print(json.dumps(line), flush=True)


use()
for _ in sys.stdin:
    use()
