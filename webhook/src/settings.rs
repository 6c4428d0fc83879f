//! The cluster administrator's settings, for all pods.

use podrole_identity::{
    AnnotationRules, Audience, CredentialProvider, DEFAULT_CLUSTER_DOMAIN, DEFAULT_FULL_URI,
    Exchange, GrantRules, PermittedEndpoints, SessionNameTemplate, TokenExpiration, TokenVolume,
};

/// The settings for every pod, unless its ServiceAccount or the pod overrides them. The defaults are
/// those of EKS's webhook.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// How ServiceAccount annotations are read.
    pub annotations: AnnotationRules,
    /// Which role a ServiceAccount gets; the audience of `container` tokens follows from the
    /// exchange in it.
    pub rules: GrantRules,
    /// The audience of tokens of the provider `web-identity`.
    pub audience: Audience,
    /// How long tokens are valid.
    pub token_expiration: TokenExpiration,
    /// The region of containers that do not set one.
    pub region: Option<String>,
    /// Whether SDKs call the region's STS.
    pub sts_regional_endpoints: bool,
    /// One endpoint for every AWS service, for emulators; containers get it as `AWS_ENDPOINT_URL`.
    pub endpoint_url: Option<String>,
    /// The role session name of the provider `web-identity`, unless an annotation sets one; `None`
    /// leaves it to the SDK, which invents one for each session.
    pub session_name: Option<SessionNameTemplate>,
    /// The cluster's DNS domain, by which Services are recognised.
    pub cluster_domain: String,
    /// The endpoints that annotations may name instead.
    pub permitted_endpoints: PermittedEndpoints,
    /// The token volume of the provider `web-identity`.
    pub web_identity_volume: TokenVolume,
    /// The token volume of the provider `container`.
    pub container_volume: TokenVolume,
    /// The URL of the agent for containers.
    pub container_full_uri: String,
    /// The audience of tokens of the provider `container`; `None` if it follows from the exchange.
    pub container_audience: Option<Audience>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            annotations: AnnotationRules::default(),
            rules: GrantRules::default(),
            audience: Audience::sts(),
            token_expiration: TokenExpiration::default(),
            region: None,
            sts_regional_endpoints: false,
            endpoint_url: None,
            session_name: None,
            cluster_domain: DEFAULT_CLUSTER_DOMAIN.to_owned(),
            permitted_endpoints: PermittedEndpoints::default(),
            web_identity_volume: CredentialProvider::WebIdentity.token_volume(),
            container_volume: CredentialProvider::Container.token_volume(),
            container_full_uri: DEFAULT_FULL_URI.to_owned(),
            container_audience: None,
        }
    }
}

impl Settings {
    /// A provider's token volume.
    #[must_use]
    pub fn volume(&self, provider: CredentialProvider) -> &TokenVolume {
        match provider {
            CredentialProvider::WebIdentity => &self.web_identity_volume,
            CredentialProvider::Container => &self.container_volume,
        }
    }

    /// The audience of a provider's token. `own` is the ServiceAccount's, which is used if the token is
    /// for STS, whose OIDC provider may list another audience than the default.
    #[must_use]
    pub fn audience_of(&self, provider: CredentialProvider, own: Option<&Audience>) -> Audience {
        match (provider, &self.container_audience, self.rules.exchange) {
            (CredentialProvider::WebIdentity, _, _) => own.unwrap_or(&self.audience).clone(),
            (CredentialProvider::Container, Some(audience), _) => audience.clone(),
            (CredentialProvider::Container, None, Exchange::WebIdentity) => {
                own.cloned().unwrap_or_else(|| self.rules.exchange.audience())
            }
            (CredentialProvider::Container, None, exchange) => exchange.audience(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn audience(
        path: CredentialProvider,
        exchange: Exchange,
        own: Option<&str>,
        fixed: Option<&str>,
    ) -> String {
        let read = |text: Option<&str>| text.map(|text| text.parse::<Audience>().unwrap());
        let settings = Settings {
            rules: GrantRules { exchange, ..GrantRules::default() },
            audience: "flag".parse().unwrap(),
            container_audience: read(fixed),
            ..Settings::default()
        };
        settings.audience_of(path, read(own).as_ref()).to_string()
    }

    #[test]
    fn the_audience_is_the_service_accounts_then_the_flags_then_the_exchanges() {
        use CredentialProvider::{Container, WebIdentity};
        for (provider, exchange, own, fixed, expected) in [
            (WebIdentity, Exchange::WebIdentity, None, None, "flag"),
            (WebIdentity, Exchange::EksAuth, Some("own"), None, "own"),
            (Container, Exchange::WebIdentity, None, None, "sts.amazonaws.com"),
            (Container, Exchange::WebIdentity, Some("own"), None, "own"),
            (Container, Exchange::WebIdentity, Some("own"), Some("fixed"), "fixed"),
            (Container, Exchange::AssumeRole, Some("own"), None, "pods.eks.amazonaws.com"),
            (Container, Exchange::EksAuth, None, None, "pods.eks.amazonaws.com"),
        ] {
            assert_eq!(audience(provider, exchange, own, fixed), expected, "{provider} {exchange}");
        }
    }
}
