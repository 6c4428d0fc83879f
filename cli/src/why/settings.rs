//! The cluster's settings, as far as they decide what pods get.

use std::{fs, path::PathBuf, sync::Arc};

use anyhow::Context as _;
use clap::Args;
use podrole_identity::{
    AnnotationPrefix, AnnotationRules, AssociationList, CredentialProvider, Exchange, GrantRules,
    InjectionDefault, Partition,
};
use podrole_webhook::Settings;

/// The settings of webhook and agent.
#[derive(Clone, Debug, Default)]
pub(crate) struct WhySettings {
    pub(crate) webhook: Settings,
    pub(crate) injection_default: InjectionDefault,
    /// The association list file.
    pub(crate) list: Option<Arc<AssociationList>>,
}

/// The flags that say how the cluster's podrole is set up.
#[derive(Args, Clone, Debug)]
pub(crate) struct SettingsFlags {
    /// The exchange of the cluster's agent
    #[arg(long, default_value_t, value_name = "EXCHANGE")]
    exchange: Exchange,

    /// The region of the cluster's webhook and agent
    #[arg(long, value_name = "REGION")]
    region: Option<String>,

    /// The credential provider of ServiceAccounts that do not choose one
    #[arg(long, default_value_t, value_name = "PROVIDER")]
    credentials: CredentialProvider,

    /// Prefix of the EKS-compatible annotations
    #[arg(long, default_value = "eks.amazonaws.com", value_name = "PREFIX")]
    annotation_prefix: AnnotationPrefix,

    /// With exchange assume-role, annotations may name roles in namespaces with a guard-rail
    #[arg(long)]
    allow_annotation_roles: bool,

    /// The association list file of the cluster
    #[arg(long, value_name = "FILE")]
    associations: Option<PathBuf>,

    /// Which namespaces the cluster injects, as the chart's injection.default: `labelled` or `all`
    #[arg(long, default_value_t, value_name = "labelled|all")]
    injection_default: InjectionDefault,
}

impl SettingsFlags {
    /// The settings.
    ///
    /// # Errors
    /// If the association list cannot be read.
    pub(super) fn settings(&self) -> anyhow::Result<WhySettings> {
        let list = self.associations.as_ref().map(|path| {
            let failed = || format!("--associations {}", path.display());
            let text = fs::read_to_string(path).with_context(failed)?;
            AssociationList::read(&text).with_context(failed).map(Arc::new)
        });
        let rules = GrantRules {
            exchange: self.exchange,
            partition: self.region.as_deref().map(Partition::of_region),
            default_provider: self.credentials,
            annotation_roles: self.allow_annotation_roles,
            ..GrantRules::default()
        };
        let annotations = AnnotationRules {
            prefix: self.annotation_prefix.clone(),
            ..AnnotationRules::default()
        };
        Ok(WhySettings {
            webhook: Settings {
                annotations,
                rules,
                region: self.region.clone(),
                ..Settings::default()
            },
            injection_default: self.injection_default,
            list: list.transpose()?,
        })
    }
}
