//! Endpoints that users set.

use aws_types::{SdkConfig, service_config::ServiceConfigKey};

/// The endpoint that the environment or a profile sets for a service (`AWS_ENDPOINT_URL_EKS`,
/// `AWS_ENDPOINT_URL`, `endpoint_url`).
pub(crate) fn set_endpoint(config: &SdkConfig, service_id: &str) -> Option<String> {
    let key = ServiceConfigKey::builder().service_id(service_id).env("AWS_ENDPOINT_URL");
    let key = key.profile("endpoint_url").build().ok();
    let set = config.service_config().zip(key).and_then(|(set, key)| set.load_config(key));
    set.or_else(|| config.endpoint_url().map(str::to_owned))
}
