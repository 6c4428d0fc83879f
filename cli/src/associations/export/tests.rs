//! An export is read again as what was exported.

use std::process::Command;

use proptest::{collection::vec, prelude::*};
use serde_json::{Value, json};

use super::*;
use crate::associations::testing::associations;

fn cluster() -> ClusterName {
    "shop-1".parse().unwrap()
}

fn exported(all: &[Association], format: Format) -> String {
    text(all, format, Some(&cluster()))
}

fn imported(text: &str) -> Vec<Association> {
    let mut merged = Merged::default();
    input::read_text("x", text, true, &mut merged);
    let all = merged.finish().unwrap();
    all.into_iter().map(|checked| checked.association).collect()
}

/// Associations of different ServiceAccounts, sorted by name as they are imported.
fn several() -> impl Strategy<Value = Vec<Association>> {
    vec(associations(), 1..8).prop_map(|mut all| {
        let name = |it: &Association| Association::object_name(&it.service_account);
        all.sort_by_key(name);
        all.dedup_by_key(|it| name(it));
        all
    })
}

/// The associations as EKS can hold them.
fn without_lost(all: Vec<Association>, format: Format) -> Vec<Association> {
    let kept = all.into_iter().map(|mut association| {
        (association.pod_tags, association.not_before) = (None, None);
        if format != Format::List {
            association.external_id = None;
            association.duration_seconds = None;
            association.session_name = None;
        }
        association
    });
    kept.collect()
}

/// What EKS would describe after these commands have run.
fn described(commands: &str) -> String {
    let script = format!("aws() {{ printf '%s\\0' \"$@\" END; }}\n{commands}");
    let ran = Command::new("bash").args(["-e", "-c", &script]).output().unwrap();
    assert!(ran.status.success(), "{commands}: {}", String::from_utf8_lossy(&ran.stderr));
    let words = String::from_utf8(ran.stdout).unwrap();
    let words: Vec<&str> = words.split('\0').collect();
    let calls = words.split(|word| *word == "END").filter(|call| call.len() > 1);
    let answers = calls.map(|call| {
        assert_eq!(&call[..2], ["eks", "create-pod-identity-association"]);
        let mut association = json!({});
        let mut options = call[2..].iter();
        while let Some(option) = options.next() {
            let (field, value) = match *option {
                "--disable-session-tags" => ("disableSessionTags", json!(true)),
                "--cluster-name" => ("clusterName", json!(options.next())),
                "--namespace" => ("namespace", json!(options.next())),
                "--service-account" => ("serviceAccount", json!(options.next())),
                "--role-arn" => ("roleArn", json!(options.next())),
                "--target-role-arn" => ("targetRoleArn", json!(options.next())),
                "--policy" => ("policy", json!(options.next())),
                other => panic!("{other}"),
            };
            association[field] = value;
        }
        json!({ "association": association }).to_string()
    });
    answers.collect()
}

/// The state after Terraform has applied these resources.
fn applied(resources: &str) -> String {
    let mut all = Vec::new();
    for block in resources.split("resource \"aws_eks_pod_identity_association\" ").skip(1) {
        let (name, body) = block.split_once(" {\n").unwrap();
        let lines = body.lines().take_while(|line| *line != "}");
        let attributes: serde_json::Map<String, Value> = lines
            .map(|line| {
                let (name, value) = line.split_once(" = ").unwrap();
                (name.trim().to_owned(), evaluated(value))
            })
            .collect();
        let name = evaluated(name);
        assert!(all.iter().all(|other: &Value| other["name"] != name), "{name} is there twice");
        all.push(json!({
            "mode": "managed", "type": "aws_eks_pod_identity_association", "name": name,
            "instances": [{ "attributes": attributes }],
        }));
    }
    json!({ "version": 4, "terraform_version": "1.11.4", "resources": all }).to_string()
}

/// The value of a literal of HCL: JSON's escapes, and `$${` and `%%{` for what begins a template.
fn evaluated(literal: &str) -> Value {
    assert!(!literal.replace("$${", "").contains("${"), "{literal}");
    assert!(!literal.replace("%%{", "").contains("%{"), "{literal}");
    serde_json::from_str(&literal.replace("$${", "${").replace("%%{", "%{")).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_list_is_imported_as_it_was(all in several()) {
        let kept = without_lost(all, Format::List);
        prop_assert!(warnings(&kept, Format::List).is_empty());
        let text = exported(&kept, Format::List);
        prop_assert_eq!(imported(&text), kept.clone());
        // What the daemons read in it.
        let read = podrole_identity::AssociationList::read(&text).unwrap();
        for association in &kept {
            prop_assert_eq!(read.find(&association.service_account), Some(association));
        }
    }

    #[test]
    fn commands_are_imported_as_they_were(all in several()) {
        let kept = without_lost(all, Format::AwsCli);
        prop_assert_eq!(imported(&described(&exported(&kept, Format::AwsCli))), kept);
    }

    #[test]
    fn resources_are_imported_as_they_were(all in several()) {
        let kept = without_lost(all, Format::Terraform);
        prop_assert_eq!(imported(&applied(&exported(&kept, Format::Terraform))), kept);
    }

    #[test]
    fn what_a_form_cannot_hold_is_named(all in several()) {
        for format in [Format::List, Format::AwsCli, Format::Terraform] {
            let lost = without_lost(all.clone(), format) != all;
            prop_assert_eq!(!warnings(&all, format).is_empty(), lost);
            let text = exported(&all, format);
            let comments = text.lines().any(|line| line.starts_with("# "));
            prop_assert_eq!(comments, lost && format != Format::List);
        }
    }
}

#[test]
fn each_form_is_printed() {
    let list = include_str!("../../../tests/associations/list.json");
    let all = imported(list);
    for (format, file) in [
        (Format::List, "list.json"),
        (Format::AwsCli, "aws-cli.sh"),
        (Format::Terraform, "terraform.tf"),
    ] {
        let text = exported(&all, format);
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/associations/exported");
        let file = std::path::Path::new(folder).join(file);
        if std::env::var_os("PODROLE_BLESS").is_some() {
            std::fs::write(&file, &text).unwrap();
        }
        let expected = std::fs::read_to_string(&file).unwrap_or_default();
        assert_eq!(text, expected, "{}", file.display());
    }
}

#[test]
fn many_warnings_are_counted() {
    let spec = json!({"namespace": "shop", "serviceAccount": "app", "podTags": false,
        "roleARN": "arn:aws:iam::111122223333:role/app"});
    let association = Association::read_object("shop.app", &spec).unwrap();
    let warnings = warnings(&vec![association; 25], Format::List);
    assert_eq!(warnings.len(), 21);
    assert_eq!(
        warnings[0],
        "shop/app: podTags is lost: the exchange decides whether session tags name the pod"
    );
    assert_eq!(warnings[20], "... and 5 more fields that are lost");
}
