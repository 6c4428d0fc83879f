//! A request's condition keys, and the list of keys that the sandbox supports.

use std::collections::BTreeMap;

/// A request's condition keys. Keys are compared case-insensitively and may have several values.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Context(BTreeMap<String, Vec<String>>);

/// The keys that the sandbox sets on requests, in lower case.
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
    /// Sets a key's values. Without values the request does not have the key.
    #[must_use]
    pub fn with<T: Into<String>>(mut self, key: &str, values: impl IntoIterator<Item = T>) -> Self {
        self.set(key, values);
        self
    }

    /// Sets a key's values. Without values the request does not have the key.
    pub fn set<T: Into<String>>(&mut self, key: &str, values: impl IntoIterator<Item = T>) {
        let values: Vec<String> = values.into_iter().map(Into::into).collect();
        self.0.insert(key.to_lowercase(), values);
    }

    /// A key's values, if there are any.
    pub(super) fn get(&self, key: &str) -> Option<&[String]> {
        self.0.get(&key.to_lowercase()).map(Vec::as_slice).filter(|values| !values.is_empty())
    }
}

/// Whether the sandbox ever sets that key. Otherwise a policy is evaluated as if the request did not have
/// it, and the reason says so.
pub(crate) fn is_modelled(key: &str) -> bool {
    let key = key.to_lowercase();
    let fits = |modelled: &str| match (modelled.strip_suffix('*'), modelled.strip_prefix('*')) {
        (Some(start), _) => key.starts_with(start),
        (_, Some(end)) => key.ends_with(end),
        _ => key == modelled,
    };
    MODELLED.iter().any(|modelled| fits(modelled))
        || [":aud", ":amr"].iter().any(|end| key.ends_with(end))
}
