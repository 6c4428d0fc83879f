"""Calls to an emulator that checks signatures itself, through the sandbox that signs them again."""

import json
import os

import boto3
from botocore.config import Config
from calls import refusal, send

cases = {}
secrets = boto3.client("secretsmanager", endpoint_url=os.environ["AGAIN"])
secrets.create_secret(Name="colour", SecretString="blue")
cases["secretsmanager"] = secrets.get_secret_value(SecretId="colour")["SecretString"]

s3 = boto3.client("s3", endpoint_url=os.environ["AGAIN"], config=Config(signature_version="s3v4"))
s3.create_bucket(Bucket="again", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
name = "ü b/!c"
s3.put_object(Bucket="again", Key=name, Body=b"hello", Metadata={"colour": "blue"})
got = s3.get_object(Bucket="again", Key=name)
cases["s3"] = got["Body"].read().decode() + " " + got["Metadata"]["colour"]
listed = s3.list_objects_v2(Bucket="again", Prefix="ü b")
cases["listed"] = [one["Key"] for one in listed["Contents"]]
url = s3.generate_presigned_url("put_object", {"Bucket": "again", "Key": "url"})
send("PUT", url, body=b"from afar")
cases["presigned"] = s3.get_object(Bucket="again", Key="url")["Body"].read().decode()

here = boto3.client("secretsmanager", endpoint_url=os.environ["STRICT_AS_IT_CAME"])
cases["as it came"] = refusal(lambda: here.get_secret_value(SecretId="colour"))

print(json.dumps(cases))
