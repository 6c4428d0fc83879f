//! The environment variables that AWS SDKs read, by their names.

/// The role that the provider `web-identity` assumes.
pub const ROLE_ARN: &str = "AWS_ROLE_ARN";
/// The file of the web identity token.
pub const WEB_IDENTITY_TOKEN_FILE: &str = "AWS_WEB_IDENTITY_TOKEN_FILE";
/// The URL that the provider `container` calls.
pub const CONTAINER_FULL_URI: &str = "AWS_CONTAINER_CREDENTIALS_FULL_URI";
/// The file whose content the provider `container` sends as `Authorization`.
pub const CONTAINER_TOKEN_FILE: &str = "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE";
/// Which STS endpoints older SDKs call: `regional` or `legacy`.
pub const STS_REGIONAL_ENDPOINTS: &str = "AWS_STS_REGIONAL_ENDPOINTS";
/// The region, as most SDKs read it.
pub const REGION: &str = "AWS_REGION";
/// The region, as Python and C++ read it.
pub const DEFAULT_REGION: &str = "AWS_DEFAULT_REGION";
/// One endpoint for every service, for emulators.
pub const ENDPOINT_URL: &str = "AWS_ENDPOINT_URL";
/// The role session name of web identity.
pub const ROLE_SESSION_NAME: &str = "AWS_ROLE_SESSION_NAME";
/// `true` keeps SDKs from calling the instance metadata service.
pub const EC2_METADATA_DISABLED: &str = "AWS_EC2_METADATA_DISABLED";

/// A container that sets one of these chooses itself where its credentials come from.
///
/// The four container variables are among them because SDKs disagree on which of two wins.
pub const USER_DECIDED: [&str; 11] = [
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_PROFILE",
    "AWS_DEFAULT_PROFILE",
    ROLE_ARN,
    WEB_IDENTITY_TOKEN_FILE,
    CONTAINER_FULL_URI,
    CONTAINER_TOKEN_FILE,
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN",
];

/// Proxy variables, in both cases that programs read.
pub const PROXIES: [&str; 6] =
    ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"];
/// The exceptions from the proxies, in both cases that programs read.
pub const NO_PROXIES: [&str; 2] = ["NO_PROXY", "no_proxy"];
