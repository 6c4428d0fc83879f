"""Each refusal raises the class that it raises against AWS."""

import json

from iam import MAY, PROVIDER, TRUST, Iam, assume, provider, role

iam = Iam()
trust, may = json.dumps(TRUST), json.dumps(MAY)
role(iam)
provider(iam)

for wanted, operation, fields in [
    (("EntityAlreadyExistsException", "EntityAlreadyExists", 409), "CreateRole",
     {"RoleName": "app", "AssumeRolePolicyDocument": trust}),
    (("NoSuchEntityException", "NoSuchEntity", 404), "GetRole", {"RoleName": "none"}),
    (("NoSuchEntityException", "NoSuchEntity", 404), "GetRolePolicy",
     {"RoleName": "app", "PolicyName": "none"}),
    (("MalformedPolicyDocumentException", "MalformedPolicyDocument", 400), "CreateRole",
     {"RoleName": "new", "AssumeRolePolicyDocument": may}),
    (("MalformedPolicyDocumentException", "MalformedPolicyDocument", 400),
     "UpdateAssumeRolePolicy", {"RoleName": "app", "PolicyDocument": "no"}),
    (("LimitExceededException", "LimitExceeded", 409), "PutRolePolicy",
     {"RoleName": "app", "PolicyName": "big", "PolicyDocument": may.replace('"sts:*"', json.dumps(["sts:" + "x" * 100] * 110))}),
    (("EntityAlreadyExistsException", "EntityAlreadyExists", 409),
     "CreateOpenIDConnectProvider", {"Url": "https://oidc.example/id"}),
    (("InvalidInputException", "InvalidInput", 400), "CreateOpenIDConnectProvider",
     {"Url": "http://oidc.example"}),
    (("InvalidInputException", "InvalidInput", 400), "CreateOpenIDConnectProvider",
     {"Url": "https://oidc.example:8443"}),
    (("NoSuchEntityException", "NoSuchEntity", 404), "DeleteOpenIDConnectProvider",
     {"OpenIDConnectProviderArn": PROVIDER + "/other"}),
    (("ClientError", "ValidationError", 400), "CreateRole",
     {"RoleName": "a b", "AssumeRolePolicyDocument": trust}),
    # What IAM has and the sandbox has not.
    (("ClientError", "InvalidAction", 400), "AttachRolePolicy",
     {"RoleName": "app", "PolicyArn": "arn:aws:iam::aws:policy/ReadOnlyAccess"}),
]:
    got = iam.refused(operation, **fields)
    assert got == wanted, f"{operation} {fields}: {got}"

iam("PutRolePolicy", RoleName="app", PolicyName="may", PolicyDocument=may)
got = iam.refused("DeleteRole", RoleName="app")
assert got == ("DeleteConflictException", "DeleteConflict", 409), got

# The signer: a key that the sandbox does not know, and a session of a role, are refused.
wrong = Iam(aws_access_key_id="AKIAUNKNOWN", aws_secret_access_key="x")
assert wrong.refused("ListRoles") == ("ClientError", "InvalidClientTokenId", 403)
_, given = assume()
session = Iam(
    aws_access_key_id=given["AccessKeyId"],
    aws_secret_access_key=given["SecretAccessKey"],
    aws_session_token=given["SessionToken"],
)
got = session.refused("CreateRole", RoleName="mine", AssumeRolePolicyDocument=trust)
assert got == ("ClientError", "AccessDenied", 403), got
