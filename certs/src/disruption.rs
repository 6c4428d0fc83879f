//! Whether a drain may take the webhook's replicas one by one only. Pure.
//!
//! A PodDisruptionBudget keeps one replica while another node's is evicted, until its successor is ready elsewhere. If all
//! replicas share the only node, no successor can start while it is drained, and the drain would never end. So
//! the budget exists only while replicas are on different nodes.

use std::collections::BTreeSet;

/// What becomes of the PodDisruptionBudget.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BudgetStep {
    /// It must exist.
    Apply,
    /// It must not exist.
    Delete,
    /// It stays as it is.
    Keep,
}

/// `nodes` has one entry for each replica that is ready: the node where it is.
///
/// One replica alone changes nothing. During a drain it is the one that the budget protects until the successor of the
/// other is ready.
pub(crate) fn budget_step<'a>(nodes: impl IntoIterator<Item = &'a str>) -> BudgetStep {
    let (mut ready, mut distinct) = (0_usize, BTreeSet::new());
    for node in nodes {
        ready += 1;
        distinct.insert(node);
    }
    match (ready, distinct.len()) {
        (_, 2..) => BudgetStep::Apply,
        (2.., _) => BudgetStep::Delete,
        _ => BudgetStep::Keep,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_budget_is_for_replicas_on_different_nodes_only() {
        for (nodes, step) in [
            (&["a", "b"][..], BudgetStep::Apply),
            (&["a", "a", "b"], BudgetStep::Apply),
            (&["a", "a"], BudgetStep::Delete),
            (&["a", "a", "a"], BudgetStep::Delete),
            // The other one is being drained, or starts.
            (&["a"], BudgetStep::Keep),
            (&[], BudgetStep::Keep),
        ] {
            assert_eq!(budget_step(nodes.iter().copied()), step, "{nodes:?}");
        }
    }
}
