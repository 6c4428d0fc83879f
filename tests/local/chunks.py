"""aws-chunked bodies, as SDKs send them to S3: signed by hand, from AWS's own description."""

import base64
import binascii
import datetime
import hashlib
import hmac
import json
import os

import boto3
from calls import send

REGION = "eu-west-1"
EMPTY = hashlib.sha256(b"").hexdigest()
cases = {}
session = boto3.Session()
key = session.get_credentials().get_frozen_credentials()
s3 = session.client("s3")
s3.create_bucket(Bucket="chunks", CreateBucketConfiguration={"LocationConstraint": REGION})
host = os.environ["AWS_ENDPOINT_URL"].split("://")[1]


def mac(secret, text):
    return hmac.new(secret, text.encode(), hashlib.sha256).digest()


class Upload:
    """One PUT, signed; its chunks are made on the way."""

    def __init__(self, name, payload, length, trailer=None):
        now = datetime.datetime.now(datetime.timezone.utc).strftime("%Y%m%dT%H%M%SZ")
        self.url = f"http://{host}/chunks/{name}"
        self.scope = f"{now[:8]}/{REGION}/s3/aws4_request"
        self.now = now
        self.secret = ("AWS4" + key.secret_key).encode()
        for part in self.scope.split("/"):
            self.secret = mac(self.secret, part)
        self.headers = {
            "content-encoding": "aws-chunked",
            "host": host,
            "x-amz-content-sha256": payload,
            "x-amz-date": now,
            "x-amz-decoded-content-length": str(length),
            "x-amz-security-token": key.token,
        }
        if trailer:
            self.headers["x-amz-trailer"] = trailer
        names = sorted(self.headers)
        lines = "".join(f"{name}:{self.headers[name]}\n" for name in names)
        canonical = f"PUT\n/chunks/{name}\n\n{lines}\n{';'.join(names)}\n{payload}"
        self.last = self.sign("AWS4-HMAC-SHA256", hashlib.sha256(canonical.encode()).hexdigest())
        self.headers["authorization"] = (
            f"AWS4-HMAC-SHA256 Credential={key.access_key}/{self.scope},"
            f"SignedHeaders={';'.join(names)},Signature={self.last}"
        )

    def sign(self, algorithm, *rest):
        text = "\n".join([algorithm, self.now, self.scope, *rest])
        return mac(self.secret, text).hex()

    def chunk(self, data):
        hashed = hashlib.sha256(data).hexdigest()
        self.last = self.sign("AWS4-HMAC-SHA256-PAYLOAD", self.last, EMPTY, hashed)
        return f"{len(data):x};chunk-signature={self.last}\r\n".encode() + data + b"\r\n"

    def end(self, trailer):
        hashed = hashlib.sha256(f"{trailer}\n".encode()).hexdigest()
        signature = self.sign("AWS4-HMAC-SHA256-TRAILER", self.last, hashed)
        return f"{trailer}\r\nx-amz-trailer-signature:{signature}\r\n\r\n".encode()

    def send(self, body):
        return send("PUT", self.url, self.headers, body)


def same(name):
    return "same" if s3.get_object(Bucket="chunks", Key=name)["Body"].read() == data else "other"


data = bytes(range(256)) * 512
half = len(data) // 2
crc = base64.b64encode(binascii.crc32(data).to_bytes(4, "big")).decode()
trailer = "x-amz-checksum-crc32:" + crc


def signed(name, change=lambda pieces: pieces):
    upload = Upload(name, "STREAMING-AWS4-HMAC-SHA256-PAYLOAD", len(data))
    pieces = [upload.chunk(data[:half]), upload.chunk(data[half:]), upload.chunk(b"")]
    return upload.send(b"".join(change(pieces)))


def signed_with_trailer(name, change=lambda text: text):
    payload = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER"
    upload = Upload(name, payload, len(data), "x-amz-checksum-crc32")
    body = upload.chunk(data) + upload.chunk(b"")[:-2] + change(upload.end(trailer))
    return upload.send(body)


upload = Upload("a", "STREAMING-UNSIGNED-PAYLOAD-TRAILER", len(data), "x-amz-checksum-crc32")
upload.send(f"{len(data):x}\r\n".encode() + data + f"\r\n0\r\n{trailer}\r\n\r\n".encode())
cases["unsigned, trailer"] = same("a")
signed("b")
cases["signed"] = same("b")
signed_with_trailer("c")
cases["signed, trailer"] = same("c")

kept = s3.list_objects_v2(Bucket="chunks")["KeyCount"]
cases["signed, a chunk changed"] = signed("d", lambda p: [p[0], p[1][:-3] + b"x\r\n", p[2]])
cases["signed, a chunk left out"] = signed("d", lambda p: [p[0], p[2]])
cases["signed, cut"] = signed("d", lambda p: [p[0], p[1]])
other = lambda text: text.replace(crc.encode(), b"AAAAAA==")
cases["signed, trailer changed"] = signed_with_trailer("d", other)
listed = s3.list_objects_v2(Bucket="chunks", Prefix="d")
cases["nothing was kept"] = [one["Key"] for one in listed.get("Contents", [])]

print(json.dumps(cases))
