//! The flags for the endpoints that annotations may name.

use clap::Args;
use podrole_identity::{EndpointPattern, EndpointPatternError, PermittedEndpoints};

/// Which endpoints the annotation `podrole.io/endpoint-url` may name.
#[derive(Clone, Debug, Args)]
pub struct EndpointArgs {
    /// An endpoint that podrole.io/endpoint-url may name, or with /* at the end all below it; https,
    /// or http on loopback and in the cluster (*.svc); repeatable
    #[arg(long, value_name = "URL")]
    pub permitted_endpoint_url: Vec<EndpointPattern>,

    /// The cluster's DNS domain, by which endpoints in the cluster are recognised
    #[arg(long, default_value = "cluster.local", value_name = "DOMAIN")]
    pub cluster_domain: String,
}

impl EndpointArgs {
    /// The endpoints.
    ///
    /// # Errors
    /// If tokens would be sent to one of them in clear text over a network.
    pub fn permitted(&self) -> Result<PermittedEndpoints, EndpointPatternError> {
        PermittedEndpoints::new(&self.permitted_endpoint_url, &self.cluster_domain)
    }
}
