//! Edits of a document, in the styles that people write.

use serde_json::json;

use super::*;

/// The text after a change of its only document; `None` if it must be rewritten.
fn changed(text: &str, change: impl FnOnce(&mut Value)) -> Option<String> {
    let document = documents(text).remove(0).unwrap();
    let mut after = document.value.clone();
    change(&mut after);
    edits(text, &document, &after).map(|edits| apply(text, &(0..text.len()), edits))
}

fn push(list: &mut Value, item: Value) {
    match list.as_array_mut() {
        Some(items) => items.push(item),
        None => *list = json!([item]),
    }
}

#[test]
fn lines_are_inserted_and_the_others_stay() {
    let pod = "\
# the web server
kind: Pod   # a pod
spec:
  containers:
  # one
  -   name: 'web' # its name
      env:
      - name: A   # first
        value: \"#1\"

  - image: \"img\"
    name: log
    args: [\"a\"]   # keep
  - >-
    folded
    text
  # the end
";
    let text = changed(pod, |pod| {
        let web = &mut pod["spec"]["containers"][0];
        push(&mut web["env"], json!({"name": "B", "value": "2"}));
        push(&mut web["mounts"], json!({"name": "v", "path": "/v"}));
        push(&mut pod["spec"]["containers"][1]["env"], json!({"name": "B", "value": "2"}));
        push(&mut pod["spec"]["volumes"], json!({"name": "v", "projected": {"sources": []}}));
    });
    let expected = "\
# the web server
kind: Pod   # a pod
spec:
  containers:
  # one
  -   name: 'web' # its name
      env:
      - name: A   # first
        value: \"#1\"
      - name: B
        value: \"2\"
      mounts:
      - name: v
        path: /v

  - image: \"img\"
    name: log
    args: [\"a\"]   # keep
    env:
    - name: B
      value: \"2\"
  - >-
    folded
    text
  volumes:
  - name: v
    projected:
      sources: []
  # the end
";
    assert_eq!(text.unwrap(), expected);
}

#[test]
fn empty_values_and_flow_style_are_filled() {
    let item = || json!({"name": "B"});
    for (text, expected) in [
        ("a:\n  env:\n  # none\nz: 1\n", "a:\n  env:\n  - name: B\n  # none\nz: 1\n"),
        ("a:\n  env: []  # none\n", "a:\n  env:  # none\n  - name: B\n"),
        ("a:\n  env: ~\n", "a:\n  env:\n  - name: B\n"),
        ("a:\n  env:\n    []\n", "a:\n  env:\n    [{name: B}]\n"),
        ("a:\n  env: &x []\n", "a:\n  env: &x [{name: B}]\n"),
        ("a: {env: [{c: d}]} # e\n", "a: {env: [{c: d}, {name: B}]} # e\n"),
        (
            "a: {env: [\n  b, # c\n  d, # e\n]}\n",
            "a: {env: [\n  b, # c\n  d,\n  {name: B}, # e\n]}\n",
        ),
        ("a: {b: c}", "a: {b: c, env: [{name: B}]}"),
        ("a: {b: }", "a: {b:, env: [{name: B}] }"),
        ("{\n\t\"a\": {\"env\": []}\n}", "{\n\t\"a\": {\"env\": [{\"name\": \"B\"}]}\n}"),
        (
            "{\n  \"a\": {\n    \"b\": \"\\ud83d\\ude00\"\n  }\n}\n",
            "{\n  \"a\": {\n    \"b\": \"\\ud83d\\ude00\",\n    \"env\": [\n      {\n        \
             \"name\": \"B\"\n      }\n    ]\n  }\n}\n",
        ),
        ("a:\n  b: |+\n    c\n\n\nz: 1\n", "a:\n  b: |+\n    c\n\n\n  env:\n  - name: B\nz: 1\n"),
        ("a:\n  b: |\n    c\n\nz: 1\n", "a:\n  b: |\n    c\n  env:\n  - name: B\n\nz: 1\n"),
        ("a:\n    b:\n      - c\n", "a:\n    b:\n      - c\n    env:\n      - name: B\n"),
        ("a:\r\n  b: c # d", "a:\r\n  b: c # d\r\n  env:\r\n  - name: B"),
        ("a: &x {b: c}\nz: *x\n", "a: &x {b: c}\nz: {b: c, k: 1}\n"),
        ("a: &x\n  b: c\nz:\n  <<: *x\n", "a: &x\n  b: c\nz:\n  <<: *x\n  k: 1\n"),
    ] {
        let text = changed(text, |value| match text.contains("&x") && text.contains("*x") {
            true => value["z"]["k"] = json!(1),
            false => push(&mut value["a"]["env"], item()),
        });
        assert_eq!(text.as_deref(), Some(expected));
    }
}

#[test]
fn a_scalar_is_replaced_in_place() {
    for (text, expected) in [
        ("a:\n- b: ''  # c\n", "a:\n- b: d  # c\n"),
        ("a:\n- b:  # c\n", "a:\n- b: d  # c\n"),
        ("a: [{b: x}]", "a: [{b: d}]"),
        ("a:\n- b: 1\n  b: 2\n", "a:\n- b: 1\n  b: d\n"),
    ] {
        let text = changed(text, |value| value["a"][0]["b"] = json!("d"));
        assert_eq!(text.as_deref(), Some(expected));
    }
}

#[test]
fn what_edits_cannot_do_is_rewritten_in_the_authors_spelling() {
    let text = "---\n# c\na: &x [0400]\nb: *x\nc: 'q'\nd: |\n  text\ne: !!str 1\nf: 0x10 # g\n";
    let document = documents(text).remove(0).unwrap();
    let mut after = document.value.clone();
    push(&mut after["a"], json!(1));
    assert_eq!(edits(text, &document, &after), None);
    let edit = rewritten(text, &document, &after).unwrap();
    let text = apply(text, &(0..text.len()), vec![edit]);
    let expected = "---\na:\n- 0400\n- 1\nb:\n- 0400\nc: 'q'\nd: \"text\\n\"\ne: \"1\"\nf: 0x10\n";
    assert_eq!(text, expected);
    assert_eq!(documents(&text).remove(0).unwrap().value, after);
    for (text, change) in [("a: {b: 1}", "b"), ("a:\n  b: 1\n", "b")] {
        assert_eq!(
            changed(text, |value| drop(value["a"].as_object_mut().unwrap().remove(change))),
            None
        );
    }
}

#[test]
fn of_the_line_that_starts_a_document_only_the_comment_stays() {
    for (text, expected) in [
        ("--- {a: &x [b], c: *x}\n", "---\na:\n- b\n- 1\nc:\n- b\n"),
        ("--- {a: &x [b], c: *x}", "---\na:\n- b\n- 1\nc:\n- b"),
        ("---\t{a: &x [b],\r\nc: *x}\r\n", "---\r\na:\r\n- b\r\n- 1\r\nc:\r\n- b\r\n"),
        ("--- !!map # d\na: &x [b]\nc: *x\n", "---\na:\n- b\n- 1\nc:\n- b\n"),
        ("--- # d\na: &x [b]\nc: *x\n", "--- # d\na:\n- b\n- 1\nc:\n- b\n"),
        ("---   \r\na: &x [b]\r\nc: *x\r\n", "---   \r\na:\r\n- b\r\n- 1\r\nc:\r\n- b\r\n"),
        ("---a: &x [b]\nc: *x\n", "\"---a\":\n- b\n- 1\nc:\n- b\n"),
    ] {
        let document = documents(text).remove(0).unwrap();
        let mut after = document.value.clone();
        let key = after.as_object().unwrap().keys().next().unwrap().clone();
        push(&mut after[&key], json!(1));
        let edit = rewritten(text, &document, &after).unwrap_or_else(|| panic!("{text:?}"));
        assert_eq!(apply(text, &(0..text.len()), vec![edit]), expected, "{text:?}");
    }
}

#[test]
fn a_binary_becomes_its_text() {
    let text = "a: &x [!!binary aGVsbG8=]\nc: *x\n";
    let document = documents(text).remove(0).unwrap();
    let mut after = document.value.clone();
    push(&mut after["a"], json!(1));
    let edit = rewritten(text, &document, &after).unwrap();
    assert_eq!(apply(text, &(0..text.len()), vec![edit]), "a:\n- hello\n- 1\nc:\n- hello\n");
}

#[test]
fn what_would_be_read_as_another_value_is_not_written() {
    let document = documents("a: 1\n").remove(0).unwrap();
    assert!(rewritten("a: 1\n", &document, &json!({"a": 1})).is_some());
    // A null is no document.
    assert!(rewritten("a: 1\n", &document, &Value::Null).is_none());
}
