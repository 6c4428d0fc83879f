//! The cluster's settings, as far as they decide what pods get.

use std::sync::Arc;

use podrole_identity::{AssociationList, InjectionDefault, RoleMap};
use podrole_webhook::Settings;

use crate::{
    report::{Finding, State},
    settings::{ClusterSettings, SettingsArgs, SettingsProblem, SettingsSource},
};

/// The settings of webhook and agent.
#[derive(Clone, Debug, Default)]
pub(crate) struct WhySettings {
    pub(crate) webhook: Settings,
    pub(crate) injection_default: InjectionDefault,
    /// Why it is not known whether namespaces without the label are injected.
    pub(crate) default_unknown: Option<SettingsProblem>,
    /// The association list file.
    pub(crate) list: Option<Arc<AssociationList>>,
    /// The ConfigMap of roles.
    pub(crate) role_map: Option<Arc<RoleMap>>,
    /// Whether the cluster ignores podrole's own kinds.
    pub(crate) ignores_objects: bool,
    /// Whether policies inject in place of the webhook.
    pub(crate) by_policy: bool,
    /// Why a decision by these settings may be wrong.
    pub(crate) problems: Vec<SettingsProblem>,
}

impl WhySettings {
    pub(super) fn new(settings: ClusterSettings, args: &SettingsArgs) -> Self {
        let known = args.injection_default.is_some() || settings.source == SettingsSource::Flags;
        Self {
            default_unknown: settings.unknown().filter(|_| !known).cloned(),
            webhook: settings.webhook,
            injection_default: settings.injection_default,
            list: Some(Arc::new(settings.list)),
            role_map: Some(Arc::new(settings.role_map)),
            ignores_objects: !settings.association_objects,
            by_policy: settings.by_policy,
            problems: settings.problems,
        }
    }

    /// What limits the decisions: a setting that is not known, or a daemon of another version.
    pub(super) fn findings(&self) -> impl Iterator<Item = Finding> {
        self.problems.iter().map(|problem| {
            if problem.is_warning() {
                Finding::new(State::Warning, problem.to_string())
            } else {
                Finding::unknown(format!("podrole's defaults are assumed: {problem}"))
            }
        })
    }
}
