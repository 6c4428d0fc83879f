//! The flags that choose the cluster, of webhook and controller.

use std::path::PathBuf;

use clap::Args;

/// Which API server to call.
#[derive(Clone, Debug, Args)]
pub struct KubeArgs {
    /// The kubeconfig; without it and --kube-api, the pod's own ServiceAccount is used
    #[arg(long, value_name = "FILE")]
    pub kubeconfig: Option<PathBuf>,

    /// The API server's URL, in place of the kubeconfig's
    #[arg(long, value_name = "URL")]
    pub kube_api: Option<String>,
}
