//! Resources of Terraform's provider for AWS.

use std::fmt::Write as _;

use podrole_identity::{Association, RoleArn, ServiceAccountRef};

use super::{super::cluster_name::ClusterName, lost};

/// The resources, with what they cannot express above each.
pub(super) fn text(all: &[Association], cluster: &ClusterName) -> String {
    let resources = all.iter().map(|association| resource(association, cluster));
    resources.collect::<Vec<_>>().join("\n")
}

fn resource(association: &Association, cluster: &ClusterName) -> String {
    let of = &association.service_account;
    let mut text = String::new();
    for what in lost::in_format(association, false) {
        let _ = writeln!(text, "# {of}: {what}");
    }
    let arn = |role: &Option<RoleArn>| role.as_ref().map(|role| literal(role.as_str()));
    let no_tags = association.disable_session_tags.then(|| "true".to_owned());
    let arguments = [
        ("cluster_name", Some(literal(&cluster.to_string()))),
        ("namespace", Some(literal(of.namespace()))),
        ("service_account", Some(literal(of.name()))),
        ("role_arn", arn(&association.role)),
        ("target_role_arn", arn(&association.target_role)),
        ("disable_session_tags", no_tags),
        ("policy", association.policy.as_deref().map(literal)),
    ];
    let set: Vec<_> =
        arguments.into_iter().filter_map(|(name, value)| Some((name, value?))).collect();
    let width = set.iter().map(|(name, _)| name.len()).max().unwrap_or_default();
    let _ = writeln!(text, "resource \"aws_eks_pod_identity_association\" \"{}\" {{", name(of));
    for (name, value) in set {
        let _ = writeln!(text, "  {name:width$} = {value}");
    }
    text + "}\n"
}

/// A name for the resource that no other ServiceAccount gets: names of Kubernetes have no underscore,
/// and a namespace has no dot. A digit cannot be the first character.
fn name(service_account: &ServiceAccountRef) -> String {
    let (namespace, name) = (service_account.namespace(), service_account.name());
    let first = if namespace.starts_with(|c: char| c.is_ascii_digit()) { "_" } else { "" };
    format!("{first}{namespace}_{}", name.replace('.', "_"))
}

/// A quoted string of HCL. `${` and `%{` would begin a template.
fn literal(text: &str) -> String {
    let mut literal = "\"".to_owned();
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '"' => literal.push_str("\\\""),
            '\\' => literal.push_str("\\\\"),
            '\n' => literal.push_str("\\n"),
            '\r' => literal.push_str("\\r"),
            '\t' => literal.push_str("\\t"),
            '$' | '%' if characters.peek() == Some(&'{') => {
                literal.extend([character, character]);
            }
            control if control.is_control() => {
                let _ = write!(literal, "\\u{:04x}", u32::from(control));
            }
            other => literal.push(other),
        }
    }
    literal + "\""
}
