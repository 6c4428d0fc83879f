//! What keeps the agent from an endpoint of AWS: one classification of what the HTTP client reports, and the sentence that
//! the pod's owner, the log and the Event have of it. Pure.

use std::{error::Error, fmt, io, sync::Arc};

use aws_smithy_runtime_api::client::result::ConnectorError;
use http::Uri;
use rustls::CertificateError;

/// An endpoint that gave no answer of AWS, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndpointError {
    /// The endpoint's URL, without user, path and query.
    pub endpoint: Arc<str>,
    /// What happened.
    pub failure: Failure,
    /// Whether the connection was to go through a proxy.
    pub by_proxy: bool,
}

/// What happened to a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// DNS has no address for the endpoint's name.
    NoAddress,
    /// Nothing listens at the endpoint's address.
    Refused,
    /// The network has no route to the address.
    NoRoute,
    /// No answer came in time.
    TimedOut,
    /// The certificate is of a CA that the agent does not trust.
    UntrustedCertificate,
    /// The certificate has expired or is not valid yet.
    CertificateTime,
    /// The certificate is for other names.
    CertificateName,
    /// Another error of TLS.
    Tls,
    /// The proxy does not connect to the endpoint.
    Proxy,
    /// The connection ended before an answer came.
    Closed,
    /// An answer with this status, 500 or above.
    Status(u16),
    /// An answer that is not one of AWS.
    Unreadable,
    /// None of these.
    Other,
}

impl Failure {
    /// Classifies the client's error by itself and its causes. The innermost cause that is known decides; the second value
    /// is whether a proxy was to be used.
    #[must_use]
    pub fn of(error: &(dyn Error + 'static)) -> (Self, bool) {
        let (mut failure, mut by_proxy) = (Self::Other, false);
        let mut next = Some(error);
        while let Some(error) = next {
            failure = Self::of_one(error).unwrap_or(failure);
            // The type is private to the client.
            by_proxy |= error.to_string().starts_with("tunnel error");
            next = error.source();
        }
        (failure, by_proxy)
    }

    fn of_one(error: &(dyn Error + 'static)) -> Option<Self> {
        if let Some(error) = error.downcast_ref::<rustls::Error>() {
            return Some(Self::of_tls(error));
        }
        if let Some(error) = error.downcast_ref::<io::Error>() {
            // An io::Error leaves out the error that it wraps when it is asked for its source.
            let inner = error.get_ref().map(|inner| inner as &(dyn Error + 'static));
            return inner.and_then(Self::of_one).or_else(|| Self::of_io(error));
        }
        if error.downcast_ref::<ConnectorError>().is_some_and(ConnectorError::is_timeout) {
            return Some(Self::TimedOut);
        }
        // What follows has no public type.
        let text = error.to_string();
        match () {
            () if text.starts_with("dns error") => Some(Self::NoAddress),
            () if text.starts_with("tunnel error") => Some(Self::Proxy),
            () if text.contains("timeout occurred") => Some(Self::TimedOut),
            () if text.contains("before message completed") => Some(Self::Closed),
            () => None,
        }
    }

    fn of_io(error: &io::Error) -> Option<Self> {
        use io::ErrorKind::{
            BrokenPipe, ConnectionAborted, ConnectionRefused, ConnectionReset, HostUnreachable,
            NetworkUnreachable, TimedOut, UnexpectedEof,
        };
        match error.kind() {
            ConnectionRefused => Some(Self::Refused),
            HostUnreachable | NetworkUnreachable => Some(Self::NoRoute),
            TimedOut => Some(Self::TimedOut),
            ConnectionReset | ConnectionAborted | BrokenPipe | UnexpectedEof => Some(Self::Closed),
            // The resolver's errors have no kind of their own.
            _ => error.to_string().starts_with("failed to lookup").then_some(Self::NoAddress),
        }
    }

    fn of_tls(error: &rustls::Error) -> Self {
        use CertificateError::{
            Expired, ExpiredContext, NotValidForName, NotValidForNameContext, NotValidYet,
            NotValidYetContext, UnknownIssuer,
        };
        let rustls::Error::InvalidCertificate(error) = error else {
            return Self::Tls;
        };
        match error {
            UnknownIssuer => Self::UntrustedCertificate,
            Expired | ExpiredContext { .. } | NotValidYet | NotValidYetContext { .. } => {
                Self::CertificateTime
            }
            NotValidForName | NotValidForNameContext { .. } => Self::CertificateName,
            _ => Self::Tls,
        }
    }

    /// The code in the log, like AWS's error codes.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::NoAddress => "NoAddress",
            Self::Refused => "ConnectionRefused",
            Self::NoRoute => "NoRoute",
            Self::TimedOut => "Timeout",
            Self::UntrustedCertificate | Self::CertificateTime | Self::CertificateName => {
                "BadCertificate"
            }
            Self::Tls => "TlsError",
            Self::Proxy => "ProxyError",
            Self::Closed => "ConnectionClosed",
            Self::Status(_) => "ErrorStatus",
            Self::Unreadable => "UnreadableAnswer",
            Self::Other => "Unreachable",
        }
    }

    /// What happened, and what to check.
    fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::NoAddress => {
                ("DNS has no address for it", "check the region or the URL, and this node's DNS")
            }
            Self::Refused => ("the connection is refused", "check the URL, and what listens there"),
            Self::NoRoute => ("there is no route to it", "check this node's routes and gateway"),
            Self::TimedOut => (
                "no answer in time",
                "check firewalls, routes and VPC endpoints between this node and it",
            ),
            Self::UntrustedCertificate => (
                "its TLS certificate is of a CA that the agent does not trust",
                "add that CA to the file of AWS_CA_BUNDLE",
            ),
            Self::CertificateTime => (
                "its TLS certificate is not valid by this node's clock",
                "check this clock, then the certificate",
            ),
            Self::CertificateName => {
                ("its TLS certificate is for another name", "check the URL, DNS and proxies")
            }
            Self::Tls => ("TLS failed", "check that TLS 1.2 or later is spoken there, and proxies"),
            Self::Proxy => ("the proxy does not connect", "check HTTPS_PROXY and NO_PROXY"),
            Self::Closed => (
                "the connection was closed",
                "check firewalls and proxies between this node and it",
            ),
            Self::Status(_) => ("", "the service has a problem of its own"),
            Self::Unreadable => {
                ("what answers is not AWS", "check the URL and proxies between this node and it")
            }
            Self::Other => ("the connection failed", "see the agent's log on this node"),
        }
    }
}

