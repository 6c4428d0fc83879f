//! What `fuzz/` runs on any bytes: guard-rails, association lists and podrole's own kinds. A broken rule is a panic.
#![allow(clippy::unwrap_used, reason = "a broken rule is a panic")]

use crate::{
    Association, AssociationList, Denial, DenialReason, Facts, Grant, GrantRules, Guardrails,
    Labels, NamespaceFacts, Patterns, PermittedRoles, RawObject, RoleArn,
    ServiceAccountAnnotations, Sources, grant,
};

/// A guard-rail in the first line, and a role after it.
pub fn permitted_roles(data: &[u8]) {
    let Ok(text) = str::from_utf8(data) else {
        return;
    };
    let (guard_rail, role) = text.split_once('\n').unwrap_or((text, ""));
    let Ok(role) = role.parse::<RoleArn>() else {
        return;
    };
    let arn = role.as_str().as_bytes();
    let patterns = guard_rail.split(|c: char| c == ',' || c.is_whitespace());
    let any_matches = patterns.filter(|it| !it.is_empty()).any(|it| reaches(it.as_bytes(), arn));
    match PermittedRoles::read(Some(guard_rail)) {
        PermittedRoles::Only(_) => assert_eq!(permits(guard_rail, &role), any_matches),
        _ => assert!(!permits(guard_rail, &role), "a malformed guard-rail permits {role}"),
    }
}

fn permits(guard_rail: &str, role: &RoleArn) -> bool {
    PermittedRoles::read(Some(guard_rail)).permits(role)
}

/// Whether the pattern matches, decided in another way: by all places that each of its bytes can lead to.
fn reaches(pattern: &[u8], text: &[u8]) -> bool {
    let mut places = vec![false; text.len() + 1];
    places[0] = true;
    for byte in pattern {
        let mut next = vec![false; text.len() + 1];
        for at in 0..=text.len() {
            let before = at.checked_sub(1).map(|at| text[at]);
            let from = |places: &[bool]| at > 0 && places[at - 1];
            next[at] = match (byte, before) {
                (b'*', before) => places[at] || from(&next) && before != Some(b':'),
                (b'?', Some(before)) => from(&places) && before != b':',
                (byte, before) => from(&places) && before == Some(*byte),
            };
        }
        places = next;
    }
    places[text.len()]
}

/// A list of associations, as a file. It finds no ServiceAccount that it does not name.
pub fn association_list(data: &[u8]) {
    let Ok(text) = str::from_utf8(data) else {
        return;
    };
    if let Ok(list) = AssociationList::read(text) {
        let absent = list.find(&"absent/absent".parse().unwrap());
        // With an escape a name can be written in another way.
        assert!(absent.is_none() || text.contains("absent") || text.contains('\\'));
        assert!(list.len() <= text.matches('{').count());
    }
}

/// A JSON object with the specs of an `association`, a `pattern` and a `guardrail`. No spec grants a role
/// of which its own text, or the pattern's template, does not name the account, and an empty guard-rail for
/// all namespaces permits none.
pub fn kinds(data: &[u8]) {
    let Ok(specs) = serde_json::from_slice::<serde_json::Value>(data) else {
        return;
    };
    let association = Association::read_object("shop.app", &specs["association"]);
    let association = Some(association).filter(|_| !specs["association"].is_null());
    let raw = |kind: &str| {
        let spec = &specs[kind];
        let object = RawObject { name: "any", created: None, spec };
        Some(object).filter(|_| !spec.is_null())
    };
    let (patterns, rails) = (Patterns::read(raw("pattern")), Guardrails::read(raw("guardrail")));
    let none = serde_json::json!({"namespaces": ["*"], "permittedRoles": []});
    let nothing = Guardrails::read([RawObject { name: "none", created: None, spec: &none }]);
    for rules in [GrantRules::default(), GrantRules { partition: None, ..GrantRules::default() }] {
        let decided = decide(association.as_ref(), &patterns, &rails, &rules);
        if let Ok(Some(grant)) = decided {
            let text = specs.to_string();
            assert!(grant.steps.iter().all(|step| text.contains(step.role.account())), "{text}");
        }
        match decide(association.as_ref(), &patterns, &nothing, &rules) {
            Ok(granted) => {
                assert!(granted.is_none(), "a guard-rail that permits nothing permits {granted:?}");
                assert!(association.is_none());
            }
            Err(denial) => assert!(denial.summary().chars().count() <= 120, "{denial}"),
        }
        let unreadable = matches!(&association, Some(Err(_)));
        let is_unknown = |denial: &Denial| matches!(denial.reason, DenialReason::Unreadable(_));
        let decided = decide(association.as_ref(), &patterns, &rails, &rules);
        assert!(!unreadable || decided.is_err_and(|denial| is_unknown(&denial)));
    }
}

fn decide(
    association: Option<&Result<Association, crate::Unreadable>>,
    patterns: &Patterns,
    guardrails: &Guardrails,
    rules: &GrantRules,
) -> Result<Option<Grant>, Denial> {
    let annotations = ServiceAccountAnnotations::default();
    let sources = Sources {
        association: association.map(Result::as_ref),
        listed: None,
        annotations: &annotations,
        role_map: None,
    };
    let facts = Facts {
        service_account: &"shop/app".parse().unwrap(),
        labels: &Labels::new(),
        sources,
        patterns,
        guardrails,
        namespace: &NamespaceFacts::default(),
        provider: None,
    };
    grant(&facts, rules)
}

#[cfg(test)]
mod tests {
    type Target = fn(&[u8]);

    /// The seeds of `fuzz/`, so that they stay what they are for.
    #[test]
    fn every_seed_keeps_the_rules() {
        let targets: [(&str, Target); 3] = [
            ("permitted_roles", super::permitted_roles),
            ("association_list", super::association_list),
            ("kinds", super::kinds),
        ];
        for (name, target) in targets {
            let seeds = format!("{}/../fuzz/seeds/{name}", env!("CARGO_MANIFEST_DIR"));
            for seed in std::fs::read_dir(seeds).unwrap() {
                target(&std::fs::read(seed.unwrap().path()).unwrap());
            }
        }
    }
}
