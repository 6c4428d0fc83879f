//! Mistakes in the Principal.

use jiff::Timestamp;
use podrole_identity::{POD_IDENTITY_AUDIENCE, RoleArn};
use podrole_sandbox::{
    policy::{Denial, MissedPart, NearMiss, Policy, StatementMiss, Verdict},
    trust::{TrustCall, TrustCaller, ask},
};

use super::super::{
    fix::FixCommands,
    question::{AskingCaller, TrustQuestion},
};
use crate::report::{Code, Finding, State};

/// How the evaluator writes principals.
const FEDERATED: &str = "Federated ";
const SERVICE: &str = "Service ";
const AWS: &str = "AWS ";
const PROVIDER: &str = ":oidc-provider/";

/// The finding for a Principal that does not name the caller.
pub(super) fn other(
    statement: &str,
    named: &[String],
    near_miss: Option<&NearMiss>,
    question: &TrustQuestion,
) -> Finding {
    let required = question.required().principal;
    let is = format!("{statement}: Principal {}", named.join(", "));
    finding(named, near_miss, question)
        .is(is)
        .should_be(format!("Principal {}", written(&required)))
}

fn finding(named: &[String], near_miss: Option<&NearMiss>, question: &TrustQuestion) -> Finding {
    let role = question.role.name();
    if named.iter().any(|it| it.strip_prefix(SERVICE) == Some(POD_IDENTITY_AUDIENCE)) {
        let must = match &question.caller {
            AskingCaller::WebIdentity { issuer, .. } => {
                format!("with web-identity it must trust the OIDC provider of {issuer}")
            }
            _ => format!("with assume-role it must trust {}", question.required().principal),
        };
        return Finding::error(Code(27), format!("the role trusts EKS's service; {must}"));
    }
    match near_miss {
        Some(NearMiss::SlashOfProvider) => {
            return Finding::error(
                Code(24),
                format!(
                    "the trust policy of {role} names the OIDC provider with another end: one of the two ARNs ends with \"/\""
                ),
            );
        }
        Some(NearMiss::OtherAccount(arn)) => {
            let account = arn.split(':').nth(4).unwrap_or_default();
            let own = question.role.account();
            return Finding::error(
                Code(23),
                format!(
                    "the trust policy of {role} names an OIDC provider of AWS account {account}; only one of {own}, the role's own, counts"
                ),
            );
        }
        _ => {}
    }
    let provider = named
        .iter()
        .filter_map(|it| it.strip_prefix(FEDERATED))
        .find_map(|it| it.split_once(PROVIDER));
    if let (Some(issuer), Some((_, other))) = (question.issuer(), provider) {
        return Finding::error(
            Code(21),
            format!("the trust policy of {role} checks issuer {other}; this cluster's is {issuer}"),
        );
    }
    let names = if named.is_empty() { "no principal".to_owned() } else { named.join(", ") };
    Finding::new(
        State::Error,
        format!("the trust policy of {role} names {names}, not {}", question.required().principal),
    )
}

/// A principal as the policy must name it.
fn written(principal: &podrole_identity::TrustedPrincipal) -> String {
    use podrole_identity::TrustedPrincipal::{Agent, Aws, Federated, Service};
    match principal {
        Federated(arn) => format!("{FEDERATED}{arn}"),
        Aws(arn) => format!("{AWS}{arn}"),
        Agent => format!("{AWS}the ARN of the agent's source credentials"),
        Service(domain) => format!("{SERVICE}{domain}"),
    }
}

/// What can be said without the ARN of the source credentials.
pub(super) fn without_source(
    policy: &Policy,
    question: &TrustQuestion,
    fix: &FixCommands,
    now: Timestamp,
) -> Finding {
    let named = names(policy, &question.role, now).unwrap_or_default();
    let is_eks = |it: &String| it.strip_prefix(SERVICE) == Some(POD_IDENTITY_AUDIENCE);
    if named.iter().any(is_eks) && !named.iter().any(|it| it.starts_with(AWS)) {
        let [print, apply] = fix.lines(question);
        return other("the policy", &named, None, question).fix(print).fix(apply);
    }
    Finding::unknown(
        "the ARN of the agent's source credentials is not known here; add --principal ARN",
    )
}

/// Everything that a policy names, if it does not allow everyone. A role that no policy names is asked for.
fn names(policy: &Policy, role: &RoleArn, now: Timestamp) -> Option<Vec<String>> {
    let (partition, account) = (role.partition(), "000000000000");
    let stranger = format!("arn:{partition}:iam::{account}:role/podrole-stranger").parse().ok()?;
    let call =
        TrustCall { caller: TrustCaller::Role(&stranger), role, tags: &[], external_id: None };
    let answers = ask(policy, &call, now).ok()?;
    let Verdict::Denied(Denial::NoneAllows(misses)) = &answers.first()?.verdict else {
        return None;
    };
    let parts = misses.iter().flat_map(StatementMiss::parts);
    let named = parts.filter_map(|part| match part {
        MissedPart::Principal { named, .. } => Some(named.clone()),
        _ => None,
    });
    Some(named.flatten().collect())
}
