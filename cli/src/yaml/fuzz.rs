//! Any text is read or refused, and any change of a document gives that change and nothing else.

use proptest::{collection::vec, prelude::*, sample::select};
use serde_json::{Value, json};

use super::{apply, documents, edits, rewritten};

/// Lines and pieces of which manifests consist, well formed or not.
fn texts() -> impl Strategy<Value = String> {
    let pieces = select(vec![
        "a:",
        "b: 1\n",
        "- ",
        "  ",
        "\n",
        "env:\n",
        "  env: []\n",
        "- name: x\n",
        "{",
        "}",
        "[",
        "]",
        ", ",
        "\"q\"",
        "'s'",
        "|\n",
        ">-\n",
        "|+\n",
        "  text\n",
        "# c\n",
        " # d\n",
        "&x ",
        "*x",
        "<<: *x\n",
        "---\n",
        "--- ",
        "--- # e\n",
        "!!binary ",
        "YQ==",
        "...\n",
        "\u{feff}",
        "\r\n",
        "0400",
        "~",
        "!!str ",
        "? ",
        ": ",
        "\t",
        "é",
        "  - b\n",
        "    c: d\n",
        "%YAML 1.2\n",
        "{\"a\": [1]}",
        "\u{0}",
        "\"\\x85\\L\\x7f\"",
    ]);
    vec(pieces, 0..24).prop_map(|pieces| pieces.concat())
}

/// Well-formed documents in several styles.
fn manifests() -> impl Strategy<Value = String> {
    let env = select(vec![
        "",
        "env:\n",
        "env: []  # none\n",
        "env: ~\n",
        "env:\n- name: A\n  value: 0400\n",
        "env:\n  - {name: A, value: 'b'} # c\n\n",
        "env: [{name: A}, # c\n    ]\n",
        "env: {}\n",
        "env: &e\n- name: |\n    text\n\n",
        "env:\n- name: >+\n    text\n\n\n",
        "args: [a]   # keep\n",
        "resources:\n  {}\n",
        "env:\n# only\n- name: \"é\"\n",
    ]);
    let indented = |text: &str, by: usize| {
        let lines = text.lines().map(|line| format!("{}{line}\n", " ".repeat(by)));
        lines.collect::<String>()
    };
    (vec((env.clone(), env), 1..3), any::<bool>(), any::<bool>(), any::<bool>()).prop_map(
        move |(containers, wide, carriage, end)| {
            let mut text = String::from("# head\nkind: Pod\nspec:\n  containers:\n");
            let by = if wide { 4 } else { 2 };
            for (index, (first, second)) in containers.iter().enumerate() {
                text.push_str(&format!("{}- name: c{index}   # n\n", " ".repeat(by)));
                let both =
                    if first == second || first.starts_with("env") && second.starts_with("env") {
                        (*first).to_owned()
                    } else {
                        format!("{first}{second}")
                    };
                text.push_str(&indented(&both, by + 2));
            }
            text.push_str("status: {}\n# tail");
            let text = if end { text + "\n" } else { text };
            if carriage { text.replace('\n', "\r\n") } else { text }
        },
    )
}

/// What the webhook does to pods: members are added, and empty values replaced.
fn change(value: &mut Value, depth: usize) {
    match value {
        Value::Object(map) => {
            map.values_mut().for_each(|value| change(value, depth + 1));
            map.insert(format!("added{depth}"), json!([{"name": "N", "value": "0x1"}]));
        }
        Value::Array(items) => {
            items.iter_mut().for_each(|value| change(value, depth + 1));
            items.push(json!({"name": "N", "list": ["y", null]}));
        }
        Value::Null => *value = json!(["new"]),
        _ => {}
    }
}

fn holds(text: &str) -> Result<bool, TestCaseError> {
    let mut edited = false;
    for (index, document) in documents(text).iter().enumerate() {
        let Ok(document) = document else { continue };
        let mut after = document.value.clone();
        change(&mut after, 0);
        let change = edits(text, document, &after);
        edited |= change.is_some();
        let change = change.or_else(|| rewritten(text, document, &after).map(|edit| vec![edit]));
        prop_assert!(change.is_some(), "not rewritten: {:?}", text);
        let change = change.unwrap_or_default();
        let text = apply(text, &(0..text.len()), change);
        let read: Vec<_> = documents(&text).into_iter().collect();
        let own = read.get(index).and_then(|document| document.as_ref().ok());
        prop_assert_eq!(own.map(|document| &document.value), Some(&after), "{:?}", text);
    }
    Ok(edited)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..Default::default() })]

    #[test]
    fn any_text_is_read_or_refused(text in texts()) {
        holds(&text)?;
    }

    #[test]
    fn manifests_of_any_style_are_edited(text in manifests()) {
        prop_assert!(documents(&text).iter().all(Result::is_ok), "{:?}", documents(&text));
        prop_assert!(holds(&text)?, "it is rewritten: {:?}", text);
    }
}
