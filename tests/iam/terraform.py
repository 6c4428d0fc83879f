"""What Terraform and Pulumi call around a role and a provider: made, read, changed, deleted."""

import datetime
import json

from iam import ISSUER, MAY, PROVIDER, TRUST, Iam, assume, provider, role

iam = Iam()

made = provider(iam)
assert made["OpenIDConnectProviderArn"] == PROVIDER, made
got = iam("GetOpenIDConnectProvider", OpenIDConnectProviderArn=PROVIDER)
assert got["Url"] == ISSUER and got["ClientIDList"] == ["sts.amazonaws.com"], got
assert got["ThumbprintList"] == ["a" * 40] and got["Tags"] == [], got
listed = iam("ListOpenIDConnectProviders")["OpenIDConnectProviderList"]
assert listed == [{"Arn": PROVIDER}], listed

made = role(iam, Path="/team/", Description="größe & <co>", Tags=[{"Key": "Team", "Value": "shop"}])
got = iam("GetRole", RoleName="app")["Role"]
assert made["Role"]["RoleId"] == got["RoleId"] and got["RoleId"].startswith("AROA"), got
assert got["AssumeRolePolicyDocument"] == TRUST, got
assert got["Arn"] == "arn:aws:iam::111122223333:role/team/app" and got["Path"] == "/team/", got
assert got["Description"] == "größe & <co>" and got["MaxSessionDuration"] == 3600, got
assert got["Tags"] == [{"Key": "Team", "Value": "shop"}], got
age = datetime.datetime.now(datetime.timezone.utc) - got["CreateDate"]
assert abs(age.total_seconds()) < 60, got
assert iam("ListRolePolicies", RoleName="app")["PolicyNames"] == []
assert iam("ListAttachedRolePolicies", RoleName="app")["AttachedPolicies"] == []

iam("UpdateRole", RoleName="app", Description="other", MaxSessionDuration=7200)
iam("PutRolePolicy", RoleName="app", PolicyName="may", PolicyDocument=json.dumps(MAY, indent=2))
got = iam("GetRolePolicy", RoleName="app", PolicyName="may")
assert got["PolicyDocument"] == MAY and got["PolicyName"] == "may", got
assert iam("ListRolePolicies", RoleName="app")["PolicyNames"] == ["may"]
iam("TagRole", RoleName="app", Tags=[{"Key": "team", "Value": "till"}, {"Key": "a", "Value": ""}])
iam("UntagRole", RoleName="app", TagKeys=["a", "none"])
got = iam("GetRole", RoleName="app")["Role"]
assert got["Tags"] == [{"Key": "team", "Value": "till"}], got
assert got["Description"] == "other" and got["MaxSessionDuration"] == 7200, got
listed = iam("ListRoles", PathPrefix="/team/")["Roles"]
assert [one["RoleName"] for one in listed] == ["app"] and "Tags" not in listed[0], listed
assert iam("ListRoles", PathPrefix="/none/")["Roles"] == []

# Pods have the role's ARN without this path, so the role is created again without it.
iam("DeleteRolePolicy", RoleName="app", PolicyName="may")
assert iam("ListInstanceProfilesForRole", RoleName="app")["InstanceProfiles"] == []
iam("DeleteRole", RoleName="app")
role(iam)
arn, _ = assume()
assert arn == "arn:aws:sts::111122223333:assumed-role/app/pod", arn
other = json.dumps(TRUST).replace("shop:app", "shop:other")
iam("UpdateAssumeRolePolicy", RoleName="app", PolicyDocument=other)
try:
    assume()
    raise SystemExit("the old trust is in force")
except Iam().client.exceptions.ClientError as error:
    assert error.response["Error"]["Code"] == "AccessDenied", error
assume("other")
iam(
    "RemoveClientIDFromOpenIDConnectProvider",
    OpenIDConnectProviderArn=PROVIDER,
    ClientID="sts.amazonaws.com",
)
try:
    assume("other")
    raise SystemExit("the audience is taken that was removed")
except Iam().client.exceptions.ClientError as error:
    assert error.response["Error"]["Code"] == "InvalidIdentityToken", error
iam("AddClientIDToOpenIDConnectProvider", OpenIDConnectProviderArn=PROVIDER, ClientID="new")
iam(
    "UpdateOpenIDConnectProviderThumbprint",
    OpenIDConnectProviderArn=PROVIDER,
    ThumbprintList=["b" * 40],
)
got = iam("GetOpenIDConnectProvider", OpenIDConnectProviderArn=PROVIDER)
assert got["ClientIDList"] == ["new"] and got["ThumbprintList"] == ["b" * 40], got

for number in range(3):
    role(iam, f"page-{number}")
pages = iam.client.get_paginator("list_roles").paginate(PaginationConfig={"PageSize": 2})
names = [one["RoleName"] for page in pages for one in page["Roles"]]
assert names == ["app", "page-0", "page-1", "page-2"], names

iam("DeleteRole", RoleName="app")
iam("DeleteOpenIDConnectProvider", OpenIDConnectProviderArn=PROVIDER)
assert iam("ListOpenIDConnectProviders")["OpenIDConnectProviderList"] == []
