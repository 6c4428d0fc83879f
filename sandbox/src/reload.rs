//! `--config` is follower: what changed is taken over, and a file that cannot be read changes
//! nothing.

use std::{path::PathBuf, time::Duration};

use crate::{Config, sandbox::Sandbox};

const PAUSE: Duration = Duration::from_secs(2);

/// A file that is looked at again and again.
pub(crate) struct ConfigFollower {
    file: PathBuf,
    last: String,
}

impl ConfigFollower {
    /// Follows a file from that text on.
    pub(crate) fn new(file: PathBuf, text: String) -> Self {
        Self { file, last: text }
    }

    /// Looks; the configuration, if the file has changed. Each change is told once.
    fn look(&mut self) -> Option<Result<Config, String>> {
        // A file that is away is being replaced, or will be missed by more than us.
        let text = std::fs::read_to_string(&self.file).ok()?;
        if text == self.last {
            return None;
        }
        let config = Config::read(&text).map_err(|error| error.to_string());
        self.last = text;
        Some(config)
    }

    /// Follows until the task is dropped. Accounts, users, roles, providers and clusters are taken
    /// over; what the IAM API changed stands.
    pub(crate) async fn run(mut self, sandbox: Sandbox) {
        loop {
            tokio::time::sleep(PAUSE).await;
            self.step(&sandbox);
        }
    }

    fn step(&mut self, sandbox: &Sandbox) {
        let file = self.file.display().to_string();
        match self.look().map(|config| config.and_then(|config| sandbox.take_over(config))) {
            None => {}
            Some(Ok(())) => tracing::info!(file, "the changed file is in force"),
            Some(Err(error)) => {
                tracing::error!(file, %error, "the changed file is not taken; the last good one stays");
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
    fn a_change_is_taken_over_once_and_a_bad_one_not() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let mut follower = ConfigFollower::new(file.path().to_owned(), String::new());
        assert!(follower.look().is_none());
        std::fs::write(file.path(), ROLE).unwrap();
        let sandbox = Sandbox::new(Config::default());
        follower.step(&sandbox);
        let arn = "arn:aws:iam::111122223333:role/app".parse().unwrap();
        assert!(sandbox.has_role(&arn));
        assert!(follower.look().is_none());
        std::fs::write(file.path(), "accounts: [").unwrap();
        assert!(follower.look().unwrap().is_err());
        assert!(follower.look().is_none());
        std::fs::remove_file(file.path()).unwrap();
        follower.step(&sandbox);
        assert!(sandbox.has_role(&arn));
    }
}
