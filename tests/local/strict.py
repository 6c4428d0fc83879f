"""Prepares a moto that checks signatures: a key with the right to everything, then no more leniency."""

import json
import os

import boto3
import urllib3

moto = os.environ["MOTO"]
iam = boto3.client("iam", endpoint_url=moto, aws_access_key_id="x", aws_secret_access_key="x")
iam.create_user(UserName="sandbox")
key = iam.create_access_key(UserName="sandbox")["AccessKey"]
everything = {"Effect": "Allow", "Action": "*", "Resource": "*"}
policy = json.dumps({"Version": "2012-10-17", "Statement": [everything]})
iam.put_user_policy(UserName="sandbox", PolicyName="all", PolicyDocument=policy)
urllib3.request("POST", moto + "/moto-api/reset-auth", body=b"0")

print(json.dumps({"id": key["AccessKeyId"], "secret": key["SecretAccessKey"]}))
