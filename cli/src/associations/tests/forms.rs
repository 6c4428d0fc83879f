//! Each form has a file, and what it becomes: `PODROLE_BLESS=1` writes the latter.

use super::*;

const FORMS: [&str; 9] = [
    "ack.yaml",
    "crossplane.yaml",
    "eks.json",
    "eksctl.yaml",
    "kops.yaml",
    "list.json",
    "pods.json",
    "terraform-show.json",
    "terraform.tfstate",
];

#[test]
fn each_form_is_imported() {
    for name in FORMS {
        let imported = import(&fixture(name)).unwrap();
        let file = folder().join("imported").join(name).with_extension("yaml");
        if std::env::var_os("PODROLE_BLESS").is_some() {
            std::fs::write(&file, &imported).unwrap();
        }
        let expected = std::fs::read_to_string(&file).unwrap_or_default();
        assert_eq!(imported, expected, "{}", file.display());
        assert!(imported.matches("apiVersion: podrole.io/v1alpha1\n").count() > 0);
        assert_eq!(import(&imported).unwrap(), without_comments(&imported), "{name}");
    }
}

fn without_comments(text: &str) -> String {
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines.map(|line| format!("{line}\n")).collect()
}

#[test]
fn line_ends_and_a_byte_order_mark_change_nothing() {
    for name in FORMS {
        let text = fixture(name);
        let imported = import(&text).unwrap();
        assert_eq!(import(&text.replace('\n', "\r\n")).unwrap(), imported, "{name}");
        assert_eq!(import(&format!("\u{feff}{text}")).unwrap(), imported, "{name}");
    }
}

#[test]
fn the_aws_clis_other_outputs_are_read() {
    let text = fixture("eks.json");
    let imported = import(&text).unwrap();
    let documents: Vec<_> = crate::yaml::documents(&text);
    let all: Vec<_> = documents.iter().map(|it| it.as_ref().unwrap().value.clone()).collect();
    let array = serde_json::to_string(&all).unwrap();
    assert_eq!(import(&array).unwrap(), imported);
    let bare: Vec<_> = all.iter().map(|it| it["association"].to_string()).collect();
    assert_eq!(import(&bare.join("\n")).unwrap(), imported);
    let yaml: Vec<_> = all.iter().map(crate::yaml::document).collect();
    assert_eq!(import(&yaml.join("---\n")).unwrap(), imported);
}

#[test]
fn objects_of_other_kinds_beside_an_association_are_noted() {
    let other = "---\napiVersion: v1\nkind: Namespace\nmetadata: {name: shop}\n";
    let text = format!("{}{other}", fixture("crossplane.yaml"));
    assert_eq!(import(&text).unwrap(), import(&fixture("crossplane.yaml")).unwrap());
    assert_eq!(notes(&text), ["in.yaml: objects of other kinds are left out: Namespace"]);
}

#[test]
fn an_input_without_associations_is_noted() {
    let eksctl = "apiVersion: eksctl.io/v1alpha5\nkind: ClusterConfig\naddons:\n- name: vpc-cni\n  \
                  podIdentityAssociations:\n  - serviceAccountName: aws-node\n";
    assert_eq!(
        notes(eksctl),
        [
            "in.yaml:1: it has no iam.podIdentityAssociations",
            "in.yaml:5: associations of an EKS add-on are left out"
        ]
    );
    let state = "{\"terraform_version\": \"1.11.4\", \"resources\": []}";
    let note = "in.yaml:1: the Terraform state has no aws_eks_pod_identity_association";
    assert_eq!(notes(state), [note]);
    assert_eq!(import("{\"identities\": []}"), Ok(String::new()));
}

#[test]
fn what_is_not_expressed_is_a_comment() {
    let target = "\"targetRoleArn\": \"arn:aws:iam::444455556666:role/t\"";
    let long = list(&format!("\"roleArn\": \"{ROLE}\", {target}, \"durationSeconds\": 3541"));
    let imported = import(&long).unwrap();
    let comment = "# durationSeconds was 3541, and is 3540: AWS limits role chaining to one hour\n";
    assert!(imported.starts_with(comment), "{imported}");
    assert!(imported.ends_with("  durationSeconds: 3540\n"), "{imported}");
    let fits = import(&long.replace("3541", "3540")).unwrap();
    assert!(!fits.contains('#'), "{fits}");

    let alone = list(&format!("\"roleArn\": \"{ROLE}\", \"externalId\": \"mine\""));
    let imported = import(&alone).unwrap();
    let comment = "# not imported: external ID \"mine\": there is no target role\n";
    assert!(imported.starts_with(comment) && !imported.contains("externalID"), "{imported}");

    let unknown = list(&format!("\"roleArn\": \"{ROLE}\", \"onlyOn\": [\"Tue\"], \"new\": false"));
    let imported = import(&unknown).unwrap();
    assert!(imported.starts_with("# not imported: onlyOn: [\"Tue\"]\napi"), "{imported}");
}

#[test]
fn a_comment_is_one_line() {
    let breaks = "a\\nb\\r\\u0085\\u2028\\u2029\\u001b[2J";
    let text = list(&format!("\"roleArn\": \"{ROLE}\", \"k\\n\\u0085x\": \"{breaks}\""));
    let imported = import(&text).unwrap();
    let first = imported.lines().next().unwrap();
    assert!(first.starts_with("# not imported: k \\x85x: "), "{first}");
    let odd = ['\u{85}', '\u{2028}', '\u{2029}', '\u{1b}', '\r'];
    assert!(!imported.contains(odd), "{imported}");
    assert_eq!(imported.matches('\n').count(), 9, "{imported}");
    let long = list(&format!("\"roleArn\": \"{ROLE}\", \"x\": \"{}\"", "é".repeat(5000)));
    assert!(import(&long).unwrap().lines().next().unwrap().chars().count() < 250);
}

/// `docs/import.md` and `docs/migration.md` show the output of the files.
#[test]
fn the_pages_show_what_is_printed() {
    let printed =
        ["imported", "exported"].map(|name| std::fs::read_dir(folder().join(name)).unwrap());
    let printed: String = printed
        .into_iter()
        .flatten()
        .map(|file| format!("---\n{}---\n", std::fs::read_to_string(file.unwrap().path()).unwrap()))
        .collect();
    for (name, count) in [("import.md", 7), ("migration.md", 2)] {
        let page = std::fs::read_to_string(folder().join("../../../docs").join(name)).unwrap();
        let blocks: Vec<&str> = page.split("```").skip(1).step_by(2).collect();
        let shown = blocks.iter().filter_map(|block| {
            let (kind, text) = block.split_once('\n')?;
            let is_output = ["yaml", "hcl"].contains(&kind) || text.starts_with("# billing");
            // The step of a list is indented.
            let indent = text.len() - text.trim_start_matches(' ').len();
            let unindented = |line: &str| format!("{}\n", line.get(indent..).unwrap_or(""));
            let text: String = text.lines().map(unindented).collect();
            is_output.then(|| text.trim_end_matches('\n').to_owned() + "\n")
        });
        let shown: Vec<String> = shown.collect();
        assert_eq!(shown.len(), count, "{name}");
        for text in shown {
            assert!(printed.contains(&format!("{text}---\n")), "{name}: {text}");
        }
    }
}
