"""AWS's SDKs: ./test sdk and ./test node show that they get the role. Here it is measured what they say of a denial, and how the newest
and the oldest of them fare while AWS is away."""

from clients import CA, JAVA, SSL, Client, lock, pin, python


def sdk(name, kit, version, words=(), **more):
    return Client(name, kit, version, list(words), sdk=True, **more)


CALLER = ["caller-identity"]
JS = {"NODE_EXTRA_CA_CERTS": CA}
GO2 = "github.com/aws/aws-sdk-go-v2"

# By language: the newest, and the oldest that asks 169.254.170.23 with a token file.
PAIRS = {
    "boto3": (
        sdk("boto3", "sdk-python", pin("../python/requirements.txt", "boto3"), CALLER, env=SSL),
        sdk("boto3", "oldest-python", pin("oldest/requirements.txt", "boto3"), env=SSL),
    ),
    "JavaScript v3": (
        sdk(
            "JavaScript v3",
            "sdk-javascript",
            pin("../sdk/javascript/package.json", "@aws-sdk/client-sts"),
            CALLER,
            env=JS,
        ),
        sdk("JavaScript v3", "oldest-javascript", pin("oldest/package.json", "@aws-sdk/client-sts"), env=JS),
    ),
    "JavaScript v2": (
        sdk("JavaScript v2", "javascript", pin("javascript/package.json", "aws-sdk"), ["js-v2"], env=JS),
        sdk(
            "JavaScript v2",
            "oldest-javascript2",
            pin("oldest/javascript2/package.json", "aws-sdk"),
            ["js-v2"],
            env=JS,
        ),
    ),
    "Go v2 (its module config)": (
        sdk("Go v2", "sdk-go", pin("../sdk/go/go.mod", f"{GO2}/config"), CALLER),
        sdk("Go v2", "oldest-go", pin("oldest/go.mod", f"{GO2}/config")),
    ),
    "Go v1": (
        sdk("Go v1", "sdk-go1", pin("../sdk/go/go.mod", "github.com/aws/aws-sdk-go"), CALLER),
        sdk("Go v1", "oldest-go1", pin("oldest/go.mod", "github.com/aws/aws-sdk-go")),
    ),
    "Java v2": (
        sdk("Java v2", "sdk-java", pin("../sdk/java/pom.xml", "sts"), CALLER, env=JAVA),
        sdk("Java v2", "oldest-java", pin("oldest/pom.xml", "sts"), env=JAVA),
    ),
    "Rust (its crate aws-sdk-sts)": (sdk("Rust", "sdk-rust", lock("aws-sdk-sts"), CALLER, env=SSL), None),
    "CRT (C, C++)": (python("CRT (C, C++)", "crt", "awscrt", sdk=True, signs=True, env=SSL), None),
    "C++, pyarrow": (python("C++, pyarrow", "pyarrow", sdk=True), None),
    "aiobotocore": (python("aiobotocore", sdk=True, env=SSL), None),
    "object_store, obstore": (python("object_store, obstore", "obstore", sdk=True), None),
}
