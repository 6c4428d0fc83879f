//! What a person reads: what was done, and what ends the credentials that are already in processes. Pure.

use std::{collections::BTreeSet, fmt};

use jiff::Timestamp;
use podrole_identity::{NOT_BEFORE_ANNOTATION, RoleArn, ServiceAccountRef};
use serde_json::json;

/// The name of the inline policy.
const POLICY_NAME: &str = "podrole-revoke";

/// What to say after the association is changed.
#[derive(Clone, Copy)]
pub(super) struct Advice<'a> {
    /// The association's name.
    pub(super) name: &'a str,
    /// The last role of its chain.
    pub(super) role: &'a RoleArn,
    pub(super) now: Timestamp,
    /// The other ServiceAccounts with the role, or why they are not known.
    pub(super) others: Result<&'a BTreeSet<String>, &'a str>,
    pub(super) dry_run: bool,
}

impl fmt::Display for Advice<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, role, now, others, dry_run } = self;
        let mode = if *dry_run { " (server dry run)" } else { "" };
        writeln!(f, "PodIdentityAssociation {name}: spec.notBefore is {now}{mode}")?;
        writeln!(
            f,
            "Agents drop the sessions that were requested before within 5 s, and pods get new ones."
        )?;
        writeln!(
            f,
            "\nCredentials that processes already have remain valid until they expire. This ends them, in AWS account {}:",
            role.account()
        )?;
        let policy = denial(*now);
        writeln!(
            f,
            "aws iam put-role-policy --role-name {} --policy-name {POLICY_NAME} --policy-document '{policy}'",
            role.name()
        )?;
        let others = match others {
            Ok(others) if others.is_empty() => {
                return writeln!(
                    f,
                    "\nNo other association or annotation of this cluster names {}.",
                    role.as_str()
                );
            }
            Ok(others) => others,
            Err(error) => {
                return writeln!(
                    f,
                    "\nThe policy also ends the sessions of other ServiceAccounts with the role {}, and which those are is not known: {error}",
                    role.as_str()
                );
            }
        };
        writeln!(
            f,
            "\nThe policy also ends the sessions of these ServiceAccounts, which have the role {} too:",
            role.as_str()
        )?;
        others.iter().try_for_each(|other| writeln!(f, "  {other}"))
    }
}

/// The inline policy that denies everything to sessions that were issued before.
fn denial(before: Timestamp) -> String {
    json!({"Version": "2012-10-17", "Statement": [{"Sid": "PodroleRevoke", "Effect": "Deny", "Action": "*",
        "Resource": "*", "Condition": {"DateLessThan": {"aws:TokenIssueTime": before.to_string()}}}]})
    .to_string()
}

/// The commands for a ServiceAccount without an association.
pub(super) fn without_association(
    service_account: &ServiceAccountRef,
    pattern: Option<&str>,
    now: Timestamp,
) -> String {
    let namespace = service_account.namespace();
    let all =
        format!("kubectl annotate namespace {namespace} {NOT_BEFORE_ANNOTATION}={now} --overwrite");
    let Some(pattern) = pattern else {
        return format!(
            "{service_account} has no association, and nothing is changed; this revokes the sessions of all ServiceAccounts of the namespace: {all} \
             (pods with web identity get new sessions by themselves)"
        );
    };
    let patch = json!({"spec": {"notBefore": now.to_string()}});
    format!(
        "{service_account} has no association but the pattern {pattern}, which is for other ServiceAccounts too, and nothing is changed; this revokes the sessions of all of them: \
         kubectl patch podidentitypattern {pattern} --type=merge -p '{patch}'; or those of the namespace: {all}"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: &str = "2026-01-31T12:00:00Z";

    #[test]
    fn the_policy_denies_everything_to_earlier_sessions() {
        let role = "arn:aws:iam::111122223333:role/team/app".parse().unwrap();
        let others = ["shop/other (PodIdentityAssociation)".to_owned()].into();
        let now = NOW.parse().unwrap();
        let advice =
            Advice { name: "shop.app", role: &role, now, others: Ok(&others), dry_run: true };
        let text = advice.to_string();
        for part in [
            "shop.app: spec.notBefore is 2026-01-31T12:00:00Z (server dry run)",
            "in AWS account 111122223333",
            "--role-name app --policy-name podrole-revoke",
            r#""Action":"*""#,
            r#""Condition":{"DateLessThan":{"aws:TokenIssueTime":"2026-01-31T12:00:00Z"}}"#,
            r#""Effect":"Deny""#,
            "\n  shop/other (PodIdentityAssociation)\n",
        ] {
            assert!(text.contains(part), "no {part} in {text}");
        }
        let none = BTreeSet::new();
        let text = Advice { others: Ok(&none), ..advice }.to_string();
        assert!(text.contains("No other association or annotation"), "{text}");
        let text = Advice { others: Err("forbidden"), ..advice }.to_string();
        assert!(
            text.contains("put-role-policy") && text.contains("not known: forbidden"),
            "{text}"
        );
    }

    #[test]
    fn without_an_association_the_sentence_has_the_command() {
        let (app, now) = ("shop/app".parse().unwrap(), NOW.parse().unwrap());
        let text = without_association(&app, Some("shop"), now);
        assert!(text.contains("kubectl patch podidentitypattern shop --type=merge -p '{\"spec\":{\"notBefore\":\"2026-01-31T12:00:00Z\"}}'"), "{text}");
        let text = without_association(&app, None, now);
        assert!(text.contains("kubectl annotate namespace shop podrole.io/not-before=2026-01-31T12:00:00Z --overwrite"), "{text}");
    }
}
