"""Makes what find.py looks for."""

from iam import Iam, assume, provider, role

iam = Iam()
provider(iam)
role(iam, Tags=[{"Key": "Team", "Value": "shop"}])
role(iam, "gone")
iam("DeleteRole", RoleName="gone")
assume()
