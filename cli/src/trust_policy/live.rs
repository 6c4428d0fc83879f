//! The trust policy that AWS has, and what else AWS must have.

use jiff::Timestamp;

use super::{
    fix::FixCommands,
    judge::{PolicySource, judge},
    provider::{judge_duration, judge_provider, needed},
    question::TrustQuestion,
};
use crate::{
    aws_iam::{Iam, IamRole},
    report::{Finding, State},
};

/// The role as AWS has it.
///
/// # Errors
/// The finding says why it is not known, or that there is none.
pub(crate) async fn role(iam: &Iam, question: &TrustQuestion) -> Result<IamRole, Finding> {
    let role = &question.role;
    if iam.account() != role.account() {
        return Err(Finding::unknown(format!(
            "the credentials are of AWS account {}, and the role is of {}; use credentials of that AWS account",
            iam.account(),
            role.account()
        )));
    }
    match iam.role(role).await {
        Ok(Some(found)) if found.arn == role.as_str() => Ok(found),
        Ok(Some(found)) => Err(Finding::new(
            State::Error,
            format!("the role's ARN in AWS is {}, not {role}; paths count", found.arn),
        )),
        Ok(None) => Err(Finding::new(State::Error, format!("there is no role {role} in AWS"))),
        Err(error) => Err(Finding::unknown(format!("{error:#}"))),
    }
}

/// Examines the role's trust policy, its OIDC provider and its maximum session duration.
pub(crate) async fn examine(
    iam: &Iam,
    question: &TrustQuestion,
    fix: &FixCommands,
    now: Timestamp,
) -> Vec<Finding> {
    let role = match role(iam, question).await {
        Ok(role) => role,
        Err(finding) => return vec![finding],
    };
    let mut found = judge(&role.trust_policy, PolicySource::Aws, question, fix, now);
    let others =
        [provider(iam, question).await, judge_duration(question, Some(role.max_session_duration))];
    let others: Vec<Finding> = others.into_iter().flatten().collect();
    // The verdict is the first finding: a right policy does not help without the provider.
    if others.iter().any(|it| it.state == State::Error) {
        found.retain(|it| it.state != State::Ok);
    }
    // Both say that the issuers differ.
    let is_said = |one: &Finding| found.iter().any(|it| it.code.is_some() && it.code == one.code);
    let new: Vec<Finding> = others.into_iter().filter(|it| !is_said(it)).collect();
    found.extend(new);
    found
}

async fn provider(iam: &Iam, question: &TrustQuestion) -> Option<Finding> {
    let needed = needed(question)?;
    let unknown = |error: anyhow::Error| Some(Finding::unknown(format!("{error:#}")));
    let found = match iam.oidc_provider(&needed).await {
        Ok(found) => found,
        Err(error) => return unknown(error),
    };
    let all = match &found {
        Some(_) => Vec::new(),
        None => match iam.oidc_providers().await {
            Ok(all) => all,
            Err(error) => return unknown(error),
        },
    };
    judge_provider(question, found.as_ref(), &all)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{aws_iam::testing::iam, trust_policy::question::AskingCaller};

    const ACCOUNTS: &str = r#"
accounts:
  "111122223333":
    oidcProviders: [{url: https://oidc.example.com, clientIds: [sts.amazonaws.com]}]
    users:
      admin:
        arn: arn:aws:iam::111122223333:user/admin
        keys: [{id: AKIAIOSFODNN7EXAMPLE, secret: secret}]
    roles:
      shop-app:
        arn: arn:aws:iam::111122223333:role/shop-app
        trustPolicy:
          Version: "2012-10-17"
          Statement:
            Effect: Allow
            Principal: {Federated: "arn:aws:iam::111122223333:oidc-provider/oidc.example.com"}
            Action: sts:AssumeRoleWithWebIdentity
            Condition: {StringEquals: {"oidc.example.com:sub": "system:serviceaccount:shop:app"}}
"#;

    fn question(service_account: &str, role: &str, issuer: &str) -> TrustQuestion {
        TrustQuestion {
            service_account: service_account.parse().unwrap(),
            role: role.parse().unwrap(),
            caller: AskingCaller::WebIdentity {
                issuer: issuer.to_owned(),
                audiences: vec!["sts.amazonaws.com".to_owned()],
            },
            has_tags: false,
            partition: None,
            duration_seconds: None,
        }
    }

    #[tokio::test]
    async fn what_aws_has_is_examined() {
        let (iam, _) = iam(ACCOUNTS, "secret").await;
        let role = "arn:aws:iam::111122223333:role/shop-app";
        let issuer = "https://oidc.example.com";
        for (question, expected) in [
            (question("shop/app", role, issuer), vec!["ok"]),
            (question("shop/web", role, issuer), vec!["PR020"]),
            (question("shop/app", role, "https://old.example.com"), vec!["PR021", "PR023"]),
            (question("shop/app", role, "https://oidc.example.com/"), vec!["PR024"]),
            (question("shop/app", "arn:aws:iam::111122223333:role/none", issuer), vec!["ERROR"]),
            (
                question("shop/app", "arn:aws:iam::111122223333:role/x/shop-app", issuer),
                vec!["ERROR"],
            ),
            (
                question("shop/app", "arn:aws:iam::444455556666:role/shop-app", issuer),
                vec!["unknown"],
            ),
            (
                TrustQuestion {
                    duration_seconds: Some(7200),
                    ..question("shop/app", role, issuer)
                },
                vec!["PR033"],
            ),
            (
                TrustQuestion {
                    caller: AskingCaller::WebIdentity {
                        issuer: issuer.to_owned(),
                        audiences: vec!["other".to_owned()],
                    },
                    ..question("shop/app", role, issuer)
                },
                vec!["PR022"],
            ),
        ] {
            let fix = FixCommands::live(question.role.as_str());
            let found = examine(&iam, &question, &fix, Timestamp::UNIX_EPOCH).await;
            let name = |it: &Finding| it.code.map_or(it.state.to_string(), |code| code.to_string());
            let names: Vec<String> = found.iter().map(name).collect();
            assert_eq!(names, expected, "{found:#?}");
        }
    }
}
