//! The settings that follow from the daemons' flags and from the command's own. Pure.

use clap::{Args as _, Command, CommandFactory as _, FromArgMatches};
use k8s_openapi::{
    api::{
        admissionregistration::v1::MutatingWebhookConfiguration,
        apps::v1::{DaemonSet, Deployment},
    },
    apimachinery::pkg::apis::meta::v1::LabelSelectorRequirement,
};
use podrole_identity::{
    AssociationList, Exchange, INJECTION_LABEL, InjectionDefault, ROLE_MAP_KEY, ROLE_MAP_NAME,
    RoleMap,
};
use podrole_runtime::grant_args::GrantArgs;
use podrole_webhook::ControllerArgs;

use super::{
    args::SettingsArgs,
    daemon::{Component, Daemon, daemons, minor},
    flags::parse,
    list_file::{ConfigMapKey, config_map_of},
    problem::SettingsProblem,
};

/// Where the settings come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SettingsSource {
    /// The flags of podrole's daemons in the cluster, and the command's own flags.
    Cluster,
    /// The command's own flags and podrole's defaults.
    Flags,
}

/// How the cluster decides.
#[derive(Clone, Debug)]
pub(crate) struct ClusterSettings {
    /// What the webhook decides by; without a webhook, what the agent decides by.
    pub(crate) webhook: podrole_webhook::Settings,
    pub(crate) exchange: Exchange,
    pub(crate) injection_default: InjectionDefault,
    /// There is no webhook: policies inject the provider `container` alone, in namespaces with its label.
    pub(crate) by_policy: bool,
    /// Whether the cluster's PodIdentityAssociations, PodIdentityPatterns and PodIdentityGuardrails count.
    pub(crate) association_objects: bool,
    pub(crate) list: AssociationList,
    /// The ConfigMap of roles; empty if the webhook does not read it.
    pub(crate) role_map: RoleMap,
    /// The issuers that agents accept in place of the API server's.
    pub(crate) issuers: Vec<String>,
    /// The name of the webhook's configurations.
    pub(crate) webhook_configuration: String,
    /// The daemons that were found, each with its version.
    pub(crate) versions: Vec<Daemon>,
    pub(crate) source: SettingsSource,
    /// Why a decision by these settings may be wrong.
    pub(crate) problems: Vec<SettingsProblem>,
}

/// What else has to be read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Wanted {
    pub(super) list: Option<ConfigMapKey>,
    pub(super) role_map: Option<ConfigMapKey>,
    /// The webhook configuration that shows which namespaces are injected: the webhook's flags do not say it.
    pub(super) configuration: Option<String>,
}

impl ClusterSettings {
    /// The settings without a cluster.
    ///
    /// # Errors
    /// If `--associations` cannot be read: a usage error.
    pub(crate) fn offline(args: &SettingsArgs) -> anyhow::Result<Self> {
        let (mut settings, _) = Self::of(Vec::new(), args, Vec::new());
        settings.list = args.list()?.unwrap_or_default();
        Ok(settings)
    }

    /// The settings by the objects with podrole's labels, and what else has to be read for them. `problems` are those of
    /// reading the objects.
    pub(super) fn from_objects(
        deployments: &[Deployment],
        daemon_sets: &[DaemonSet],
        args: &SettingsArgs,
        mut problems: Vec<SettingsProblem>,
    ) -> (Self, Wanted) {
        let found = daemons(deployments, daemon_sets);
        if problems.is_empty() && found.is_empty() {
            problems.push(SettingsProblem::NotInstalled);
        }
        Self::of(found, args, problems)
    }

    /// The settings of rendered manifests alone.
    #[cfg(test)]
    pub(crate) fn from_manifests(
        deployments: &[Deployment],
        daemon_sets: &[DaemonSet],
        args: &SettingsArgs,
    ) -> Self {
        Self::from_objects(deployments, daemon_sets, args, Vec::new()).0
    }

