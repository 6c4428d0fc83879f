//! What is wrong with an issuer, from what API servers, tokens and the published documents say.

use jiff::{SignedDuration, Timestamp};

use super::super::{
    documents::ServerDocuments,
    issuer_url::{IssuerUrl, TrailingSlash},
    key::KeySet,
    origin::FetchError,
    token::{FreshTokenError, TokenFacts},
};
use crate::report::{Code, Finding, State};

/// The issuer is written differently, or in a way that IAM cannot use.
const ISSUER: Code = Code(24);
/// A key is not published.
const KEY: Code = Code(25);
/// No key is published.
const NO_KEY: Code = Code(26);
/// Clocks that differ by less give no warning.
const CLOCKS: SignedDuration = SignedDuration::from_secs(60);

/// What was read.
pub(crate) struct Evidence {
    pub(crate) servers: Vec<ServerDocuments>,
    /// A token of each API server, if one was asked for.
    pub(crate) tokens: Vec<(String, Result<TokenFacts, FreshTokenError>)>,
    /// `None` if the issuer is no public URL.
    pub(crate) published: Option<Published>,
    /// The command that publishes.
    pub(crate) publish: String,
    pub(crate) now: Timestamp,
}

/// What is published at the issuer.
pub(crate) enum Published {
    /// Both documents, which were read.
    Keys(PublishedKeys),
    /// There is no document at this URL.
    Nothing(String),
    /// The document at this URL cannot be used.
    Bad(String, String),
    /// It is not known.
    Unread(FetchError),
}

/// Both documents.
pub(crate) struct PublishedKeys {
    pub(crate) issuer: String,
    /// The URL of the keys.
    pub(crate) at: String,
    pub(crate) keys: KeySet,
    /// The URLs of documents that are not served as JSON.
    pub(crate) not_json: Vec<String>,
    pub(crate) date: Option<Timestamp>,
}

/// Compares everything that was read.
pub(crate) fn findings(evidence: &Evidence) -> Vec<Finding> {
    let publish = |finding: Finding| finding.fix(&evidence.publish);
    let mut found = Vec::new();
    let Some(first) = evidence.servers.first() else { return found };
    let issuer = &first.discovery.issuer;
    found.push(of_issuer(issuer));
    for other in evidence.servers.iter().filter(|it| it.discovery.issuer != *issuer) {
        let message = format!("{} and {} have different issuers", first.server, other.server);
        let fix = "set the first --service-account-issuer of all API servers to one URL";
        let it = Finding::error(ISSUER, message).is(&other.discovery.issuer).should_be(issuer);
        found.push(it.fix(fix));
    }
    for (server, token) in &evidence.tokens {
        found.push(of_token(server, token, issuer));
    }
    match &evidence.published {
        None => {
            found.push(Finding::skipped("the published documents (because of PR024)"));
            return found;
        }
        Some(Published::Keys(published)) => {
            of_documents(evidence, issuer, published, &mut found);
            of_clocks(evidence, published, &mut found);
        }
        Some(Published::Nothing(at)) => {
            found.push(publish(Finding::error(NO_KEY, format!("nothing is published at {at}"))));
        }
        Some(Published::Bad(at, reason)) => {
            let message = format!("what is published at {at} cannot be used: {reason}");
            found.push(publish(Finding::error(NO_KEY, message)));
        }
        Some(Published::Unread(error)) => found.push(of_fetch(error)),
    }
    found.push(Finding::skipped(
        "IAM's provider and its client ids: this version does not read IAM",
    ));
    found
}

fn of_issuer(issuer: &str) -> Finding {
    match IssuerUrl::read(issuer, TrailingSlash::Accepted) {
        Err(error) => {
            let message = format!("IAM cannot use the API server's issuer: {error}");
            Finding::error(ISSUER, message)
                .is(issuer)
                .should_be("a public https URL")
                .fix("set --service-account-issuer of every API server to the public URL")
        }
        Ok(_) if issuer.ends_with('/') => {
            let message =
                format!("the issuer {issuer} ends with a slash; the provider in IAM must too");
            Finding::warning(ISSUER, message).fix("podrole oidc provider")
        }
        Ok(_) => Finding::ok(format!("the issuer is {issuer}")),
    }
}

