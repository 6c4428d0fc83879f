//! The ways in which an agent gets credentials, and how it is started for each.

use std::net::SocketAddr;

use tokio::process::Command;

use crate::{Args, Speaks, world::World};

const CLUSTER_ARN: &str = "arn:aws:eks:eu-west-1:111122223333:cluster/bench";

/// A way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exchange {
    WebIdentity,
    AssumeRole,
    EksAuth,
}

impl Exchange {
    /// Those that the agent has.
    pub(crate) fn of(args: &Args) -> &'static [Self] {
        match args.speaks {
            Speaks::Podrole => &[Self::WebIdentity, Self::AssumeRole, Self::EksAuth],
            Speaks::Eks => &[Self::EksAuth],
        }
    }

    /// The one that is measured where it does not matter which.
    pub(crate) fn usual(args: &Args) -> Self {
        match args.speaks {
            Speaks::Podrole => Self::WebIdentity,
            Speaks::Eks => Self::EksAuth,
        }
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::WebIdentity => "web-identity",
            Self::AssumeRole => "assume-role",
            Self::EksAuth => "eks-auth",
        }
    }

    /// Whom tokens must be for.
    pub(crate) fn audience(self) -> &'static str {
        match self {
            Self::WebIdentity => "sts.amazonaws.com",
            Self::AssumeRole | Self::EksAuth => "pods.eks.amazonaws.com",
        }
    }

    /// The agent's command line. The agent listens on `address` and has credentials of its own.
    pub(crate) fn command(
        self,
        args: &Args,
        world: &World,
        address: SocketAddr,
        free: [u16; 2],
    ) -> Command {
        let mut command = Command::new(&args.agent);
        command.env("AWS_ACCESS_KEY_ID", "AKIABENCH").env("AWS_SECRET_ACCESS_KEY", "bench");
        command.env("AWS_REGION", "eu-west-1");
        match args.speaks {
            Speaks::Podrole => self.ours(&mut command, world, address),
            Speaks::Eks => eks(&mut command, world, address, free),
        }
        command.args(&args.more);
        command
    }

    fn ours(self, command: &mut Command, world: &World, address: SocketAddr) {
        command
            .args(["--bind-hosts=127.0.0.1", "--metrics-address=127.0.0.1", "--metrics-port=0"])
            .args(["--pod-liveness=off", "--keys-from=issuer"])
            .args(["--pod-requests-per-second=0", "--connections-per-peer=0"])
            .args(["--max-cache-size=100000", "--max-cache-bytes=1000000000", "--log=warn"])
            .args(["--cluster-name=bench", "--cluster-arn", CLUSTER_ARN])
            .args(["--exchange", self.name()])
            .arg(format!("--port={}", address.port()))
            .arg(format!("--issuer={}", world.url))
            .arg(format!("--sts-endpoint-url={}", world.url))
            .arg(format!("--eks-auth-endpoint-url={}", world.url))
            .arg("--kubeconfig")
            .arg(world.kubeconfig());
        if self == Self::AssumeRole {
            command.arg("--allow-annotation-roles");
        }
    }
}

fn eks(command: &mut Command, world: &World, address: SocketAddr, free: [u16; 2]) {
    command
        .args(["server", "--cluster-name=bench", "--bind-hosts=127.0.0.1"])
        .args(["--metrics-address=127.0.0.1", "--max-cache-size=100000", "--verbosity=error"])
        // It refuses to start where fewer a second would do for its memory.
        .arg("--max-service-qps=100")
        .arg(format!("--port={}", address.port()))
        .arg(format!("--probe-port={}", free[0]))
        .arg(format!("--metrics-port={}", free[1]))
        .arg(format!("--endpoint={}", world.url));
}
