//! What an object's conditions say. Pure.

use podrole_identity::{
    Association, Denial, Exchange, Facts, GrantRules, Guardrails, Kind, Labels, NamespaceFacts,
    Patterns, ServiceAccountAnnotations, Sources, Unreadable, denial_of_pattern, grant,
};
use serde_json::Value;

/// Whether an object is accepted, and why.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Verdict {
    pub(super) accepted: bool,
    /// `Valid`, a denial's name, `RolesComeFromEKS` or `LimitExceeded`.
    pub(super) reason: &'static str,
    /// For people, with the fix.
    pub(super) message: String,
    /// The external ID that the target role's trust policy must name.
    pub(super) external_id: Option<String>,
    /// Whether the ServiceAccount exists; `None` for kinds that are for many.
    pub(super) service_account_found: Option<Found>,
}

impl Verdict {
    fn valid(message: String) -> Self {
        Self {
            accepted: true,
            reason: "Valid",
            message,
            external_id: None,
            service_account_found: None,
        }
    }

    fn refused(reason: &'static str, message: String) -> Self {
        Self { accepted: false, reason, ..Self::valid(message) }
    }

    fn unreadable(unreadable: &Unreadable) -> Self {
        Self::refused("UnreadableObject", unreadable.to_string())
    }

    fn from_eks() -> Self {
        let message = "with exchange eks-auth EKS chooses the role, so this object chooses the \
                       credential provider only; create the association in EKS";
        Self::refused("RolesComeFromEKS", message.to_owned())
    }

    fn over_limit(kind: Kind) -> Self {
        let (limit, effect) = (
            podrole_identity::MAX_SELECTING_OBJECTS,
            match kind {
                Kind::Guardrail => "permits no role",
                Kind::Association | Kind::Pattern => "is not used",
            },
        );
        let message =
            format!("there are more than {limit} {kind}s, and this one {effect}; delete some");
        Self::refused("LimitExceeded", message)
    }
}

/// Whether an association's ServiceAccount exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Found {
    Yes,
    No,
    /// Not even its namespace.
    NoNamespace,
}

/// What all objects are judged by.
pub(super) struct World<'a> {
    pub(super) rules: &'a GrantRules,
    pub(super) guardrails: &'a Guardrails,
}

/// An association is judged as the resolver judges it for a pod of its ServiceAccount.
pub(super) fn association(
    found: &Result<Association, Unreadable>,
    namespace: Option<&NamespaceFacts>,
    service_account_exists: bool,
    world: &World<'_>,
) -> Verdict {
    let association = match found {
        Ok(association) => association,
        Err(unreadable) => return Verdict::unreadable(unreadable),
    };
    let (annotations, labels) = (ServiceAccountAnnotations::default(), Labels::new());
    let none = NamespaceFacts::default();
    let sources = Sources {
        association: Some(Ok(association)),
        listed: None,
        annotations: &annotations,
        role_map: None,
    };
    let facts = Facts {
        service_account: &association.service_account,
        labels: &labels,
        sources,
        patterns: Patterns::none(),
        guardrails: world.guardrails,
        namespace: namespace.unwrap_or(&none),
        provider: None,
    };
    let granted = grant(&facts, world.rules);
    let external_id = granted.as_ref().ok().and_then(Option::as_ref);
    let external_id = external_id.and_then(|grant| grant.steps.last()?.external_id.clone());
    let verdict = match granted {
        _ if world.rules.exchange == Exchange::EksAuth => Verdict::from_eks(),
        Ok(_) => Verdict::valid(format!("pods of {} get the role", association.service_account)),
        Err(denial) => denied(&denial),
    };
    let found = match (service_account_exists, namespace) {
        (true, _) => Found::Yes,
        (false, Some(_)) => Found::No,
        (false, None) => Found::NoNamespace,
    };
    Verdict { external_id, service_account_found: Some(found), ..verdict }
}

fn denied(denial: &Denial) -> Verdict {
    Verdict::refused(denial.reason.name(), denial.to_string())
}

/// A pattern is judged by its own text: what it gives differs from ServiceAccount to ServiceAccount.
pub(super) fn pattern(
    name: &str,
    spec: &Value,
    patterns: &Patterns,
    rules: &GrantRules,
) -> Verdict {
    if patterns.over_limit().iter().any(|it| it == name) {
        return Verdict::over_limit(Kind::Pattern);
    }
    let unreadable = patterns.unreadable().find(|it| it.name == name);
    match unreadable {
        Some(unreadable) => Verdict::unreadable(unreadable),
        None if rules.exchange == Exchange::EksAuth => Verdict::from_eks(),
        None => match denial_of_pattern(name, spec, rules) {
            Some(denial) => denied(&denial),
            None => Verdict::valid("pods of the selected ServiceAccounts get the role".to_owned()),
        },
    }
}

