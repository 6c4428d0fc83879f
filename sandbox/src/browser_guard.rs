//! Keeps the pages of strangers away. A page that a developer opens can send requests to this machine, and by DNS rebinding
//! read the answers; the sandbox mints tokens for all who ask.
//!
//! An SDK sends the host name of its endpoint and no `Origin`. So a request is rejected if its `Host` is a name that a
//! stranger can register, or its `Origin` is a page from elsewhere.

use std::net::IpAddr;

use axum::{
    extract::{Request, State},
    http::{HeaderMap, StatusCode, Uri, header},
    middleware::Next,
    response::{IntoResponse as _, Response},
};
use podrole_runtime::host_name::without_port;

/// Last labels that no one can register under, or that resolve only inside a cluster, a machine or a home.
const LOCAL: [&str; 8] =
    ["localhost", "local", "internal", "svc", "test", "example", "invalid", "arpa"];
/// Domains whose names only AWS and LocalStack can point somewhere.
const TRUSTED: [&str; 3] = ["amazonaws.com", "amazonaws.com.cn", "localhost.localstack.cloud"];

/// The host names that requests may ask for, besides those that no stranger can have.
#[derive(Clone, Debug, Default)]
pub struct BrowserGuard {
    allowed: Vec<String>,
}

/// Why a request is rejected.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BrowserRefusal {
    /// Its host name may be anyone's.
    #[error(
        "the host name {0} is not the sandbox's; use localhost or an address, or start the sandbox \
         with --allowed-host {0}"
    )]
    Host(String),
    /// A web page from elsewhere sent it.
    #[error(
        "a web page of {0} sent this request; if it is yours, start the sandbox with --allowed-host \
         and its host name"
    )]
    Origin(String),
}

impl BrowserGuard {
    /// A guard that also allows these host names, and all below them.
    #[must_use]
    pub fn allowing(names: &[String]) -> Self {
        Self { allowed: names.iter().map(|name| name.to_ascii_lowercase()).collect() }
    }

    /// Checks a request's host (its header or its URL's authority) and its origin, if it has them.
    ///
    /// # Errors
    /// If one of them may be a stranger's.
    pub fn check(&self, host: Option<&str>, origin: Option<&str>) -> Result<(), BrowserRefusal> {
        let host = host.map(host_name);
        if let Some(host) = &host
            && host.parse::<IpAddr>().is_err()
            && !self.is_ours(host, &TRUSTED)
        {
            return Err(BrowserRefusal::Host(host.clone()));
        }
        let Some(origin) = origin else { return Ok(()) };
        let page = origin.split_once("://").map(|(_, authority)| host_name(authority));
        // `null` is the origin of a page in a frame without rights: anyone's.
        let is_ours = page.is_some_and(|page| {
            let address = page.parse::<IpAddr>();
            address.is_ok_and(|it| it.is_loopback())
                || Some(&page) == host.as_ref()
                || (page.parse::<IpAddr>().is_err() && self.is_ours(&page, &[]))
        });
        if is_ours { Ok(()) } else { Err(BrowserRefusal::Origin(origin.to_owned())) }
    }

    fn is_ours(&self, name: &str, trusted: &[&str]) -> bool {
        let within = |domain: &str| {
            name.strip_suffix(domain).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
        };
        let last = name.rsplit('.').next().unwrap_or_default();
        // A name of one label is none of the public DNS.
        last == name
            || LOCAL.contains(&last)
            || trusted.iter().any(|domain| within(domain))
            || self.allowed.iter().any(|domain| within(domain))
    }
}

/// The name or address in an authority, without a final dot, in lower case.
fn host_name(authority: &str) -> String {
    without_port(authority).trim_end_matches('.').to_ascii_lowercase()
}

/// Rejects with 403 what [`BrowserGuard::check`] rejects.
pub(crate) async fn layer(
    State(guard): State<BrowserGuard>,
    request: Request,
    next: Next,
) -> Response {
    match guard
        .check(host(request.uri(), request.headers()), text(request.headers(), header::ORIGIN))
    {
        Ok(()) => next.run(request).await,
        Err(refusal) => (StatusCode::FORBIDDEN, format!("{refusal}\n")).into_response(),
    }
}

fn host<'a>(uri: &'a Uri, headers: &'a HeaderMap) -> Option<&'a str> {
    text(headers, header::HOST).or_else(|| uri.authority().map(http::uri::Authority::as_str))
}

/// The header's text; what is no text is no host name of ours either.
fn text(headers: &HeaderMap, name: header::HeaderName) -> Option<&str> {
    headers.get(name).map(|value| value.to_str().unwrap_or("an unreadable.name"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn guard() -> BrowserGuard {
        BrowserGuard::allowing(&["Dev.example.com".to_owned()])
    }

    #[test]
    fn names_that_no_stranger_can_have_are_allowed() {
        for host in [
            "localhost:4566",
            "LOCALHOST",
            "127.0.0.1:4566",
            "[::1]:4566",
            "192.0.2.7",
            "sandbox",
            "host.docker.internal:4566",
            "podrole-sandbox.podrole.svc:4566",
            "bucket.localhost",
            "podrole-sandbox.podrole.svc.cluster.local",
            "sts.eu-west-1.amazonaws.com",
            "bucket.s3.localhost.localstack.cloud:4566",
            "dev.example.com",
            "a.dev.example.com.",
        ] {
            assert_eq!(guard().check(Some(host), None), Ok(()), "{host}");
        }
        assert_eq!(guard().check(None, None), Ok(()), "no browser leaves it out");
    }

    #[test]
    fn names_that_a_stranger_may_have_are_rejected() {
        for host in [
            "evil.com",
            "rebind.evil.com:4566",
            "evilamazonaws.com",
            "amazonaws.com.evil.com",
            "localhost.evil.com",
            "127.0.0.1.evil.com",
            "notdev.example.com",
            "dev.example.com.evil.com",
        ] {
            let refused = guard().check(Some(host), None).unwrap_err();
            assert!(refused.to_string().contains("--allowed-host"), "{refused}");
        }
    }

    #[test]
    fn pages_of_this_machine_are_allowed_and_others_are_rejected() {
        let check = |origin| guard().check(Some("localhost:4566"), Some(origin));
        for origin in [
            "http://localhost:3000",
            "https://127.0.0.1:8443",
            "http://[::1]",
            "http://app.test",
            "https://dev.example.com",
        ] {
            assert_eq!(check(origin), Ok(()), "{origin}");
        }
        for origin in [
            "https://evil.com",
            "null",
            "http://203.0.113.5",
            "https://bucket.s3.amazonaws.com",
            "http://localhost.evil.com",
            "",
        ] {
            assert!(check(origin).is_err(), "{origin}");
        }
        let same = guard().check(Some("192.0.2.7:4566"), Some("http://192.0.2.7:4566"));
        assert_eq!(same, Ok(()), "the sandbox's own page");
    }
}