    fn of(
        found: Vec<Daemon>,
        args: &SettingsArgs,
        mut problems: Vec<SettingsProblem>,
    ) -> (Self, Wanted) {
        problems.extend(several(&found));
        problems.extend(other_versions(&found));
        let first = |component| found.iter().find(|it| it.component == component);
        let (webhook, agent) = (first(Component::Webhook), first(Component::Agent));
        let agent_flags = agent.and_then(|daemon| {
            read::<podrole_agent::Args>(&podrole_agent::Args::command(), daemon, &mut problems)
        });
        let by_policy = first(Component::Controller)
            .and_then(|daemon| {
                let command = ControllerArgs::augment_args(Command::new("controller"));
                read::<ControllerArgs>(&command, daemon, &mut problems)
            })
            .is_some_and(|flags| flags.remove_webhook.is_some());
        let command = podrole_webhook::command();
        let flags = match webhook {
            Some(daemon) => read::<podrole_webhook::Args>(&command, daemon, &mut problems),
            None => None,
        };
        let flags = flags.or_else(|| {
            let defaults = Daemon::without_flags(Component::Webhook);
            let mut flags = read::<podrole_webhook::Args>(&command, &defaults, &mut problems)?;
            match &agent_flags {
                // With policies there is no webhook, and the agent's flags are the same.
                Some(agent) => flags.grant = agent.grant.clone(),
                None => flags.grant.association_objects = true,
            }
            Some(flags)
        });
        let source = if found.is_empty() { SettingsSource::Flags } else { SettingsSource::Cluster };
        let mut settings = Self {
            webhook: podrole_webhook::Settings::default(),
            exchange: Exchange::default(),
            injection_default: InjectionDefault::default(),
            by_policy,
            association_objects: true,
            list: AssociationList::default(),
            role_map: RoleMap::default(),
            issuers: agent_flags.as_ref().map_or_else(Vec::new, |it| it.issuer.clone()),
            webhook_configuration: String::new(),
            versions: Vec::new(),
            source,
            problems: Vec::new(),
        };
        let mut wanted = Wanted::default();
        if let Some(mut flags) = flags {
            if args.associations.is_none()
                && let Some((daemon, path)) = webhook.or(agent).zip(flags.associations())
            {
                match config_map_of(daemon, &path.to_string_lossy()) {
                    Ok(key) => wanted.list = Some(key),
                    Err(error) => {
                        problems.push(SettingsProblem::Source { what: LIST, error });
                    }
                }
            }
            replace(&mut flags.grant, args);
            wanted.role_map = flags.watch_config_map.then(|| role_map_key(&flags));
            let object = webhook.or(agent).map_or_else(|| "podrole".to_owned(), Daemon::object);
            problems.extend(settings.apply(&flags, &object));
        }
        if let Some(issuer) = &args.issuer {
            settings.issuers = vec![issuer.clone()];
        }
        let of_agent = agent_flags.map(|flags| flags.injection_default);
        match args.injection_default.or(of_agent) {
            Some(known) => settings.injection_default = known,
            None if webhook.is_some() => {
                wanted.configuration = Some(settings.webhook_configuration.clone());
            }
            None => {}
        }
        settings.versions = found;
        settings.problems = problems;
        (settings, wanted)
    }

    /// Takes what the webhook's flags decide, and says what they leave open.
    fn apply(&mut self, flags: &podrole_webhook::Args, daemon: &str) -> Option<SettingsProblem> {
        self.exchange = flags.exchange();
        self.association_objects = flags.grant.association_objects;
        self.webhook_configuration.clone_from(&flags.certificates.webhook_configuration);
        let daemon = daemon.to_owned();
        match flags.settings() {
            Ok(settings) => self.webhook = settings,
            Err(error) => {
                return Some(SettingsProblem::Invalid { daemon, error: error.to_string() });
            }
        }
        let is_open = flags.grant.compose_role_arn && flags.grant.aws_account_id.is_none();
        is_open.then_some(SettingsProblem::InstanceAccount { daemon })
    }

    /// Takes the association list's text.
    pub(super) fn take_list(&mut self, text: &str) {
        match AssociationList::read(text) {
            Ok(list) => self.list = list,
            Err(error) => self.problem(LIST, error.to_string()),
        }
    }

    /// Takes the text of the ConfigMap of roles. Entries that cannot be used stay in it as their errors.
    pub(super) fn take_role_map(&mut self, text: &str) {
        match RoleMap::read(text, self.webhook.annotations.composer.as_ref()) {
            Ok((map, _)) => self.role_map = map,
            Err(_) => self.problem(ROLE_MAP, "it is not a JSON object".to_owned()),
        }
    }

