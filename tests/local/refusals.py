"""Calls that AWS refuses, in each protocol."""

import json
import os
import time

import boto3
from botocore import UNSIGNED
from botocore.config import Config
from calls import earlier, refusal

cases = {}
key = boto3.Session().get_credentials().get_frozen_credentials()
ONCE = Config(retries={"total_max_attempts": 1})


def client(service, config=ONCE, before=None, endpoint=None, **changes):
    given = {
        "aws_access_key_id": key.access_key,
        "aws_secret_access_key": key.secret_key,
        "aws_session_token": key.token,
    }
    made = boto3.client(service, config=config, endpoint_url=endpoint, **{**given, **changes})
    if before:
        made.meta.events.register("before-send", before)
    return made


CALLS = {
    "secretsmanager": lambda one: one.create_secret(Name="stolen", SecretString="x"),
    "sns": lambda one: one.create_topic(Name="stolen"),
    "lambda": lambda one: one.list_functions(),
    "ec2": lambda one: one.describe_vpcs(),
    "s3": lambda one: one.create_bucket(
        Bucket="stolen", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"}
    ),
}


def record(service, what, **changes):
    cases[f"{service} {what}"] = refusal(lambda: CALLS[service](client(service, **changes)))


def tamper(request, **_):
    request.body = request.body.replace(b"stolen", b"robbed").replace(b"eu-west-1", b"eu-west-2")


def retarget(request, **_):
    request.headers["X-Amz-Target"] = "secretsmanager.ListSecrets"


def grant(request, **_):
    request.headers["x-amz-grant-full-control"] = "everyone"


unsigned = ONCE.merge(Config(signature_version=UNSIGNED))
for service in ["secretsmanager", "sns", "lambda", "s3"]:
    record(service, "unsigned", config=unsigned)
    record(service, "unknown key", aws_access_key_id="ASIAAAAAAAAAAAAAAAAA")
for service in CALLS:
    record(service, "wrong secret", aws_secret_access_key="wrong")
for service in ["secretsmanager", "s3"]:
    record(service, "wrong token", aws_session_token="wrong")
    record(service, "tampered", before=tamper)
    record(service, "no upstream", endpoint=os.environ["LONELY"])
    with earlier(seconds=1000):
        record(service, "old")
record("secretsmanager", "no token", aws_session_token=None)
record("secretsmanager", "another operation", before=retarget)
record("s3", "a header added", before=grant)

# Credentials that live for a second.
brief = os.environ["BRIEF"]
with open(os.environ["AWS_WEB_IDENTITY_TOKEN_FILE"]) as token:
    given = boto3.client("sts", endpoint_url=brief).assume_role_with_web_identity(
        RoleArn=os.environ["AWS_ROLE_ARN"], RoleSessionName="brief", WebIdentityToken=token.read()
    )["Credentials"]
time.sleep(max(0, given["Expiration"].timestamp() - time.time()) + 0.1)
for service in ["secretsmanager", "s3"]:
    record(
        service,
        "expired",
        endpoint=brief,
        aws_access_key_id=given["AccessKeyId"],
        aws_secret_access_key=given["SecretAccessKey"],
        aws_session_token=given["SessionToken"],
    )

secrets = [one["Name"] for one in client("secretsmanager").list_secrets()["SecretList"]]
buckets = [one["Name"] for one in client("s3").list_buckets()["Buckets"]]
cases["moto saw none of it"] = [one for one in secrets + buckets if one in ("stolen", "robbed")]

print(json.dumps(cases))
