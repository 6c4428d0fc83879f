//! Secrets: text that is never printed, and wiped from memory.

use std::{alloc::System, fmt, sync::Arc};

use zeroize::Zeroizing;
use zeroizing_alloc::ZeroAlloc;

/// An allocator that wipes memory when it is freed. A [`Secret`] wipes itself; this is for the copies
/// that the HTTP library and the SDKs make of requests and responses.
pub type Wiping = ZeroAlloc<System>;

/// The daemon's allocator.
pub const WIPING: Wiping = ZeroAlloc(System);

/// A token or a secret key. It prints as `Secret`, and is wiped when its last clone is dropped.
#[derive(Clone)]
pub struct Secret(Arc<Zeroizing<String>>);

impl Secret {
    /// Takes ownership of `text`, so that no other copy is left.
    #[must_use]
    pub fn new(text: String) -> Self {
        Self(Arc::new(Zeroizing::new(text)))
    }

    /// The text. Every use must keep it out of logs and errors.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_not_printed() {
        let secret = Secret::new("hush".to_owned());
        assert_eq!(format!("{secret:?} {:#?}", Some(&secret)).find("hush"), None);
        assert_eq!(secret.expose(), "hush");
    }
}
