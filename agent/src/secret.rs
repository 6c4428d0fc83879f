//! Text that never shows: tokens and secret keys.

use std::{alloc::System, fmt, sync::Arc};

use zeroize::Zeroizing;
use zeroizing_alloc::ZeroAlloc;

/// An allocator that wipes what is freed. Our own secrets wipe themselves; this is for the copies
/// that the HTTP engine and the SDKs make of a request, an answer and what was read of them.
pub type Wiping = ZeroAlloc<System>;

/// The allocator of the daemon.
pub const WIPING: Wiping = ZeroAlloc(System);

/// A token or a secret key. It prints as `Secret`, and is wiped when its last clone goes.
#[derive(Clone)]
pub struct Secret(Arc<Zeroizing<String>>);

impl Secret {
    /// Takes `text` over.
    #[must_use]
    pub fn new(text: String) -> Self {
        Self(Arc::new(Zeroizing::new(text)))
    }

    /// The text, for the one place that needs it.
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
    fn a_secret_does_not_show() {
        let secret = Secret::new("hush".to_owned());
        assert_eq!(format!("{secret:?} {:#?}", Some(&secret)).find("hush"), None);
        assert_eq!(secret.expose(), "hush");
    }
}
