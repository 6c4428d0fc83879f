//! What else AWS must have for a session: the OIDC provider, and a role that allows its length. Pure.

use podrole_identity::{issuer_name, provider_arn};

use super::question::{AskingCaller, TrustQuestion};
use crate::{
    aws_iam::IamOidcProvider,
    report::{Code, Finding},
};

/// Seconds: AWS's limit for a role that is assumed with another role's credentials.
const MOST_IN_CHAIN: u32 = 3600;

/// The provider that the tokens of a question need, by its ARN. `None` if no token is sent to AWS.
pub(super) fn needed(question: &TrustQuestion) -> Option<String> {
    let AskingCaller::WebIdentity { issuer, .. } = &question.caller else { return None };
    let role = &question.role;
    Some(provider_arn(role.partition(), role.account(), issuer))
}

/// What is wrong with the provider of the role's AWS account. `all` are the ARNs of those that the
/// AWS account has.
pub(super) fn judge_provider(
    question: &TrustQuestion,
    found: Option<&IamOidcProvider>,
    all: &[String],
) -> Option<Finding> {
    let AskingCaller::WebIdentity { issuer, audiences } = &question.caller else { return None };
    let needed = needed(question)?;
    let Some(provider) = found else {
        return Some(missing(question, issuer, &needed, all));
    };
    if audiences.iter().any(|audience| provider.client_ids.contains(audience)) {
        return None;
    }
    let audience = audiences.first()?;
    let message = format!("IAM provider {needed} does not list audience {audience}");
    Some(
        Finding::error(Code(22), message)
            .is(format!("client ids {}", provider.client_ids.join(", ")))
            .should_be(format!("client ids with {audience}"))
            .fix(format!(
                "aws iam add-client-id-to-open-id-connect-provider --client-id {} --open-id-connect-provider-arn {needed}",
                shlex::try_quote(audience).unwrap_or_default()
            )),
    )
}

fn missing(question: &TrustQuestion, issuer: &str, needed: &str, all: &[String]) -> Finding {
    if issuer.starts_with("http://") {
        let message = format!("the API server's issuer is {issuer}, and IAM accepts only https");
        return Finding::error(Code(24), message)
            .is(issuer)
            .should_be(format!("https://{}", issuer_name(issuer)))
            .fix("set --service-account-issuer of all API servers to an https URL");
    }
    let account = question.role.account();
    let name = |arn: &str| arn.split_once(":oidc-provider/").map(|(_, name)| name.to_owned());
    let wanted = issuer_name(issuer);
    let similar = all.iter().filter_map(|arn| name(arn)).find(|it| bare(it) == bare(wanted));
    let fix = "podrole oidc provider";
    let Some(other) = similar else {
        return Finding::error(
            Code(23),
            format!("AWS account {account} has no OIDC provider for {issuer}"),
        )
        .should_be(needed)
        .fix(fix);
    };
    let end =
        |it: &str| if it.ends_with('/') { "ends with \"/\"" } else { "does not end with \"/\"" };
    let message = if wanted.ends_with('/') == other.ends_with('/') {
        format!("the API server's issuer is {wanted}, the provider's is {other}")
    } else {
        format!(
            "the API server's issuer {}, the provider's {}",
            end(wanted),
            end(&other).replace("does not end with \"/\"", "does not")
        )
    };
    Finding::error(Code(24), message).is(other).should_be(wanted).fix(fix)
}

/// An issuer without port and slash.
fn bare(issuer: &str) -> String {
    let (host, path) = issuer.split_once('/').unwrap_or((issuer, ""));
    let host = host.split(':').next().unwrap_or(host);
    format!("{}/{}", host.to_lowercase(), path.trim_end_matches('/'))
}

