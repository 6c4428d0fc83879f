//! A trust policy as JSON, into which statements are added. What is there stays as it is, order included.

use std::collections::BTreeSet;

use podrole_identity::{RequiredTrust, TrustCondition, TrustedPrincipal};
use serde_json::{Map, Value, json};

use super::required::NAMING;

/// Characters of a trust policy without blanks that IAM accepts before the quota is raised.
pub(crate) const QUOTA: usize = 2048;

/// A document without statements.
pub(crate) fn empty() -> Value {
    json!({"Version": "2012-10-17", "Statement": []})
}

/// Adds a statement to a policy, unless it has it. A statement that differs only in the
/// ServiceAccounts that it names gets these too.
pub(crate) fn add(policy: &mut Value, required: &RequiredTrust) {
    let Some(policy) = policy.as_object_mut() else { return };
    let statements = policy.entry("Statement").or_insert_with(|| json!([]));
    if !statements.is_array() {
        *statements = Value::Array(vec![statements.take()]);
    }
    let Some(statements) = statements.as_array_mut() else { return };
    if statements.iter_mut().any(|statement| merge(statement, required)) {
        return;
    }
    statements.push(statement(required));
}

/// The statement as IAM writes it.
fn statement(required: &RequiredTrust) -> Value {
    let (kind, name) = principal(&required.principal);
    let actions = required.actions.iter().map(|it| (*it).to_owned()).collect();
    let mut statement =
        json!({"Effect": "Allow", "Principal": {kind: name}, "Action": one_or_many(actions)});
    let mut conditions = Map::new();
    for TrustCondition { operator, key, values } in &required.conditions {
        let keys = conditions.entry(operator.as_str()).or_insert_with(|| json!({}));
        keys[key.as_str()] = one_or_many(values.clone());
    }
    if !conditions.is_empty() {
        statement["Condition"] = Value::Object(conditions);
    }
    statement
}

fn principal(principal: &TrustedPrincipal) -> (&'static str, String) {
    match principal {
        TrustedPrincipal::Federated(arn) => ("Federated", arn.clone()),
        TrustedPrincipal::Aws(arn) => ("AWS", arn.clone()),
        TrustedPrincipal::Agent => ("AWS", String::new()),
        TrustedPrincipal::Service(domain) => ("Service", (*domain).to_owned()),
    }
}

fn one_or_many(mut values: Vec<String>) -> Value {
    match values.len() {
        1 => Value::String(values.remove(0)),
        _ => values.into(),
    }
}

/// Whether the statement is the required one after its values were extended, if that was possible.
fn merge(statement: &mut Value, required: &RequiredTrust) -> bool {
    let known = ["Sid", "Effect", "Principal", "Action", "Condition"];
    let Some(elements) = statement.as_object() else { return false };
    let (kind, name) = principal(&required.principal);
    let is_same = elements.keys().all(|key| known.contains(&key.as_str()))
        && elements.get("Effect") == Some(&json!("Allow"))
        && elements.get("Principal").is_some_and(|it| is_only(it, kind, &name))
        && texts(elements.get("Action"))
            == required.actions.iter().map(|it| (*it).to_owned()).collect();
    if !is_same {
        return false;
    }
    let found = conditions(elements.get("Condition"));
    let wanted = required.conditions.iter();
    let wanted: Vec<_> = wanted
        .map(|it| (it.operator.as_str(), it.key.as_str(), it.values.iter().cloned().collect()))
        .collect();
    if found.len() != wanted.len() {
        return false;
    }
    let mut extended = None;
    for (operator, key, values) in wanted {
        let values: BTreeSet<String> = values;
        let same = found.iter().find(|it| it.0 == operator && it.1 == key);
        match same {
            Some((_, _, held)) if *held == values => {}
            Some((_, _, held))
                if NAMING.iter().any(|end| key.ends_with(end)) && !held.is_empty() =>
            {
                extended = Some((operator, key, held.union(&values).cloned().collect()));
            }
            _ => return false,
        }
    }
    if let Some((operator, key, values)) = extended {
        statement["Condition"][operator][key] = one_or_many(values);
    }
    true
}

fn is_only(principal: &Value, kind: &str, name: &str) -> bool {
    let kinds = principal.as_object();
    kinds
        .is_some_and(|kinds| kinds.len() == 1 && texts(kinds.get(kind)) == [name.to_owned()].into())
}

fn conditions(condition: Option<&Value>) -> Vec<(String, String, BTreeSet<String>)> {
    let mut found = Vec::new();
    for (operator, keys) in condition.and_then(Value::as_object).into_iter().flatten() {
        for (key, values) in keys.as_object().into_iter().flatten() {
            found.push((operator.clone(), key.clone(), texts(Some(values))));
        }
    }
    found
}

