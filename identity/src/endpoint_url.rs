//! Endpoints of AWS services that annotations may name. An SDK sends the pod's token there, so the
//! cluster's administrator lists them.

use std::{fmt, net::Ipv4Addr, net::Ipv6Addr, str::FromStr};

/// The DNS domain of most clusters.
pub const DEFAULT_CLUSTER_DOMAIN: &str = "cluster.local";

/// An endpoint's URL, in the few forms that every client reads alike: a scheme, a host, a port and a
/// plain path. Clients disagree about users, escapes, `\` and `..`, so a URL with them could pass
/// as one host and be called as another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndpointUrl {
    text: String,
    https: bool,
    host: Host,
    port: u16,
    /// Without a slash at its end.
    path: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Host {
    /// In lower case.
    Name(String),
    Ipv4(Ipv4Addr),
    Ipv6(Ipv6Addr),
}

/// Endpoints that an annotation may name: one, or with `/*` at the end all at and below a path.
///
/// The `*` must follow a `/`, because `https://good.example*` would match `https://good.example.evil`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndpointPattern {
    url: EndpointUrl,
    below: bool,
}

/// The endpoints that annotations of a cluster may name; by default none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PermittedEndpoints(Vec<EndpointPattern>);

/// Why a text is not an endpoint's URL.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EndpointUrlError {
    /// The scheme is another one, or missing.
    #[error("set a URL that starts with http:// or https://")]
    Scheme,
    /// The host or port is not one.
    #[error("set a host, and a port if it needs one, like https://localhost:4566")]
    Host,
    /// The path has more than plain names.
    #[error("set a path of A-Z a-z 0-9 - . _ ~ /, without . or .. as a part")]
    Path,
}

/// Why a text is not a pattern of endpoints, or cannot be permitted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EndpointPatternError {
    /// It is not a URL.
    #[error(transparent)]
    Url(#[from] EndpointUrlError),
    /// A `*` is elsewhere than behind the last slash.
    #[error("a * must follow the last slash, like https://localhost:4566/*")]
    Wildcard,
    /// Tokens would cross a network in clear text.
    #[error(
        "endpoint {0}: http is permitted only for loopback and for Services (*.svc, \
         *.svc.<cluster domain>); use https"
    )]
    Plaintext(String),
}

impl EndpointUrl {
    /// The URL as it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The host as an exception from a proxy: an IPv6 address has no brackets, because clients do not
    /// match it with them.
    #[must_use]
    pub fn host(&self) -> String {
        match &self.host {
            Host::Name(name) => name.clone(),
            Host::Ipv4(address) => address.to_string(),
            Host::Ipv6(address) => address.to_string(),
        }
    }

    /// Whether the host is one that only the cluster's DNS can resolve: a Service's name.
    #[must_use]
    pub fn is_service(&self, cluster_domain: &str) -> bool {
        match &self.host {
            Host::Name(name) => is_service(name, cluster_domain) || is_short(name),
            Host::Ipv4(_) | Host::Ipv6(_) => false,
        }
    }

    /// Whether a proxy is of no use for the endpoint: it is in the cluster, on the machine, or an
    /// emulator without TLS. A proxy outside the cluster cannot resolve a Service's name.
    #[must_use]
    pub fn is_local(&self, cluster_domain: &str) -> bool {
        !self.https || self.is_loopback() || self.is_service(cluster_domain)
    }

    /// Whether a token that is sent there stays secret: by TLS, on the machine, or in the cluster.
    fn is_private(&self, cluster_domain: &str) -> bool {
        let is_named = |name: &str| is_service(name, cluster_domain);
        self.https || self.is_loopback() || matches!(&self.host, Host::Name(name) if is_named(name))
    }

    fn is_loopback(&self) -> bool {
        match &self.host {
            Host::Ipv4(address) => address.is_loopback(),
            Host::Ipv6(address) => address.is_loopback(),
            Host::Name(name) => name == "localhost",
        }
    }
}

impl FromStr for EndpointUrl {
    type Err = EndpointUrlError;

