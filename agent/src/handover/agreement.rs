//! What two agents must have in common to serve from the same sockets.

use aws_lc_rs::digest::{SHA256, digest};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use podrole_identity::Exchange;
use podrole_runtime::build::VERSION;
use serde::{Deserialize, Serialize};

use crate::args::Args;

/// An agent's release and settings. While two agents share sockets, either may answer a pod's request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Agreement {
    /// The version of the build.
    pub release: String,
    /// How tokens are exchanged for credentials.
    pub exchange: Exchange,
    /// A digest of the flags that decide which credentials a pod gets.
    pub settings: String,
}

impl Agreement {
    /// That of an agent with these flags.
    #[must_use]
    pub fn of(args: &Args) -> Self {
        let grant = &args.grant;
        let roles = (
            (&grant.region, &grant.credentials, &grant.associations, grant.allow_annotation_roles),
            (grant.disable_session_tags, &grant.cluster_name, &grant.cluster_arn),
            (
                grant.association_objects,
                grant.compose_role_arn,
                &grant.aws_account_id,
                &grant.aws_partition,
            ),
            (&grant.annotation_prefix, &args.session_name),
        );
        let tokens = (args.audiences(), &args.issuer, args.keys_from, args.agent_web_identity);
        let aws = (
            (&args.sts_endpoint_url, &args.eks_auth_endpoint_url),
            (args.use_fips, args.use_dual_stack, &args.ca_bundle),
        );
        let pods = (&args.node_name, args.pod_liveness, args.verify_peer, &args.verify_peer_exempt);
        // Compared only between builds of one release, so that the text need not be stable.
        let text = format!("{roles:?} {tokens:?} {aws:?} {pods:?}");
        Self {
            release: VERSION.to_owned(),
            exchange: args.exchange(),
            settings: URL_SAFE_NO_PAD.encode(digest(&SHA256, text.as_bytes())),
        }
    }

    /// What is different in `other`, or `None` if both agree.
    #[must_use]
    pub(super) fn difference(&self, other: &Self) -> Option<String> {
        let mut differences = Vec::new();
        if self.release != other.release {
            differences.push(format!("release {} instead of {}", other.release, self.release));
        }
        if self.exchange != other.exchange {
            differences.push(format!("exchange {} instead of {}", other.exchange, self.exchange));
        }
        if self.settings != other.settings {
            differences.push("other flags".to_owned());
        }
        (!differences.is_empty()).then(|| differences.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser as _;

    fn agreement(flags: &[&str]) -> Agreement {
        let all = ["podrole-agent", "--region=eu-west-1", "--node-name=n1"];
        Agreement::of(&Args::try_parse_from(all.iter().chain(flags)).unwrap())
    }

    #[test]
    fn flags_that_decide_what_a_pod_gets_must_be_the_same_and_others_need_not() {
        let ours = agreement(&[]);
        for flags in [
            &["--port=8099"][..],
            &["--metrics-port=2799", "--log=debug"],
            &["--exchange=web-identity", "--audience=sts.amazonaws.com"],
        ] {
            assert_eq!(ours.difference(&agreement(flags)), None, "{flags:?}");
        }
        for flag in [
            "--sts-endpoint-url=http://127.0.0.1",
            "--verify-peer=off",
            "--audience=other",
            "--issuer=https://other.example",
            "--session-name={pod.name}",
            "--annotation-prefix=other.example",
        ] {
            let other = agreement(&[flag]);
            assert_eq!(ours.difference(&other).as_deref(), Some("other flags"), "{flag}");
        }
        let other = agreement(&["--exchange=eks-auth", "--cluster-name=shop"]);
        let other = Agreement { release: "9.9.9".to_owned(), ..other };
        let difference = ours.difference(&other).unwrap();
        let exchange = "exchange eks-auth instead of web-identity, other flags";
        assert_eq!(difference, format!("release 9.9.9 instead of {VERSION}, {exchange}"));
    }
}
