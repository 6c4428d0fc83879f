"""Who am I, by the Python clients that are not boto3. usage: others.py CLIENT

Prints one line of JSON, and one more for each line on standard input; as whoami.py does, but each
time by a client that starts anew.
"""

import asyncio
import json
import os
import re
import subprocess
import sys
import time
import urllib.request


class Refused(Exception):
    """What a program that is no library said."""


def aiobotocore():
    from aiobotocore.session import get_session

    async def ask():
        async with get_session().create_client("sts") as sts:
            return (await sts.get_caller_identity())["Arn"]

    return asyncio.run(ask())


def awscli():
    words = "sts get-caller-identity --query Arn --output text"
    run = subprocess.run(
        [sys.executable, "-m", "awscli", *words.split()], capture_output=True, text=True
    )
    if run.returncode:
        raise Refused(run.stderr.strip())
    return run.stdout.strip()


def minio():
    """minio finds credentials by its own code, and can ask S3 alone: STS is asked for it."""
    import boto3
    from minio.credentials.providers import IamAwsProvider

    found = IamAwsProvider().retrieve()
    sts = boto3.client(
        "sts",
        aws_access_key_id=found.access_key,
        aws_secret_access_key=found.secret_key,
        aws_session_token=found.session_token,
    )
    return sts.get_caller_identity()["Arn"]


def obstore():
    from obstore.exceptions import BaseError
    from obstore.store import S3Store

    def ask(s3):
        store = S3Store(
            "whoami",
            endpoint=s3,
            region=os.environ["AWS_REGION"],
            virtual_hosted_style_request=False,
            client_options={"allow_http": True},
        )
        try:
            store.list().collect()
        except (FileNotFoundError, BaseError) as error:
            # The bucket does not exist, and the caller was known.
            if not isinstance(error, FileNotFoundError) and "404" not in str(error):
                raise

    return by_s3(ask)


def pyarrow():
    from pyarrow import fs

    def ask(s3):
        files = fs.S3FileSystem(region=os.environ["AWS_REGION"], endpoint_override=s3)
        files.get_file_info(fs.FileSelector("whoami", allow_not_found=True))

    return by_s3(ask)


def by_s3(ask):
    """These keep their credentials to themselves and speak S3 alone: the sandbox in front of an S3
    ($WHOAMI_S3) says whose signature it passed on. Only one may ask at a time."""
    sandbox = os.environ["WHOAMI_S3"]
    before = passed_on(sandbox)
    ask(sandbox)
    seen = [one for one in passed_on(sandbox) if one not in before]
    if not seen:
        raise Refused("the request reached S3 unsigned, or not at all")
    return re.search(r"signed by (arn:\S+)", seen[-1]["reason"])[1]


def passed_on(sandbox):
    with urllib.request.urlopen(f"{sandbox}/_podrole/decisions") as answer:
        decisions = json.load(answer)
    return [one for one in decisions if one["operation"].startswith("s3.") and one["allowed"]]


def described(error):
    answer = getattr(error, "response", None)
    answer = answer if isinstance(answer, dict) else {}
    code = answer.get("Error", {}).get("Code")
    in_text = re.search(r"\((\w+)\) when calling|error code[ :]*(\w+)", str(error))
    if not code and in_text:
        code = in_text[1] or in_text[2]
    return {
        "class": type(error).__name__,
        "code": code,
        "status": answer.get("ResponseMetadata", {}).get("HTTPStatusCode"),
        "message": str(error),
    }


def use(ask):
    started = time.monotonic()
    try:
        line = {"arn": ask()}
    except Exception as error:  # whatever an application would see
        line = {"error": described(error)}
    line["ms"] = round((time.monotonic() - started) * 1000)
    print(json.dumps(line), flush=True)


CLIENTS = {ask.__name__: ask for ask in (aiobotocore, awscli, minio, obstore, pyarrow)}
client = CLIENTS[sys.argv[1]]
use(client)
for _ in sys.stdin:
    use(client)