impl EndpointError {
    /// An error at `endpoint`.
    #[must_use]
    pub fn new(endpoint: &Arc<str>, (failure, by_proxy): (Failure, bool)) -> Self {
        Self { endpoint: Arc::clone(endpoint), failure, by_proxy }
    }
}

impl fmt::Display for EndpointError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let endpoint = &self.endpoint;
        let (what, fix) = self.failure.words();
        match self.failure {
            Failure::Status(status) => write!(f, "{endpoint} answers with status {status}; {fix}"),
            Failure::Proxy => write!(f, "{endpoint}: {what}; {fix}"),
            _ if self.by_proxy => {
                write!(f, "{endpoint}, by the proxy of HTTPS_PROXY: {what}; {fix}, and the proxy")
            }
            _ => write!(f, "{endpoint}: {what}; {fix}"),
        }
    }
}

/// The URL as it is shown: a user in it could be secret.
#[must_use]
pub fn shown(url: &str) -> Arc<str> {
    let Ok(uri) = url.parse::<Uri>() else {
        return "AWS's endpoint".into();
    };
    let host = uri.host().unwrap_or_default();
    let port = uri.port_u16().map(|port| format!(":{port}")).unwrap_or_default();
    format!("{}://{host}{port}", uri.scheme_str().unwrap_or("http")).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An error as a client wraps it.
    #[derive(Debug)]
    struct Wrapped(&'static str, Box<dyn Error>);

    impl fmt::Display for Wrapped {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str(self.0)
        }
    }

    impl Error for Wrapped {
        fn source(&self) -> Option<&(dyn Error + 'static)> {
            Some(&*self.1)
        }
    }

    fn of(text: &'static str, error: impl Error + 'static) -> (Failure, bool) {
        let error = Wrapped("client error (Connect)", Box::new(Wrapped(text, Box::new(error))));
        Failure::of(&error)
    }

    #[test]
    fn the_innermost_cause_decides() {
        let tcp = |kind| of("tcp connect error", io::Error::from(kind));
        let tls = |error| of("", io::Error::new(io::ErrorKind::InvalidData, rustls_error(error)));
        let lookup = || io::Error::other("failed to lookup address information: Name or service");
        for (found, failure) in [
            (of("dns error", lookup()), Failure::NoAddress),
            (tcp(io::ErrorKind::ConnectionRefused), Failure::Refused),
            (tcp(io::ErrorKind::HostUnreachable), Failure::NoRoute),
            (tcp(io::ErrorKind::TimedOut), Failure::TimedOut),
            (tcp(io::ErrorKind::ConnectionReset), Failure::Closed),
            (tcp(io::ErrorKind::PermissionDenied), Failure::Other),
            (tls(CertificateError::UnknownIssuer), Failure::UntrustedCertificate),
            (tls(CertificateError::Expired), Failure::CertificateTime),
            (tls(CertificateError::NotValidForName), Failure::CertificateName),
            (tls(CertificateError::BadSignature), Failure::Tls),
        ] {
            assert_eq!(found, (failure, false));
        }
        let timeout = ConnectorError::timeout("no answer".into());
        assert_eq!(Failure::of(&timeout), (Failure::TimedOut, false));
        let refused = io::Error::from(io::ErrorKind::ConnectionRefused);
        assert_eq!(of("tunnel error: failed", refused), (Failure::Refused, true));
        let denied = Wrapped("tunnel error: unsuccessful", Box::new(fmt::Error));
        assert_eq!(Failure::of(&denied), (Failure::Proxy, true));
    }

    fn rustls_error(error: CertificateError) -> rustls::Error {
        rustls::Error::InvalidCertificate(error)
    }

    #[test]
    fn a_sentence_names_the_endpoint_what_happened_and_what_to_check() {
        let endpoint = shown("https://user:secret@sts.eu-west-1.amazonaws.com/path?query");
        assert_eq!(&*endpoint, "https://sts.eu-west-1.amazonaws.com");
        assert_eq!(&*shown("http://127.0.0.1:4566/"), "http://127.0.0.1:4566");
        let said =
            |failure, by_proxy| EndpointError::new(&endpoint, (failure, by_proxy)).to_string();
        assert_eq!(
            said(Failure::NoAddress, false),
            "https://sts.eu-west-1.amazonaws.com: DNS has no address for it; check the region or \
             the URL, and this node's DNS"
        );
        assert!(said(Failure::Refused, true).contains("by the proxy of HTTPS_PROXY"));
        assert!(said(Failure::Status(503), false).contains("answers with status 503"));
    }
}
