use super::{allow_if, allows};

#[test]
fn conditions_are_evaluated_as_in_iam() {
    let sub = "oidc.example/id/A:sub";
    let app = "system:serviceaccount:shop:app";
    for (name, operator, key, values, holds) in [
        ("equals", "StringEquals", sub, r#""system:serviceaccount:shop:app""#, true),
        ("equals another", "StringEquals", sub, r#""system:serviceaccount:shop:other""#, false),
        ("equals minds case", "StringEquals", sub, r#""System:serviceaccount:shop:app""#, false),
        (
            "equals knows no wildcard",
            "StringEquals",
            sub,
            r#""system:serviceaccount:shop:*""#,
            false,
        ),
        (
            "equals one of a list",
            "StringEquals",
            sub,
            r#"["x", "system:serviceaccount:shop:app"]"#,
            true,
        ),
        ("equals none of a list", "StringEquals", sub, r#"["x", "y"]"#, false),
        ("equals an empty list", "StringEquals", sub, "[]", false),
        ("equals a missing key", "StringEquals", "missing", r#""""#, false),
        ("equals an empty key", "StringEquals", "empty", r#""""#, false),
        ("equals one of two", "StringEquals", "two", r#""b""#, true),
        (
            "keys compare without case",
            "StringEquals",
            "OIDC.example/ID/a:SUB",
            r#""system:serviceaccount:shop:app""#,
            true,
        ),
        ("equals a number's text", "StringEquals", "two", "[1, true]", false),
        ("if exists, and it is so", "StringEqualsIfExists", "two", r#""a""#, true),
        ("if exists, and it is not so", "StringEqualsIfExists", "two", r#""c""#, false),
        ("if exists, and it is missing", "StringEqualsIfExists", "missing", r#""c""#, true),
        ("not equals another", "StringNotEquals", sub, r#""x""#, true),
        ("not equals itself", "StringNotEquals", sub, r#""system:serviceaccount:shop:app""#, false),
        (
            "not equals one of a list",
            "StringNotEquals",
            sub,
            r#"["x", "system:serviceaccount:shop:app"]"#,
            false,
        ),
        ("not equals a missing key", "StringNotEquals", "missing", r#""x""#, true),
        ("not equals one of two", "StringNotEquals", "two", r#""a""#, false),
        ("not equals if exists", "StringNotEqualsIfExists", "two", r#""a""#, false),
        (
            "ignoring case",
            "StringEqualsIgnoreCase",
            sub,
            r#""SYSTEM:serviceaccount:shop:app""#,
            true,
        ),
        ("ignoring case, another", "StringEqualsIgnoreCase", sub, r#""SYSTEM""#, false),
        (
            "not, ignoring case",
            "StringNotEqualsIgnoreCase",
            sub,
            r#""SYSTEM:serviceaccount:shop:app""#,
            false,
        ),
        ("not, ignoring case, another", "StringNotEqualsIgnoreCase", sub, r#""SYSTEM""#, true),
        ("like", "StringLike", sub, r#""system:serviceaccount:shop:*""#, true),
        ("like one character", "StringLike", sub, r#""system:serviceaccount:shop:ap?""#, true),
        ("like another namespace", "StringLike", sub, r#""system:serviceaccount:sho:*""#, false),
        ("like minds case", "StringLike", sub, r#""System:*""#, false),
        ("like is the whole text", "StringLike", sub, r#""system""#, false),
        ("like a missing key", "StringLike", "missing", r#""*""#, false),
        ("like if exists", "StringLikeIfExists", "missing", r#""x""#, true),
        ("not like", "StringNotLike", sub, r#""system:serviceaccount:other:*""#, true),
        ("not like itself", "StringNotLike", sub, r#""system:serviceaccount:*""#, false),
        ("not like a missing key", "StringNotLike", "missing", r#""*""#, true),
        ("any value", "ForAnyValue:StringEquals", "two", r#"["b", "c"]"#, true),
        ("any value, none", "ForAnyValue:StringEquals", "two", r#"["c", "d"]"#, false),
        ("any value of a missing key", "ForAnyValue:StringEquals", "missing", r#""a""#, false),
        (
            "any value of a missing key, if exists",
            "ForAnyValue:StringEqualsIfExists",
            "missing",
            r#""a""#,
            true,
        ),
        ("any value like", "ForAnyValue:StringLike", "two", r#""?""#, true),
        ("any value that is not", "ForAnyValue:StringNotEquals", "two", r#""a""#, true),
        (
            "any value that is not, of a missing key",
            "ForAnyValue:StringNotEquals",
            "missing",
            r#""a""#,
            false,
        ),
        (
            "any value that is none of both",
            "ForAnyValue:StringNotEquals",
            "two",
            r#"["a", "b"]"#,
            false,
        ),
        ("all values", "ForAllValues:StringEquals", "two", r#"["a", "b", "c"]"#, true),
        ("all values, but one", "ForAllValues:StringEquals", "two", r#""a""#, false),
        ("all values of a missing key", "ForAllValues:StringEquals", "missing", r#""a""#, true),
        ("all values of an empty key", "ForAllValues:StringLike", "empty", r#""a""#, true),
        ("all values like", "ForAllValues:StringLike", "two", r#""?""#, true),
        ("all values are not", "ForAllValues:StringNotEquals", "two", r#""c""#, true),
        ("all values are not, but one", "ForAllValues:StringNotEquals", "two", r#""a""#, false),
    ] {
        let policy = format!(
            r#"{{"Version": "2012-10-17", "Statement": [{}]}}"#,
            allow_if(&format!(r#"{{"{operator}": {{"{key}": {values}}}}}"#))
        );
        assert_eq!(allows(&policy), holds, "{name}");
    }
    assert!(allows(&format!(
        r#"{{"Statement": {}}}"#,
        allow_if(&format!(r#"{{"StringLike": {{"{sub}": "{app}"}}}}"#))
    )));
}
