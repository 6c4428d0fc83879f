//! The agent's exchanges, and its command line for each.

use std::net::SocketAddr;

use tokio::process::Command;

use crate::{Args, Flavor, world::World};

const CLUSTER_ARN: &str = "arn:aws:eks:eu-west-1:111122223333:cluster/bench";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exchange {
    WebIdentity,
    AssumeRole,
    EksAuth,
}

/// Whether an agent of podrole knows the pods of its node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PodWatch {
    /// It watches them, as by default.
    On,
    /// It does not ask, because thousands of pods would have to be scripted.
    Off,
}

impl Exchange {
    /// The exchanges that the agent supports.
    pub(crate) fn of(args: &Args) -> &'static [Self] {
        match args.flavor {
            Flavor::Podrole => &[Self::WebIdentity, Self::AssumeRole, Self::EksAuth],
            Flavor::Eks => &[Self::EksAuth],
        }
    }

    /// The exchange for measurements that do not depend on it.
    pub(crate) fn default_for(args: &Args) -> Self {
        match args.flavor {
            Flavor::Podrole => Self::WebIdentity,
            Flavor::Eks => Self::EksAuth,
        }
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::WebIdentity => "web-identity",
            Self::AssumeRole => "assume-role",
            Self::EksAuth => "eks-auth",
        }
    }

    /// The audience that tokens must have.
    pub(crate) fn audience(self) -> &'static str {
        match self {
            Self::WebIdentity => "sts.amazonaws.com",
            Self::AssumeRole | Self::EksAuth => "pods.eks.amazonaws.com",
        }
    }

    /// The command that starts the agent on `address`, with source credentials in its environment.
    /// `free` are ports for its probes and metrics.
    pub(crate) fn command(
        self,
        args: &Args,
        world: &World,
        address: SocketAddr,
        free: [u16; 2],
        pods: PodWatch,
    ) -> Command {
        let mut command = Command::new(&args.agent);
        command.env("AWS_ACCESS_KEY_ID", "AKIABENCH").env("AWS_SECRET_ACCESS_KEY", "bench");
        command.env("AWS_REGION", "eu-west-1");
        match args.flavor {
            Flavor::Podrole => self.podrole_flags(&mut command, world, address, pods),
            Flavor::Eks => eks_flags(&mut command, world, address, free),
        }
        command.args(&args.extra);
        command
    }

    fn podrole_flags(
        self,
        command: &mut Command,
        world: &World,
        address: SocketAddr,
        pods: PodWatch,
    ) {
        match pods {
            PodWatch::Off => command.arg("--pod-liveness=off"),
            PodWatch::On => command.arg("--node-name=bench"),
        };
        command
            .args(["--bind-hosts=127.0.0.1", "--metrics-address=127.0.0.1", "--metrics-port=0"])
            .arg("--keys-from=issuer")
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

fn eks_flags(command: &mut Command, world: &World, address: SocketAddr, free: [u16; 2]) {
    command
        .args(["server", "--cluster-name=bench", "--bind-hosts=127.0.0.1"])
        .args(["--metrics-address=127.0.0.1", "--max-cache-size=100000", "--verbosity=error"])
        // It refuses to start with a lower rate for a cache of this size.
        .arg("--max-service-qps=100")
        .arg(format!("--port={}", address.port()))
        .arg(format!("--probe-port={}", free[0]))
        .arg(format!("--metrics-port={}", free[1]))
        .arg(format!("--endpoint={}", world.url));
}
