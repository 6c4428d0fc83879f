"""S3 by boto3: keys of all kinds, parts, checksums, presigned URLs."""

import io
import json
from urllib.parse import quote

import boto3
from boto3.s3.transfer import TransferConfig
from botocore.config import Config
from calls import earlier, send

cases = {}
s3 = boto3.client("s3")
s3.create_bucket(Bucket="things", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})


def same(one, other):
    return "same" if one == other else repr(one)[:100]


KEYS = ["plain", "with space+plus", "ü/€~!*'()&=@:,;$", "a//b/../c", "%25 %2F"]
for key in KEYS:
    s3.put_object(Bucket="things", Key=key, Body=key.encode())
    got = s3.get_object(Bucket="things", Key=key)["Body"].read()
    cases["key " + key] = same(got, key.encode())

listed = s3.list_objects_v2(Bucket="things", Prefix="with space+", Delimiter="/")
cases["list"] = ["key " + one["Key"] for one in listed["Contents"]]
ranged = s3.get_object(Bucket="things", Key="plain", Range="bytes=1-3")["Body"].read()
cases["range"] = ranged.decode()

s3.put_object(Bucket="things", Key="meta", Body=b"", Metadata={"colour": "blue   sky "})
cases["metadata"] = " ".join(s3.head_object(Bucket="things", Key="meta")["Metadata"]["colour"].split())

for name in ["CRC32", "SHA256"]:
    s3.put_object(Bucket="things", Key=name, Body=b"checked", ChecksumAlgorithm=name)
    got = s3.get_object(Bucket="things", Key=name, ChecksumMode="ENABLED")["Body"].read()
    cases[name.lower()] = same(got, b"checked")

big = bytes(range(256)) * 4096 * 12
parts = TransferConfig(multipart_threshold=5 << 20, multipart_chunksize=5 << 20)
s3.upload_fileobj(io.BytesIO(big), "things", "big", Config=parts)
cases["multipart"] = same(s3.get_object(Bucket="things", Key="big")["Body"].read(), big)

s3.copy_object(Bucket="things", Key="copy ü", CopySource={"Bucket": "things", "Key": "with space+plus"})
cases["copy"] = same(s3.get_object(Bucket="things", Key="copy ü")["Body"].read(), b"with space+plus")
gone = s3.delete_objects(Bucket="things", Delete={"Objects": [{"Key": "copy ü"}, {"Key": "big"}]})
cases["delete"] = len(gone["Deleted"])


# Without this boto3 makes URLs of Signature Version 2, which S3 has given up.
four = boto3.client("s3", config=Config(signature_version="s3v4"))


def presigned(operation, key, life=60):
    return four.generate_presigned_url(operation, {"Bucket": "things", "Key": key}, ExpiresIn=life)


key = KEYS[2]
cases["presigned get"] = same(send("GET", presigned("get_object", key)), key.encode())
send("PUT", presigned("put_object", "signed url"), body=b"from afar")
got = s3.get_object(Bucket="things", Key="signed url")["Body"].read()
cases["presigned put"] = same(got, b"from afar")
url = presigned("get_object", "plain")
cases["presigned, another key"] = send("GET", url.replace("plain", quote("signed url")))
cases["presigned, longer"] = send("GET", url.replace("Expires=60", "Expires=6000"))
with earlier(seconds=120):
    url = presigned("get_object", "plain")
cases["presigned, old"] = send("GET", url)
two = boto3.client("s3", config=Config(signature_version="s3"))
url = two.generate_presigned_url("get_object", {"Bucket": "things", "Key": "plain"})
cases["presigned, version 2"] = send("GET", url)

print(json.dumps(cases))
