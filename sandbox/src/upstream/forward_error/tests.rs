use super::*;

#[test]
fn each_error_has_awss_code_in_each_protocol() {
    use SignatureError::{Expired, Mismatch, Missing, SessionToken, UnknownKey};
    for (error, s3, query, json) in [
        (
            Missing,
            ("AccessDenied", 403),
            ("MissingAuthenticationToken", 403),
            "MissingAuthenticationTokenException",
        ),
        (
            SignatureError::Incomplete("x"),
            ("AuthorizationHeaderMalformed", 400),
            ("IncompleteSignature", 400),
            "IncompleteSignatureException",
        ),
        (
            UnknownKey,
            ("InvalidAccessKeyId", 403),
            ("InvalidClientTokenId", 403),
            "UnrecognizedClientException",
        ),
        (
            SessionToken,
            ("InvalidToken", 400),
            ("InvalidClientTokenId", 403),
            "UnrecognizedClientException",
        ),
        (
            Mismatch,
            ("SignatureDoesNotMatch", 403),
            ("SignatureDoesNotMatch", 403),
            "InvalidSignatureException",
        ),
        (
            SignatureError::Old,
            ("RequestTimeTooSkewed", 403),
            ("SignatureDoesNotMatch", 403),
            "InvalidSignatureException",
        ),
        (
            SignatureError::Body,
            ("XAmzContentSHA256Mismatch", 400),
            ("SignatureDoesNotMatch", 403),
            "InvalidSignatureException",
        ),
        (
            SignatureError::NotSigned("x-amz-acl".to_owned()),
            ("AccessDenied", 403),
            ("SignatureDoesNotMatch", 403),
            "InvalidSignatureException",
        ),
        (Expired, ("ExpiredToken", 400), ("ExpiredToken", 403), "ExpiredTokenException"),
    ] {
        let rest = if json.starts_with("Incomplete") { 400 } else { 403 };
        let refusal = ForwardError::Signature(error);
        assert_eq!(refusal.code(Protocol::S3), s3);
        assert_eq!(refusal.code(Protocol::Query), query);
        assert_eq!(refusal.code(Protocol::Json), (json, 400));
        assert_eq!(refusal.code(Protocol::Cbor), (json, 400));
        assert_eq!(refusal.code(Protocol::RestJson), (json, rest));
    }
    assert_eq!(ForwardError::UrlExpired.code(Protocol::S3), ("AccessDenied", 403));
    assert_eq!(ForwardError::Signature(Mismatch).code(Protocol::Ec2), ("AuthFailure", 401));
}

#[test]
fn an_unreachable_emulator_is_named_with_the_flag_to_change() {
    let refusal = ForwardError::Unreachable {
        url: "http://127.0.0.1:5000".to_owned(),
        why: "Connection refused".to_owned(),
    };
    let text = refusal.message(Protocol::S3);
    assert!(text.contains("http://127.0.0.1:5000") && text.contains("--upstream"), "{text}");
    assert_eq!(refusal.code(Protocol::S3).1, 503);
    assert_eq!(refusal.code(Protocol::Json).1, 503);
}
