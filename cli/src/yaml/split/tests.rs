//! Where documents begin and end, and what is no document.

use serde_json::json;

use super::*;

fn values(text: &str) -> Vec<Result<Value, (usize, String)>> {
    let documents = documents(text).into_iter();
    let result = |document: Result<Document, SyntaxError>| {
        document.map(|it| it.value).map_err(|error| (error.line, error.reason))
    };
    documents.map(result).collect()
}

#[test]
fn documents_are_separated_as_kubectl_separates_them() {
    for (text, expected) in [
        ("# c\n---\na: 1 # one\n---\n# none\n--- # two\nb: 2", json!([{"a": 1}, {"b": 2}])),
        ("\u{feff}a: 1\n---\n\u{feff}b: 2\n", json!([{"a": 1}, {"b": 2}])),
        ("\u{feff}---\na: 1\n", json!([{"a": 1}])),
        ("{\"a\": 1}\n{\"b\": 2}{\"c\": 3}", json!([{"a": 1}, {"b": 2}, {"c": 3}])),
        ("{\"a\": 1}\n---\nb: 2\n", json!([{"a": 1}, {"b": 2}])),
        ("%YAML 1.2\n---\na: 1\n...\n---\nb: 2\n", json!([{"a": 1}, {"b": 2}])),
        ("a: 1\n...\n# c\n---\nb: 2\n", json!([{"a": 1}, {"b": 2}])),
        ("a: |\n  ---\n  x\n", json!([{"a": "---\nx\n"}])),
        ("", json!([])),
        ("---\n---\n", json!([])),
    ] {
        let values: Vec<_> = values(text).into_iter().map(Result::unwrap).collect();
        assert_eq!(json!(values), expected, "{text:?}");
    }
}

#[test]
fn an_error_leaves_the_other_documents() {
    let values = values("a: [\n---\nb: 1\n---\nc: *x\n---\nd: .inf\n---\n? [1]\n: 2\n");
    let lines: Vec<_> = values.iter().map(|value| value.as_ref().err().map(|it| it.0)).collect();
    assert_eq!(lines.len(), 5);
    assert_eq!(&lines[1..], [None, Some(5), Some(7), Some(9)], "{values:?}");
}

#[test]
fn merges_aliases_and_double_keys_are_read_as_by_kubectl() {
    let text =
        "a: &x {b: 1, c: 2}\nd:\n  <<: *x\n  c: 3\n  c: 4\ne: *x\nf: {<<: [{b: 5}, *x]}\non: y\n";
    let document = documents(text).remove(0).unwrap();
    let expected = json!({"a": {"b": 1, "c": 2}, "d": {"b": 1, "c": 4}, "e": {"b": 1, "c": 2},
        "f": {"b": 5, "c": 2}, "true": true});
    assert_eq!(document.value, expected);
    assert_eq!(document.duplicates, [Duplicate { key: "c".into(), lines: (4, 5) }]);
    assert_eq!(document.tree.line("/d/c"), 5);
    assert_eq!(document.tree.line("/d/b"), 1);
    assert_eq!(document.tree.line("/nothing"), 1);
}

#[test]
fn documents_that_grow_without_end_are_refused() {
    let mut text = String::from("a0: &a0 [1,1,1,1,1,1,1,1,1,1]\n");
    for level in 1..9 {
        let alias = format!("*a{}", level - 1);
        text.push_str(&format!("a{level}: &a{level} [{}]\n", [alias.as_str(); 10].join(", ")));
    }
    let error = values(&text).remove(0).unwrap_err();
    assert!(error.1.contains("million"), "{error:?}");
    assert!(values("a: &a [*a]").remove(0).is_err());
    let deep = format!("{}{}", "[".repeat(5000), "]".repeat(5000));
    assert!(values(&deep).remove(0).is_err());
}

#[test]
fn json_that_is_no_yaml_is_read() {
    let text = "{\"a\": \"\u{7f}\u{95}\u{85}\u{ffff}é\",\n\"b\": \"\\ud83d\\ude00\",\n\"c\": 1}";
    let document = documents(text).remove(0).unwrap();
    let expected = serde_json::json!({"a": "\u{7f}\u{95}\u{85}\u{ffff}é", "b": "😀", "c": 1});
    assert_eq!(document.value, expected);
    assert_eq!((document.tree.line("/b"), document.tree.line("/c")), (2, 3));
    assert_eq!(document.tree.start("/c"), text.find("1}"));
    // A backslash that is escaped itself.
    let document = documents("{\"a\": \"\\\\ud83d\"}").remove(0).unwrap();
    assert_eq!(document.value["a"], "\\ud83d");
}