/// A guard-rail is judged by its own text.
pub(super) fn guardrail(name: &str, guardrails: &Guardrails) -> Verdict {
    if guardrails.over_limit().any(|it| it == name) {
        return Verdict::over_limit(Kind::Guardrail);
    }
    match guardrails.unreadable().find(|it| it.name == name) {
        Some(unreadable) => Verdict::unreadable(unreadable),
        None => Verdict::valid("the selected namespaces are limited to the roles".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use podrole_identity::{ClusterId, RawObject};
    use serde_json::json;

    const ROLE: &str = "arn:aws:iam::111122223333:role/app";

    fn raw<'a>(name: &'a str, spec: &'a serde_json::Value) -> RawObject<'a> {
        RawObject { name, created: None, spec }
    }

    fn judge(more: &serde_json::Value, rules: &GrantRules, permitted: Option<&str>) -> Verdict {
        let mut spec = json!({"namespace": "shop", "serviceAccount": "app", "roleARN": ROLE});
        spec.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let found = Association::read_object("shop.app", &spec);
        let namespace = NamespaceFacts {
            permitted: podrole_identity::PermittedRoles::read(permitted),
            ..NamespaceFacts::default()
        };
        let world = World { rules, guardrails: Guardrails::none() };
        association(&found, Some(&namespace), true, &world)
    }

    #[test]
    fn an_association_says_what_its_pods_get() {
        let web = GrantRules::default();
        let assume = GrantRules { exchange: Exchange::AssumeRole, ..web.clone() };
        let eks = GrantRules { exchange: Exchange::EksAuth, ..web.clone() };
        for (more, rules, permitted, reason) in [
            (json!({}), &web, None, "Valid"),
            (json!({}), &eks, None, "RolesComeFromEKS"),
            (json!({}), &web, Some(""), "NotPermitted"),
            (
                json!({"policy": "{}", "disableSessionTags": true}),
                &web,
                None,
                "PolicyNotEnforceable",
            ),
            (
                json!({"policy": "{}}", "disableSessionTags": true}),
                &assume,
                None,
                "MalformedPolicy",
            ),
            (json!({"targetRoleARN": ROLE}), &web, None, "NoExternalID"),
            (json!({"x": 1}), &web, None, "UnreadableObject"),
        ] {
            let verdict = judge(&more, rules, permitted);
            assert_eq!((verdict.reason, verdict.accepted), (reason, reason == "Valid"), "{more}");
            assert!(verdict.message.len() > 10);
        }
    }

    #[test]
    fn the_effective_external_id_is_shown() {
        let arn = "arn:aws:eks:eu-west-1:111122223333:cluster/shop-1";
        let cluster = ClusterId::new("shop-1", arn).ok();
        let rules = GrantRules { cluster, ..GrantRules::default() };
        let made = judge(&json!({"targetRoleARN": ROLE}), &rules, None).external_id;
        assert_eq!(made.as_deref(), Some("eu-west-1/111122223333/shop-1/shop/app"));
        let own = json!({"targetRoleARN": ROLE, "externalID": "mine"});
        assert_eq!(judge(&own, &rules, None).external_id.as_deref(), Some("mine"));
        assert_eq!(judge(&json!({}), &rules, None).external_id, None);
    }

    #[test]
    fn the_201st_of_a_kind_that_selects_says_so() {
        let names: Vec<String> = (0..201).map(|index| format!("p{index:03}")).collect();
        let spec = json!({"namespaces": ["shop"], "roleARN": ROLE});
        let patterns = Patterns::read(names.iter().map(|name| raw(name, &spec)));
        let rules = GrantRules::default();
        assert_eq!(pattern("p200", &spec, &patterns, &rules).reason, "LimitExceeded");
        let policy = json!({"namespaces": ["a"], "roleARN": ROLE, "policy": "{}",
            "disableSessionTags": true});
        assert_eq!(pattern("p199", &policy, &patterns, &rules).reason, "PolicyNotEnforceable");
        assert_eq!(pattern("p199", &spec, &patterns, &rules).reason, "Valid");
        let spec = json!({"namespaces": ["shop"], "permittedRoles": []});
        let rails = Guardrails::read(names.iter().map(|name| raw(name, &spec)));
        assert_eq!(guardrail("p200", &rails).reason, "LimitExceeded");
        let spec = json!({"namespaces": ["shop"], "permittedRoles": [], "x": 1});
        assert_eq!(guardrail("r", &Guardrails::read([raw("r", &spec)])).reason, "UnreadableObject");
    }
}
