//! What the containers of one pod should have, settled once for all of them.

use podrole_identity::{
    Audience, CredentialPath, MAX_TOKEN_EXPIRATION_SECONDS, PodAnnotations, TokenVolume, variable,
};
use serde_json::{Value, json};

use crate::{
    Settings,
    binding::RoleBinding,
    pod::{Container, PodView, Volume},
};

/// How much earlier than a day a token may end, in seconds; as on EKS.
const MAX_JITTER_SECONDS: u32 = 7200;

/// What a pod's containers should have.
pub(super) struct Wish<'a> {
    pub(super) path: CredentialPath,
    pub(super) volume: &'a TokenVolume,
    /// The two variables that make an SDK take this path.
    pub(super) pair: [(&'static str, String); 2],
    audience: Audience,
    expiration_seconds: u32,
    sts_regional_endpoints: bool,
    region: Option<&'a str>,
    endpoint_url: Option<&'a str>,
}

impl<'a> Wish<'a> {
    pub(super) fn new(
        pod: &PodView,
        said: &PodAnnotations,
        binding: &RoleBinding,
        settings: &'a Settings,
        jitter: u64,
    ) -> Self {
        let path = binding.path(settings);
        let volume = settings.volume(path);
        let expiration = said.token_expiration.or(binding.said.token_expiration);
        let seconds = expiration.unwrap_or(settings.token_expiration).seconds();
        let regional = binding.said.sts_regional_endpoints;
        Self {
            path,
            volume,
            pair: pair(path, token_file(volume, pod.is_windows()), binding, settings),
            audience: settings.audience_of(path, binding.said.audience.as_ref()),
            expiration_seconds: spread(path, seconds, jitter),
            sts_regional_endpoints: regional.unwrap_or(settings.sts_regional_endpoints),
            region: settings.region.as_deref(),
            endpoint_url: settings.endpoint_url.as_deref(),
        }
    }

    /// Whether a volume gives the token that is wished for.
    pub(super) fn is_met_by(&self, volume: &Volume) -> bool {
        volume.projects_token(self.audience.as_str(), &self.volume.file)
    }

    /// The variables beside the pair that a container lacks, in EKS's order. Of the two for the
    /// region both are added or neither: SDKs read one each.
    pub(super) fn settings_for(&self, container: &Container) -> Vec<(&'static str, String)> {
        let lacks = |name| !container.has_variable(name);
        let mut wanted = Vec::new();
        if self.sts_regional_endpoints && lacks(variable::STS_REGIONAL_ENDPOINTS) {
            wanted.push((variable::STS_REGIONAL_ENDPOINTS, "regional".to_owned()));
        }
        let knows_no_region = lacks(variable::REGION) && lacks(variable::DEFAULT_REGION);
        if let Some(region) = self.region.filter(|_| knows_no_region) {
            wanted.push((variable::DEFAULT_REGION, region.to_owned()));
            wanted.push((variable::REGION, region.to_owned()));
        }
        if let Some(url) = self.endpoint_url.filter(|_| lacks(variable::ENDPOINT_URL)) {
            wanted.push((variable::ENDPOINT_URL, url.to_owned()));
        }
        wanted
    }

    pub(super) fn volume_json(&self) -> Value {
        let token = json!({
            "audience": self.audience.as_str(),
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

fn pair(
    path: CredentialPath,
    token_file: String,
    binding: &RoleBinding,
    settings: &Settings,
) -> [(&'static str, String); 2] {
    match path {
        CredentialPath::WebIdentity => [
            (variable::ROLE_ARN, binding.role.to_string()),
            (variable::WEB_IDENTITY_TOKEN_FILE, token_file),
        ],
        CredentialPath::Container => [
            (variable::CONTAINER_FULL_URI, settings.container_full_uri.clone()),
            (variable::CONTAINER_TOKEN_FILE, token_file),
        ],
    }
}

/// The token's path as the SDK opens it. Windows has its own form, though not for mounts.
fn token_file(volume: &TokenVolume, windows: bool) -> String {
    let file = volume.token_file();
    if windows { format!("C:{}", file.replace('/', "\\")) } else { file }
}

/// Tokens of a day end at different times, so that a node's agents are not asked all at once. Web
/// identity's do not, as on EKS.
fn spread(path: CredentialPath, seconds: u32, jitter: u64) -> u32 {
    if path != CredentialPath::Container || seconds != MAX_TOKEN_EXPIRATION_SECONDS {
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
        use CredentialPath::{Container, WebIdentity};
        assert_eq!(spread(WebIdentity, 86_400, 7), 86_400);
        assert_eq!(spread(Container, 86_399, 7), 86_399);
        assert_eq!(spread(Container, 86_400, 0), 86_400);
        assert_eq!(spread(Container, 86_400, 7200), 79_200);
        assert_eq!(spread(Container, 86_400, 7201), 86_400);
        assert!((79_200..=86_400).contains(&spread(Container, 86_400, u64::MAX)));
    }

    #[test]
    fn windows_opens_files_in_its_own_way() {
        let volume = CredentialPath::WebIdentity.token_volume();
        let unix = "/var/run/secrets/eks.amazonaws.com/serviceaccount/token";
        let windows = r"C:\var\run\secrets\eks.amazonaws.com\serviceaccount\token";
        assert_eq!(token_file(&volume, false), unix);
        assert_eq!(token_file(&volume, true), windows);
    }
}
