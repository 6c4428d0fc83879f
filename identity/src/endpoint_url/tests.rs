//! Endpoints that match, and those that only look as if they did.

use super::*;

fn permits(pattern: &str, url: &str) -> bool {
    let pattern = pattern.parse().unwrap();
    let permitted = PermittedEndpoints::new(&[pattern], "cluster.local").unwrap();
    permitted.permits(&url.parse().unwrap())
}

#[test]
fn an_exact_pattern_matches_one_endpoint() {
    for url in ["https://good.example", "https://GOOD.example:443/"] {
        assert!(permits("https://good.example", url), "{url}");
        assert!(permits("https://good.example/", url), "{url}");
    }
    for url in [
        "http://good.example",
        "https://good.example:4566",
        "https://good.example/x",
        "https://good.example.evil",
        "https://evil.good.example",
        "https://good.exampl",
    ] {
        assert!(!permits("https://good.example", url), "{url}");
    }
}

#[test]
fn a_prefix_ends_at_a_host_or_a_part_of_the_path() {
    for (pattern, url, is_permitted) in [
        ("https://good.example/*", "https://good.example", true),
        ("https://good.example/*", "https://good.example/a/b/", true),
        ("https://good.example/*", "https://good.example.evil/a", false),
        ("https://good.example/*", "https://good.example:444/a", false),
        ("https://good.example/*", "http://good.example/a", false),
        ("https://good.example/team/*", "https://good.example/team", true),
        ("https://good.example/team/*", "https://good.example/team/a", true),
        ("https://good.example/team/*", "https://good.example/teams", false),
        ("https://good.example/team/*", "https://good.example/", false),
        ("http://[::1]:4566/*", "http://[0:0:0:0:0:0:0:1]:4566/a", true),
    ] {
        assert_eq!(permits(pattern, url), is_permitted, "{pattern} {url}");
    }
}

#[test]
fn what_clients_could_read_in_two_ways_is_not_a_url() {
    for (url, error) in [
        ("", EndpointUrlError::Scheme),
        ("ftp://a", EndpointUrlError::Scheme),
        ("HTTPS://a", EndpointUrlError::Scheme),
        ("https:/a", EndpointUrlError::Scheme),
        (" https://a", EndpointUrlError::Scheme),
        ("https://", EndpointUrlError::Host),
        ("https:///a", EndpointUrlError::Host),
        ("https://good@evil", EndpointUrlError::Host),
        ("https://good:80@evil", EndpointUrlError::Host),
        ("https://good\\@evil", EndpointUrlError::Host),
        ("https://good#evil", EndpointUrlError::Host),
        ("https://good?evil", EndpointUrlError::Host),
        ("https://good%2eevil", EndpointUrlError::Host),
        ("https://good:", EndpointUrlError::Host),
        ("https://good:0x50", EndpointUrlError::Host),
        ("https://good:65536", EndpointUrlError::Host),
        ("https://good:+80", EndpointUrlError::Host),
        ("https://.evil", EndpointUrlError::Host),
        ("https://good.", EndpointUrlError::Host),
        ("https://go od", EndpointUrlError::Host),
        ("https://gööd", EndpointUrlError::Host),
        ("https://[::1", EndpointUrlError::Host),
        ("https://[::1]evil", EndpointUrlError::Host),
        ("https://[fe80::1%eth0]", EndpointUrlError::Host),
        ("https://good/a/../b", EndpointUrlError::Path),
        ("https://good/./b", EndpointUrlError::Path),
        ("https://good//b", EndpointUrlError::Path),
        ("https://good/%2e%2e/b", EndpointUrlError::Path),
        ("https://good/a?b", EndpointUrlError::Path),
        ("https://good/a#b", EndpointUrlError::Path),
        ("https://good/a\\b", EndpointUrlError::Path),
        ("https://good/$(DB_PASSWORD)", EndpointUrlError::Path),
        ("https://good/a b", EndpointUrlError::Path),
        ("https://good/a\n", EndpointUrlError::Path),
    ] {
        assert_eq!(url.parse::<EndpointUrl>(), Err(error), "{url}");
    }
}

#[test]
fn a_wildcard_is_only_behind_the_last_slash() {
    for pattern in [
        "https://good.example*",
        "https://*.example",
        "https://*/a",
        "https://good.example/a*",
        "https://good.example/*/b",
        "https://good.example/**",
        "*",
    ] {
        let error = pattern.parse::<EndpointPattern>().unwrap_err();
        assert_eq!(error, EndpointPatternError::Wildcard, "{pattern}");
    }
    let error = "good.example/*".parse::<EndpointPattern>().unwrap_err();
    assert_eq!(error, EndpointPatternError::Url(EndpointUrlError::Scheme));
    for text in ["https://good.example/a/*", "http://127.0.0.1:4566"] {
        assert_eq!(text.parse::<EndpointPattern>().unwrap().to_string(), text);
    }
}

#[test]
fn clear_text_stays_on_the_machine_or_in_the_cluster() {
    let permitted = |text: &str, domain: &str| {
        PermittedEndpoints::new(&[text.parse().unwrap()], domain).is_ok()
    };
    for host in [
        "localhost",
        "127.0.0.1",
        "127.9.9.9",
        "[::1]",
        "sandbox.podrole.svc",
        "sandbox.podrole.svc.cluster.local",
        "Sandbox.Podrole.SVC.corp.internal",
    ] {
        assert!(permitted(&format!("http://{host}:4566/*"), "corp.internal."), "{host}");
    }
    for host in [
        "emulator.example",
        "sandbox",
        "10.0.0.1",
        "[fd00::1]",
        "svc",
        "evil.svc.example",
        "evilsvc",
        "127.0.0.1.example",
        "localhost.example",
        "127.1",
        "2130706433",
    ] {
        assert!(!permitted(&format!("http://{host}"), "cluster.local"), "{host}");
        assert!(permitted(&format!("https://{host}"), "cluster.local"), "{host}");
    }
    let other = permitted("http://a.svc.corp.internal", "cluster.local");
    assert!(!other, "another cluster's domain");
}

#[test]
fn the_endpoint_that_pods_get_anyway_may_be_named() {
    let url: EndpointUrl = "http://emulator.example:5000".parse().unwrap();
    assert!(!PermittedEndpoints::default().permits(&url));
    assert!(PermittedEndpoints::default().with(url.clone()).permits(&url));
}

#[test]
fn endpoints_of_the_cluster_are_recognised() {
    for (url, host, is_service, is_local) in [
        ("http://sandbox.podrole.svc:4566", "sandbox.podrole.svc", true, true),
        ("https://Sandbox.podrole.svc", "sandbox.podrole.svc", true, true),
        ("http://a.b.svc.cluster.local/", "a.b.svc.cluster.local", true, true),
        ("https://a.b.svc.corp.internal/", "a.b.svc.corp.internal", true, true),
        ("http://localstack:4566", "localstack", true, true),
        ("http://localhost:4566", "localhost", false, true),
        ("https://[::1]:4566", "::1", false, true),
        ("http://10.0.0.1", "10.0.0.1", false, true),
        ("http://emulator.example", "emulator.example", false, true),
        ("https://s3.example", "s3.example", false, false),
        ("https://a.b.svc.example", "a.b.svc.example", false, false),
    ] {
        let read = url.parse::<EndpointUrl>().unwrap();
        let found = (read.host(), read.is_service("corp.internal"), read.is_local("corp.internal"));
        assert_eq!(found, (host.to_owned(), is_service, is_local), "{url}");
    }
}
