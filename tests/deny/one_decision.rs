//! The command line tool decides nothing by itself: labels, annotations and IAM's operators are spelt in the code that decides in
//! production. A second spelling would make a wrong diagnosis on the day the two differ.

use crate::source::{bracketed, files};

/// What the tool's own code must not spell.
const SPELLINGS: [&str; 7] = [
    "podrole.io/",
    "eks.amazonaws.com/",
    "StringEquals",
    "StringLike",
    "ArnEquals",
    "ArnLike",
    "ForAllValues",
];
/// The version of the tool's reports, and the one spelling of the operators.
const ALLOWED: [&str; 2] = ["cli.podrole.io/v1", "TrustOperator::String"];

#[test]
fn the_tool_spells_no_label_annotation_or_operator() {
    let mut problems = Vec::new();
    // The demo makes a world of its own, and judges none.
    let files = files("cli").unwrap();
    for (file, text) in files.iter().filter(|(file, _)| !file.starts_with("cli/src/demo")) {
        problems.extend(problems_of(file, text));
    }
    assert!(problems.is_empty(), "call the code that decides:\n{}", problems.join("\n"));
}

fn problems_of(file: &str, text: &str) -> Vec<String> {
    let code = ALLOWED.iter().fold(without_help(text), |code, allowed| code.replace(allowed, ""));
    let lines = code.lines().enumerate().filter(|(_, line)| !line.trim_start().starts_with("//"));
    lines
        .filter_map(|(number, line)| {
            let spelt = SPELLINGS.iter().find(|spelling| line.contains(**spelling))?;
            Some(format!("{file}:{}: {spelt}", number + 1))
        })
        .collect()
}

/// `text` with empty attributes, which hold help texts. Line numbers stay.
fn without_help(text: &str) -> String {
    let (mut code, mut rest) = (String::new(), text);
    while let Some(start) = rest.find("#[") {
        let (before, attribute) = rest.split_at(start + 1);
        code.push_str(before);
        let Some(inside) = bracketed(attribute) else {
            rest = attribute;
            continue;
        };
        code.push('[');
        code.extend(inside.chars().filter(|it| *it == '\n'));
        rest = &attribute[inside.len() + 1..];
    }
    code + rest
}

#[test]
fn a_spelling_is_found_in_code_but_not_in_comments_and_help() {
    let text = "/// podrole.io/injection\n#[command(after_help = \"\\\n  podrole.io/x [a]\")]\nlet key = \"podrole.io/y\";\n";
    assert_eq!(problems_of("f.rs", text), ["f.rs:4: podrole.io/"]);
    assert_eq!(problems_of("f.rs", "const V: &str = \"cli.podrole.io/v1\";"), [""; 0]);
    assert_eq!(problems_of("f.rs", "x(\"StringLike\")"), ["f.rs:1: StringLike"]);
    assert_eq!(problems_of("f.rs", "x(TrustOperator::StringLike)"), [""; 0]);
}
