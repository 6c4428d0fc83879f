//! The caller's ServiceAccount, and the session for it. Which role it gets is tested in the
//! identity crate.

use super::*;
use crate::{
    exchange::SessionRequest,
    tests::fixture::{ROLE, caller},
};
use podrole_identity::{
    AnnotationPrefix, Association, AssociationList, ClusterId, Denial, Exchange, GrantRules,
    Guardrails, Partition, Patterns, PermittedRoles, RoleArn, ServiceAccountAnnotations,
};

mod denied;
mod service_account;
mod sessions;

const TARGET: &str = "arn:aws:iam::444455556666:role/target";
const ARN: &str = "arn:aws:eks:eu-west-1:111122223333:cluster/shop-1";

fn sessions(exchange: Exchange) -> Sessions {
    Sessions {
        rules: GrantRules {
            exchange,
            partition: Some(Partition::of_region("eu-west-1")),
            cluster: Some(ClusterId::new("shop-1", ARN).unwrap()),
            ..GrantRules::default()
        },
        session_name: "{pod.namespace}.{serviceaccount.name}".parse().unwrap(),
        annotation_prefix: AnnotationPrefix::default(),
        association_objects: false,
        audience: exchange.audience(),
    }
}

fn facts(annotations: &[(&str, &str)]) -> ServiceAccountFacts {
    let annotations = annotations.iter();
    let annotations = annotations
        .map(|(name, value)| (format!("eks.amazonaws.com/{name}"), (*value).to_owned()))
        .collect();
    ServiceAccountFacts {
        uid: "sa-uid".to_owned(),
        annotations: ServiceAccountAnnotations::read(&annotations, &AnnotationPrefix::default()),
        ..ServiceAccountFacts::default()
    }
}

/// The entry of shop/app with these fields besides its role.
fn association(fields: &str) -> Association {
    let text = format!(
        r#"{{"identities":[{{"namespace":"shop","serviceAccount":"app","roleArn":"{ROLE}"{fields}}}]}}"#
    );
    let list = AssociationList::read(&text).unwrap();
    list.find(&"shop/app".parse().unwrap()).unwrap().clone()
}

fn namespace(permitted: Option<&str>) -> NamespaceFacts {
    NamespaceFacts { permitted: PermittedRoles::read(permitted), ..NamespaceFacts::default() }
}

/// What a caller gets by an association, without annotations.
fn by_association(
    sessions: &Sessions,
    association: &Association,
) -> Result<Decision, ResolveError> {
    let (caller, facts, namespace) = (caller(), facts(&[]), namespace(None));
    let request = RequestFacts {
        caller: &caller,
        service_account: Some(&facts),
        association: None,
        listed: Some(association),
        patterns: Patterns::none(),
        guardrails: Guardrails::none(),
        namespace: &namespace,
    };
    decide(&request, sessions)
}

/// What a caller gets by annotations alone.
fn by_annotation(
    sessions: &Sessions,
    facts: &ServiceAccountFacts,
    namespace: &NamespaceFacts,
) -> Result<Decision, ResolveError> {
    let caller = caller();
    decide(
        &RequestFacts {
            caller: &caller,
            service_account: Some(facts),
            association: None,
            listed: None,
            patterns: Patterns::none(),
            guardrails: Guardrails::none(),
            namespace,
        },
        sessions,
    )
}

fn roles(session: &SessionRequest) -> Vec<&str> {
    session.steps.iter().map(|step| step.role.as_str()).collect()
}
