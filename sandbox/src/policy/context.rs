//! What is known of a request, and which condition keys are known at all.

use std::collections::BTreeMap;

/// The condition keys that a request has. Keys compare without case; a key may have many values.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Context(BTreeMap<String, Vec<String>>);

/// The keys that the sandbox gives to requests that have something to say under them.
const MODELLED: [&str; 30] = [
    "aws:currenttime",
    "aws:epochtime",
    "aws:federatedprovider",
    "aws:multifactorauthpresent",
    "aws:principalaccount",
    "aws:principalarn",
    "aws:principalisawsservice",
    "aws:principalorgid",
    "aws:principalservicename",
    "aws:principaltag/*",
    "aws:principaltype",
    "aws:requestedregion",
    "aws:requesttag/*",
    "aws:resourceaccount",
    "aws:resourceorgid",
    "aws:resourcetag/*",
    "aws:sourceaccount",
    "aws:sourcearn",
    "aws:sourceidentity",
    "aws:sourceorgid",
    "aws:tagkeys",
    "aws:tokenissuetime",
    "aws:userid",
    "aws:username",
    "iam:resourcetag/*",
    "sts:externalid",
    "sts:rolesessionname",
    "sts:sourceidentity",
    "sts:transitivetagkeys",
    "*:sub",
];

impl Context {
    /// Adds a key with its values; without values the request does not have the key.
    #[must_use]
    pub fn with<T: Into<String>>(mut self, key: &str, values: impl IntoIterator<Item = T>) -> Self {
        self.set(key, values);
        self
    }

    /// Adds a key with its values; without values the request does not have the key.
    pub fn set<T: Into<String>>(&mut self, key: &str, values: impl IntoIterator<Item = T>) {
        let values: Vec<String> = values.into_iter().map(Into::into).collect();
        self.0.insert(key.to_lowercase(), values);
    }

    /// The values under a key; nothing where there are none.
    pub(super) fn get(&self, key: &str) -> Option<&[String]> {
        self.0.get(&key.to_lowercase()).map(Vec::as_slice).filter(|values| !values.is_empty())
    }
}

/// Whether the sandbox ever gives a request that key. Where it does not, a policy is judged as if
/// the request had no such key, and the reason says so.
pub(super) fn is_modelled(key: &str) -> bool {
    let key = key.to_lowercase();
    let fits = |modelled: &str| match (modelled.strip_suffix('*'), modelled.strip_prefix('*')) {
        (Some(start), _) => key.starts_with(start),
        (_, Some(end)) => key.ends_with(end),
        _ => key == modelled,
    };
    MODELLED.iter().any(|modelled| fits(modelled))
        || [":aud", ":amr"].iter().any(|end| key.ends_with(end))
}
