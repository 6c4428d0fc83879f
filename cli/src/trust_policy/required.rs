//! The statements for several ServiceAccounts.

use std::collections::BTreeSet;

use podrole_identity::{RequiredTrust, TrustCondition, TrustOperator};

use super::question::TrustQuestion;

/// How the keys end that name the ServiceAccount.
pub(super) const NAMING: [&str; 2] = [":sub", "/kubernetes-service-account"];

/// As few statements as possible, in the order of the ServiceAccounts. Session tags of two namespaces
/// need two statements: one would also accept each name in the other namespace.
pub(super) fn statements(questions: &[TrustQuestion], whole_namespace: bool) -> Vec<RequiredTrust> {
    let mut sorted: Vec<_> = questions.iter().collect();
    sorted.sort_by(|a, b| a.service_account.cmp(&b.service_account));
    let mut statements: Vec<RequiredTrust> = Vec::new();
    for question in sorted {
        let mut required = question.required();
        if whole_namespace {
            widen(&mut required, question.service_account.namespace());
        }
        if !statements.iter_mut().any(|statement| merge(statement, &required)) {
            statements.push(required);
        }
    }
    statements
}

/// Adds the ServiceAccounts of one statement to another that differs in nothing else.
fn merge(statement: &mut RequiredTrust, other: &RequiredTrust) -> bool {
    let is_naming = |one: &TrustCondition| NAMING.iter().any(|end| one.key.ends_with(end));
    let is_same = statement.principal == other.principal
        && statement.actions == other.actions
        && statement.conditions.len() == other.conditions.len()
        && statement.conditions.iter().zip(&other.conditions).all(|(one, other)| {
            one == other || one.operator == other.operator && one.key == other.key && is_naming(one)
        });
    if is_same {
        for (one, other) in statement.conditions.iter_mut().zip(&other.conditions) {
            let values: BTreeSet<_> = one.values.iter().chain(&other.values).cloned().collect();
            one.values = values.into_iter().collect();
        }
    }
    is_same
}

/// Lets all ServiceAccounts of the namespace in.
fn widen(required: &mut RequiredTrust, namespace: &str) {
    required.conditions.retain(|one| !one.key.ends_with(NAMING[1]));
    for condition in required.conditions.iter_mut().filter(|one| one.key.ends_with(NAMING[0])) {
        condition.operator = TrustOperator::StringLike;
        condition.values = vec![format!("system:serviceaccount:{namespace}:*")];
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trust_policy::question::AskingCaller;

    fn question(service_account: &str, caller: AskingCaller) -> TrustQuestion {
        TrustQuestion {
            service_account: service_account.parse().unwrap(),
            role: "arn:aws:iam::111122223333:role/app".parse().unwrap(),
            has_tags: true,
            partition: None,
            duration_seconds: None,
            caller,
        }
    }

    fn by_token(service_account: &str) -> TrustQuestion {
        let caller = AskingCaller::WebIdentity {
            issuer: "https://oidc.example.com".to_owned(),
            audiences: vec!["sts.amazonaws.com".to_owned()],
        };
        question(service_account, caller)
    }

    #[test]
    fn tokens_of_all_namespaces_fit_in_one_statement() {
        let all = ["shop/web", "bill/app", "shop/app"].map(by_token);
        let statements = statements(&all, false);
        assert_eq!(statements.len(), 1);
        assert_eq!(
            statements[0].conditions[0].values,
            [
                "system:serviceaccount:bill:app",
                "system:serviceaccount:shop:app",
                "system:serviceaccount:shop:web"
            ]
        );
    }

    #[test]
    fn session_tags_need_a_statement_for_each_namespace() {
        let all = ["shop/web", "bill/app", "shop/app"]
            .map(|it| question(it, AskingCaller::EksAuth(None)));
        let names: Vec<_> = statements(&all, false).into_iter().map(|it| it.conditions).collect();
        assert_eq!(names.len(), 2);
        assert_eq!(names[1][0].values, ["shop"]);
        assert_eq!(names[1][1].values, ["app", "web"]);
    }

    #[test]
    fn a_wildcard_covers_one_namespace() {
        let wide = statements(&["shop/web", "shop/app"].map(by_token), true);
        assert_eq!(wide.len(), 1);
        let subject = &wide[0].conditions[0];
        assert_eq!(subject.operator, TrustOperator::StringLike);
        assert_eq!(subject.values, ["system:serviceaccount:shop:*"]);
        let tags = statements(&[question("shop/app", AskingCaller::EksAuth(None))], true);
        assert_eq!(tags[0].conditions.len(), 1);
    }
}