/// The texts of a value or list; empty for everything else.
fn texts(value: Option<&Value>) -> BTreeSet<String> {
    let values = match value {
        Some(Value::Array(values)) => values.iter().collect(),
        Some(value) => vec![value],
        None => Vec::new(),
    };
    let texts = values.iter().map(|it| it.as_str().map(str::to_owned));
    texts.collect::<Option<_>>().unwrap_or_default()
}

/// The length that IAM counts against its quota.
pub(crate) fn length(policy: &Value) -> usize {
    policy.to_string().chars().count()
}

#[cfg(test)]
mod tests {
    use podrole_identity::RoleArn;

    use super::*;

    const PROVIDER: &str = "arn:aws:iam::111122223333:oidc-provider/oidc.example.com";

    fn required(service_account: &str) -> RequiredTrust {
        let role: RoleArn = "arn:aws:iam::111122223333:role/app".parse().unwrap();
        let account = service_account.parse().unwrap();
        RequiredTrust::web_identity(
            "https://oidc.example.com",
            &role,
            [&account],
            ["sts.amazonaws.com"],
        )
    }

    fn ours(subject: &Value) -> Value {
        json!({"Effect": "Allow", "Principal": {"Federated": PROVIDER}, "Action": "sts:AssumeRoleWithWebIdentity",
            "Condition": {"StringEquals": {"oidc.example.com:sub": subject, "oidc.example.com:aud": "sts.amazonaws.com"}}})
    }

    #[test]
    fn an_empty_document_gets_the_statement() {
        let mut policy = empty();
        add(&mut policy, &required("shop/app"));
        let expected = json!({"Version": "2012-10-17",
            "Statement": [ours(&json!("system:serviceaccount:shop:app"))]});
        assert_eq!(policy.to_string(), expected.to_string());
        add(&mut policy, &required("shop/app"));
        assert_eq!(policy, expected);
        assert_eq!(length(&policy), policy.to_string().len());
    }

    #[test]
    fn other_statements_stay_with_their_order_and_a_single_one_becomes_a_list() {
        let other = json!({"Sid": "Other", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole",
            "Effect": "Allow"});
        let mut policy = json!({"Statement": other, "Version": "2012-10-17", "Id": "x"});
        add(&mut policy, &required("shop/app"));
        let expected = json!({"Statement": [other, ours(&json!("system:serviceaccount:shop:app"))],
            "Version": "2012-10-17", "Id": "x"});
        assert_eq!(policy.to_string(), expected.to_string());
    }

    #[test]
    fn a_statement_for_other_service_accounts_only_gets_one_more() {
        let mut before = ours(&json!("system:serviceaccount:shop:web"));
        before["Sid"] = json!("Pods");
        before["Action"] = json!(["sts:AssumeRoleWithWebIdentity"]);
        let mut policy = json!({"Version": "2012-10-17", "Statement": [before]});
        add(&mut policy, &required("shop/app"));
        assert_eq!(policy["Statement"].as_array().unwrap().len(), 1);
        assert_eq!(
            policy["Statement"][0]["Condition"]["StringEquals"]["oidc.example.com:sub"],
            json!(["system:serviceaccount:shop:app", "system:serviceaccount:shop:web"])
        );
    }

    #[test]
    fn a_statement_that_means_something_else_is_never_changed() {
        let base = ours(&json!("system:serviceaccount:shop:web"));
        let changed = |change: &dyn Fn(&mut Value)| {
            let mut one = base.clone();
            change(&mut one);
            one
        };
        for other in [
            changed(&|it| it["Effect"] = json!("Deny")),
            changed(&|it| it["Action"] = json!("sts:*")),
            changed(&|it| it["Principal"] = json!("*")),
            changed(&|it| it["Principal"]["AWS"] = json!("111122223333")),
            changed(&|it| it["Condition"]["StringEquals"]["oidc.example.com:aud"] = json!("other")),
            changed(&|it| it["Condition"]["Bool"] = json!({"aws:MultiFactorAuthPresent": "true"})),
            changed(&|it| it["Condition"] = json!({})),
        ] {
            let mut policy = json!({"Version": "2012-10-17", "Statement": [other]});
            add(&mut policy, &required("shop/app"));
            assert_eq!(policy["Statement"].as_array().unwrap().len(), 2, "{policy}");
            assert_eq!(policy["Statement"][0], other);
        }
    }
}
