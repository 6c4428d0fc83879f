//! The decision with its reasons: every source, and why it did not decide.

use super::{
    Denial, Facts, Grant, GrantRules, Source,
    choice::{choose, config_map_counts, pattern},
    grant,
};

/// A decision and what led to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explanation {
    /// Every source, in the order in which they are asked.
    pub considered: Vec<Considered>,
    /// What [`grant`] returns for the same facts and rules.
    pub result: Result<Option<Grant>, Denial>,
}

/// One source's part in a decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Considered {
    /// The source.
    pub source: Source,
    /// What became of it.
    pub outcome: SourceOutcome,
}

/// What became of a source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SourceOutcome {
    /// It does not name the ServiceAccount.
    Silent,
    /// It fixes the provider and names no role; the search went on.
    ProviderOnly,
    /// It names the ServiceAccount and decides.
    Decides,
    /// It names the ServiceAccount, and an earlier source decides.
    Outranked,
    /// It names the ServiceAccount, but not for the provider `container`.
    OtherProvider,
}

/// Decides, and says what each source contributed.
#[must_use]
pub fn explain(facts: &Facts<'_>, rules: &GrantRules) -> Explanation {
    let decides = choose(facts, rules).map(|choice| choice.source);
    let sources = &facts.sources;
    let of_association = |association: Option<&crate::Association>, source| match association {
        None => SourceOutcome::Silent,
        Some(_) if decides == Some(source) => SourceOutcome::Decides,
        Some(it) if it.role.is_none() => SourceOutcome::ProviderOnly,
        Some(_) => SourceOutcome::Outranked,
    };
    let of_role = |names: bool, source| match names {
        false => SourceOutcome::Silent,
        true if decides == Some(source) => SourceOutcome::Decides,
        true if source == Source::ConfigMap && !config_map_counts(facts) => {
            SourceOutcome::OtherProvider
        }
        true => SourceOutcome::Outranked,
    };
    let mut considered = vec![
        (Source::Association, of_role(sources.association.is_some(), Source::Association)),
        (Source::ListFile, of_association(sources.listed, Source::ListFile)),
        (Source::Pattern, of_role(pattern(facts).is_some(), Source::Pattern)),
        (Source::Annotation, of_role(sources.annotations.names_role(), Source::Annotation)),
        (Source::ConfigMap, of_role(sources.role_map.is_some(), Source::ConfigMap)),
    ];
    if decides == Some(Source::Eks) {
        considered.push((Source::Eks, SourceOutcome::Decides));
    }
    let considered = considered.into_iter();
    let considered = considered.map(|(source, outcome)| Considered { source, outcome }).collect();
    Explanation { considered, result: grant(facts, rules) }
}
