"""One use of AWS by a Python client that is not boto3.

usage: ask.py CLIENT

Most of them read an object of the bucket "clients", deltalake and lance write and read a table in it. CRT and msk-python print what they
signed: the URL of a request, or the token that would be sent to Kafka.
"""

import asyncio
import glob
import os
import sys
import sysconfig
import uuid

BUCKET = "clients"
OBJECT = f"s3://{BUCKET}/a.csv"
REGION = os.environ["AWS_REGION"]


def chdb():
    import chdb as engine

    url = f"https://{BUCKET}.s3.{REGION}.amazonaws.com/a.csv"
    settings = "SETTINGS s3_max_single_read_retries = 1"
    return engine.query(f"SELECT * FROM s3('{url}', 'CSVWithNames') {settings}").bytes().decode()


def crt():
    """AWS's C library, under its SDK for C++ and Mountpoint: it signs a URL for STS."""
    from awscrt.auth import (
        AwsCredentialsProvider,
        AwsSignatureType,
        AwsSigningAlgorithm,
        AwsSigningConfig,
        aws_sign_request,
    )
    from awscrt.http import HttpHeaders, HttpRequest

    provider = AwsCredentialsProvider.new_default_chain()
    provider.get_credentials().result(60)
    host = f"sts.{REGION}.amazonaws.com"
    path = "/?Action=GetCallerIdentity&Version=2011-06-15"
    request = HttpRequest("GET", path, HttpHeaders([("host", host)]))
    how = AwsSigningConfig(
        algorithm=AwsSigningAlgorithm.V4,
        signature_type=AwsSignatureType.HTTP_REQUEST_QUERY_PARAMS,
        credentials_provider=provider,
        region=REGION,
        service="sts",
        expiration_in_seconds=60,
    )
    signed = aws_sign_request(request, how).result(60)
    return f"https://{host}{signed.path}"


def deltalake():
    import pyarrow
    from deltalake import DeltaTable, write_deltalake

    place = f"s3://{BUCKET}/delta-{uuid.uuid4()}"
    # What is stored is not what is tested here: no rename that needs a lock.
    options = {"AWS_S3_ALLOW_UNSAFE_RENAME": "true"}
    write_deltalake(place, pyarrow.table({"a": [1]}), storage_options=options)
    return DeltaTable(place, storage_options=options).to_pyarrow_table()


def duckdb():
    import duckdb as engine

    connection = engine.connect(config={"allow_unsigned_extensions": "true"})
    packages = sysconfig.get_path("purelib")
    for extension in ("httpfs", "aws"):
        (file,) = glob.glob(f"{packages}/**/{extension}.duckdb_extension*", recursive=True)
        connection.execute(f"LOAD '{file}'")
    connection.execute("CREATE SECRET (TYPE s3, PROVIDER credential_chain)")
    return connection.execute(f"SELECT * FROM read_csv('{OBJECT}')").fetchall()


def lance():
    import lance as library
    import pyarrow

    place = f"s3://{BUCKET}/lance-{uuid.uuid4()}"
    library.write_dataset(pyarrow.table({"a": [1]}), place)
    return library.dataset(place).to_table()


def minio_py():
    from minio import Minio
    from minio.credentials.providers import IamAwsProvider

    client = Minio(f"s3.{REGION}.amazonaws.com", region=REGION, credentials=IamAwsProvider())
    return client.get_object(bucket_name=BUCKET, object_name="a.csv").data


def msk_python():
    from aws_msk_iam_sasl_signer import MSKAuthTokenProvider

    return MSKAuthTokenProvider.generate_auth_token(REGION)[0]


def obstore():
    from obstore.store import S3Store

    return S3Store(BUCKET, region=REGION).get("a.csv").bytes()


def opendal():
    from opendal import Operator

    return Operator("s3", bucket=BUCKET, region=REGION, root="/").read("a.csv")


def polars():
    import polars as library

    return library.scan_csv(OBJECT).collect()


def pyarrow():
    from pyarrow import fs

    with fs.S3FileSystem(region=REGION).open_input_stream(f"{BUCKET}/a.csv") as stream:
        return stream.read()


def pyiceberg():
    from pyiceberg.io.pyarrow import PyArrowFileIO

    with PyArrowFileIO({"s3.region": REGION}).new_input(OBJECT).open() as stream:
        return stream.read()


def aiobotocore():
    from aiobotocore.session import get_session

    async def ask():
        async with get_session().create_client("sts") as sts:
            return (await sts.get_caller_identity())["Arn"]

    return asyncio.run(ask())


def s3fs():
    from s3fs import S3FileSystem

    return S3FileSystem().cat(f"{BUCKET}/a.csv")


try:
    print(globals()[sys.argv[1].replace("-", "_")](), flush=True)
except Exception as error:  # whatever an application would see
    print(f"{type(error).__name__}: {error}", file=sys.stderr)
    sys.exit(1)
