//! podrole's daemons, as their Deployments and DaemonSets describe them.

use std::collections::BTreeMap;

use k8s_openapi::{
    api::{
        apps::v1::{DaemonSet, Deployment},
        core::v1::{Container, PodSpec, Volume, VolumeMount},
    },
    apimachinery::pkg::apis::meta::v1::ObjectMeta,
};

use super::environment::{Environment, NotLiteral};

/// The label that all of podrole's objects have, for a selector.
pub(super) const SELECTOR: &str = "app.kubernetes.io/name=podrole";
const COMPONENT_LABEL: &str = "app.kubernetes.io/component";
const VERSION_LABEL: &str = "app.kubernetes.io/version";
/// The subcommand that is the controller.
const CONTROLLER: &str = "controller";

/// A daemon that decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Component {
    Webhook,
    Controller,
    Agent,
}

impl Component {
    const ALL: [Self; 3] = [Self::Webhook, Self::Controller, Self::Agent];

    /// The label's value and the container's name.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Webhook => "webhook",
            Self::Controller => CONTROLLER,
            Self::Agent => "agent",
        }
    }

    /// The program's file name.
    fn program(self) -> &'static str {
        match self {
            Self::Webhook | Self::Controller => "podrole-webhook",
            Self::Agent => "podrole-agent",
        }
    }
}

/// A daemon's container.
#[derive(Clone, Debug)]
pub(crate) struct Daemon {
    pub(crate) component: Component,
    /// `Deployment` or `DaemonSet`.
    pub(crate) kind: &'static str,
    pub(crate) namespace: String,
    pub(crate) name: String,
    /// The image's tag, else the label's version.
    pub(crate) version: Option<String>,
    /// The flags after the program's name, with `$(NAME)` replaced.
    pub(super) words: Vec<String>,
    /// Variables in the flags whose values are not in the manifest; such words are left out.
    pub(super) not_literal: Vec<String>,
    pub(super) environment: Environment,
    pub(super) mounts: Vec<VolumeMount>,
    pub(super) volumes: Vec<Volume>,
}

/// The daemons among the objects with podrole's labels, in the order of their components and names.
pub(super) fn daemons(deployments: &[Deployment], daemon_sets: &[DaemonSet]) -> Vec<Daemon> {
    let deployments = deployments.iter().filter_map(|it| {
        Daemon::read("Deployment", &it.metadata, it.spec.as_ref()?.template.spec.as_ref()?)
    });
    let daemon_sets = daemon_sets.iter().filter_map(|it| {
        Daemon::read("DaemonSet", &it.metadata, it.spec.as_ref()?.template.spec.as_ref()?)
    });
    let mut found: Vec<_> = deployments.chain(daemon_sets).collect();
    found.sort_by(|one, other| {
        let key = |it: &Daemon| (it.component, it.namespace.clone(), it.name.clone());
        key(one).cmp(&key(other))
    });
    found
}

impl Daemon {
    fn read(kind: &'static str, metadata: &ObjectMeta, spec: &PodSpec) -> Option<Self> {
        let none = BTreeMap::new();
        let labels = metadata.labels.as_ref().unwrap_or(&none);
        let named = labels.get(COMPONENT_LABEL)?;
        let component = Component::ALL.into_iter().find(|it| it.as_str() == named)?;
        let mut containers = spec.containers.iter();
        let container =
            containers.find(|it| it.name == named.as_str()).or(spec.containers.first())?;
        let environment = Environment::read(container.env.as_deref().unwrap_or_default());
        let (mut words, mut not_literal) = (Vec::new(), Vec::new());
        for word in flags(container, component) {
            match environment.expand(word) {
                Ok(word) => words.push(word),
                Err(NotLiteral(variable)) => not_literal.push(variable),
            }
        }
        let tag = container.image.as_deref().and_then(tag);
        Some(Self {
            component,
            kind,
            namespace: metadata.namespace.clone()?,
            name: metadata.name.clone()?,
            version: tag.or(labels.get(VERSION_LABEL).map(String::as_str)).map(str::to_owned),
            words,
            not_literal,
            environment,
            mounts: container.volume_mounts.clone().unwrap_or_default(),
            volumes: spec.volumes.clone().unwrap_or_default(),
        })
    }

    /// A daemon that is not in the cluster, with the defaults of all flags.
    pub(super) fn without_flags(component: Component) -> Self {
        Self {
            component,
            kind: "",
            namespace: String::new(),
            name: String::new(),
            version: None,
            words: Vec::new(),
            not_literal: Vec::new(),
            environment: Environment::default(),
            mounts: Vec::new(),
            volumes: Vec::new(),
        }
    }

    /// The daemon in sentences: `DaemonSet podrole-agent/podrole-agent`.
    pub(crate) fn object(&self) -> String {
        format!("{} {}/{}", self.kind, self.namespace, self.name)
    }
}

/// The words after the program, and after its subcommand. The agent's follow those of its parent process. Without the
/// program's name the image's entrypoint starts it.
fn flags(container: &Container, component: Component) -> impl Iterator<Item = &String> {
    let words: Vec<_> =
        container.command.iter().flatten().chain(container.args.iter().flatten()).collect();
    let is_program = |word: &&String| {
        word.rsplit('/').next() == Some(component.program()) && !word.starts_with('-')
    };
    let begin = words.iter().rposition(is_program).map_or(0, |index| index + 1);
    let skipped = usize::from(
        component == Component::Controller
            && words.get(begin).is_some_and(|word| *word == CONTROLLER),
    );
    words.into_iter().skip(begin + skipped)
}

/// An image's tag, if it is a version. A port is no tag, and a digest names no version.
fn tag(image: &str) -> Option<&str> {
    let name = image.split('@').next()?;
    let (_, tag) = name.rsplit('/').next()?.split_once(':')?;
    let version = tag.strip_prefix('v').unwrap_or(tag);
    minor(version).map(|_| version)
}

/// Major and minor of a version.
pub(super) fn minor(version: &str) -> Option<(u64, u64)> {
    let mut parts = version.split('.');
    let mut number = || parts.next()?.parse::<u64>().ok();
    Some((number()?, number()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_is_that_of_the_images_tag() {
        for (image, expected) in [
            ("ghcr.io/podrole/podrole:0.1.0", Some("0.1.0")),
            ("registry:5000/podrole:v1.12.3-rc1", Some("1.12.3-rc1")),
            ("registry:5000/podrole", None),
            ("podrole@sha256:0123", None),
            ("podrole:0.2.0@sha256:0123", Some("0.2.0")),
            ("podrole:latest", None),
        ] {
            assert_eq!(tag(image), expected, "{image}");
        }
        assert_eq!((minor("0.1.0"), minor("1")), (Some((0, 1)), None));
    }
}
