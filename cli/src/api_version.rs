//! The version of the reports that commands print as JSON.

/// The `apiVersion` of all reports. Within it, fields are only added.
pub(crate) const API_VERSION: &str = "cli.podrole.io/v1";
