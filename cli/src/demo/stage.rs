//! The stage: sandbox, webhook and agent on loopback, and the small cluster that they see.

mod start;

use std::{fmt, net::SocketAddr, path::Path, sync::Arc};

use podrole_identity::{
    AnnotationPrefix, Audience, CREDENTIALS_ANNOTATION, CREDENTIALS_PATH, CredentialProvider,
    ServiceAccountAnnotations, ServiceAccountRef,
};
use podrole_runtime::clock::now;
use podrole_sandbox::{Issuer, NodeRef, PodRef, Sandbox, TokenRequest};
use podrole_webhook::{Metrics, Webhook};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use super::{
    Failure,
    accounts::{Accounts, uid},
    agent,
    api_server::ApiServer,
    cloud,
    kubelet::{self, WantedToken},
    manifests::{Manifests, Workload},
    report::Report,
};
use start::{bind, serve_tls, settings};

/// The name under which an API server would call the webhook.
const WEBHOOK_NAME: &str = "podrole-webhook.podrole.svc";

/// Everything that runs. Dropping it stops and removes everything.
pub(crate) struct Stage {
    pub(crate) api_server: ApiServer,
    pub(crate) agent: SocketAddr,
    sandbox: Sandbox,
    sandbox_address: SocketAddr,
    webhook_address: SocketAddr,
    issuer: Issuer,
    accounts: Accounts,
    folder: TempDir,
    shutdown: CancellationToken,
}

/// What is wrong with a token that must not work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Forgery {
    /// It is signed by another key than the one that it names.
    Key,
    /// It is for another audience.
    Audience,
    /// It is of a ServiceAccount that the trust policy does not name.
    ServiceAccount,
}

impl Stage {
    /// Starts everything on free ports of 127.0.0.1.
    pub(crate) async fn start(manifests: &Manifests) -> Result<Self, Failure> {
        let folder = TempDir::with_prefix("podrole-demo-").map_err(|error| {
            Failure::new("the demo's folder", error, "make room in the temporary folder ($TMPDIR)")
        })?;
        let shutdown = CancellationToken::new();
        let sandbox_server = bind("the sandbox").await?;
        let sandbox_address = sandbox_server.address();
        let issuer = Issuer::generate(&format!("http://{sandbox_address}/oidc"))
            .map_err(|error| Failure::ours("the sandbox's issuer", &error))?;
        let sandbox = cloud::sandbox(issuer.clone());
        tokio::spawn(sandbox_server.run(sandbox.router(), shutdown.clone()));

        let accounts = Accounts::new(&manifests.service_accounts);
        let agent_server = bind("the agent").await?;
        let agent_address = agent_server.address();
        let router = agent::router(&issuer, sandbox_address, agent_address, &accounts).await?;
        tokio::spawn(agent_server.run(router, shutdown.clone()));

        let webhook_server = bind("the webhook").await?;
        let webhook_address = webhook_server.address();
        let settings = settings(folder.path(), sandbox_address, agent_address);
        let webhook = Webhook::new(accounts.clone(), settings, Metrics::default());
        let router = podrole_webhook::router(Arc::new(webhook));
        let authority = serve_tls(webhook_server, router, shutdown.clone())?;
        let api_server =
            ApiServer::new(webhook_address, WEBHOOK_NAME, authority.certificate_pem())?;
        Ok(Self {
            api_server,
            agent: agent_address,
            sandbox,
            sandbox_address,
            webhook_address,
            issuer,
            accounts,
            folder,
            shutdown,
        })
    }

    /// Says what runs where.
    pub(crate) fn introduce(&self, report: &Report) {
        let sandbox = format!("http://{} (not AWS; it guards nothing)", self.sandbox_address);
        report.step("sandbox AWS: OIDC, STS", &sandbox);
        let webhook = format!("https://{} as {WEBHOOK_NAME}", self.webhook_address);
        report.step("webhook", &webhook);
        report.step("agent", &format!("http://{}{CREDENTIALS_PATH}", self.agent));
    }

    /// Creates the roles that the workloads' ServiceAccounts name and the sandbox does not know.
    pub(crate) fn create_roles(
        &self,
        workloads: &[Workload],
        report: &mut Report,
    ) -> Result<(), Failure> {
        for workload in workloads {
            let account = &workload.service_account;
            let Some(annotations) = self.accounts.annotations(account) else {
                return Err(missing(workload));
            };
            let read = ServiceAccountAnnotations::read(&annotations, &AnnotationPrefix::default());
            let Some(role) = read.role else { continue };
            if self.sandbox.has_role(&role) {
                continue;
            }
            let trusted = self.accounts.with_role(&role);
            let audiences = self.accounts.audiences();
            cloud::create_role(&self.sandbox, &self.issuer, &role, &trusted, &audiences)?;
            let trusts: Vec<String> = trusted.iter().map(ToString::to_string).collect();
            let told = format!("{role} trusts ServiceAccount {}", trusts.join(", "));
            report.step("a role is created there", &told);
            report.happened.roles.push(super::report::Role { arn: role.to_string(), trusts });
        }
        Ok(())
    }

