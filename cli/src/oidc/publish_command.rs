//! The command that publishes, as findings print it.

use http::Uri;

use super::target::Place;
use crate::cluster::ClusterArgs;

/// In place of a target that is not known.
const UNKNOWN: &str = "TARGET";

/// The command for the same cluster: with the target that the user has named, or the bucket that the issuer's URL names.
pub(crate) fn publish_command(
    place: Option<&Place>,
    issuer: &str,
    endpoint_url: Option<&str>,
    cluster: &ClusterArgs,
    servers: &[Uri],
) -> String {
    let place = place.cloned().or_else(|| Place::of_issuer(issuer));
    let target = place.map_or_else(|| UNKNOWN.to_owned(), |place| place.to_string());
    let mut words = ["podrole", "oidc", "publish", "--to"].map(str::to_owned).to_vec();
    words.push(target);
    let mut flag = |name: &str, value: String| words.extend([name.to_owned(), value]);
    if let Some(url) = endpoint_url {
        flag("--endpoint-url", url.to_owned());
    }
    if let Some(path) = &cluster.kubeconfig {
        flag("--kubeconfig", path.display().to_string());
    }
    if let Some(context) = &cluster.context {
        flag("--context", context.clone());
    }
    for server in servers {
        flag("--server", server.to_string().trim_end_matches('/').to_owned());
    }
    shlex::try_join(words.iter().map(String::as_str)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Wrapper {
        #[command(flatten)]
        cluster: ClusterArgs,
    }

    #[test]
    fn what_is_known_is_in_the_command() {
        let command = |place: Option<&str>, issuer: &str, flags: &[&str], servers: &[&str]| {
            let place = place.map(|place| place.parse().unwrap());
            let args = Wrapper::parse_from([&["podrole"], flags].concat());
            let servers: Vec<Uri> = servers.iter().map(|it| it.parse().unwrap()).collect();
            publish_command(place.as_ref(), issuer, None, &args.cluster, &servers)
        };
        let issuer = "https://b-1.s3.eu-west-1.amazonaws.com/a";
        assert_eq!(command(None, issuer, &[], &[]), "podrole oidc publish --to s3://b-1/a");
        assert_eq!(
            command(None, "https://oidc.example", &[], &[]),
            "podrole oidc publish --to TARGET"
        );
        let flags = ["--kubeconfig", "a b", "--context", "c"];
        assert_eq!(
            command(Some("/srv/oidc"), issuer, &flags, &["https://10.0.0.2:6443"]),
            "podrole oidc publish --to /srv/oidc --kubeconfig 'a b' --context c --server https://10.0.0.2:6443"
        );
    }
}
