//! What `fuzz/` runs on any bytes: guard-rails and association lists. A broken rule is a panic.
#![allow(clippy::unwrap_used, reason = "a broken rule is a panic")]

use crate::{AssociationList, PermittedRoles, RoleArn};

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

#[cfg(test)]
mod tests {
    type Target = fn(&[u8]);

    /// The seeds of `fuzz/`, so that they stay what they are for.
    #[test]
    fn every_seed_keeps_the_rules() {
        let targets: [(&str, Target); 2] = [
            ("permitted_roles", super::permitted_roles),
            ("association_list", super::association_list),
        ];
        for (name, target) in targets {
            let seeds = format!("{}/../fuzz/seeds/{name}", env!("CARGO_MANIFEST_DIR"));
            for seed in std::fs::read_dir(seeds).unwrap() {
                target(&std::fs::read(seed.unwrap().path()).unwrap());
            }
        }
    }
}
