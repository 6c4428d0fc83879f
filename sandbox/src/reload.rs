//! Reloads the configuration file when it changes. A file with errors is ignored.

use std::{path::PathBuf, time::Duration};

use podrole_identity::AccountId;

use crate::{Config, ConfigError, StateError, sandbox::Sandbox};

const PAUSE: Duration = Duration::from_secs(2);

/// Polls the configuration file.
pub(crate) struct ConfigFollower {
    file: PathBuf,
    last: String,
    /// Those of `--account`.
    accounts: Vec<AccountId>,
}

/// Why a changed file is not used.
#[derive(Debug, thiserror::Error)]
enum ReloadError {
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error(transparent)]
    State(#[from] StateError),
}

impl ConfigFollower {
    /// Starts with the text that is already in effect.
    pub(crate) fn new(file: PathBuf, text: String, accounts: Vec<AccountId>) -> Self {
        Self { file, last: text, accounts }
    }

    /// Reads the file, and returns the configuration if it has changed. Each change is returned once.
    fn look(&mut self) -> Option<Result<Config, ConfigError>> {
        // A missing file is probably being replaced: keep the current configuration.
        let text = std::fs::read_to_string(&self.file).ok()?;
        if text == self.last {
            return None;
        }
        let config = Config::read(&text);
        let config = config.map(|config| self.accounts.iter().fold(config, Config::with_account));
        self.last = text;
        Some(config)
    }

    /// Polls until the task is dropped. Replaces accounts, users, roles, providers and clusters, and applies
    /// the changes of the IAM API again.
    pub(crate) async fn run(mut self, sandbox: Sandbox) {
        loop {
            tokio::time::sleep(PAUSE).await;
            self.step(&sandbox);
        }
    }

    fn step(&mut self, sandbox: &Sandbox) {
        let file = self.file.display().to_string();
        let taken = |config: Result<Config, ConfigError>| -> Result<(), ReloadError> {
            Ok(sandbox.take_over(config?)?)
        };
        match self.look().map(taken) {
            None => {}
            Some(Ok(())) => tracing::info!(file, "reloaded the configuration file"),
            Some(Err(error)) => {
                tracing::error!(
                    file,
                    %error,
                    "could not reload the configuration file; keeping the current configuration"
                );
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROLE: &str = r#"{accounts: {"111122223333": {roles: {app: {
        arn: "arn:aws:iam::111122223333:role/app",
        trustPolicy: {Statement: {Effect: Allow, Principal: "*", Action: "*"}}}}}}}"#;

    #[test]
    fn a_changed_file_is_loaded_once_and_a_file_with_errors_is_ignored() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let own: AccountId = "444455556666".parse().unwrap();
        let mut follower =
            ConfigFollower::new(file.path().to_owned(), String::new(), vec![own.clone()]);
        assert!(follower.look().is_none());
        std::fs::write(file.path(), ROLE).unwrap();
        let sandbox = Sandbox::new(Config::default());
        follower.step(&sandbox);
        let arn = "arn:aws:iam::111122223333:role/app".parse().unwrap();
        assert!(sandbox.has_role(&arn));
        assert!(sandbox.accounts().is_configured(own.as_str()), "--account is not forgotten");
        assert!(follower.look().is_none());
        std::fs::write(file.path(), "accounts: [").unwrap();
        assert!(follower.look().unwrap().is_err());
        assert!(follower.look().is_none());
        std::fs::remove_file(file.path()).unwrap();
        follower.step(&sandbox);
        assert!(sandbox.has_role(&arn));
    }
}