fn of_token(server: &str, token: &Result<TokenFacts, FreshTokenError>, issuer: &str) -> Finding {
    match token {
        Err(error) => Finding::unknown(format!("a token of {server}: {error}")),
        Ok(token) if token.issuer != issuer => {
            Finding::error(ISSUER, format!("tokens of {server} name another issuer"))
                .is(&token.issuer)
                .should_be(issuer)
                .fix("set the first --service-account-issuer of all API servers to one URL")
        }
        Ok(token) => {
            Finding::ok(format!("tokens of {server} name the issuer; key {} signs them", token.kid))
        }
    }
}

fn of_documents(
    evidence: &Evidence,
    issuer: &str,
    published: &PublishedKeys,
    found: &mut Vec<Finding>,
) {
    let publish = |finding: Finding| finding.fix(&evidence.publish);
    if published.issuer == issuer {
        found.push(Finding::ok("the published discovery document names the issuer"));
    } else {
        let it = Finding::error(ISSUER, "the published discovery document names another issuer");
        found.push(publish(it.is(&published.issuer).should_be(issuer)));
    }
    of_keys(evidence, published, found);
    for url in &published.not_json {
        let it = Finding::new(State::Warning, format!("{url} is not served as application/json"));
        found.push(publish(it));
    }
}

fn of_keys(evidence: &Evidence, published: &PublishedKeys, found: &mut Vec<Finding>) {
    let publish = |finding: Finding| finding.fix(&evidence.publish);
    let ours: KeySet = evidence.servers.iter().flat_map(|it| it.keys.clone()).collect();
    let tokens = || evidence.tokens.iter().filter_map(|(_, token)| token.as_ref().ok());
    let signs = |kid: &str| tokens().any(|token| token.kid == kid);
    let same = |(kid, key): &(&String, &super::super::key::Key)| {
        published.keys.get(*kid).is_some_and(|it| it.is_same(key))
    };
    if !ours.iter().any(|key| same(&key)) {
        let message = format!("none of this cluster's keys is published at {}", published.at);
        let it = Finding::error(NO_KEY, message).is(kids(&published.keys)).should_be(kids(&ours));
        found.push(publish(it));
        return;
    }
    let missing: Vec<&String> = ours.iter().filter(|key| !same(key)).map(|(kid, _)| kid).collect();
    for kid in &missing {
        found.push(publish(if signs(kid) {
            Finding::error(KEY, format!("key {kid} signs tokens and is not published"))
        } else if tokens().count() == evidence.servers.len() {
            let message = format!("key {kid} is not published; it does not sign tokens yet");
            Finding::warning(KEY, message)
        } else {
            Finding::error(KEY, format!("key {kid} of the API server is not published"))
        }));
    }
    for token in tokens().filter(|token| !ours.contains_key(&token.kid)) {
        let message = format!("key {} signs tokens and the API servers do not list it", token.kid);
        found.push(Finding::unknown(message).fix("name the other API servers with --server"));
    }
    if missing.is_empty() {
        found.push(Finding::ok(format!("all {} keys are published", ours.len())));
    }
}

fn of_clocks(evidence: &Evidence, published: &PublishedKeys, found: &mut Vec<Finding>) {
    let Some(date) = published.date else { return };
    let differs = |time: Timestamp| time.duration_since(date).abs() > CLOCKS;
    let seconds = |time: Timestamp| time.duration_since(date).as_secs();
    let tokens = evidence.tokens.iter().filter_map(|(name, it)| Some((name, it.as_ref().ok()?)));
    for (server, token) in tokens.filter(|(_, token)| differs(token.issued)) {
        let message = format!(
            "the clock of {server} is {} s ahead of the issuer's server; AWS rejects tokens that are not valid yet",
            seconds(token.issued)
        );
        found.push(Finding::new(State::Warning, message).fix("synchronise the clocks"));
    }
    if differs(evidence.now) {
        let message = format!(
            "this machine's clock is {} s ahead of the issuer's server",
            seconds(evidence.now)
        );
        found.push(Finding::new(State::Warning, message));
    }
}

fn of_fetch(error: &FetchError) -> Finding {
    let it = Finding::unknown(format!("the published documents: {}", error.message));
    if !error.is_untrusted {
        return it;
    }
    it.fix("use a certificate of a public CA, or give the provider in IAM the thumbprint of the topmost certificate")
}

fn kids(keys: &KeySet) -> String {
    const SHOWN: usize = 5;
    let mut text = keys.keys().take(SHOWN).cloned().collect::<Vec<_>>().join(", ");
    if keys.len() > SHOWN {
        text.push_str(", ...");
    }
    text
}

#[cfg(test)]
mod tests;
