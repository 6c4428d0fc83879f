//! The sandbox in front of an emulator: moto behind it, and boto3 and pyarrow before it with a
//! pod's web identity.
//!
//! ```text
//!   boto3, pyarrow ─► sandbox: STS; else proves the signature ─► moto: Secrets Manager, SSM, S3
//! ```
#![forbid(unsafe_code)]

mod example;
mod oidc;
mod python_clients;
mod stage;
