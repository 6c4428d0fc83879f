//! Commands of the AWS CLI, one a line.

use std::borrow::Cow;

use podrole_identity::{Association, RoleArn};

use super::{super::cluster_name::ClusterName, lost};

/// The commands, with what they cannot express above each.
pub(super) fn text(all: &[Association], cluster: &ClusterName) -> String {
    let commands = all.iter().map(|association| {
        let lost = lost::in_format(association, false).into_iter();
        let of = &association.service_account;
        let comments: String = lost.map(|what| format!("# {of}: {what}\n")).collect();
        format!("{comments}{}\n", command(association, cluster))
    });
    commands.collect()
}

fn command(association: &Association, cluster: &ClusterName) -> String {
    let arn = |role: &Option<RoleArn>| role.as_ref().map(ToString::to_string);
    let options = [
        ("--cluster-name", Some(cluster.to_string())),
        ("--namespace", Some(association.service_account.namespace().to_owned())),
        ("--service-account", Some(association.service_account.name().to_owned())),
        ("--role-arn", arn(&association.role)),
        ("--target-role-arn", arn(&association.target_role)),
        ("--policy", association.policy.clone()),
    ];
    let mut command = "aws eks create-pod-identity-association".to_owned();
    for (option, value) in options {
        if let Some(value) = value {
            command.push_str(&format!(" {option} {}", quoted(&value)));
        }
    }
    if association.disable_session_tags {
        command.push_str(" --disable-session-tags");
    }
    command
}

/// A word of a shell. Only a NUL cannot be quoted, and no field can have one.
fn quoted(word: &str) -> Cow<'_, str> {
    shlex::try_quote(word).unwrap_or_default()
}
