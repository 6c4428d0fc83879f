//! What a person reads: what was done, and what ends the credentials that are already in processes. Pure.

use std::{collections::BTreeSet, fmt};

use jiff::Timestamp;
use podrole_identity::{NOT_BEFORE_ANNOTATION, RoleArn, ServiceAccountRef};
use serde_json::json;

use super::denial::{POLICY_NAME, policy};

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
    pub(super) denied: Denied<'a>,
}

/// Whether the inline policy was put on the role.
#[derive(Clone, Copy, Debug)]
pub(super) enum Denied<'a> {
    /// This was not asked for.
    No,
    Yes,
    /// IAM did not accept it.
    Refused(&'a str),
}

impl fmt::Display for Advice<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, role, now, others, dry_run, denied } = self;
        let mode = if *dry_run { " (server dry run)" } else { "" };
        writeln!(f, "PodIdentityAssociation {name}: spec.notBefore is {now}{mode}")?;
        writeln!(
            f,
            "Agents drop the sessions that were requested before within 5 s, and pods get new ones."
        )?;
        let account = role.account();
        match denied {
            Denied::Yes => writeln!(
                f,
                "\nThe inline policy {POLICY_NAME} of {} ends the credentials that processes already have, within seconds. Remove it with:\n\
                 aws iam delete-role-policy --role-name {} --policy-name {POLICY_NAME}",
                role.as_str(),
                role.name()
            )?,
            Denied::No => writeln!(
                f,
                "\nCredentials that processes already have remain valid until they expire. This ends them, in AWS account {account}:"
            )?,
            Denied::Refused(error) => writeln!(
                f,
                "\nThe inline policy {POLICY_NAME} was not put on {}: {error}\n\
                 Credentials that processes already have remain valid until they expire. This ends them, in AWS account {account}:",
                role.as_str()
            )?,
        }
        if !matches!(denied, Denied::Yes) {
            let policy = policy(*now);
            writeln!(
                f,
                "aws iam put-role-policy --role-name {} --policy-name {POLICY_NAME} --policy-document '{policy}'",
                role.name()
            )?;
        }
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
        let (others_known, denied) = (Ok(&others), Denied::No);
        let advice = Advice {
            name: "shop.app",
            role: &role,
            now,
            others: others_known,
            dry_run: true,
            denied,
        };
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
    fn a_policy_that_was_put_on_the_role_is_not_printed_again() {
        let role = "arn:aws:iam::111122223333:role/team/app".parse().unwrap();
        let (none, now) = (BTreeSet::new(), NOW.parse().unwrap());
        let (others, denied) = (Ok(&none), Denied::Yes);
        let advice = Advice { name: "shop.app", role: &role, now, others, dry_run: false, denied };
        let text = advice.to_string();
        assert!(text.contains("\naws iam delete-role-policy --role-name app"), "{text}");
        assert!(!text.contains("put-role-policy") && !text.contains("remain valid"), "{text}");
        let text = Advice { denied: Denied::Refused("no right"), ..advice }.to_string();
        for part in ["was not put on", "role/team/app: no right\n", "\naws iam put-role-policy"] {
            assert!(text.contains(part), "no {part} in {text}");
        }
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
