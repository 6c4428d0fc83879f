"""The clients: what each is, how it is started, and where it is known to fail."""

import json
import re
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

HERE = Path(__file__).parent
WAYS = ("web-identity", "container")
CA = "{ca}"  # replaced by the path of the test's CA


@dataclass
class Client:
    name: str
    kit: str
    version: str
    # What is added to the kit's command; by one of the two ways if it has a name.
    words: list = field(default_factory=list)
    by: dict = field(default_factory=dict)
    # A command in front of it.
    before: list = field(default_factory=list)
    # Settings that every pod would have in its image, whatever gives it credentials.
    env: dict = field(default_factory=dict)
    # A way that is known to fail: what it must print (a regular expression), and what the table says.
    fails: dict = field(default_factory=dict)
    # A way that the client does not have, and what the table says.
    without: dict = field(default_factory=dict)
    # Prints a URL that it has signed, or a token that is one.
    signs: bool = False
    # An AWS SDK, which ./test sdk and ./test node test: only its errors are looked at here.
    sdk: bool = False
    seconds: int = 60

    def command(self, kits, way):
        return [*self.before, *kits[self.kit], *self.words, *self.by.get(way, [])]


def debian(package):
    command = ["dpkg-query", "-W", "-f", "${Version}", package]
    try:
        found = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return "missing"
    return re.sub(r"^\d+:|\+dfsg.*|-[^-]*$", "", found)


def pin(file, package):
    """A version that requirements.txt, go.mod or package.json pins."""
    text = (HERE / file).read_text()
    if file.endswith(".json"):
        return json.loads(text)["dependencies"][package]
    if file.endswith(".xml"):
        pattern = rf"<artifactId>{package}</artifactId>\s*<version>(.*?)<"
    else:
        pattern = rf"(?m)^\s*(?:require )?{re.escape(package)}(?:==| v)(\S+)"
    return re.search(pattern, text)[1]


def lock(package):
    """The version in Cargo.lock."""
    text = (HERE / "../../Cargo.lock").read_text()
    return re.search(rf'name = "{package}"\nversion = "(.*?)"', text)[1]


def python(name, word=None, package=None, **more):
    word = word or name
    version = pin("python/requirements.txt", package or word)
    return Client(name, "python", version, [word], **more)


OLD_HOST = "too old: refuses 169.254.170.23"
UNSIGNED = "knows no such provider: sends **unsigned** requests"
SSL = {"SSL_CERT_FILE": CA, "AWS_CA_BUNDLE": CA}
JAVA = {"JAVA_TOOL_OPTIONS": "-Djavax.net.ssl.trustStore={store} -Djavax.net.ssl.trustStorePassword=changeit"}
PGBACKREST = """pgbackrest repo-ls --stanza=x --repo1-type=s3 --repo1-path=/ --repo1-s3-bucket=clients --repo1-s3-uri-style=path
--repo1-s3-endpoint=s3.us-east-1.amazonaws.com --repo1-s3-region=us-east-1 --no-config --log-level-file=off --repo1-s3-key-type="""
# Another /etc over the one that all clients see, with the file where Red Hat has it.
WITH_RED_HATS_BUNDLE = ["unshare", "--mount", "sh", "-euc"]
WITH_RED_HATS_BUNDLE += ["""mount -t tmpfs tmpfs /mnt
    mkdir -p /mnt/upper/pki/tls/certs /mnt/work
    cp /etc/ssl/certs/ca-certificates.crt /mnt/upper/pki/tls/certs/ca-bundle.crt
    mount -t overlay overlay -o lowerdir=/etc,upperdir=/mnt/upper,workdir=/mnt/work /etc
    exec "$0" "$@"
    """]
S3A = "software.amazon.awssdk.auth.credentials."

