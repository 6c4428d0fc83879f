//! What there is to ask of a pod's containers and volumes.

use super::{Container, EnvFrom, Mount, Variable, Volume};

impl Container {
    pub(crate) fn has_variable(&self, name: &str) -> bool {
        self.variable(name).is_some()
    }

    pub(crate) fn variable(&self, name: &str) -> Option<&Variable> {
        self.env.iter().find(|variable| variable.name == name)
    }
}

impl Variable {
    /// Its value, unless it comes from elsewhere and cannot be seen.
    pub(crate) fn literal(&self) -> Option<&str> {
        self.value_from.is_none().then_some(self.value.as_str())
    }
}

impl Mount {
    /// Whether the whole volume is mounted, and not a part of it.
    pub(crate) fn is_whole(&self) -> bool {
        self.sub_path.is_empty() && self.sub_path_expr.is_empty()
    }
}

impl EnvFrom {
    /// Whether it brings this Secret under this beginning.
    pub(crate) fn brings(&self, secret: &str, prefix: &str) -> bool {
        let named = self.secret_ref.as_ref().is_some_and(|named| named.name == secret);
        named && self.prefix == prefix
    }
}

impl Volume {
    /// Whether it projects a token for this audience under this file name. Its life does not
    /// matter: the kubelet renews it in time.
    pub(crate) fn projects_token(&self, audience: &str, file: &str) -> bool {
        self.token_audience(file) == Some(audience)
    }

    /// The audience of the token that it projects under this file name.
    pub(crate) fn token_audience(&self, file: &str) -> Option<&str> {
        let tokens = self.projected.iter().flat_map(|projected| &projected.sources);
        let mut tokens = tokens.filter_map(|source| source.service_account_token.as_ref());
        tokens.find(|token| token.path == file).map(|token| token.audience.as_str())
    }

    /// Whether it is of this Secret.
    pub(crate) fn is_of_secret(&self, name: &str) -> bool {
        self.secret.as_ref().is_some_and(|secret| secret.secret_name == name)
    }
}
