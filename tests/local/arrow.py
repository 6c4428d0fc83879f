"""S3 by pyarrow, which is AWS's SDK for C++."""

import json
import os

import boto3
from pyarrow import fs

cases = {}
key = boto3.Session().get_credentials().get_frozen_credentials()
files = fs.S3FileSystem(
    access_key=key.access_key,
    secret_key=key.secret_key,
    session_token=key.token,
    region="eu-west-1",
    endpoint_override=os.environ["AWS_ENDPOINT_URL"],
    allow_bucket_creation=True,
)
files.create_dir("lake")
for name, words, size in [("small", "small", 1000), ("big", "in parts", 12 << 20)]:
    data = bytes(range(250)) * (size // 250)
    with files.open_output_stream(f"lake/a b/{name}") as stream:
        stream.write(data)
    with files.open_input_stream(f"lake/a b/{name}") as stream:
        cases[words] = "same" if stream.read() == data else "other"
listed = files.get_file_info(fs.FileSelector("lake/a b"))
cases["listed"] = sorted(one.base_name for one in listed)

print(json.dumps(cases))
