"""The same calls to moto and to the sandbox: whatever moto answers, the sandbox answers too, alike.

usage: differential.py SANDBOX_URL TOKEN_FILE ROLE NEXT_ROLE

Prints one line of JSON: {"calls": how many were compared, "differences": [what differs]}.
"""

import datetime
import json
import re
import sys

import boto3
from botocore import UNSIGNED
from botocore.config import Config
from moto import mock_aws

REGION = "eu-west-1"
# With a policy, since AWS says the packed size of one, and moto of none.
SESSION = {
    "RoleSessionName": "differential",
    "Policy": '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}',
}
# What a text is like, most telling first.
FORMS = {
    "access key id": r"ASIA[A-Z0-9]{16}",
    "assumed-role id": r"ARO[A-Z0-9]{10,}:[\w+=,.@-]{2,64}",
    "assumed-role arn": r"arn:aws:sts::\d{12}:assumed-role/[\w+=,.@-]+/[\w+=,.@-]{2,64}",
    "account": r"\d{12}",
}


def form(value):
    """What a value is like: its type, and for text its kind."""
    if isinstance(value, str):
        for name, pattern in FORMS.items():
            if re.fullmatch(pattern, value):
                return name
        return "text" if value else "nothing"
    if isinstance(value, datetime.datetime):
        return "a time"
    return type(value).__name__


def fields(value, path=""):
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from fields(inner, f"{path}.{name}" if path else name)
    else:
        yield path, value


def answers(endpoint, token, role, next_role):
    """What each call is answered, by name."""
    plain = {"region_name": REGION, "endpoint_url": endpoint}
    unsigned = boto3.client("sts", config=Config(signature_version=UNSIGNED), **plain)
    by_token = unsigned.assume_role_with_web_identity(
        RoleArn=role, WebIdentityToken=token, **SESSION
    )
    yield "AssumeRoleWithWebIdentity", by_token
    given = by_token["Credentials"]
    keys = {
        "aws_access_key_id": given["AccessKeyId"],
        "aws_secret_access_key": given["SecretAccessKey"],
        "aws_session_token": given["SessionToken"],
    }
    signed = boto3.client("sts", **keys, **plain)
    yield "GetCallerIdentity", signed.get_caller_identity()
    yield "AssumeRole", signed.assume_role(RoleArn=next_role, **SESSION)


def compare(name, theirs, ours):
    ours = dict(fields(ours))
    for path, value in fields(theirs):
        if path.startswith("ResponseMetadata."):
            continue
        if path not in ours:
            yield f"{name}: moto answers {path}, the sandbox does not"
        elif form(value) != form(ours[path]):
            yield f"{name}: {path} is {form(value)} with moto, {form(ours[path])} with the sandbox"
        elif isinstance(value, datetime.datetime):
            apart = abs(value - ours[path])
            if apart > datetime.timedelta(seconds=30):
                yield f"{name}: {path} is {apart} apart"


def main():
    endpoint, token_file, *roles = sys.argv[1:]
    with open(token_file, encoding="ascii") as file:
        token = file.read()
    ours = dict(answers(endpoint, token, *roles))
    with mock_aws():
        theirs = dict(answers(None, token, *roles))
    differences = [one for name in theirs for one in compare(name, theirs[name], ours[name])]
    print(json.dumps({"calls": len(theirs), "differences": differences}))


main()
