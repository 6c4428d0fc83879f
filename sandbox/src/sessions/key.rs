//! The key that sessions are derived from, and the derivation.

use std::fmt;

use aws_lc_rs::{constant_time::verify_slices_are_equal, hmac};
use base64::{Engine as _, engine::general_purpose::STANDARD};

use super::{Grant, Session, SessionKeyError, payload};
use crate::random::{self, NoRandom};

/// The first byte of a session token. A change of the payload or of the derivation gets another number, so
/// that an older or newer sandbox rejects the token and does not misread it.
const VERSION: u8 = 1;
const MAC_LENGTH: usize = 32;
const MIN_KEY_LENGTH: usize = 32;

/// What a MAC is for: without it, the readable seal of a token would disclose its secret key.
const TOKEN: &[u8] = b"podrole session 1: token\0";
const KEY_ID: &[u8] = b"podrole session 1: key id\0";
const SECRET: &[u8] = b"podrole session 1: secret key\0";

/// The key that session credentials are derived from. Sandboxes with the same key accept each other's
/// sessions, also after a restart.
#[derive(Clone)]
pub struct SessionKey(Option<hmac::Key>);

impl SessionKey {
    /// A random key: sessions end with this process. Without random numbers no session is issued, so that
    /// their failure is reported then.
    #[must_use]
    pub fn random() -> Self {
        Self(random::bytes::<MIN_KEY_LENGTH>().ok().map(|bytes| of(&bytes)))
    }

    /// A new key as text.
    pub(crate) fn generate() -> Result<String, SessionKeyError> {
        let bytes =
            random::bytes::<MIN_KEY_LENGTH>().map_err(|NoRandom| SessionKeyError::NoRandom)?;
        Ok(STANDARD.encode(bytes))
    }

    /// Parses a key: 32 bytes or more in base64.
    ///
    /// # Errors
    /// If it is not base64, or shorter.
    pub fn read(text: &str) -> Result<Self, SessionKeyError> {
        let bytes = STANDARD.decode(text.trim()).map_err(|_| SessionKeyError::Format)?;
        if bytes.len() < MIN_KEY_LENGTH {
            return Err(SessionKeyError::Format);
        }
        Ok(Self(Some(of(&bytes))))
    }

    /// Issues the credentials of a session. Two sessions with the same grant have other credentials.
    pub(crate) fn issue(&self, grant: Grant) -> Result<Session, NoRandom> {
        let key = self.0.as_ref().ok_or(NoRandom)?;
        let payload = payload::write(&grant, &random::bytes::<16>()?);
        let token = [&[VERSION][..], mac(key, TOKEN, &payload).as_ref(), &payload].concat();
        Ok(session(key, &payload, STANDARD.encode(token), grant))
    }

    /// The session of a token. `None` if this key did not make it. It may have expired.
    pub(crate) fn open(&self, token: &str) -> Option<Session> {
        let key = self.0.as_ref()?;
        let bytes = STANDARD.decode(token).ok()?;
        let (&version, rest) = bytes.split_first()?;
        let (seal, payload) = rest.split_at_checked(MAC_LENGTH).filter(|_| version == VERSION)?;
        // Nothing of the payload is parsed before this.
        verify_slices_are_equal(mac(key, TOKEN, payload).as_ref(), seal).ok()?;
        Some(session(key, payload, token.to_owned(), payload::read(payload)?))
    }
}

fn of(bytes: &[u8]) -> hmac::Key {
    hmac::Key::new(hmac::HMAC_SHA256, bytes)
}

fn session(key: &hmac::Key, payload: &[u8], token: String, grant: Grant) -> Session {
    Session {
        key_id: random::key_id_of(mac(key, KEY_ID, payload).as_ref()),
        secret: random::secret_of(mac(key, SECRET, payload).as_ref()),
        token,
        grant,
    }
}

fn mac(key: &hmac::Key, purpose: &[u8], payload: &[u8]) -> hmac::Tag {
    let mut context = hmac::Context::with_key(key);
    context.update(purpose);
    context.update(payload);
    context.sign()
}

impl fmt::Debug for SessionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionKey").finish_non_exhaustive()
    }
}
