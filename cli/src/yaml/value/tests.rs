//! Values as kubectl reads them, and what is too large.

use super::super::documents;
use serde_json::json;

fn error(text: &str) -> String {
    documents(text).remove(0).unwrap_err().reason
}

#[test]
fn a_document_that_grows_exponentially_is_refused() {
    let mut bomb = "a0: &a0 [x]\n".to_owned();
    for level in 1..12 {
        let nine = format!("*a{},", level - 1).repeat(9);
        bomb.push_str(&format!("a{level}: &a{level} [{nine}]\n"));
    }
    assert_eq!(error(&bomb), "its aliases expand to over a million values");
    let mut merges = "a0: &a0 {x: {y: {z: 1}}}\n".to_owned();
    for level in 1..24 {
        let (name, one) = (format!("a{level}"), format!("*a{}", level - 1));
        let maps = format!("p: {{<<: {one}}}, q: {{<<: [{one}, {one}]}}");
        merges.push_str(&format!("{name}: &{name} {{{maps}}}\n"));
    }
    assert_eq!(error(&merges), "its aliases expand to over a million values");
    let long = format!("a: &a {}\nb: [{}]\n", "x".repeat(100_000), "*a,".repeat(1000));
    assert_eq!(error(&long), "its aliases expand to over a million values");
}

#[test]
fn a_document_that_is_only_long_is_read() {
    let long = format!("[{}1]", "1,".repeat(1_000_000));
    let read = documents(&long).remove(0).unwrap();
    assert_eq!(read.value.as_array().map(Vec::len), Some(1_000_001));
}

#[test]
fn a_document_that_is_deep_is_refused() {
    for text in ["[".repeat(100_000), "{\"a\":".repeat(100_000), "- ".repeat(100_000)] {
        assert!(documents(&text).remove(0).is_err());
    }
    let deep = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
    assert!(documents(&deep(100)).remove(0).is_ok());
    assert!(documents(&deep(100_000)).remove(0).is_err());
    let chain = (1..400).map(|level| format!("a{level}: &a{level} [*a{}]\n", level - 1));
    let chain: String = chain.collect();
    let text = format!("a0: &a0 [x]\n{chain}");
    assert_eq!(error(&text), "its values are nested over 256 deep");
}

/// Each value is what kubectl's own decoder prints.
#[test]
fn tags_are_read_as_by_kubectl() {
    for (text, value) in [
        ("!!binary aGVsbG8=", json!("hello")),
        ("!!binary \"aGVsbG8=\"", json!("hello")),
        ("!!binary |\n  aGVs\n  bG8=\n", json!("hello")),
        ("!<tag:yaml.org,2002:binary> aGVsbG8=", json!("hello")),
        ("!!binary aGVsbG9=", json!("hello")),
        ("!!binary", json!("")),
        ("!!binary gP8=", json!("\u{fffd}\u{fffd}")),
        ("!!binary 4oIo", json!("\u{fffd}\u{fffd}(")),
        ("!<tag:yaml.org,2002:int> 1", json!(1)),
        ("!<tag:yaml.org,2002:str> 1", json!("1")),
        ("!x 1", json!("1")),
    ] {
        let document = documents(&format!("a: {text}")).remove(0).unwrap();
        assert_eq!(document.value["a"], value, "{text}");
    }
    for text in ["!!binary aGVsbG8", "!!binary aGVs bG8="] {
        let error = documents(&format!("\na: {text}")).remove(0).unwrap_err();
        assert_eq!((error.line, error.reason.contains("invalid base64")), (2, true), "{text}");
    }
    let key = documents("!!binary aGVsbG8=: b").remove(0).unwrap();
    assert_eq!(key.value, json!({"hello": "b"}));
}