CLIENTS = [
    Client(
        "AWS CLI v2 (Debian 12)",
        "debian",
        debian("awscli"),
        ["/usr/bin/aws", "sts", "get-caller-identity"],
        env=SSL,
        fails={"container": ("Unsupported host '169.254.170.23'", OLD_HOST)},
    ),
    Client(
        "PHP, async-aws (Debian 12)",
        "debian",
        debian("php-async-aws-core"),
        ["php", str(HERE / "php/ask.php")],
        fails={"container": ("MissingAuthenticationToken", UNSIGNED)},
    ),
    Client(
        "AWS SDK for Ruby (Debian 12)",
        "debian",
        debian("ruby-aws-sdk-core"),
        ["ruby", "-e", "require 'aws-sdk-core'; puts Aws::STS::Client.new.get_caller_identity.arn"],
        env=SSL,
        fails={"container": ("Aws::Errors::MissingCredentialsError", OLD_HOST)},
    ),
    Client(
        "rclone (Debian 12)",
        "debian",
        debian("rclone"),
        ["/usr/bin/rclone", "lsf", ":s3,provider=AWS,env_auth,region=us-east-1:clients", "--retries=1"],
        fails={"container": ("only loopback hosts are allowed", OLD_HOST)},
    ),
    Client(
        "rclone",
        "rclone",
        pin("rclone/go.mod", "github.com/rclone/rclone"),
        ["lsf", ":s3,provider=AWS,env_auth,region=us-east-1:clients", "--retries=1"],
    ),
    Client(
        "restic (Debian 12)",
        "debian",
        debian("restic"),
        ["restic", "-r", "s3:s3.us-east-1.amazonaws.com/clients/{name}", "--no-cache", "init"],
        env={"RESTIC_PASSWORD": "x"},
        fails={"container": ("Access Denied", UNSIGNED)},
    ),
    Client(
        "s3cmd (Debian 12)",
        "debian",
        debian("s3cmd"),
        ["s3cmd", "ls", "s3://clients", "--region=us-east-1", "--host=s3.us-east-1.amazonaws.com"]
        + ["--host-bucket=%(bucket)s.s3.us-east-1.amazonaws.com"],
        fails={
            "container": (
                "Configuration file not available",
                "knows no such provider: asks for a configuration file",
            )
        },
    ),
    Client(
        "pgBackRest (Debian 12), `repo1-s3-key-type=web-id`",
        "debian",
        debian("pgbackrest"),
        (PGBACKREST + "web-id").split(),
        without={"container": "not in this version"},
    ),
    Client(
        "pgBackRest (Debian 12), `repo1-s3-key-type=auto`",
        "debian",
        debian("pgbackrest"),
        (PGBACKREST + "auto --io-timeout=5").split(),
        fails={
            "web-identity": (
                "unable to connect to '169.254.169.254:80'",
                "asks the node's metadata service only",
            )
        },
        without={"container": "asks the node's metadata service only"},
    ),
    Client("minio-go", "go", pin("go/go.mod", "github.com/minio/minio-go/v7"), ["minio-go"]),
    Client("gocloud.dev `s3blob`", "go", pin("go/go.mod", "gocloud.dev"), ["gocloud"]),
    Client(
        "MSK signer for Go",
        "go",
        pin("go/go.mod", "github.com/aws/aws-msk-iam-sasl-signer-go"),
        ["msk-go"],
        signs=True,
    ),
    Client(
        "MSK signer for JavaScript",
        "javascript",
        pin("javascript/package.json", "aws-msk-iam-sasl-signer-js"),
        ["msk-js"],
        env={"NODE_EXTRA_CA_CERTS": CA},
        signs=True,
    ),
    python("MSK signer for Python", "msk-python", "aws-msk-iam-sasl-signer-python", env=SSL, signs=True),
    Client(
        "MSK signer for Java (aws-msk-iam-auth)",
        "java",
        pin("java/pom.xml", "aws-msk-iam-auth"),
        ["msk-java"],
        env=JAVA,
        signs=True,
    ),
    Client(
        "minio-java",
        "java",
        pin("java/pom.xml", "minio"),
        ["minio-java"],
        env=JAVA,
        fails={"container": ("169.254.170.23", OLD_HOST)},
    ),
    Client(
        "Hadoop S3A, its default providers",
        "java",
        pin("java/pom.xml", "hadoop-aws"),
        ["s3a"],
        env=JAVA,
        fails={
            "web-identity": (
                "No AWS Credentials provided by",
                "they have no web identity: name the provider, as below",
            )
        },
    ),
    Client(
        "Hadoop S3A, the SDK's provider of that name",
        "java",
        pin("java/pom.xml", "hadoop-aws"),
        ["s3a"],
        by={
            "web-identity": [S3A + "WebIdentityTokenFileCredentialsProvider"],
            "container": [S3A + "ContainerCredentialsProvider"],
        },
        env=JAVA,
    ),
    Client(
        "Hadoop S3A, `DefaultCredentialsProvider`",
        "java",
        pin("java/pom.xml", "hadoop-aws"),
        ["s3a", S3A + "DefaultCredentialsProvider"],
        env=JAVA,
    ),
    python("polars", env=SSL),
    python("deltalake"),
    python("lance", package="pylance"),
    python(
        "pyiceberg",
        fails={
            "web-identity": (
                "a,b.*killed after",
                "reads the object, and then its process does not end (below)",
            )
        },
        seconds=20,
    ),
    python("chDB (ClickHouse's `s3()`)", "chdb", env=SSL),
    python("s3fs", env=SSL),
    python("minio-py", package="minio", env=SSL),
    python("opendal"),
    python(
        "DuckDB (extension `aws`)",
        "duckdb",
        fails={
            "web-identity": (
                "Secret Validation Failure",
                "looks for CAs only at `/etc/pki/tls/certs/ca-bundle.crt`",
            )
        },
    ),
    python(
        "DuckDB (extension `aws`), with that file",
        "duckdb",
        before=WITH_RED_HATS_BUNDLE,
    ),
]
