//! The identity that the containers of one pod should have, computed once for all of them.

use podrole_identity::{
    Audience, CredentialProvider, EndpointUrl, MAX_TOKEN_EXPIRATION_SECONDS, OptInAnnotations,
    PodAnnotations, RoleArn, SESSION_NAME_ANNOTATION, TokenVolume, variable as names,
};
use serde_json::{Value, json};

use super::expression::Expression;
use crate::{
    Settings,
    binding::Binding,
    pod::{Container, PodView, Volume},
};

/// How much shorter than a day a token's life may be, in seconds; as on EKS.
const MAX_JITTER_SECONDS: u32 = 7200;

/// The variables that say where to call AWS, whatever the credentials are.
const REGIONAL: [&str; 3] = [names::STS_REGIONAL_ENDPOINTS, names::DEFAULT_REGION, names::REGION];

/// Whose credentials a container uses.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Chosen {
    /// Those of its ServiceAccount's role.
    Ours,
    /// Those that its author set.
    Authors,
}

/// Variables that belong together: all are added, or none if the container has one of them.
pub(super) type Group = Vec<(&'static str, Expression)>;

/// The identity that a pod's containers should have.
pub(super) struct DesiredIdentity {
    pub(super) provider: CredentialProvider,
    pub(super) volume: TokenVolume,
    /// The two variables that make an SDK use this provider.
    pub(super) pair: [(&'static str, Expression); 2],
    /// The variables beside the pair, in EKS's order.
    pub(super) settings: Vec<Group>,
    pub(super) audience: String,
    pub(super) expiration_seconds: u32,
    pub(super) warning: Option<String>,
    /// The endpoint for AWS's services, if a proxy is of no use for it.
    pub(super) local_endpoint: Option<EndpointUrl>,
    /// Why the pod cannot resolve the endpoint's host, with the fix.
    pub(super) unresolvable: Option<String>,
}

impl DesiredIdentity {
    pub(super) fn new(
        pod: &PodView,
        annotations: &PodAnnotations,
        (binding, provider): (&Binding, CredentialProvider),
        settings: &Settings,
        jitter: u64,
    ) -> Self {
        let volume = settings.volume(provider).clone();
        let expiration = annotations.token_expiration.or(binding.annotations.token_expiration);
        let seconds = expiration.unwrap_or(settings.token_expiration).seconds();
        let opt_in = annotations.opt_in.or(&binding.annotations.opt_in);
        let (session_name, warning) = session_name(pod, (binding, provider), &opt_in, settings);
        let mut groups = shared_settings(binding, &opt_in, settings);
        let endpoint =
            endpoint_url(&opt_in, settings).and_then(|url| url.parse::<EndpointUrl>().ok());
        let domain = &settings.cluster_domain;
        groups.extend(session_name.map(|name| vec![(names::ROLE_SESSION_NAME, name)]));
        let audience: Audience =
            settings.audience_of(provider, binding.annotations.audience.as_ref());
        Self {
            provider,
            pair: pair(provider, &token_file(&volume, pod.is_windows()), binding, settings),
            volume,
            settings: groups,
            unresolvable: endpoint.as_ref().and_then(|url| unresolvable(pod, url, domain)),
            local_endpoint: endpoint.filter(|url| url.is_local(domain)),
            audience: audience.to_string(),
            expiration_seconds: spread(provider, seconds, jitter),
            warning,
        }
    }

    /// Whether a volume projects the desired token.
    pub(super) fn is_satisfied_by(&self, volume: &Volume) -> bool {
        volume.projects_token(&self.audience, &self.volume.file)
    }

    /// Whether the pod has another volume with the name of the token's.
    pub(super) fn is_volume_taken(&self, pod: &PodView) -> bool {
        pod.volume(&self.volume.name).is_some_and(|volume| !self.is_satisfied_by(volume))
    }

    /// The variables beside the pair that are missing in a container. If its author chose the
    /// `credentials`, only those for the region: the others are part of how credentials are got.
    pub(super) fn settings_for(&self, container: &Container, credentials: Chosen) -> Group {
        // A variable from an optional source may come, and is a setting of the author's.
        let is_there =
            |name| container.has_variable(name) && container.empty_variable(name).is_none();
        let missing = |group: &&Group| !group.iter().any(|(name, _)| is_there(name));
        let wanted = |group: &&Group| {
            credentials == Chosen::Ours || group.iter().all(|(name, _)| REGIONAL.contains(name))
        };
        self.settings.iter().filter(missing).filter(wanted).flatten().cloned().collect()
    }

    /// The host of our endpoint, if a container has it or gets it, and a proxy is of no use for it.
    pub(super) fn local_endpoint_of(&self, container: &Container) -> Option<String> {
        let endpoint = self.local_endpoint.as_ref()?;
        let mut own = container.env.iter().filter(|it| it.name == names::ENDPOINT_URL);
        let is_ours =
            own.all(|it| it.literal().is_some_and(|it| ["", endpoint.as_str()].contains(&it)));
        is_ours.then(|| endpoint.host())
    }

    pub(super) fn volume_json(&self) -> Value {
        let token = json!({
            "audience": self.audience,
            "expirationSeconds": self.expiration_seconds,
            "path": self.volume.file,
        });
        let sources = json!([{ "serviceAccountToken": token }]);
        json!({ "name": self.volume.name, "projected": { "sources": sources } })
    }

    pub(super) fn mount_json(&self) -> Value {
        json!({
            "name": self.volume.name,
            "readOnly": true,
            "mountPath": self.volume.mount_path,
        })
    }
}

/// The settings that both providers share. The two variables for the region go together, because
/// some SDKs read only the one and some only the other.
fn shared_settings(
    binding: &Binding,
    opt_in: &OptInAnnotations,
    settings: &Settings,
) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    let regional = binding.annotations.sts_regional_endpoints;
    if regional.unwrap_or(settings.sts_regional_endpoints) {
        groups.push(vec![(names::STS_REGIONAL_ENDPOINTS, Expression::literal("regional"))]);
    }
    if let Some(region) = opt_in.region.as_ref().or(settings.region.as_ref()) {
        let both = [names::DEFAULT_REGION, names::REGION];
        groups.push(both.map(|name| (name, Expression::literal(region))).into());
    }
    if let Some(url) = endpoint_url(opt_in, settings) {
        groups.push(vec![(names::ENDPOINT_URL, Expression::literal(url))]);
    }
    if opt_in.disable_imds == Some(true) {
        groups.push(vec![(names::EC2_METADATA_DISABLED, Expression::literal("true"))]);
    }
    groups
}

/// The endpoint that containers get, unless they set one.
fn endpoint_url<'a>(opt_in: &'a OptInAnnotations, settings: &'a Settings) -> Option<&'a str> {
    let own = opt_in.endpoint_url.as_ref().map(EndpointUrl::as_str);
    own.or(settings.endpoint_url.as_deref())
}

/// Why the pod cannot resolve an endpoint's host. Pods on the node's network use the node's DNS
/// servers, which do not know the cluster's Services.
fn unresolvable(pod: &PodView, url: &EndpointUrl, cluster_domain: &str) -> Option<String> {
    let fix = pod.dns_policy_for_services().filter(|_| url.is_service(cluster_domain))?;
    let (name, host) = (names::ENDPOINT_URL, url.host());
    Some(format!("the pod's DNS policy cannot resolve {host} of {name}; set {fix}"))
}

/// Returns the session name, or the warning why there is none. Only web identity has one here: for
/// the container provider the agent chooses it. If Kubernetes has not generated the pod's name yet,
/// the kubelet fills it in, provided that the longest possible name still fits.
fn session_name(
    pod: &PodView,
    (binding, provider): (&Binding, CredentialProvider),
    opt_in: &OptInAnnotations,
    settings: &Settings,
) -> (Option<Expression>, Option<String>) {
    let annotated = opt_in.session_name.as_ref();
    let template = annotated.or(settings.session_name.as_ref());
    let Some(template) = template.filter(|_| provider == CredentialProvider::WebIdentity) else {
        return (None, None);
    };
    if let Some(name) = pod.name().or((!template.mentions_the_pod()).then_some("")) {
        let name = template.expand(&binding.service_account, name);
        return (Some(Expression::literal(name.as_str())), None);
    }
    match template.around_pod_name(&binding.service_account, pod.longest_name()) {
        Some(pieces) => {
            let pieces = pieces.iter().map(String::as_str);
            (Some(Expression::around_pod_name(pieces)), None)
        }
        None => {
            let source = annotated.map_or("the cluster's default", |_| SESSION_NAME_ANNOTATION);
            let warning = format!("{source}: over 64 characters with the pod's name; shorten it");
            (None, Some(warning))
        }
    }
}

fn pair(
    provider: CredentialProvider,
    token_file: &str,
    binding: &Binding,
    settings: &Settings,
) -> [(&'static str, Expression); 2] {
    let pair = match provider {
        CredentialProvider::WebIdentity => [
            (names::ROLE_ARN, binding.role().map(RoleArn::as_str).unwrap_or_default()),
            (names::WEB_IDENTITY_TOKEN_FILE, token_file),
        ],
        CredentialProvider::Container => [
            (names::CONTAINER_FULL_URI, settings.container_full_uri.as_str()),
            (names::CONTAINER_TOKEN_FILE, token_file),
        ],
    };
    pair.map(|(name, value)| (name, Expression::literal(value)))
}

/// The token's path as the SDK opens it. On Windows that needs a drive and backslashes; mount paths
/// do not, because the kubelet translates them.
pub(super) fn token_file(volume: &TokenVolume, windows: bool) -> String {
    let file = volume.token_file();
    if windows { format!("C:{}", file.replace('/', "\\")) } else { file }
}

/// Shortens container tokens of a day by a random time, so that pods of one rollout do not ask the
/// agent again all at once. Web identity's tokens are not shortened, as on EKS.
fn spread(provider: CredentialProvider, seconds: u32, jitter: u64) -> u32 {
    if provider != CredentialProvider::Container || seconds != MAX_TOKEN_EXPIRATION_SECONDS {
        return seconds;
    }
    let earlier = jitter % (u64::from(MAX_JITTER_SECONDS) + 1);
    seconds - u32::try_from(earlier).unwrap_or(MAX_JITTER_SECONDS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_container_tokens_of_a_day_are_spread() {
        use CredentialProvider::{Container, WebIdentity};
        assert_eq!(spread(WebIdentity, 86_400, 7), 86_400);
        assert_eq!(spread(Container, 86_399, 7), 86_399);
        assert_eq!(spread(Container, 86_400, 0), 86_400);
        assert_eq!(spread(Container, 86_400, 7200), 79_200);
        assert_eq!(spread(Container, 86_400, 7201), 86_400);
        assert!((79_200..=86_400).contains(&spread(Container, 86_400, u64::MAX)));
    }

    #[test]
    fn windows_token_files_have_a_drive_and_backslashes() {
        let volume = CredentialProvider::WebIdentity.token_volume();
        let unix = "/var/run/secrets/eks.amazonaws.com/serviceaccount/token";
        let windows = r"C:\var\run\secrets\eks.amazonaws.com\serviceaccount\token";
        assert_eq!(token_file(&volume, false), unix);
        assert_eq!(token_file(&volume, true), windows);
    }
}
