"""The same calls with the AWS CLI, as a person would make them."""

import json
import os
import shutil
import subprocess

from iam import PROVIDER, TRUST, assume


def aws(*arguments):
    program = shutil.which("aws")
    result = subprocess.run(
        [program, *arguments, "--output", "json"], capture_output=True, text=True, env=os.environ
    )
    return result.returncode, result.stdout or result.stderr


def good(*arguments):
    code, text = aws(*arguments)
    assert code == 0, text
    return json.loads(text) if text else None


made = good(
    "iam", "create-open-id-connect-provider", "--url", "https://oidc.example/id",
    "--client-id-list", "sts.amazonaws.com",
)
assert made["OpenIDConnectProviderArn"] == PROVIDER, made
good("iam", "create-role", "--role-name", "app", "--assume-role-policy-document", json.dumps(TRUST))
got = good("iam", "get-role", "--role-name", "app")
assert got["Role"]["AssumeRolePolicyDocument"] == TRUST, got
assert assume()[0].endswith(":assumed-role/app/pod")
good("iam", "delete-role", "--role-name", "app")
code, text = aws("iam", "get-role", "--role-name", "app")
assert code in (254, 255) and "(NoSuchEntity)" in text, (code, text)
