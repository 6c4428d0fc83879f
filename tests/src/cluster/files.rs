//! The files that a kube-apiserver wants: its signing key, its one user, a kubeconfig.

use std::{
    fs::{self, OpenOptions},
    io::Write as _,
    os::unix::fs::OpenOptionsExt as _,
    path::Path,
};

use anyhow::Context as _;
use serde_json::json;

pub(super) const CERTIFICATES: &str = "certs";
pub(super) const CA: &str = "certs/apiserver.crt";
pub(super) const KUBECONFIG: &str = "kubeconfig";
pub(super) const SIGNING_KEY: &str = "sa.key";
pub(super) const VERIFYING_KEY: &str = "sa.pub";
pub(super) const TOKENS: &str = "tokens.csv";

/// Writes the key pair that ServiceAccount tokens are signed with.
///
/// # Errors
/// If a key cannot be made or a file not be written.
pub(super) fn write_keys(folder: &Path) -> anyhow::Result<()> {
    let pair = rcgen::KeyPair::generate_for(&rcgen::PKCS_RSA_SHA256)
        .context("cannot make the key that signs tokens")?;
    write_private(&folder.join(SIGNING_KEY), &pair.serialize_pem())?;
    write_private(&folder.join(VERIFYING_KEY), &pair.public_key_pem())
}

/// Writes the administrator's token.
///
/// # Errors
/// If it cannot be written.
pub(super) fn write_user(folder: &Path, token: &str) -> anyhow::Result<()> {
    let user = format!("{token},admin,admin,\"system:masters\"\n");
    write_private(&folder.join(TOKENS), &user)
}

/// Writes a kubeconfig with one server and one user.
///
/// # Errors
/// If it cannot be written.
pub(super) fn write_kubeconfig(
    path: &Path,
    url: &str,
    ca: &Path,
    token: &str,
) -> anyhow::Result<()> {
    let config = json!({
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "c", "cluster": {"server": url, "certificate-authority": ca}}],
        "users": [{"name": "u", "user": {"token": token}}],
        "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
        "current-context": "c",
    });
    write_private(path, &config.to_string())
}

/// 32 random hexadecimal digits.
///
/// # Errors
/// If the system has no randomness.
pub(super) fn random_token() -> anyhow::Result<String> {
    let mut bytes = [0_u8; 16];
    aws_lc_rs::rand::fill(&mut bytes).ok().context("no random bytes")?;
    Ok(format!("{:032x}", u128::from_be_bytes(bytes)))
}

fn write_private(path: &Path, text: &str) -> anyhow::Result<()> {
    let _ = fs::remove_file(path);
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .and_then(|mut file| file.write_all(text.as_bytes()))
        .with_context(|| format!("cannot write {}", path.display()))
}
