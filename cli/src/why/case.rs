//! What each link is given.

use jiff::Timestamp;

use super::{
    decided::{Decided, decide},
    settings::WhySettings,
    subject::Subject,
    world::{Known, World},
};

/// One pod or workload, and all that is known about it.
pub(crate) struct Case<'a> {
    pub(crate) world: &'a World,
    pub(crate) subject: &'a Subject,
    pub(crate) settings: &'a WhySettings,
    pub(crate) decided: Known<Decided>,
    pub(crate) now: Timestamp,
}

impl<'a> Case<'a> {
    pub(crate) fn new(
        world: &'a World,
        subject: &'a Subject,
        settings: &'a WhySettings,
        now: Timestamp,
    ) -> Self {
        let decided = decide(world, subject, settings);
        Self { world, subject, settings, decided, now }
    }

    pub(crate) fn namespace(&self) -> &'a str {
        &self.subject.namespace
    }
}
