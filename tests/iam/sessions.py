"""STS's other calls and EKS Auth by boto3: what they give, and the exceptions that they raise."""

import json
import os
import urllib.request

import boto3
from iam import ACCOUNT, Iam, missing

POD_IDENTITY = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Principal": {"Service": "pods.eks.amazonaws.com"},
            "Action": ["sts:AssumeRole", "sts:TagSession"],
        },
        {
            "Effect": "Allow",
            "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:user/admin"},
            "Action": "sts:AssumeRole",
        },
    ],
}


def client(service, credentials=None):
    if credentials is None:
        return boto3.client(service)
    return boto3.client(
        service,
        aws_access_key_id=credentials.get("AccessKeyId") or credentials["accessKeyId"],
        aws_secret_access_key=credentials.get("SecretAccessKey") or credentials["secretAccessKey"],
        aws_session_token=credentials.get("SessionToken") or credentials["sessionToken"],
    )


def call(client, operation, **fields):
    """The answer, with all that the service's model requires in it."""
    answer = getattr(client, boto3.session.botocore.xform_name(operation))(**fields)
    shape = client.meta.service_model.operation_model(operation).output_shape
    gone = list(missing(shape, answer))
    assert not gone, f"{operation}: {gone}"
    return answer


def refused(client, operation, **fields):
    try:
        call(client, operation, **fields)
    except client.exceptions.ClientError as error:
        status = error.response["ResponseMetadata"]["HTTPStatusCode"]
        return type(error).__name__, error.response["Error"]["Code"], status
    raise AssertionError(f"{operation} {fields} was taken")


def token(account="app", audience="pods.eks.amazonaws.com"):
    wish = {"namespace": "shop", "serviceAccount": account, "pod": "app-1", "audiences": [audience]}
    url = os.environ["AWS_ENDPOINT_URL"] + "/_podrole/tokens"
    request = urllib.request.Request(url, json.dumps(wish).encode())
    return urllib.request.urlopen(request).read().decode()


def is_(found, wanted):
    assert found == wanted, f"{found} came, {wanted} was due"


Iam()("CreateRole", RoleName="app", AssumeRolePolicyDocument=json.dumps(POD_IDENTITY))
ROLE = f"arn:aws:iam::{ACCOUNT}:role/app"
user = client("sts")

# GetSessionToken: for users, and not for roles.
session = call(user, "GetSessionToken")["Credentials"]
is_(client("sts", session).get_caller_identity()["Arn"], f"arn:aws:iam::{ACCOUNT}:user/admin")
assumed = call(user, "AssumeRole", RoleArn=ROLE, RoleSessionName="admin")
is_(assumed["AssumedRoleUser"]["Arn"], f"arn:aws:sts::{ACCOUNT}:assumed-role/app/admin")
by_role = client("sts", assumed["Credentials"])
is_(refused(by_role, "GetSessionToken"), ("ClientError", "AccessDenied", 403))

# AssumeRole: each way to be refused.
is_(
    refused(user, "AssumeRole", RoleArn=ROLE + "-unknown", RoleSessionName="admin"),
    ("ClientError", "AccessDenied", 403),
)
tags = [{"Key": "team", "Value": "shop"}]
is_(
    refused(user, "AssumeRole", RoleArn=ROLE, RoleSessionName="admin", Tags=tags),
    ("ClientError", "AccessDenied", 403),
)
is_(
    refused(user, "AssumeRole", RoleArn=ROLE, RoleSessionName="admin", DurationSeconds=43200),
    ("ClientError", "ValidationError", 400),
)
is_(
    refused(user, "AssumeRole", RoleArn=ROLE, RoleSessionName="admin", Policy="no policy"),
    ("MalformedPolicyDocumentException", "MalformedPolicyDocument", 400),
)

# EKS Auth: by the node's credentials, for a pod's token.
node = client("eks-auth")
given = call(node, "AssumeRoleForPodIdentity", clusterName="shop", token=token())
is_(given["subject"], {"namespace": "shop", "serviceAccount": "app"})
is_(given["audience"], "pods.eks.amazonaws.com")
pod = client("sts", given["credentials"]).get_caller_identity()["Arn"]
assert pod.startswith(f"arn:aws:sts::{ACCOUNT}:assumed-role/app/eks-shop-app-1-"), pod
for fields, wanted in [
    ({"clusterName": "shop", "token": token("other")}, "ResourceNotFoundException"),
    ({"clusterName": "none", "token": token()}, "ResourceNotFoundException"),
    ({"clusterName": "shop", "token": token(audience="sts.amazonaws.com")}, "InvalidTokenException"),
    ({"clusterName": "shop", "token": token()[:-8] + "AAAAAAAA"}, "InvalidTokenException"),
]:
    kind, code, status = refused(node, "AssumeRoleForPodIdentity", **fields)
    is_((kind, code), (wanted, wanted))
    is_(status, 404 if wanted == "ResourceNotFoundException" else 400)
by_pod = client("eks-auth", given["credentials"])
kind, code, _ = refused(by_pod, "AssumeRoleForPodIdentity", clusterName="shop", token=token())
is_((kind, code), ("AccessDeniedException", "AccessDeniedException"))
