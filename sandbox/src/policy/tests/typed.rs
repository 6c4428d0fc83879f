//! Operators that do not compare strings.

use super::{super::*, allow_if, verdict_with};

fn context() -> Context {
    Context::default()
        .with("n", ["10"])
        .with("word", ["ten"])
        .with("t", ["2026-05-01T12:00:00Z"])
        .with("epoch", ["1777636800"])
        .with("yes", ["true"])
        .with("no", ["False"])
        .with("bytes", ["AQID"])
        .with("ip", ["203.0.113.9"])
        .with("ip6", ["2001:db8::9"])
        .with("arn", ["arn:aws:iam::111122223333:role/team/app"])
        .with("numbers", ["1", "2"])
        .with("aws:username", ["node"])
        .with("aws:PrincipalTag/team", ["shop"])
        .with("aws:RequestTag/team", ["shop"])
        .with("star", ["a*"])
        .with("two:x", ["a", "b"])
        .with("name", ["node"])
        .with("path", ["home/node/x"])
        .with("price", ["$5"])
}

fn holds(operator: &str, key: &str, values: &str, version: &str) -> bool {
    let condition = format!(r#"{{"{operator}": {{"{key}": {values}}}}}"#);
    let policy = format!(r#"{{"Version": "{version}", "Statement": {}}}"#, allow_if(&condition));
    matches!(verdict_with(&policy, &context()), Verdict::Allowed { .. })
}

/// Name, operator, key, values, and whether the condition is fulfilled.
type Row = (&'static str, &'static str, &'static str, &'static str, bool);

#[test]
fn numbers_and_times_compare_as_in_iam() {
    let rows: [Row; 39] = [
        ("a number equals", "NumericEquals", "n", "10", true),
        ("a number equals another form", "NumericEquals", "n", r#""10.0""#, true),
        ("a number equals another", "NumericEquals", "n", "11", false),
        ("a number equals one of a list", "NumericEquals", "n", "[9, 10]", true),
        ("a word is no number", "NumericEquals", "word", "10", false),
        ("a word is not a number's equal", "NumericNotEquals", "word", "10", true),
        ("a missing number", "NumericEquals", "missing", "10", false),
        ("a missing number, not equal", "NumericNotEquals", "missing", "10", true),
        ("a missing number, if exists", "NumericEqualsIfExists", "missing", "10", true),
        ("not equal", "NumericNotEquals", "n", "11", true),
        ("not equal to itself", "NumericNotEquals", "n", "10", false),
        ("less", "NumericLessThan", "n", "11", true),
        ("less than itself", "NumericLessThan", "n", "10", false),
        ("less by number, not by letter", "NumericLessThan", "n", "9", false),
        ("less or equal", "NumericLessThanEquals", "n", "10", true),
        ("less or equal to less", "NumericLessThanEquals", "n", "9", false),
        ("greater", "NumericGreaterThan", "n", "9", true),
        ("greater than itself", "NumericGreaterThan", "n", "10", false),
        ("greater or equal", "NumericGreaterThanEquals", "n", "10", true),
        ("greater or equal to greater", "NumericGreaterThanEquals", "n", "10.5", false),
        ("negative", "NumericGreaterThan", "n", "-1", true),
        ("all numbers", "ForAllValues:NumericLessThan", "numbers", "3", true),
        ("all numbers but one", "ForAllValues:NumericLessThan", "numbers", "2", false),
        ("any number", "ForAnyValue:NumericGreaterThan", "numbers", "1", true),
        ("any number, none", "ForAnyValue:NumericGreaterThan", "numbers", "2", false),
        ("a time equals", "DateEquals", "t", r#""2026-05-01T12:00:00Z""#, true),
        ("a time in another zone", "DateEquals", "t", r#""2026-05-01T14:00:00+02:00""#, true),
        ("a time in seconds", "DateEquals", "epoch", r#""2026-05-01T12:00:00Z""#, true),
        ("seconds wanted", "DateEquals", "t", "1777636800", true),
        ("a time is not another", "DateNotEquals", "t", r#""2026-05-01T12:00:01Z""#, true),
        ("a time is not itself", "DateNotEquals", "t", r#""2026-05-01T12:00:00Z""#, false),
        ("before", "DateLessThan", "t", r#""2026-05-02""#, true),
        ("before its own day", "DateLessThan", "t", r#""2026-05-01""#, false),
        ("before or at", "DateLessThanEquals", "t", r#""2026-05-01T12:00:00Z""#, true),
        ("after", "DateGreaterThan", "t", r#""2026-05-01T11:59:59Z""#, true),
        ("after itself", "DateGreaterThan", "t", r#""2026-05-01T12:00:00Z""#, false),
        ("after or at", "DateGreaterThanEquals", "t", r#""2026-05-01T12:00:00Z""#, true),
        ("a word is no time", "DateLessThan", "word", r#""2026-05-02""#, false),
        ("a missing time", "DateLessThan", "missing", r#""2026-05-02""#, false),
    ];
    check(&rows);
}

#[test]
fn addresses_arns_and_booleans_compare_as_in_iam() {
    let rows: [Row; 42] = [
        ("true", "Bool", "yes", "true", true),
        ("true, as a text", "Bool", "yes", r#""TRUE""#, true),
        ("true is not false", "Bool", "yes", "false", false),
        ("false", "Bool", "no", "false", true),
        ("a missing truth", "Bool", "missing", "false", false),
        ("a missing truth, if exists", "BoolIfExists", "missing", "true", true),
        ("a word is no truth", "Bool", "word", "false", false),
        ("bytes", "BinaryEquals", "bytes", r#""AQID""#, true),
        ("other bytes", "BinaryEquals", "bytes", r#""AQIE""#, false),
        ("missing, and it is", "Null", "missing", "true", true),
        ("missing, and it is not", "Null", "n", "true", false),
        ("there, and it is", "Null", "n", "false", true),
        ("there, and it is not", "Null", "missing", r#""false""#, false),
        ("an address in a network", "IpAddress", "ip", r#""203.0.113.0/24""#, true),
        ("an address in another network", "IpAddress", "ip", r#""203.0.112.0/24""#, false),
        ("an address alone", "IpAddress", "ip", r#""203.0.113.9""#, true),
        ("another address", "IpAddress", "ip", r#""203.0.113.8""#, false),
        ("every address", "IpAddress", "ip", r#""0.0.0.0/0""#, true),
        ("one of two networks", "IpAddress", "ip", r#"["10.0.0.0/8", "203.0.113.8/31"]"#, true),
        ("not in a network", "NotIpAddress", "ip", r#""10.0.0.0/8""#, true),
        ("not in its network", "NotIpAddress", "ip", r#""203.0.113.0/24""#, false),
        (
            "not in either network",
            "NotIpAddress",
            "ip",
            r#"["10.0.0.0/8", "203.0.113.0/24"]"#,
            false,
        ),
        ("a missing address, not in", "NotIpAddress", "missing", r#""10.0.0.0/8""#, true),
        ("an IPv6 network", "IpAddress", "ip6", r#""2001:db8::/32""#, true),
        ("another IPv6 network", "IpAddress", "ip6", r#""2001:db9::/32""#, false),
        ("an IPv6 address in no IPv4 network", "IpAddress", "ip6", r#""0.0.0.0/0""#, false),
        ("a word is no address", "IpAddress", "word", r#""0.0.0.0/0""#, false),
        ("an ARN", "ArnEquals", "arn", r#""arn:aws:iam::111122223333:role/team/app""#, true),
        ("ArnEquals has wildcards", "ArnEquals", "arn", r#""arn:aws:iam::*:role/team/*""#, true),
        ("ArnLike has them too", "ArnLike", "arn", r#""arn:*:iam::111122223333:role/*""#, true),
        (
            "an ARN minds case",
            "ArnLike",
            "arn",
            r#""arn:aws:iam::111122223333:role/team/App""#,
            false,
        ),
        ("a wildcard keeps to its part", "ArnLike", "arn", r#""arn:aws:*:role/team/app""#, false),
        (
            "a wildcard over parts, as text",
            "StringLike",
            "arn",
            r#""arn:aws:*:role/team/app""#,
            true,
        ),
        ("a star is no ARN", "ArnLike", "arn", r#""*""#, false),
        ("a word is no ARN", "ArnLike", "word", r#""arn:*:*:*:*:*""#, false),
        ("not an ARN", "ArnNotEquals", "arn", r#""arn:aws:iam::111122223333:role/b""#, true),
        ("not its ARN", "ArnNotEquals", "arn", r#""arn:aws:iam::*:role/team/app""#, false),
        ("not like an ARN", "ArnNotLike", "arn", r#""arn:aws:iam::*:user/*""#, true),
        ("not like its ARN", "ArnNotLike", "arn", r#""arn:aws:iam::*:role/*""#, false),
        ("a missing ARN, not like", "ArnNotLike", "missing", r#""arn:aws:iam::*:role/*""#, true),
        ("a missing ARN", "ArnLike", "missing", r#""arn:*:*:*:*:*""#, false),
        ("a missing ARN, if exists", "ArnLikeIfExists", "missing", r#""arn:a:b:c:d:e""#, true),
    ];
    check(&rows);
}

#[test]
fn variables_are_replaced_as_in_iam() {
    let rows: [Row; 21] = [
        ("a variable", "StringEquals", "name", r#""${aws:username}""#, true),
        ("a variable without case", "StringEquals", "name", r#""${AWS:UserName}""#, true),
        ("a variable with blanks", "StringEquals", "name", r#""${ aws:username }""#, true),
        ("a variable in a text", "StringLike", "path", r#""home/${aws:username}/*""#, true),
        (
            "two variables",
            "StringEquals",
            "aws:RequestTag/team",
            r#""${aws:PrincipalTag/team}""#,
            true,
        ),
        ("another tag", "StringEquals", "name", r#""${aws:PrincipalTag/team}""#, false),
        ("a variable without value", "StringEquals", "name", r#""${aws:x}""#, false),
        ("not a variable without value", "StringNotEquals", "name", r#""${aws:x}""#, true),
        ("a default", "StringEquals", "name", r#""${aws:x, 'node'}""#, true),
        ("a default that is not needed", "StringEquals", "name", r#""${aws:username, 'x'}""#, true),
        ("an empty default", "StringEquals", "name", r#""node${aws:x, ''}""#, true),
        ("a variable with two values", "StringEquals", "name", r#""${two:x}""#, false),
        ("a literal star", "StringLike", "star", r#""a${*}""#, true),
        ("a literal star is no wildcard", "StringLike", "name", r#""nod${*}""#, false),
        ("a literal question mark", "StringLike", "name", r#""nod${?}""#, false),
        ("a literal dollar", "StringEquals", "price", r#""${$}5""#, true),
        ("a wildcard in a value is plain", "StringLike", "name", r#""${star:x, '*'}""#, false),
        ("ignoring case", "StringEqualsIgnoreCase", "name", r#""${aws:x, 'NODE'}""#, true),
        ("in an ARN", "ArnLike", "arn", r#""arn:aws:iam::*:role/${aws:x, 'team'}/*""#, true),
        ("in a truth", "Bool", "yes", r#""${aws:x, 'true'}""#, true),
        ("one value of a list", "StringEquals", "name", r#"["${aws:x}", "${aws:username}"]"#, true),
    ];
    check(&rows);
    // Version 2008-10-17 has no variables: there it is a literal text.
    assert!(!holds("StringEquals", "name", r#""${aws:username}""#, "2008-10-17"));
    let numeric = allow_if(r#"{"NumericEquals": {"n": "${aws:username}"}}"#);
    let numeric = format!(r#"{{"Version": "2012-10-17", "Statement": {numeric}}}"#);
    let error = Policy::read(&numeric).unwrap_err().to_string();
    assert!(error.contains("does not take policy variables"), "{error}");
}

fn check(rows: &[Row]) {
    for (name, operator, key, values, wanted) in rows {
        assert_eq!(holds(operator, key, values, "2012-10-17"), *wanted, "{name}");
    }
}
