//! What podrole adds to containers only if an annotation asks for it.

use crate::{
    EndpointUrl, PermittedEndpoints, Problem, SessionNameTemplate, annotation::AnnotationReader,
    annotation::read_bool,
};

/// Sets the region of containers, on a ServiceAccount or a pod.
pub const REGION_ANNOTATION: &str = "podrole.io/region";
/// Sets the role session name of the provider `web-identity`, as a template.
pub const SESSION_NAME_ANNOTATION: &str = "podrole.io/session-name";
/// Keeps SDKs from calling the instance metadata service, and so from using the node's role.
pub const DISABLE_IMDS_ANNOTATION: &str = "podrole.io/disable-imds";
/// Sets one endpoint for every AWS service, for emulators; the cluster's administrator lists which.
pub const ENDPOINT_URL_ANNOTATION: &str = "podrole.io/endpoint-url";

/// The opt-in annotations of a ServiceAccount or pod.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OptInAnnotations {
    /// The region of containers that do not set one themselves.
    pub region: Option<String>,
    /// The role session name of the provider `web-identity`.
    pub session_name: Option<SessionNameTemplate>,
    /// Whether SDKs must not call the instance metadata service.
    pub disable_imds: Option<bool>,
    /// One endpoint for every AWS service.
    pub endpoint_url: Option<EndpointUrl>,
}

impl OptInAnnotations {
    pub(crate) fn read(reader: &mut AnnotationReader<'_>) -> Self {
        Self {
            region: reader.read(REGION_ANNOTATION, region),
            session_name: reader.read(SESSION_NAME_ANNOTATION, str::parse),
            disable_imds: reader.read(DISABLE_IMDS_ANNOTATION, read_bool),
            endpoint_url: reader.read(ENDPOINT_URL_ANNOTATION, str::parse),
        }
    }

    /// These values, with unset ones taken from `other`.
    #[must_use]
    pub fn or(&self, other: &Self) -> Self {
        let (own, other) = (self.clone(), other.clone());
        Self {
            region: own.region.or(other.region),
            session_name: own.session_name.or(other.session_name),
            disable_imds: own.disable_imds.or(other.disable_imds),
            endpoint_url: own.endpoint_url.or(other.endpoint_url),
        }
    }

    /// Removes the endpoint if the cluster's administrator does not permit it, and returns the problem
    /// for the annotation's author. As with any value that cannot be used, the default applies.
    pub fn restrict_endpoint(&mut self, permitted: &PermittedEndpoints) -> Option<Problem> {
        let url = self.endpoint_url.take_if(|url| !permitted.permits(url))?;
        let error = "not listed in injection.endpointURLs";
        Some(Problem::new(ENDPOINT_URL_ANNOTATION, url.as_str(), error))
    }
}

fn region(text: &str) -> Result<String, &'static str> {
    let legal = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    let is_region = (1..=32).contains(&text.len()) && text.bytes().all(legal);
    is_region.then(|| text.to_owned()).ok_or("it is not a region, like eu-west-1")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{AnnotationPrefix, Annotations, Problem};

    fn read(pairs: &[(&str, &str)]) -> (OptInAnnotations, Vec<Problem>) {
        let annotations: Annotations =
            pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        let prefix = AnnotationPrefix::default();
        let mut reader = AnnotationReader::new(&annotations, &prefix);
        (OptInAnnotations::read(&mut reader), reader.problems)
    }

    #[test]
    fn every_opt_in_annotation_is_read() {
        let (opt_in, problems) = read(&[
            ("podrole.io/region", "eu-west-1"),
            ("podrole.io/session-name", "{pod.namespace}"),
            ("podrole.io/disable-imds", "true"),
            ("podrole.io/endpoint-url", "http://sandbox.podrole:4566"),
        ]);
        assert!(problems.is_empty(), "{problems:?}");
        assert_eq!(opt_in.region.as_deref(), Some("eu-west-1"));
        assert_eq!(opt_in.session_name, Some("{pod.namespace}".parse().unwrap()));
        assert_eq!(opt_in.disable_imds, Some(true));
        let url = opt_in.endpoint_url.unwrap();
        assert_eq!(url.as_str(), "http://sandbox.podrole:4566");
    }

    #[test]
    fn bad_values_are_reported_and_not_used() {
        for (key, values) in [
            ("podrole.io/region", &["", "EU-WEST-1", "eu west", "eu-west-1\n"][..]),
            ("podrole.io/session-name", &["", "{pod.uid}"]),
            ("podrole.io/disable-imds", &["yes", ""]),
            (
                "podrole.io/endpoint-url",
                &["", "localhost:4566", "http://", "http:///x", "http://a b"],
            ),
        ] {
            for value in values {
                let (opt_in, problems) = read(&[(key, value)]);
                assert_eq!(opt_in, OptInAnnotations::default(), "{key}={value}");
                assert_eq!(problems.len(), 1, "{key}={value}");
            }
        }
    }

    #[test]
    fn an_endpoint_that_is_not_permitted_counts_as_absent() {
        let pattern = "https://good.example/*".parse().unwrap();
        let permitted = PermittedEndpoints::new(&[pattern], "cluster.local").unwrap();
        let (mut good, _) = read(&[("podrole.io/endpoint-url", "https://good.example/a")]);
        assert_eq!(good.restrict_endpoint(&permitted), None);
        assert!(good.endpoint_url.is_some());
        let long = format!("https://good.example.evil/{}", "a".repeat(99));
        let (mut evil, problems) = read(&[("podrole.io/endpoint-url", &long)]);
        assert!(problems.is_empty());
        let problem = evil.restrict_endpoint(&permitted).unwrap().to_string();
        assert!(problem.ends_with("\": not listed in injection.endpointURLs"), "{problem}");
        // The API server may cut a warning at 120 characters, and "podrole: " comes first.
        assert!(problem.len() + "podrole: ".len() <= 120, "{problem}");
        assert_eq!(evil, OptInAnnotations::default());
    }

    #[test]
    fn the_pods_value_takes_precedence() {
        let (pod, _) = read(&[("podrole.io/region", "eu-west-1")]);
        let (service_account, _) =
            read(&[("podrole.io/region", "eu-north-1"), ("podrole.io/disable-imds", "true")]);
        let both = pod.or(&service_account);
        assert_eq!((both.region.as_deref(), both.disable_imds), (Some("eu-west-1"), Some(true)));
    }
}
