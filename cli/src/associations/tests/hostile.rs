//! Input that is meant to break the import, or is damaged.

use proptest::{collection::vec, prelude::*, sample::select};

use super::*;

#[test]
fn aliases_that_expand_exponentially_are_an_error() {
    let mut bomb = "a0: &a0 [x]\n".to_owned();
    for level in 1..40 {
        bomb.push_str(&format!(
            "a{level}: &a{level} [{}]\n",
            format!("*a{},", level - 1).repeat(9)
        ));
    }
    bomb.push_str("identities: *a39\n");
    assert!(error(&bomb).ends_with("its aliases expand to over a million values"));
}

#[test]
fn values_that_are_nested_too_deep_are_an_error() {
    for piece in ["[", "{\"a\":", "- ", "a:\n "] {
        assert!(import(&piece.repeat(100_000)).is_err(), "{piece}");
    }
    let module = "{\"child_modules\":[".repeat(5000);
    let text = format!("{{\"format_version\":\"1.0\",\"values\":{{\"root_module\":{module}");
    let close = format!("{}}}}}", "]}".repeat(5000));
    assert!(import(&format!("{text}{close}")).is_err());
}

#[test]
fn a_hundred_thousand_entries_are_imported() {
    let entry = |index: usize| {
        format!("{{\"namespace\":\"n{index}\",\"serviceAccount\":\"app\",\"roleArn\":\"{ROLE}\"}}")
    };
    let entries: Vec<_> = (0..100_000).map(entry).collect();
    let text = format!("{{\"identities\":[\n{}\n]}}", entries.join(",\n"));
    let imported = import(&text).unwrap();
    assert_eq!(imported.matches("\n  roleARN: ").count(), 100_000);
}

#[test]
fn keys_that_are_there_twice_are_an_error_with_both_lines() {
    let text = list(&format!("\"roleArn\": \"{ROLE}\",\n\"roleArn\": \"{ROLE}x\""));
    assert_eq!(error(&text), "in.yaml:4: the key roleArn is also in line 3; remove one of them");
}

#[test]
fn a_file_that_is_not_utf_8_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("utf-16.json");
    let utf_16: Vec<u8> =
        "\u{feff}{\"identities\": []}".encode_utf16().flat_map(u16::to_le_bytes).collect();
    std::fs::write(&file, utf_16).unwrap();
    let error = input::read(std::slice::from_ref(&file), false, None).unwrap_err().to_string();
    assert!(error.contains("utf-16.json") && error.contains("UTF-8"), "{error}");
    let error = input::read(&[folder.path().join("none")], false, None).unwrap_err().to_string();
    assert!(error.starts_with("could not read "), "{error}");
}

#[test]
fn a_folder_without_files_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let errors =
        input::read(&[folder.path().to_owned()], false, None).unwrap().finish().unwrap_err();
    assert!(errors[0].to_string().starts_with("no manifests in "), "{errors:?}");
}

#[test]
fn an_error_shows_no_control_characters() {
    let text = "{\"identities\": [{\"namespace\": \"\\u001b[2J\", \"serviceAccount\": \"a\\nb\"}]}";
    let mut merged = Merged::default();
    input::read_text("in.yaml", text, true, &mut merged);
    let failure = crate::associations::failure::Failure::Input(merged.finish().unwrap_err());
    let lines = failure.lines().0;
    assert!(lines[0].starts_with("in.yaml:1: \\x1b[2J/a b: a namespace is"), "{lines:?}");
    assert!(lines.iter().all(|line| !line.contains(char::is_control)), "{lines:?}");
}

#[test]
fn a_file_that_is_cut_off_is_an_error() {
    for name in ["eks.json", "terraform.tfstate", "list.json"] {
        let text = fixture(name);
        for part in 1..20 {
            let end = text.len() * part / 20;
            let end = (end..).find(|end| text.is_char_boundary(*end)).unwrap();
            // The first of two documents may be whole.
            if let Ok(imported) = import(&text[..end]) {
                assert!(name == "eks.json" && imported.matches("kind:").count() == 1, "{end}");
            }
        }
    }
}

fn pieces() -> impl Strategy<Value = String> {
    let pieces = select(vec![
        "{\"identities\":[",
        "{\"namespace\":\"shop\",\"serviceAccount\":\"app\",",
        "\"roleArn\":\"arn:aws:iam::111122223333:role/app\"",
        "{\"association\":",
        "apiVersion: eks.aws.upbound.io/v1\nkind: PodIdentityAssociation\n",
        "apiVersion: podrole.io/v1alpha1\nkind: PodIdentityAssociation\n",
        "apiVersion: eksctl.io/v1alpha5\nkind: ClusterConfig\n",
        "spec:\n  forProvider:\n",
        "  namespace: a\n  serviceAccount: b\n",
        "iam:\n  podIdentityAssociations:\n",
        "apiVersion: v1\nkind: Pod\nmetadata: {namespace: a, annotations: {iam.amazonaws.com/role: arn:aws:iam::111122223333:role/app}}\n",
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: pod-identity-webhook}\ndata:\n  config: ",
        "'{\"a/b\": {\"RoleARN\": \"arn:aws:iam::111122223333:role/app\"}}'\n",
        "  - namespace: a\n",
        "\"resources\":[",
        "\"terraform_version\":1,",
        "\"instances\":[",
        "\"attributes\":",
        "\"type\":\"aws_eks_pod_identity_association\",\"mode\":\"managed\",",
        "}",
        "]",
        ",",
        "[",
        "null",
        "~",
        "\n",
        "---\n",
        "&x ",
        "*x",
        "<<: *x\n",
        "policy: {}\n",
        "\u{feff}",
        "\r\n",
        "\u{0}",
        "é",
    ]);
    vec(pieces, 0..24).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn any_text_is_imported_or_refused(text in pieces()) {
        if let Ok(imported) = import(&text) {
            // What is printed is read again as it is.
            prop_assert_eq!(import_or_nothing(&imported), without_comments(&imported));
        }
    }
}

fn import_or_nothing(text: &str) -> String {
    if text.is_empty() { String::new() } else { import(text).unwrap() }
}

fn without_comments(text: &str) -> String {
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines.map(|line| format!("{line}\n")).collect()
}
