//! What real clients do, and which errors they get.

use serde_json::{Value, json};

use crate::stage::{Moto, stage};
use anyhow::Context as _;
use podrole_sandbox::UpstreamSign;

/// The cases of a program that did not come out as they should, `wanted` in order of the table.
fn differences(got: &Value, wanted: &[(&str, Value)]) -> Vec<String> {
    let case = |(name, wanted): &(&str, Value)| {
        let got = &got[*name];
        (got != wanted).then(|| format!("{name}: {got}, not {wanted}"))
    };
    let count = got.as_object().map_or(0, serde_json::Map::len);
    let missing = (count != wanted.len()).then(|| format!("{count} cases ran"));
    wanted.iter().filter_map(case).chain(missing).collect()
}

fn check(program: &str, wanted: &[(&str, Value)]) -> anyhow::Result<()> {
    let problems = differences(&stage()?.run(program, &[])?, wanted);
    assert!(problems.is_empty(), "{problems:#?}");
    Ok(())
}

fn refused(code: &str, status: u16) -> Value {
    json!({"code": code, "status": status})
}

#[test]
fn python_reads_secrets_parameters_and_queues() -> anyhow::Result<()> {
    check(
        "services.py",
        &[
            ("sts", json!("arn:aws:sts::111122223333:assumed-role/app/pod")),
            ("secretsmanager", json!("blue")),
            ("ssm", json!("42")),
            ("sqs", json!("hello")),
            ("sns", json!(["arn:aws:sns:eu-west-1:123456789012:news"])),
            ("lambda", json!([])),
        ],
    )
}

#[test]
fn python_keeps_objects_in_s3() -> anyhow::Result<()> {
    check(
        "objects.py",
        &[
            ("key plain", json!("same")),
            ("key with space+plus", json!("same")),
            ("key ü/€~!*'()&=@:,;$", json!("same")),
            ("key a//b/../c", json!("same")),
            ("key %25 %2F", json!("same")),
            ("list", json!(["key with space+plus"])),
            ("range", json!("lai")),
            ("metadata", json!("blue sky")),
            ("crc32", json!("same")),
            ("sha256", json!("same")),
            ("multipart", json!("same")),
            ("copy", json!("same")),
            ("delete", json!(2)),
            ("presigned get", json!("same")),
            ("presigned put", json!("same")),
            ("presigned, another key", refused("SignatureDoesNotMatch", 403)),
            ("presigned, longer", refused("SignatureDoesNotMatch", 403)),
            ("presigned, old", refused("AccessDenied", 403)),
            ("presigned, version 2", refused("InvalidRequest", 400)),
        ],
    )
}

#[test]
fn python_sends_bodies_in_chunks() -> anyhow::Result<()> {
    check(
        "chunks.py",
        &[
            ("unsigned, trailer", json!("same")),
            ("signed", json!("same")),
            ("signed, trailer", json!("same")),
            ("signed, a chunk changed", refused("SignatureDoesNotMatch", 403)),
            ("signed, a chunk left out", refused("SignatureDoesNotMatch", 403)),
            ("signed, cut", refused("IncompleteBody", 400)),
            ("signed, trailer changed", refused("SignatureDoesNotMatch", 403)),
            ("nothing was kept", json!([])),
        ],
    )
}

#[test]
fn python_with_arrow_keeps_objects_in_s3() -> anyhow::Result<()> {
    check(
        "arrow.py",
        &[
            ("small", json!("same")),
            ("in parts", json!("same")),
            ("listed", json!(["big", "small"])),
        ],
    )
}

#[test]
fn python_is_refused_as_by_aws() -> anyhow::Result<()> {
    check(
        "refusals.py",
        &[
            ("secretsmanager unsigned", refused("MissingAuthenticationTokenException", 400)),
            ("secretsmanager unknown key", refused("UnrecognizedClientException", 400)),
            ("secretsmanager wrong secret", refused("InvalidSignatureException", 400)),
            ("secretsmanager wrong token", refused("UnrecognizedClientException", 400)),
            ("secretsmanager no token", refused("UnrecognizedClientException", 400)),
            ("secretsmanager tampered", refused("InvalidSignatureException", 400)),
            ("secretsmanager another operation", refused("InvalidSignatureException", 400)),
            ("secretsmanager old", refused("InvalidSignatureException", 400)),
            ("secretsmanager expired", refused("ExpiredTokenException", 400)),
            ("sns unsigned", refused("MissingAuthenticationToken", 403)),
            ("sns unknown key", refused("InvalidClientTokenId", 403)),
            ("sns wrong secret", refused("SignatureDoesNotMatch", 403)),
            ("lambda unsigned", refused("MissingAuthenticationTokenException", 403)),
            ("lambda unknown key", refused("UnrecognizedClientException", 403)),
            ("lambda wrong secret", refused("InvalidSignatureException", 403)),
            ("ec2 wrong secret", refused("AuthFailure", 401)),
            ("s3 unsigned", refused("AccessDenied", 403)),
            ("s3 unknown key", refused("InvalidAccessKeyId", 403)),
            ("s3 wrong secret", refused("SignatureDoesNotMatch", 403)),
            ("s3 wrong token", refused("InvalidToken", 400)),
            ("s3 tampered", refused("XAmzContentSHA256Mismatch", 400)),
            ("s3 a header added", refused("AccessDenied", 403)),
            ("s3 old", refused("RequestTimeTooSkewed", 403)),
            ("s3 expired", refused("ExpiredToken", 400)),
            ("s3 no upstream", refused("ServiceUnavailable", 503)),
            ("secretsmanager no upstream", refused("ServiceUnavailableException", 503)),
            ("moto saw none of it", json!([])),
        ],
    )
}

/// An emulator that checks signatures itself: what it takes was signed again, and rightly so.
#[test]
fn python_calls_are_signed_again_for_an_emulator_that_looks() -> anyhow::Result<()> {
    let (stage, moto) = (stage()?, Moto::start()?);
    let key = stage.run("strict.py", &[("MOTO", &moto.url)])?;
    let part = |name: &str| key[name].as_str().context("no key");
    let sign: UpstreamSign =
        format!("{}:{}", part("id")?, part("secret")?).parse().map_err(anyhow::Error::msg)?;
    let again = stage.before(&moto, sign)?;
    let as_it_came = stage.before(&moto, UpstreamSign::AsItCame)?;
    let more = [("AGAIN", again.as_str()), ("STRICT_AS_IT_CAME", as_it_came.as_str())];
    let wanted = [
        ("secretsmanager", json!("blue")),
        ("s3", json!("hello blue")),
        ("listed", json!(["ü b/!c"])),
        ("presigned", json!("from afar")),
        // In moto's own words.
        ("as it came", refused("403", 403)),
    ];
    let problems = differences(&stage.run("again.py", &more)?, &wanted);
    assert!(problems.is_empty(), "{problems:#?}");
    Ok(())
}
