"""Finds what make.py made in an earlier sandbox."""

from iam import PROVIDER, TRUST, Iam, assume

iam = Iam()
got = iam("GetRole", RoleName="app")["Role"]
assert got["AssumeRolePolicyDocument"] == TRUST, got
assert got["Tags"] == [{"Key": "Team", "Value": "shop"}], got
assert [one["RoleName"] for one in iam("ListRoles")["Roles"]] == ["app"]
got = iam("GetOpenIDConnectProvider", OpenIDConnectProviderArn=PROVIDER)
assert got["ClientIDList"] == ["sts.amazonaws.com"], got
assert assume()[0].endswith(":assumed-role/app/pod")
