//! Which of its causes a token's rejection has, by STS's own words, and how to fix that one. Pure.

use podrole_identity::{Exchange, NO_SANDBOX_ACCOUNT, RoleArn, provider_arn};

use crate::{exchange::SessionRequest, token::Caller};

/// The longest key ID that is shown whole. Kubernetes' have 43 characters.
const LONGEST_KEY_ID: usize = 64;

/// Why STS rejects a web identity token. It has one code for all of them, and a sentence for each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cause {
    /// The sandbox's configuration does not name the role's AWS account.
    NoSandboxAccount,
    /// The role's AWS account has no OIDC provider for the issuer.
    NoProvider,
    /// The OIDC provider does not list the audience.
    Audience,
    /// STS cannot read the issuer's keys, or the token's is not among them.
    Key,
    /// The published key of that ID did not sign the token.
    Signature,
    /// STS's clock is behind the token's times.
    NotYetValid,
    /// None that is known here.
    Other,
}

impl Cause {
    fn of(message: &str) -> Self {
        let message = message.to_ascii_lowercase();
        let has = |words: &[&str]| words.iter().any(|word| message.contains(word));
        match () {
            // Its sentence begins like the next one.
            () if has(&[&NO_SANDBOX_ACCOUNT.to_ascii_lowercase()]) => Self::NoSandboxAccount,
            () if has(&["openidconnect provider", "openid connect provider"]) => Self::NoProvider,
            () if has(&["audience"]) => Self::Audience,
            () if has(&["verification key", "kid"]) => Self::Key,
            () if has(&["signature"]) => Self::Signature,
            () if has(&["not valid yet", "not yet valid", "issued", "future"]) => Self::NotYetValid,
            () => Self::Other,
        }
    }
}

/// The message for the pod's owner.
pub(super) fn token_hint(
    message: &str,
    kind: Exchange,
    caller: &Caller,
    session: &SessionRequest,
) -> String {
    let service_account = &caller.service_account;
    let (Exchange::WebIdentity, Some(role)) = (kind, session.role(0)) else {
        return format!(
            "EKS does not accept the token of ServiceAccount {service_account}; set the agent's \
             --cluster-name to the cluster that issued it, and send the current content of the \
             token file"
        );
    };
    let (cause, fix) = web_identity(Cause::of(message), caller, role);
    format!("AWS does not accept the token of ServiceAccount {service_account}{cause}; {fix}")
}

/// The cause, after a colon, and its fix.
fn web_identity(cause: Cause, caller: &Caller, role: &RoleArn) -> (String, String) {
    let (issuer, account) = (&caller.issuer, role.account());
    let provider = provider_arn(role.partition(), account, issuer);
    let audiences = caller.audiences.join(" or ");
    let key_id = caller.key_id.as_deref().unwrap_or("none");
    let key_id: String = key_id.chars().take(LONGEST_KEY_ID).collect();
    match cause {
        Cause::NoSandboxAccount => (
            format!(": the sandbox has no AWS account {account}"),
            "add it to the chart's local.accounts, or correct the role's ARN".to_owned(),
        ),
        Cause::NoProvider => (
            format!(": the AWS account {account} has no OIDC provider for its issuer {issuer}"),
            format!("create {provider} with the client ID {audiences}"),
        ),
        Cause::Audience => (
            format!(": {provider} does not list its audience {audiences}"),
            "add it to the provider's client IDs, or set the chart's tokenAudience".to_owned(),
        ),
        Cause::Key => (
            format!(": AWS does not get the key {key_id} that signed it from {issuer}"),
            "publish there what `kubectl get --raw /openid/v1/jwks` prints, so that AWS can read it"
                .to_owned(),
        ),
        Cause::Signature => (
            format!(": the key {key_id} that {issuer} publishes did not sign it"),
            "publish there what `kubectl get --raw /openid/v1/jwks` prints; two clusters may share \
             this issuer"
                .to_owned(),
        ),
        Cause::NotYetValid => (
            ": it was issued in the future by AWS's clock".to_owned(),
            "set the clock of the cluster's API servers, and retry".to_owned(),
        ),
        Cause::Other => (
            String::new(),
            format!(
                "create the OIDC provider {provider} in the AWS account {account} with the client ID \
                 {audiences}, and publish the issuer's keys where AWS can read them"
            ),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        exchange::RoleStep,
        tests::fixture::{ROLE, caller},
    };

    fn hint(message: &str) -> String {
        let role = ROLE.parse().unwrap();
        let step = RoleStep { role, external_id: None, policy: None, duration_seconds: None };
        let session_name = "shop.app".parse().unwrap();
        let session = SessionRequest { session_name, steps: vec![step], tags: Vec::new() };
        token_hint(message, Exchange::WebIdentity, &caller(), &session)
    }

    #[test]
    fn each_sentence_of_sts_has_one_cause() {
        for (message, words) in [
            (
                "No OpenIDConnect provider found in your account for https://oidc.example.test",
                &["has no OIDC provider for its issuer https://", "client ID sts.amazonaws.com"][..],
            ),
            (
                "No OpenIDConnect provider found in your account for https://oidc.example.test: this \
                 sandbox does not have the AWS account 111122223333; add it to ...",
                &[
                    "the sandbox has no AWS account 111122223333",
                    "add it to the chart's local.accounts",
                ],
            ),
            ("Incorrect token audience", &["does not list its audience sts.amazonaws.com"]),
            (
                "Couldn't retrieve verification key from your identity provider,  please reference \
                 AssumeRoleWithWebIdentity documentation for requirements",
                &["does not get the key rsa that signed it", "kubectl get --raw /openid/v1/jwks"],
            ),
            ("The ID Token's signature is invalid", &["the key rsa that https://", "did not sign"]),
            ("The ID Token is not valid yet", &["issued in the future by AWS's clock"]),
            ("Something new", &["create the OIDC provider arn:aws:iam::"]),
        ] {
            let hint = hint(message);
            for word in words {
                assert!(hint.contains(word), "{message}: {hint}");
            }
            assert!(hint.starts_with("AWS does not accept the token of ServiceAccount shop/app"));
            let causes =
                ["no OIDC provider", "no AWS account", "audience ", "the key ", "in the future"];
            assert!(causes.iter().filter(|it| hint.contains(**it)).count() <= 1, "{hint}");
        }
    }

    #[test]
    fn words_of_aws_are_not_passed_on() {
        assert!(
            !hint("Incorrect token audience of arn:aws:iam::999999999999:role/x").contains("9999")
        );
    }
}
