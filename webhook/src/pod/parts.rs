//! Questions about a pod's containers and volumes.

use super::{Container, EnvFrom, Mount, Variable, Volume};

impl Container {
    pub(crate) fn has_variable(&self, name: &str) -> bool {
        self.variable(name).is_some()
    }

    /// The variable of this name; of several the last one, as for the kubelet.
    pub(crate) fn variable(&self, name: &str) -> Option<&Variable> {
        self.env.iter().rfind(|variable| variable.name == name)
    }

    /// Whether the variable is set to something. One that is empty, or that comes from an optional
    /// source, may just as well be absent.
    pub(crate) fn sets(&self, name: &str) -> bool {
        self.env.iter().any(|variable| variable.name == name && variable.is_set())
    }

    /// Whether one of these variables may come from a Secret or ConfigMap as a whole.
    pub(crate) fn may_get(&self, names: &[&str]) -> bool {
        self.env_from.iter().any(|from| names.iter().any(|name| from.may_set(name)))
    }

    /// The first Secret of an `envFrom` that may set this variable.
    pub(crate) fn secret_that_may_set(&self, name: &str) -> Option<&str> {
        self.env_from.iter().filter(|from| from.may_set(name)).find_map(EnvFrom::secret)
    }

    /// The index of the variable, if its last value is an empty literal.
    pub(crate) fn empty_variable(&self, name: &str) -> Option<usize> {
        let index = self.env.iter().rposition(|variable| variable.name == name)?;
        (self.env[index].literal() == Some("")).then_some(index)
    }
}

impl Variable {
    /// The value; `None` if it comes from a source that only the kubelet reads.
    pub(crate) fn literal(&self) -> Option<&str> {
        self.value_from.is_none().then_some(self.value.as_str())
    }

    /// Whether it has a value for certain: a literal that is not empty, or a source without which the
    /// container does not start.
    pub(crate) fn is_set(&self) -> bool {
        let Some(source) = &self.value_from else { return !self.value.is_empty() };
        let references = [&source.secret_key_ref, &source.config_map_key_ref];
        !references.into_iter().flatten().any(|reference| reference.optional == Some(true))
    }
}

impl Mount {
    /// Whether the whole volume is mounted, not a subPath of it.
    pub(crate) fn is_whole(&self) -> bool {
        self.sub_path.is_empty() && self.sub_path_expr.is_empty()
    }
}

impl EnvFrom {
    /// Whether it may set a variable of this name. What it sets is known only to the kubelet.
    pub(crate) fn may_set(&self, name: &str) -> bool {
        name.starts_with(&self.prefix)
    }

    /// The Secret that it reads.
    fn secret(&self) -> Option<&str> {
        self.secret_ref.as_ref().map(|secret| secret.name.as_str())
    }

    /// Whether it reads this Secret with this prefix.
    pub(crate) fn reads_secret(&self, secret: &str, prefix: &str) -> bool {
        let named = self.secret_ref.as_ref().is_some_and(|named| named.name == secret);
        named && self.prefix == prefix
    }
}

impl Volume {
    /// Whether it projects a token for this audience under this file name. The lifetime does not
    /// matter, because the kubelet refreshes the token in time.
    pub(crate) fn projects_token(&self, audience: &str, file: &str) -> bool {
        self.token_audience(file) == Some(audience)
    }

    /// The audience of the token that is projected under this file name.
    pub(crate) fn token_audience(&self, file: &str) -> Option<&str> {
        let tokens = self.projected.iter().flat_map(|projected| &projected.sources);
        let mut tokens = tokens.filter_map(|source| source.service_account_token.as_ref());
        tokens.find(|token| token.path == file).map(|token| token.audience.as_str())
    }

    /// Whether it projects the token of a ServiceAccount, for whatever audience.
    #[cfg(test)]
    pub(crate) fn projects_any_token(&self) -> bool {
        let mut sources = self.projected.iter().flat_map(|projected| &projected.sources);
        sources.any(|source| source.service_account_token.is_some())
    }

    /// Whether its source is this Secret.
    pub(crate) fn is_of_secret(&self, name: &str) -> bool {
        self.secret.as_ref().is_some_and(|secret| secret.secret_name == name)
    }
}
