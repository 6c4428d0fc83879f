//! What the next step is called, and where its files are in a distribution.

use clap::ValueEnum;

use super::stage::Stage;
use crate::report::{Finding, State};

/// A distribution whose files and commands are named.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Distribution {
    Kubeadm,
    K3s,
    Kops,
}

/// The step as a finding. `publish` is the command that publishes.
pub(crate) fn finding(stage: &Stage, distribution: Option<Distribution>, publish: &str) -> Finding {
    let steps = |finding: Finding| {
        steps(stage, distribution).iter().fold(finding, |finding, step| finding.fix(*step))
    };
    let turn = |message: String| Finding::new(State::Note, message);
    match stage {
        Stage::Idle { kid } => Finding::ok(format!(
            "no rotation is under way; key {kid} signs at all API servers"
        ))
        .after(
            "to begin one, add a new public key to --service-account-key-file of all API servers",
        ),
        Stage::NoSuchKey { kid } => {
            let message = format!("--next {kid}: no API server has this key");
            Finding::new(State::Error, message)
                .fix("take a kid of kubectl get --raw /openid/v1/jwks")
        }
        Stage::AddKey { kid, servers } => {
            let servers = servers.join(", ");
            steps(turn(format!("stage 1 of 5: key {kid} is missing at {servers}")))
        }
        Stage::Publish { kids } => {
            turn(format!("stage 2 of 5: publish key {}", kids.join(", "))).fix(publish)
        }
        Stage::WaitForCaches { kid, until } => {
            turn(format!("stage 2 of 5: wait until {until}, when AWS has read key {kid}"))
                .fix("podrole oidc check --from-outside PROXY")
        }
        Stage::Switch { kid, servers } => {
            let servers = servers.join(", ");
            steps(turn(format!(
                "stage 3 of 5: sign with key {kid} at {servers}, one after another"
            )))
        }
        Stage::SwitchUnknown { kid } => {
            let message = format!("it is not known since when key {kid} signs at all API servers");
            Finding::unknown(message)
                .fix("give the time with --switched, or ask for the right to get /metrics")
                .after("if another key is to sign next, name it with --next")
        }
        Stage::WaitForTokens { kids, until } => turn(format!(
            "stage 4 of 5: wait until {until}; tokens of key {} may be in use",
            kids.join(", ")
        )),
        Stage::RemoveKeys { kids, servers } => {
            let (kids, servers) = (kids.join(", "), servers.join(", "));
            steps(turn(format!("stage 5 of 5: remove key {kids} at {servers}")))
        }
        Stage::WaitForPublication { kids, until } => turn(format!(
            "the rotation is over; key {} stays published until {until}",
            kids.join(", ")
        )),
        Stage::Unpublish { kids } => {
            let message =
                format!("the rotation is over; key {} is still published", kids.join(", "));
            turn(message).fix(publish)
        }
    }
}

/// What to do at an API server.
fn steps(stage: &Stage, distribution: Option<Distribution>) -> &'static [&'static str] {
    match (stage, distribution) {
        (Stage::AddKey { .. }, None) => &[
            "add a second --service-account-key-file with the new public key to each of them, and leave \
             --service-account-signing-key-file",
        ],
        (Stage::AddKey { .. }, Some(Distribution::Kubeadm)) => &[
            "openssl genrsa -out /etc/kubernetes/pki/sa-next.key 2048, on one node",
            "openssl rsa -in /etc/kubernetes/pki/sa-next.key -pubout -out /etc/kubernetes/pki/sa-next.pub, and copy both \
             to all control planes",
            "add --service-account-key-file=/etc/kubernetes/pki/sa-next.pub to \
             /etc/kubernetes/manifests/kube-apiserver.yaml, beside that of sa.pub",
        ],
        (Stage::AddKey { .. }, Some(Distribution::K3s)) => &[
            "add kube-apiserver-arg service-account-key-file with the new public key, and again with \
             /var/lib/rancher/k3s/server/tls/service.key, to /etc/rancher/k3s/config.yaml",
            "systemctl restart k3s, one server after another",
        ],
        (Stage::AddKey { .. }, Some(Distribution::Kops)) => &[
            "kops create keypair service-account",
            "kops update cluster --yes && kops rolling-update cluster --instance-group-roles=control-plane --yes",
        ],
        (Stage::Switch { .. }, None) => {
            &["set --service-account-signing-key-file to the new private key"]
        }
        (Stage::Switch { .. }, Some(Distribution::Kubeadm)) => {
            &["set --service-account-signing-key-file=/etc/kubernetes/pki/sa-next.key in \
             /etc/kubernetes/manifests/kube-apiserver.yaml, and --service-account-private-key-file in \
             kube-controller-manager.yaml"]
        }
        (Stage::Switch { .. }, Some(Distribution::K3s)) => &[
            "set kube-apiserver-arg service-account-signing-key-file to the new private key in \
             /etc/rancher/k3s/config.yaml, and kube-controller-manager-arg service-account-private-key-file",
            "systemctl restart k3s, one server after another",
        ],
        (Stage::Switch { .. }, Some(Distribution::Kops)) => &[
            "kops promote keypair service-account",
            "kops update cluster --yes && kops rolling-update cluster --instance-group-roles=control-plane --yes",
        ],
        (Stage::RemoveKeys { .. }, None) => {
            &["remove the --service-account-key-file with the old public key"]
        }
        (Stage::RemoveKeys { .. }, Some(Distribution::Kubeadm)) => {
            &["remove --service-account-key-file=/etc/kubernetes/pki/sa.pub from \
             /etc/kubernetes/manifests/kube-apiserver.yaml"]
        }
        (Stage::RemoveKeys { .. }, Some(Distribution::K3s)) => &[
            "remove kube-apiserver-arg service-account-key-file with the old key from /etc/rancher/k3s/config.yaml",
            "systemctl restart k3s, one server after another",
        ],
        (Stage::RemoveKeys { .. }, Some(Distribution::Kops)) => &[
            "kops distrust keypair service-account",
            "kops update cluster --yes && kops rolling-update cluster --instance-group-roles=control-plane --yes",
        ],
        _ => &[],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_turn_of_the_user_has_a_step_in_every_distribution() {
        let (kid, servers) = ("a".to_owned(), vec!["s".to_owned()]);
        let stages = [
            Stage::AddKey { kid: kid.clone(), servers: servers.clone() },
            Stage::Switch { kid: kid.clone(), servers: servers.clone() },
            Stage::RemoveKeys { kids: vec![kid.clone()], servers },
            Stage::Publish { kids: vec![kid.clone()] },
            Stage::Unpublish { kids: vec![kid] },
        ];
        for stage in &stages {
            for distribution in [
                None,
                Some(Distribution::Kubeadm),
                Some(Distribution::K3s),
                Some(Distribution::Kops),
            ] {
                let it = finding(stage, distribution, "publish it");
                assert!(!it.fix.is_empty(), "{stage:?} {distribution:?}");
                assert_eq!(stage.exit_code(), 11);
            }
        }
        assert_eq!(finding(&stages[3], None, "publish it").fix, ["publish it"]);
    }
}