    fn from_str(text: &str) -> Result<Self, EndpointUrlError> {
        let (https, rest) = match (text.strip_prefix("https://"), text.strip_prefix("http://")) {
            (Some(rest), _) => (true, rest),
            (_, Some(rest)) => (false, rest),
            (None, None) => return Err(EndpointUrlError::Scheme),
        };
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let (host, port) = authority_of(authority).ok_or(EndpointUrlError::Host)?;
        let path = path.strip_suffix('/').unwrap_or(path);
        let legal = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
        let plain = |part: &str| !["", ".", ".."].contains(&part) && part.bytes().all(legal);
        if text.len() > 2048 || !path.split('/').skip(1).all(plain) {
            return Err(EndpointUrlError::Path);
        }
        let port = port.unwrap_or(if https { 443 } else { 80 });
        Ok(Self { text: text.to_owned(), https, host, port, path: path.to_owned() })
    }
}

/// Whether a host's name is that of a Service. Only such a name is safe for a token: a short one is
/// resolved in the domains of the node too.
fn is_service(name: &str, cluster_domain: &str) -> bool {
    let domain = cluster_domain.trim_matches('.').to_ascii_lowercase();
    let services = [".svc", ".svc.cluster.local", &format!(".svc.{domain}")];
    services.iter().any(|end| name.ends_with(end))
}

/// A name that needs a search domain: a Service of the pod's namespace.
fn is_short(name: &str) -> bool {
    !name.contains('.') && name != "localhost"
}

/// The host and the port of `host`, `host:port`, `[address]` or `[address]:port`.
fn authority_of(text: &str) -> Option<(Host, Option<u16>)> {
    let (host, rest) = match text.strip_prefix('[') {
        Some(rest) => {
            let (address, rest) = rest.split_once(']')?;
            (Host::Ipv6(address.parse().ok()?), rest)
        }
        None => {
            let (name, rest) = text.split_at(text.find(':').unwrap_or(text.len()));
            (named(name)?, rest)
        }
    };
    let digits = |port: &str| !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
    match rest.strip_prefix(':') {
        None if rest.is_empty() => Some((host, None)),
        Some(port) if digits(port) => Some((host, Some(port.parse().ok()?))),
        _ => None,
    }
}

fn named(text: &str) -> Option<Host> {
    if let Ok(address) = text.parse() {
        return Some(Host::Ipv4(address));
    }
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
    let labels = text.split('.').all(|label| !label.is_empty() && label.bytes().all(legal));
    (labels && text.len() <= 253).then(|| Host::Name(text.to_ascii_lowercase()))
}

impl EndpointPattern {
    fn matches(&self, url: &EndpointUrl) -> bool {
        let Self { url: own, below } = self;
        if (own.https, &own.host, own.port) != (url.https, &url.host, url.port) {
            return false;
        }
        match url.path.strip_prefix(&own.path) {
            Some("") => true,
            Some(rest) => *below && rest.starts_with('/'),
            None => false,
        }
    }
}

impl FromStr for EndpointPattern {
    type Err = EndpointPatternError;

    fn from_str(text: &str) -> Result<Self, EndpointPatternError> {
        let (url, below) = match text.strip_suffix("/*") {
            Some(url) => (url, true),
            None => (text, false),
        };
        if url.contains('*') {
            return Err(EndpointPatternError::Wildcard);
        }
        Ok(Self { url: url.parse()?, below })
    }
}

impl fmt::Display for EndpointPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.url.text, if self.below { "/*" } else { "" })
    }
}

impl PermittedEndpoints {
    /// The endpoints that an administrator lists, in a cluster with this DNS domain.
    ///
    /// # Errors
    /// If tokens would be sent to one of them in clear text over a network.
    pub fn new(
        patterns: &[EndpointPattern],
        cluster_domain: &str,
    ) -> Result<Self, EndpointPatternError> {
        match patterns.iter().find(|pattern| !pattern.url.is_private(cluster_domain)) {
            Some(pattern) => Err(EndpointPatternError::Plaintext(pattern.to_string())),
            None => Ok(Self(patterns.to_vec())),
        }
    }

    /// The same, and one more endpoint, which pods get anyway.
    #[must_use]
    pub fn with(mut self, url: EndpointUrl) -> Self {
        self.0.push(EndpointPattern { url, below: false });
        self
    }

    /// Whether an annotation may name this endpoint.
    #[must_use]
    pub fn permits(&self, url: &EndpointUrl) -> bool {
        self.0.iter().any(|pattern| pattern.matches(url))
    }
}

#[cfg(test)]
mod tests;
