//! What our webhook configurations must say of the webhook: whom to trust, and which path to call.
//! Pure.

use k8s_openapi::ByteString;
use serde_json::{Value, json};

/// The path of an entry of our configurations.
#[derive(Clone, Debug)]
pub struct Route {
    /// The entry's name.
    pub webhook: String,
    /// Its path: `/mutate`. An entry with another name has the one that its own path ends with.
    pub path: String,
}

/// What each entry must have.
pub(crate) struct ClientConfig<'a> {
    /// The CA certificates, as PEM.
    pub(crate) bundle: &'a str,
    /// The secret part of the path.
    pub(crate) segment: &'a str,
    /// Without any, paths are left as they are.
    pub(crate) routes: &'a [Route],
}

impl ClientConfig<'_> {
    /// Returns the JSON patch after which every webhook of `configuration` has the bundle and its
    /// path. Its first operation tests the resourceVersion: a webhook inserted since the read would
    /// shift the indexes, and the patch would change the wrong one.
    pub(crate) fn patch(&self, configuration: &Value) -> Vec<Value> {
        let webhooks = configuration.get("webhooks").and_then(Value::as_array);
        let webhooks = webhooks.into_iter().flatten().enumerate();
        let mut operations: Vec<_> =
            webhooks.flat_map(|(at, it)| self.operations(at, it)).collect();
        if !operations.is_empty() {
            let version = configuration.pointer("/metadata/resourceVersion");
            let path = "/metadata/resourceVersion";
            operations.insert(0, json!({"op": "test", "path": path, "value": version}));
        }
        operations
    }

    fn operations(&self, index: usize, webhook: &Value) -> Vec<Value> {
        let add = |field: &str, value: Value| {
            let path = format!("/webhooks/{index}/clientConfig/{field}");
            (webhook.pointer(&format!("/clientConfig/{field}")) != Some(&value))
                .then(|| json!({"op": "add", "path": path, "value": value}))
        };
        let bundle = add("caBundle", json!(ByteString(self.bundle.as_bytes().to_vec())));
        let path = self.path(webhook).and_then(|path| {
            let url = webhook.pointer("/clientConfig/url").and_then(Value::as_str);
            match url {
                Some(url) => add("url", format!("{}{path}", split(url).0).into()),
                None => add("service/path", path.into()),
            }
        });
        bundle.into_iter().chain(path).collect()
    }

    /// The path that an API server must call, or `None` if the entry is not known.
    fn path(&self, webhook: &Value) -> Option<String> {
        let of_service = webhook.pointer("/clientConfig/service/path").and_then(Value::as_str);
        let of_url = webhook.pointer("/clientConfig/url").and_then(Value::as_str);
        let current = of_service.or(of_url.map(|url| split(url).1)).unwrap_or_default();
        let named = self.routes.iter().find(|route| webhook["name"] == route.webhook.as_str());
        let ends = |route: &&Route| current.ends_with(&route.path);
        let route = named.or_else(|| self.routes.iter().find(ends))?;
        Some(format!("/{}{}", self.segment, route.path))
    }
}

/// A URL's part before its path, and its path.
fn split(url: &str) -> (&str, &str) {
    let host = url.find("://").map_or(0, |at| at + "://".len());
    let end = url[host..].find('/').map_or(url.len(), |at| host + at);
    url.split_at(end)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn patched(routes: &[Route], webhooks: &Value) -> Vec<(String, Value)> {
        let configuration = json!({"metadata": {"resourceVersion": "7"}, "webhooks": webhooks});
        let client = ClientConfig { bundle: "ours", segment: "s3cret", routes };
        let operations = client.patch(&configuration);
        if let Some(first) = operations.first() {
            assert_eq!((&first["op"], &first["value"]), (&"test".into(), &"7".into()));
        }
        let rest = operations.iter().skip(1);
        rest.map(|it| (it["path"].as_str().unwrap().to_owned(), it["value"].clone())).collect()
    }

    fn routes() -> [Route; 2] {
        let route =
            |webhook: &str, path: &str| Route { webhook: webhook.into(), path: path.into() };
        [route("required.podrole.io", "/mutate/required"), route("enabled.podrole.io", "/mutate")]
    }

    #[test]
    fn only_what_differs_is_patched_and_only_in_the_version_that_was_read() {
        let ours = json!(ByteString(b"ours".to_vec()));
        let operations = patched(
            &[],
            &json!([{"name": "a", "clientConfig": {"caBundle": ours}},
                {"name": "b", "clientConfig": {"caBundle": "Zm9yZWlnbg=="}},
                {"name": "c", "clientConfig": {"service": {"path": "/mutate"}}}]),
        );
        let paths: Vec<_> = operations.iter().map(|(path, _)| path.as_str()).collect();
        assert_eq!(
            paths,
            ["/webhooks/1/clientConfig/caBundle", "/webhooks/2/clientConfig/caBundle"]
        );
        assert!(patched(&[], &json!([{"clientConfig": {"caBundle": ours}}])).is_empty());
    }

    #[test]
    fn each_entry_gets_its_path_after_the_segment() {
        let ours = json!(ByteString(b"ours".to_vec()));
        for (name, client, expected) in [
            ("enabled.podrole.io", json!({"service": {}}), Some("/s3cret/mutate")),
            ("enabled.podrole.io", json!({"service": {"path": "/x"}}), Some("/s3cret/mutate")),
            ("required.podrole.io", json!({"service": {}}), Some("/s3cret/mutate/required")),
            (
                "other",
                json!({"service": {"path": "/mutate/required"}}),
                Some("/s3cret/mutate/required"),
            ),
            ("other", json!({"service": {"path": "/old/mutate"}}), Some("/s3cret/mutate")),
            ("other", json!({"service": {"path": "/validate"}}), None),
            ("enabled.podrole.io", json!({"service": {"path": "/s3cret/mutate"}}), None),
            (
                "enabled.podrole.io",
                json!({"url": "https://h:1"}),
                Some("https://h:1/s3cret/mutate"),
            ),
            ("other", json!({"url": "https://h:1/mutate"}), Some("https://h:1/s3cret/mutate")),
            ("enabled.podrole.io", json!({"url": "https://h/s3cret/mutate"}), None),
        ] {
            let mut entry = json!({"name": name, "clientConfig": client});
            entry["clientConfig"]["caBundle"] = ours.clone();
            let operations = patched(&routes(), &json!([entry]));
            let values: Vec<_> =
                operations.iter().filter_map(|(_, value)| value.as_str()).collect();
            assert_eq!(values, Vec::from_iter(expected), "{name} {client}");
        }
    }
}
