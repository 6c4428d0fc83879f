"""What the programs share: a refusal in two words, requests by hand, and another clock."""

import contextlib
import datetime
import re
from unittest import mock

import urllib3
from botocore.exceptions import ClientError


def refusal(call):
    """Code and status, as boto3 reads them."""
    try:
        call()
    except ClientError as error:
        response = error.response
        return {
            "code": response["Error"]["Code"],
            "status": response["ResponseMetadata"]["HTTPStatusCode"],
        }
    return "allowed"


def send(method, url, headers=None, body=None):
    """A request by hand: its body, or the code and the status of S3's refusal."""
    answer = urllib3.request(method, url, headers=headers, body=body, retries=False)
    if answer.status < 300:
        return answer.data
    code = re.search(r"<Code>(.*?)</Code>", answer.data.decode())
    return {"code": code and code[1], "status": answer.status}


@contextlib.contextmanager
def earlier(seconds):
    """Signs as if it were so much earlier."""
    then = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(seconds=seconds)

    def now(remove_tzinfo=True):
        return then.replace(tzinfo=None) if remove_tzinfo else then

    with mock.patch("botocore.auth.get_current_datetime", now):
        yield
