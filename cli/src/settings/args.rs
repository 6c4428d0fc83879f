//! The flags that replace the cluster's settings.

use std::{fs, path::PathBuf};

use anyhow::Context as _;
use clap::Args;
use podrole_identity::{
    AnnotationPrefix, AssociationList, CredentialProvider, Exchange, InjectionDefault,
};

/// What is known better than from the cluster; without a cluster, all that is known.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Settings in place of the cluster's")]
pub(crate) struct SettingsArgs {
    /// How the agent exchanges tokens: web-identity, assume-role or eks-auth
    #[arg(long, value_name = "EXCHANGE")]
    pub(crate) exchange: Option<Exchange>,

    /// The AWS region whose STS or EKS Auth the agent calls
    #[arg(long, value_name = "REGION")]
    pub(crate) region: Option<String>,

    /// The credential provider of pods whose ServiceAccount does not choose: web-identity or container
    #[arg(long, value_name = "PROVIDER")]
    pub(crate) credentials: Option<CredentialProvider>,

    /// The prefix of EKS's annotations
    #[arg(long, value_name = "PREFIX")]
    pub(crate) annotation_prefix: Option<AnnotationPrefix>,

    /// With the exchange assume-role, annotations name roles in namespaces that have a guard-rail
    #[arg(long)]
    pub(crate) allow_annotation_roles: bool,

    /// The association list, a file
    #[arg(long, value_name = "FILE")]
    pub(crate) associations: Option<PathBuf>,

    /// The issuer of tokens
    #[arg(long, value_name = "URL")]
    pub(crate) issuer: Option<String>,

    /// Which namespaces are injected, as the chart's injection.default: `labelled`, or `all` except those labelled
    /// `disabled`
    #[arg(long, value_name = "labelled|all")]
    pub(crate) injection_default: Option<InjectionDefault>,
}

impl SettingsArgs {
    /// The association list of `--associations`.
    ///
    /// # Errors
    /// If the file cannot be read or is not a list: a usage error.
    pub(super) fn list(&self) -> anyhow::Result<Option<AssociationList>> {
        let Some(path) = &self.associations else { return Ok(None) };
        let failed = || format!("--associations {}", path.display());
        let text = fs::read_to_string(path).with_context(failed)?;
        AssociationList::read(&text).map(Some).with_context(failed)
    }
}