    /// Has the ServiceAccount choose a way, as a person would with `kubectl annotate`.
    pub(crate) fn choose_path(
        &self,
        account: &ServiceAccountRef,
        path: CredentialProvider,
        report: &Report,
    ) {
        if self.accounts.path(account) != path {
            let (namespace, name) = (account.namespace(), account.name());
            report.note(&format!(
                "kubectl annotate serviceaccount -n {namespace} {name} {CREDENTIALS_ANNOTATION}={path}"
            ));
            self.accounts.annotate(account, CREDENTIALS_ANNOTATION, path.as_str());
        }
    }

    /// Writes a token that the pod's volumes ask for.
    pub(crate) fn write_token(
        &self,
        workload: &Workload,
        wanted: &WantedToken,
    ) -> Result<(), Failure> {
        let account = workload.service_account.clone();
        let token =
            self.mint(&self.issuer, account, &wanted.audience, wanted.expiration_seconds)?;
        kubelet::write(self.folder.path(), &wanted.file, &token)
            .map_err(|error| Failure::new("writing the token", error, "make room in $TMPDIR"))
    }

    /// A token that must not work, for the audience that a good one would have.
    pub(crate) fn forge(&self, workload: &Workload, forgery: Forgery) -> Result<String, Failure> {
        let account = workload.service_account.clone();
        let annotations = self.accounts.annotations(&account).unwrap_or_default();
        let read = ServiceAccountAnnotations::read(&annotations, &AnnotationPrefix::default());
        let audience = read.audience.unwrap_or_else(Audience::sts);
        match forgery {
            Forgery::Key => {
                let impostor = self.issuer.impostor();
                let impostor = impostor.map_err(|error| Failure::ours("an impostor", &error))?;
                self.mint(&impostor, account, &audience, 3600)
            }
            Forgery::Audience => {
                let other = "vault.example.org".parse();
                let other = other.map_err(|error| Failure::ours("an audience", &error))?;
                self.mint(&self.issuer, account, &other, 3600)
            }
            Forgery::ServiceAccount => {
                let stranger = self.accounts.stranger(&account)?;
                self.mint(&self.issuer, stranger, &audience, 3600)
            }
        }
    }

    /// Puts a token where an SDK can be pointed at it; the file's path.
    pub(crate) fn write_forgery(&self, token: &str) -> Result<String, Failure> {
        let file = self.folder.path().join("forged-token");
        kubelet::write(self.folder.path(), &file, token)
            .map_err(|error| Failure::new("writing the token", error, "make room in $TMPDIR"))?;
        Ok(file.display().to_string())
    }

    /// What the sandbox has decided so far, each with its reason.
    pub(crate) fn decisions(&self) -> Vec<String> {
        self.sandbox.decisions().into_iter().map(|decision| decision.reason).collect()
    }

    /// The demo's own folder.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    fn mint(
        &self,
        issuer: &Issuer,
        service_account: ServiceAccountRef,
        audience: &Audience,
        expiration_seconds: u32,
    ) -> Result<String, Failure> {
        let pod = format!("{}-demo", service_account.name());
        let request = TokenRequest {
            service_account_uid: uid(&service_account),
            service_account,
            audiences: vec![audience.clone()],
            expiration_seconds,
            pod: Some(PodRef { name: pod, uid: "5d0e3f0a-0000-4000-8000-000000000001".into() }),
            node: Some(NodeRef {
                name: "demo".into(),
                uid: "5d0e3f0a-0000-4000-8000-000000000002".into(),
            }),
        };
        issuer.mint(&request, now()).map_err(|error| Failure::ours("a token", &error))
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        self.shutdown.cancel();
    }
}

fn missing(workload: &Workload) -> Failure {
    let account = &workload.service_account;
    Failure::new(
        format!("the ServiceAccount of {workload}"),
        format!("the files have no ServiceAccount {account}"),
        "add it to the files, with the annotation eks.amazonaws.com/role-arn",
    )
}

impl fmt::Display for Forgery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Key => "signed by another key",
            Self::Audience => "for another audience",
            Self::ServiceAccount => "of another ServiceAccount",
        })
    }
}