    /// Takes which namespaces are injected from the webhook's configuration: all, if an entry for pods selects namespaces
    /// without podrole's label.
    pub(super) fn take_configuration(&mut self, configuration: &MutatingWebhookConfiguration) {
        let mut webhooks = configuration.webhooks.iter().flatten();
        let is_for_all = webhooks.any(|webhook| {
            let selector = webhook.namespace_selector.as_ref();
            let labels = selector.and_then(|it| it.match_labels.as_ref());
            let is_labelled = labels.is_some_and(|it| it.contains_key(INJECTION_LABEL));
            let mut requirements =
                selector.iter().flat_map(|it| it.match_expressions.iter().flatten());
            !is_labelled && requirements.all(may_be_absent)
        });
        if is_for_all {
            self.injection_default = InjectionDefault::All;
        }
    }

    pub(super) fn problem(&mut self, what: &'static str, error: String) {
        self.problems.push(SettingsProblem::Source { what, error });
    }

    /// The first reason why a decision by these settings is unknown.
    pub(crate) fn unknown(&self) -> Option<&SettingsProblem> {
        self.problems.iter().find(|problem| !problem.is_warning())
    }
}

/// The sources of roles in messages.
pub(super) const LIST: &str = "the association list";
pub(super) const ROLE_MAP: &str = "the ConfigMap of roles";

/// Whether an object without podrole's label may meet a requirement.
fn may_be_absent(requirement: &LabelSelectorRequirement) -> bool {
    requirement.key != INJECTION_LABEL || !matches!(requirement.operator.as_str(), "In" | "Exists")
}

/// A daemon's flags by its own type.
fn read<A: FromArgMatches>(
    command: &Command,
    daemon: &Daemon,
    problems: &mut Vec<SettingsProblem>,
) -> Option<A> {
    let matches = parse(command, daemon, problems)?;
    A::from_arg_matches(&matches)
        .map_err(|error| {
            let (daemon, error) = (daemon.object(), error.kind().to_string());
            problems.push(SettingsProblem::Invalid { daemon, error });
        })
        .ok()
}

/// Replaces what the command's own flags say.
fn replace(grant: &mut GrantArgs, args: &SettingsArgs) {
    let SettingsArgs { exchange, region, credentials, annotation_prefix, .. } = args;
    grant.exchange = exchange.or(grant.exchange);
    grant.region = region.clone().or(grant.region.take());
    grant.credentials = credentials.unwrap_or(grant.credentials);
    if let Some(prefix) = annotation_prefix {
        grant.annotation_prefix = prefix.clone();
    }
    grant.allow_annotation_roles |= args.allow_annotation_roles;
}

fn role_map_key(flags: &podrole_webhook::Args) -> ConfigMapKey {
    let namespace = flags.config_map_namespace.as_ref().unwrap_or(&flags.namespace);
    ConfigMapKey {
        namespace: namespace.clone(),
        name: ROLE_MAP_NAME.to_owned(),
        key: ROLE_MAP_KEY.to_owned(),
    }
}

/// The components of which there is more than one, because two releases are installed.
fn several(found: &[Daemon]) -> impl Iterator<Item = SettingsProblem> {
    let components = [Component::Webhook, Component::Agent].into_iter();
    components.filter_map(|component| {
        let of = found.iter().filter(|it| it.component == component);
        let daemons: Vec<_> = of.map(Daemon::object).collect();
        let component = component.as_str();
        (daemons.len() > 1).then_some(SettingsProblem::Several { component, daemons })
    })
}

/// The daemons of another minor version than this program.
fn other_versions(found: &[Daemon]) -> impl Iterator<Item = SettingsProblem> {
    let own = minor(env!("CARGO_PKG_VERSION"));
    found.iter().filter_map(move |daemon| {
        let version = daemon.version.as_deref()?;
        let is_other = minor(version).is_some_and(|it| Some(it) != own);
        let (daemon, version) = (daemon.object(), version.to_owned());
        is_other.then_some(SettingsProblem::OtherVersion { daemon, version })
    })
}
