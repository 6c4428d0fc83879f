//! What is installed.

use podrole_identity::API_VERSION;

use super::super::seen::{KindState, Read};
use crate::{
    report::{Code, Finding},
    settings::{ClusterSettings, SettingsProblem},
};

/// The oldest Kubernetes that the chart supports.
const OLDEST: (u32, u32) = (1, 30);

pub(super) fn versions(settings: &ClusterSettings) -> Finding {
    let code = Code(101);
    let daemons = &settings.versions;
    if daemons.is_empty() {
        return not_installed(code, settings);
    }
    let mut versions: Vec<&str> = daemons.iter().filter_map(|it| it.version.as_deref()).collect();
    versions.sort_unstable();
    versions.dedup();
    let other = settings.problems.iter().find(|problem| problem.is_warning());
    match (other, versions.as_slice()) {
        (Some(problem), _) => Finding::warning(code, problem.to_string())
            .fix("use the podrole command of the cluster's version"),
        (None, [] | [_]) => {
            let version = versions.first().copied().unwrap_or("an unknown version");
            Finding::ok(format!("{} daemons of podrole {version}", daemons.len())).coded(code)
        }
        (None, versions) => {
            let text =
                format!("podrole's daemons are of different versions: {}", versions.join(", "));
            Finding::warning(code, text).fix("finish the upgrade: helm upgrade podrole")
        }
    }
}

fn not_installed(code: Code, settings: &ClusterSettings) -> Finding {
    match settings.unknown() {
        None | Some(SettingsProblem::NotInstalled) => {
            Finding::error(code, "podrole is not installed, or without its chart's labels")
                .fix("helm install podrole manifests/chart -n podrole --create-namespace")
        }
        Some(problem) => Finding::unknown(problem.to_string()).coded(code),
    }
}

pub(super) fn kubernetes(server: &Read<(u32, u32)>) -> Finding {
    let code = Code(102);
    match server {
        Err(unread) => Finding::unknown(unread.to_string()).coded(code),
        Ok((major, minor)) if (*major, *minor) < OLDEST => {
            let text = format!(
                "Kubernetes {major}.{minor} is older than {}.{}, the oldest that podrole supports",
                OLDEST.0, OLDEST.1
            );
            Finding::error(code, text).fix("upgrade the cluster")
        }
        Ok((major, minor)) => Finding::ok(format!("Kubernetes {major}.{minor}")).coded(code),
    }
}

pub(super) fn settings(settings: &ClusterSettings) -> Finding {
    let code = Code(103);
    if settings.versions.is_empty() {
        return Finding::skipped("podrole's flags were not found").coded(code);
    }
    let mut problems = settings.problems.iter().filter(|problem| !problem.is_warning());
    let Some(first) = problems.next() else {
        return Finding::ok(format!("podrole's flags were read; exchange {}", settings.exchange))
            .coded(code);
    };
    let more = problems.count();
    let more = if more > 0 { format!(" (and {more} more)") } else { String::new() };
    match first {
        SettingsProblem::Invalid { .. } | SettingsProblem::Source { .. } => {
            Finding::error(code, format!("{first}{more}")).fix("correct the chart's values")
        }
        SettingsProblem::Several { .. } => {
            Finding::error(code, format!("{first}{more}")).fix("uninstall one of the releases")
        }
        _ => Finding::unknown(format!("{first}{more}")).coded(code),
    }
}

pub(super) fn kinds(kinds: &Read<Vec<(String, KindState)>>, settings: &ClusterSettings) -> Finding {
    let code = Code(104);
    if !settings.association_objects {
        return Finding::skipped("associationObjects.enabled is false").coded(code);
    }
    let kinds = match kinds {
        Ok(kinds) => kinds,
        Err(unread) => return Finding::unknown(unread.to_string()).coded(code),
    };
    let of = |wanted: KindState| {
        let names =
            kinds.iter().filter(|(_, state)| *state == wanted).map(|(name, _)| name.as_str());
        names.collect::<Vec<_>>().join(", ")
    };
    let (missing, other) = (of(KindState::Missing), of(KindState::OtherVersion));
    let fix = "install the chart with crds.install=true, which updates them at each upgrade";
    if !missing.is_empty() {
        let text = format!("these CRDs are not installed, so no role is decided: {missing}");
        return Finding::error(code, text).fix(fix);
    }
    if !other.is_empty() {
        let text = format!("these CRDs do not serve {API_VERSION}: {other}");
        return Finding::error(code, text).fix(fix);
    }
    Finding::ok("the three CRDs are installed").coded(code)
}
