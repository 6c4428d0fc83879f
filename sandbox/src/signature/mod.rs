//! Signature Version 4 of any service.
//!
//! ```text
//!   Call ─► authorization: parse ─► payload: how the body is signed ─► sigv4: sign again and compare
//!                                                └─► chunked: a body that is signed in chunks
//! ```
//!
//! STS, IAM and EKS Auth hash the body. S3 takes the hash from a header, does not normalize paths, and allows
//! bodies that are unsigned or signed in chunks.

pub(crate) mod authorization;
pub(crate) mod chain;
pub(crate) mod chunk_error;
pub(crate) mod chunked;
pub(crate) mod equal;
pub(crate) mod key;
pub(crate) mod payload;
pub(crate) mod sigv4;