/// A session that is longer than the role, or the second role of a chain, allows.
pub(super) fn judge_duration(
    question: &TrustQuestion,
    role_allows: Option<u32>,
) -> Option<Finding> {
    let wanted = question.duration_seconds?;
    let is_chained = match &question.caller {
        AskingCaller::RoleBefore { .. } => true,
        AskingCaller::Agent(Some(principal)) => principal.is_role(),
        _ => false,
    };
    let role = question.role.name();
    let (most, whose) = match role_allows {
        _ if is_chained && wanted > MOST_IN_CHAIN => (MOST_IN_CHAIN, "a chain of roles".to_owned()),
        Some(allows) if wanted > allows => (allows, role.to_owned()),
        _ => return None,
    };
    let message = format!("durationSeconds {wanted} is over the maximum of {whose}, {most}");
    let finding = Finding::error(Code(33), message)
        .is(format!("durationSeconds {wanted}"))
        .should_be(format!("at most {most}"));
    Some(if is_chained {
        finding.fix("shorten the session; AWS allows a chain one hour")
    } else {
        finding
            .fix(format!("aws iam update-role --role-name {role} --max-session-duration {wanted}"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn question(issuer: &str) -> TrustQuestion {
        TrustQuestion {
            service_account: "shop/app".parse().unwrap(),
            role: "arn:aws:iam::111122223333:role/shop-app".parse().unwrap(),
            caller: AskingCaller::WebIdentity {
                issuer: issuer.to_owned(),
                audiences: vec!["sts.amazonaws.com".to_owned()],
            },
            has_tags: false,
            partition: None,
            duration_seconds: None,
        }
    }

    fn message(issuer: &str, found: Option<&[&str]>, all: &[&str]) -> Option<String> {
        let provider = found.map(|ids| IamOidcProvider {
            url: issuer_name(issuer).to_owned(),
            client_ids: ids.iter().map(|it| (*it).to_owned()).collect(),
        });
        let arn = |name: &&str| format!("arn:aws:iam::111122223333:oidc-provider/{name}");
        let all: Vec<String> = all.iter().map(arn).collect();
        let finding = judge_provider(&question(issuer), provider.as_ref(), &all)?;
        Some(format!("{} {}", finding.code.unwrap(), finding.message))
    }

    #[test]
    fn a_provider_must_exist_under_the_same_name_and_list_the_audience() {
        let issuer = "https://oidc.example.com/id";
        assert_eq!(message(issuer, Some(&["x", "sts.amazonaws.com"]), &[]), None);
        for (issuer, found, all, expected) in [
            (
                issuer,
                Some(&["x"][..]),
                &[][..],
                "PR022 IAM provider arn:aws:iam::111122223333:oidc-provider/oidc.example.com/id does not list audience sts.amazonaws.com",
            ),
            (
                issuer,
                None,
                &["other.example"][..],
                "PR023 AWS account 111122223333 has no OIDC provider for https://oidc.example.com/id",
            ),
            (
                issuer,
                None,
                &["oidc.example.com/id/"][..],
                "PR024 the API server's issuer does not end with \"/\", the provider's ends with \"/\"",
            ),
            (
                "https://oidc.example.com/",
                None,
                &["oidc.example.com"][..],
                "PR024 the API server's issuer ends with \"/\", the provider's does not",
            ),
            (
                "http://oidc.example.com/id",
                None,
                &["oidc.example.com"][..],
                "PR024 the API server's issuer is http://oidc.example.com/id, and IAM accepts only https",
            ),
            (
                "https://oidc.example.com:6443",
                None,
                &["oidc.example.com"][..],
                "PR024 the API server's issuer is oidc.example.com:6443, the provider's is oidc.example.com",
            ),
        ] {
            assert_eq!(message(issuer, found, all).as_deref(), Some(expected));
        }
    }

    #[test]
    fn a_session_may_not_be_longer_than_the_role_or_the_chain_allows() {
        let mut question = question("https://oidc.example.com");
        assert_eq!(judge_duration(&question, Some(3600)), None);
        question.duration_seconds = Some(43_200);
        assert_eq!(judge_duration(&question, Some(43_200)), None);
        let finding = judge_duration(&question, Some(3600)).unwrap();
        assert_eq!(finding.message, "durationSeconds 43200 is over the maximum of shop-app, 3600");
        assert!(finding.fix[0].ends_with("--max-session-duration 43200"));
        let role = "arn:aws:iam::111122223333:role/base".parse().unwrap();
        question.caller = AskingCaller::RoleBefore { role, external_id: None };
        let finding = judge_duration(&question, Some(43_200)).unwrap();
        assert_eq!(
            finding.message,
            "durationSeconds 43200 is over the maximum of a chain of roles, 3600"
        );
    }
}
