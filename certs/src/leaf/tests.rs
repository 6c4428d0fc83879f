use super::*;
use crate::RotationStep;

const NAME: &str = "podrole-webhook.podrole.svc";
const LIFETIMES: Lifetimes = Lifetimes {
    authority: Duration::from_secs(365 * 86_400),
    leaf: Duration::from_secs(300),
    published: Duration::from_secs(60),
};

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + seconds).unwrap()
}

/// A leaf of `ca_bundle`, issued at second 0.
fn leaf(ca_bundle: &CaBundle) -> Leaf {
    published(ca_bundle, "one").leaf(LeafStep::Issue, None, at(0), &LIFETIMES).unwrap().unwrap()
}

fn published<'a>(ca_bundle: &'a CaBundle, segment: &'a str) -> Published<'a> {
    static NAMES: std::sync::OnceLock<Vec<String>> = std::sync::OnceLock::new();
    let names = NAMES.get_or_init(|| vec![NAME.to_owned()]);
    Published { ca_bundle, segment, names }
}

#[test]
fn a_leaf_is_issued_once_and_renewed_at_two_thirds_of_its_life() {
    // A CA of long ago: it may sign at once.
    let ca_bundle = CaBundle::mint(at(-3600), &LIFETIMES).unwrap();
    let due = |leaf, second| published(&ca_bundle, "one").due(leaf, at(second), &LIFETIMES);
    assert_eq!(due(None, 0), LeafStep::Issue);
    let leaf = leaf(&ca_bundle);
    for (second, step) in
        [(0, LeafStep::Keep), (199, LeafStep::Keep), (200, LeafStep::Issue), (301, LeafStep::Issue)]
    {
        assert_eq!(due(Some(&leaf), second), step, "{second}");
    }
}

#[test]
fn another_name_segment_or_bundle_changes_what_is_stored() {
    let ca_bundle = CaBundle::mint(at(-3600), &LIFETIMES).unwrap();
    let leaf = leaf(&ca_bundle);
    let due = |it: Published<'_>| it.due(Some(&leaf), at(0), &LIFETIMES);
    assert_eq!(due(published(&ca_bundle, "two")), LeafStep::Rewrite);
    let other = [NAME.to_owned(), "other.podrole.svc".to_owned()];
    let other = Published { names: &other, ..published(&ca_bundle, "one") };
    assert_eq!(due(other), LeafStep::Issue);
    let staged = ca_bundle.clone().step(RotationStep::Stage, at(1), &LIFETIMES).unwrap();
    let staged = published(&staged, "one");
    assert_eq!(due(published(&ca_bundle, "one")), LeafStep::Keep);
    assert_eq!(due(Published { ca_bundle: staged.ca_bundle, ..staged }), LeafStep::Rewrite);
    let rewritten = staged.leaf(LeafStep::Rewrite, Some(&leaf), at(1), &LIFETIMES);
    let rewritten = rewritten.unwrap().unwrap();
    assert!(rewritten.pair == leaf.pair && rewritten.bundle == staged.ca_bundle.to_pem());
}

/// The API server never reports that it has read a bundle.
#[test]
fn a_new_ca_replaces_a_working_leaf_only_after_it_was_published_for_a_minute() {
    let lost = CaBundle::mint(at(-3600), &LIFETIMES).unwrap();
    let leaf = leaf(&lost);
    let fresh = CaBundle::mint(at(0), &LIFETIMES).unwrap();
    let due = |ca_bundle: &CaBundle, second| {
        published(ca_bundle, "one").due(Some(&leaf), at(second), &LIFETIMES)
    };
    assert_eq!(due(&fresh, 0), LeafStep::Issue, "nothing trusts the leaf");
    let fresh = fresh.with_predecessor(leaf.bundle.clone(), at(0));
    assert_eq!(due(&fresh, 59), LeafStep::Rewrite);
    assert_eq!(due(&fresh, 60), LeafStep::Issue);
    let after = published(&fresh, "one").leaf(LeafStep::Issue, Some(&leaf), at(60), &LIFETIMES);
    let after = after.unwrap().unwrap();
    assert!(after.is_trusted(fresh.signer(), &[NAME.to_owned()], at(60)));
}

#[test]
fn a_leaf_without_its_key_is_replaced() {
    let ca_bundle = CaBundle::mint(at(-3600), &LIFETIMES).unwrap();
    let (one, two) = (leaf(&ca_bundle), leaf(&ca_bundle));
    let pair = Pair::from_pem(one.pair.certificates_pem().into(), two.pair.key_pem().into());
    let mixed = Leaf { pair, ..one };
    let due = published(&ca_bundle, "one").due(Some(&mixed), at(0), &LIFETIMES);
    assert_eq!(due, LeafStep::Issue);
    assert!(!format!("{mixed:?}").contains("KEY"));
}
