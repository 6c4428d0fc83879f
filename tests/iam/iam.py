"""IAM by boto3. Each answer is held to botocore's model: what the model requires is there."""

import json
import os
import urllib.request

import boto3

ACCOUNT = "111122223333"
ISSUER = "oidc.example/id"
PROVIDER = f"arn:aws:iam::{ACCOUNT}:oidc-provider/{ISSUER}"
TRUST = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Principal": {"Federated": PROVIDER},
            "Action": "sts:AssumeRoleWithWebIdentity",
            "Condition": {
                "StringEquals": {
                    f"{ISSUER}:sub": "system:serviceaccount:shop:app",
                    f"{ISSUER}:aud": "sts.amazonaws.com",
                }
            },
        }
    ],
}
MAY = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Action": "sts:*", "Resource": "*"}],
}


def missing(shape, value, path=""):
    """The members that the model requires and the answer lacks."""
    if shape.type_name == "structure":
        for name in shape.required_members:
            if name not in value:
                yield f"{path}.{name}"
        for name, member in shape.members.items():
            if name in value:
                yield from missing(member, value[name], f"{path}.{name}")
    elif shape.type_name == "list":
        for item in value:
            yield from missing(shape.member, item, path + "[]")


class Iam:
    def __init__(self, **options):
        self.client = boto3.client("iam", **options)

    def __call__(self, operation, **fields):
        method = boto3.session.botocore.xform_name(operation)
        answer = getattr(self.client, method)(**fields)
        assert answer["ResponseMetadata"]["HTTPStatusCode"] == 200, answer
        assert answer["ResponseMetadata"]["RequestId"], answer
        shape = self.client.meta.service_model.operation_model(operation).output_shape
        if shape is not None:
            gone = list(missing(shape, answer))
            assert not gone, f"{operation}: {gone}"
        return answer

    def refused(self, operation, **fields):
        """The class, code and status of a refusal."""
        try:
            self(operation, **fields)
        except self.client.exceptions.ClientError as error:
            status = error.response["ResponseMetadata"]["HTTPStatusCode"]
            return type(error).__name__, error.response["Error"]["Code"], status
        raise AssertionError(f"{operation} {fields} was taken")


def role(iam, name="app", **fields):
    return iam("CreateRole", RoleName=name, AssumeRolePolicyDocument=json.dumps(TRUST), **fields)


def provider(iam):
    return iam(
        "CreateOpenIDConnectProvider",
        Url=f"https://{ISSUER}",
        ClientIDList=["sts.amazonaws.com"],
        ThumbprintList=["a" * 40],
    )


def assume(account="app"):
    """The ARN that a pod's token becomes."""
    wish = json.dumps({"namespace": "shop", "serviceAccount": account}).encode()
    url = os.environ["AWS_ENDPOINT_URL"] + "/_podrole/tokens"
    token = urllib.request.urlopen(urllib.request.Request(url, wish)).read().decode()
    answer = boto3.client("sts").assume_role_with_web_identity(
        RoleArn=f"arn:aws:iam::{ACCOUNT}:role/app", RoleSessionName="pod", WebIdentityToken=token
    )
    return answer["AssumedRoleUser"]["Arn"], answer["Credentials"]
