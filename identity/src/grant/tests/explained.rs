//! What an explanation says of each source.

use super::*;

#[test]
fn an_explanation_names_the_sources_that_lost() {
    let world = World { listed: entry(""), ..World::annotated(&[OWN]) }.mapped();
    let explained = world.with_facts(|facts| explain(facts, &web()));
    let outcomes: Vec<SourceOutcome> = explained.considered.iter().map(|it| it.outcome).collect();
    use SourceOutcome::{Decides, OtherProvider, Outranked, ProviderOnly, Silent};
    assert_eq!(outcomes, [Silent, ProviderOnly, Silent, Decides, OtherProvider]);
    assert_eq!(explained.result, world.grant(&web()));
    let plain = World::annotated(&[OWN]).mapped();
    let explained = plain.with_facts(|facts| explain(facts, &web()));
    assert_eq!(explained.considered[4].outcome, Outranked);
}
